"""trackio: a project for a suite, a group for each of its runs, and in that a run for each cell."""

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.results import files
from bench.trackers.telling import Group, Told

_CELL, _RUN = "transferbench.cell", "transferbench.run_id"


class Trackio:
    """A folder in which trackio keeps its databases."""

    def __init__(self, address: str) -> None:
        os.environ["TRACKIO_DIR"] = address  # read when it is imported
        import trackio

        self.folder, self.api = Path(address), trackio.Api()
        self.earlier: dict[str, list[Any]] = {}

    def open(self, group: Group) -> dict[str, str]:
        self.group = group
        there: dict[str, str] = {}
        with suppress(ValueError):  # of a project that is not there yet
            for run in self.api.runs(group.suite):
                config = run.config or {}
                if config.get(_RUN) == group.id:
                    self.earlier.setdefault(str(config.get(_CELL)), []).append(run)
        for cell in self.earlier:
            with suppress(FileNotFoundError):
                there[cell] = self._mark(cell).read_text(encoding="utf-8")
        return there

    def _mark(self, cell: str) -> Path:
        """Holds the digest of a cell that is there whole, which trackio cannot tell."""
        return self.folder / "transferbench" / self.group.id / cell

    def put(self, told: Told) -> None:
        from accelerate.tracking import TrackioTracker

        (mark := self._mark(told.cell)).unlink(missing_ok=True)
        for run in self.earlier.pop(told.cell, []):
            run.delete()
        config = {
            _RUN: self.group.id,
            _CELL: told.cell,
            **told.parameters,
            **{f"tag.{k}": v for k, v in told.tags.items()},
        }
        tracker = TrackioTracker(
            self.group.suite, name=told.name, group=self.group.run, config=config, embed=False, auto_log_gpu=False,
            auto_log_cpu=False,
        )  # fmt: skip
        tracker.start()
        try:
            for point in told.curves:
                tracker.log(point.values, step=point.step)
            tracker.log(told.metrics, step=max((point.step for point in told.curves), default=0))
        finally:
            tracker.finish()
        files.write_atomically(mark, lambda partial: partial.write_text(told.digest, encoding="utf-8"))

    def close(self) -> str:
        return shlex.join([f"TRACKIO_DIR={self.folder}", "trackio", "show", "--project", self.group.suite])
