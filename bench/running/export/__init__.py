"""A trained cell as a folder that another library's ``from_pretrained`` loads without this package. Imports no torch.

The folder is written beside its place, loaded again and compared, and only then given its name: it is there whole and
right, or not at all.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import cache
from bench.errors import BenchError, CellEnd, ResultsError
from bench.results import disk, files
from bench.running import ends, pool, worker
from bench.running.export.finding import Trained
from bench.running.pool import Task

_LIMIT = 24 * 3600.0  # seconds


def export(
    trained: Trained, folder: Path, card: Callable[[dict[str, Any]], str], *, merged: bool = False
) -> dict[str, Any]:
    """Write a trained cell.

    Args:
        trained: the cell.
        folder: that must not be there, or be empty.
        card: of the model, made of what this returns; written as ``README.md``.
        merged: whole weights, also where the approach is an adapter that could stand by itself.

    Returns:
        What :func:`bench.running.export.writing.write` says of it.

    Raises:
        BenchError: one line that says why it cannot be exported; nothing is left then.
    """
    check(folder)
    with _clear_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        into = Path(tempfile.mkdtemp(prefix=files.PARTIAL, dir=folder.parent))
    try:
        made = _made(trained, into, merged)
        with _clear_errors(folder):
            (into / "README.md").write_text(card(made), encoding="utf-8")
            into.chmod(0o755)
            into.replace(folder)
        return made
    finally:
        shutil.rmtree(into, ignore_errors=True)


@contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    """What an operating system says of the folder, as one line; somebody else may have filled it meanwhile."""
    try:
        yield
    except OSError as error:
        if disk.is_full(error):
            raise ResultsError(f"{folder}: the disk is full; free some space and export again") from error
        raise ResultsError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error


def check(folder: Path) -> None:
    """Raise :class:`ResultsError` where a folder will not do to export into."""
    another = "name one that is not there yet"
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise ResultsError(f"{folder}: is no folder; {another}")
        if folder.is_dir() and any(folder.iterdir()):
            raise ResultsError(f"{folder}: is not empty; {another}, nothing is overwritten")
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be read ({error.strerror}); {another}") from error


def _made(trained: Trained, into: Path, merged: bool) -> dict[str, Any]:
    """What a process of its own has written into a folder."""
    cell, made = trained.cell, dict[str, Any]()

    def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
        if isinstance(outcome, BenchError):
            raise outcome
        if isinstance(outcome, CellEnd):
            raise ResultsError(f"{trained.id}: cannot be exported ({outcome}); see `bench doctor`")
        if isinstance(outcome, BaseException):
            _, why = ends.how_it_ended(outcome, _LIMIT)
            raise ResultsError(f"{trained.id}: cannot be exported ({why}); see `bench doctor`")
        made.update(outcome)
        return "ok", "", 0.0

    happened = trained.record["happened"]
    known = trained.record["environment"].get("datasets", {}).get(cell.target.name, "")
    asked = (cell, happened["chosen"], trained.weights, into, merged, known)
    cache.make()
    with tempfile.TemporaryDirectory() as said, worker.blank_main(), pool.stoppable():
        task = Task(trained.id, "export", asked, _LIMIT, ended, Path(said) / "log.txt")
        pool.run([task], 1, worker.preloaded([cell.model_copy(update={"metrics": []})]), _Nobody())
    return made


class _Nobody:
    """Progress that is told to nobody: it is over in a moment."""

    def stage(self, name: str, total: int, done: int = 0) -> None: ...

    def steps(self, running: dict[str, tuple[float, float]]) -> None: ...

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None: ...
