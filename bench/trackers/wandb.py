"""Weights & Biases: a project for a suite, a group for each of its runs, and in that a run for each cell.

They are files that `wandb sync` sends on, unless ``WANDB_MODE`` says otherwise. Of this machine they say no more than
the record does, and which packages are installed.
"""

import glob
import hashlib
import json
import os
import shlex
import shutil
from pathlib import Path

from bench.results import files
from bench.trackers.telling import Group, Told

_MARK = "transferbench.json"


class WandB:
    """A folder, in which W&B makes its own."""

    def __init__(self, address: str) -> None:
        import wandb

        self.wandb, self.folder = wandb, Path(address)

    def open(self, group: Group) -> dict[str, str]:
        self.group, self.project = group, os.environ.get("WANDB_PROJECT") or group.suite
        self.folder.mkdir(parents=True, exist_ok=True)
        there = {}
        for told in group.cells:
            for folder in self._folders(told):
                try:
                    there[told.cell] = str(json.loads((folder / _MARK).read_text(encoding="utf-8"))["digest"])
                except (OSError, ValueError, KeyError, TypeError):
                    continue
        return there

    def _id(self, told: Told) -> str:
        return hashlib.sha256(f"{self.group.id}/{told.cell}".encode()).hexdigest()[:16]

    def _folders(self, told: Told) -> list[Path]:
        return sorted((self.folder / "wandb").glob(f"*run-*-{glob.escape(self._id(told))}"))

    def put(self, told: Told) -> None:
        from accelerate.tracking import WandBTracker

        for folder in self._folders(told):
            shutil.rmtree(folder)
        settings = self.wandb.Settings(
            console="off", disable_git=True, disable_code=True, disable_job_creation=True, x_disable_machine_info=True,
            x_disable_meta=True, x_disable_stats=True,
        )  # fmt: skip
        tags = [self.group.suite, self.group.run, told.tags["status"], str(told.parameters["approach"])]
        tracker = WandBTracker(
            self.project, id=self._id(told), name=told.name, group=self.group.run, dir=str(self.folder),
            tags=list(dict.fromkeys(tag[:64] for tag in tags)), notes=told.notes, resume="allow", settings=settings,
        )  # fmt: skip
        tracker.start()
        try:
            tracker.store_init_configuration({**told.parameters, **{f"tag.{key}": v for key, v in told.tags.items()}})
            for point in told.curves:
                tracker.log(point.values, step=point.step)
            tracker.tracker.summary.update(told.metrics)
        finally:
            tracker.tracker.finish(exit_code=0 if told.well else 1)
        for folder in self._folders(told)[-1:]:
            files.write_json(folder / _MARK, {"cell": told.cell, "digest": told.digest})

    def close(self) -> str:
        if os.environ.get("WANDB_MODE") != "offline":
            return f"project {self.project}, group {self.group.run}"
        return f"wandb sync {shlex.quote(str(self.folder / 'wandb'))}/offline-run-*"
