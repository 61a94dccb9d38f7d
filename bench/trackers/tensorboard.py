"""TensorBoard: files in ``<folder>/<suite>/<run>/<cell>``, with scores as the metrics of hyperparameters."""

import json
import shlex
import shutil
from pathlib import Path

from bench.errors import BenchError
from bench.results import files
from bench.trackers.telling import Group, Told

_MARK = "transferbench.json"


class TensorBoard:
    """A folder that ``tensorboard --logdir`` shows."""

    def __init__(self, address: str) -> None:
        from torch.utils import tensorboard  # noqa: F401  # says now what is missing

        self.folder = Path(address)

    def open(self, group: Group) -> dict[str, str]:
        self.group, self.place = group, self.folder / group.suite / group.run
        self.place.mkdir(parents=True, exist_ok=True)
        there = {}
        for told in group.cells:
            mark = _read(self.place / told.name / _MARK)
            if mark and mark.get("run") != group.id:
                raise BenchError(f"{self.place} holds another run of this name; name another folder")
            if mark and mark.get("cell") == told.cell:
                there[told.cell] = str(mark.get("digest"))
        return there

    def put(self, told: Told) -> None:
        from accelerate.tracking import TensorBoardTracker

        folder = self.place / told.name
        if folder.exists():
            if strange := next((path for path in folder.iterdir() if not _is_ours(path)), None):
                raise BenchError(f"{strange} is none of ours; move it away")
            shutil.rmtree(folder)
        tracker = TensorBoardTracker(told.name, self.place)
        tracker.start()
        try:
            for point in told.curves:
                tracker.log(point.values, step=point.step)
            tracker.log(told.tags | {"scores": told.notes, "cell": told.cell}, step=0)
            # Accelerate's own way keeps them in a folder apart, and without metrics
            tracker.tracker.add_hparams(told.parameters, told.metrics, run_name=".")
        finally:
            tracker.finish()
        mark = {"run": self.group.id, "cell": told.cell, "digest": told.digest}
        files.write_json(folder / _MARK, mark)

    def close(self) -> str:
        return shlex.join(["tensorboard", "--logdir", str(self.place)])


def _is_ours(path: Path) -> bool:
    return path.name == _MARK or path.name.startswith(("events.out.tfevents.", files.PARTIAL))


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
