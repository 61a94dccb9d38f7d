"""One JSON per cell, and one tidy table made from them.

::

    results/<suite>/<run>/run.json              the resolved suite, its cells in order, the machine
    results/<suite>/<run>/cells/<cell>.json     what was asked, what happened, in which environment
    results/<suite>/<run>/cells/<cell>/         curve.csv; samples.json, .png, -1.wav …
    results/<suite>/<run>/results.csv|.parquet  one row per (cell, metric)

Everything is written atomically. Imports no torch.
"""

import errno
import json
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ResultsError

if TYPE_CHECKING:
    import pandas as pd

STATUSES = ("ok", "failed", "out_of_memory", "diverged", "timed_out", "not_applicable")

COLUMNS = {
    "suite": "str",
    "run": "str",
    "cell": "str",
    "model": "str",
    "family": "str",
    "modality": "str",
    "source": "str",
    "target": "str",
    "approach": "str",
    "options": "str",
    "data_size": "int64",
    "data_quality": "str",
    "seed": "int64",
    "status": "str",
    "metric": "str",
    "value": "float64",
    "unit": "str",
    "better": "str",
    "n": "int64",
    "error": "float64",
    "reason": "str",
    "damaged": "int64",
}
"""The tidy table's columns. ``options`` is JSON; ``data_size`` is 0 for an approach that uses no target data; a cell
without scores has one row with an empty ``metric`` and a NaN ``value``; ``error`` is the score's own standard error;
``damaged`` is how many items of its domains were left out because they could not be read."""

_PARTIAL = ".partial-"
_ASKED = ("suite", "run", "model", "family", "modality", "source", "target", "approach", "data_size", "seed")


@contextmanager
def clear_disk_errors(path: Path) -> Iterator[None]:
    """Turn what an operating system says of a full or forbidden disk into a :class:`ResultsError`."""
    try:
        yield
    except Exception as error:
        if disk_is_full(error):
            raise ResultsError(f"{path}: the disk is full; free some space and run the same command again") from error
        number = _errno(error)
        if number in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ResultsError(f"{path}: not writable; name another folder with --results or --reports") from error
        if number in (errno.ENOTDIR, errno.EEXIST):
            raise ResultsError(
                f"{path}: a file stands where a folder is needed; name another with --results or --reports"
            ) from error
        raise


def disk_is_full(error: BaseException) -> bool:
    """Whether an exception says so."""
    return _errno(error) in (errno.ENOSPC, errno.EDQUOT)


def _errno(error: BaseException) -> int | None:
    said = re.search(r"\(os error (\d+)\)", str(error))  # how libraries in Rust say it, such as safetensors
    return int(said[1]) if said else getattr(error, "errno", None)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """``write`` a temporary neighbour of ``path``, then rename it: a reader sees all of it or nothing."""
    with clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_PARTIAL, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        partial = Path(name)
        try:
            write(partial)
            partial.chmod(0o644)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def remove_partial(run: Path) -> None:
    """Remove what :func:`write_atomically` was writing into a run when its process was killed."""
    for path in run.rglob(f"{_PARTIAL}*"):
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """:func:`plain` ``value`` as indented JSON."""
    text = json.dumps(plain(value), indent=1, allow_nan=False)
    write_atomically(path, lambda partial: partial.write_text(text + "\n", encoding="utf-8"))


def plain(value: Any) -> Any:
    """``value`` as JSON has it: text as keys, lists for tuples, null for NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def read_json(path: Path) -> Any:
    """The JSON in ``path``; :class:`ResultsError` where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ResultsError(f"{path}: not a readable result ({error}); run the suite again to make it anew") from error


def record_path(run: Path, cell: str) -> Path:
    """Where a cell's record lies."""
    return run / "cells" / f"{cell}.json"


def checkpoint_path(run: Path, cell: str) -> Path:
    """Where the weights a cell adds to its pretrained model lie until it has been measured."""
    return run / "cells" / cell / "checkpoint.safetensors"


def records(run: Path) -> list[dict[str, Any]]:
    """The records of a run's finished cells, in the suite's order."""
    if not (run / "run.json").exists():
        raise ResultsError(f"{run}: holds no run.json; name a folder such as results/quickstart/<run>")
    about = read_json(run / "run.json")
    cells = about.get("cells") if isinstance(about, dict) else None
    if not isinstance(cells, list):
        raise ResultsError(
            f"{run / 'run.json'}: not the record of a run; name a folder such as results/quickstart/<run>"
        )
    return [_with_its_name(read_json(path)) for cell in cells if (path := record_path(run, cell)).exists()]


def _with_its_name(record: dict[str, Any]) -> dict[str, Any]:
    """A record of ``real_data`` from before its first generation says ``training_data``: that is what it was."""
    asked = record["asked"]
    if list(asked["options"]) != ["real_data"] or asked["definition"].get("code", {}).get("real_data"):
        return record
    name = "training_data" if asked["approach"] == "real_data" else asked["approach"]
    return record | {"asked": asked | {"approach": name, "options": {"training_data": {}}}}


def latest(suite_folder: Path) -> Path | None:
    """The newest run of a suite that was not given a name: those are named by the time they began."""
    pattern = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]_*/run.json"
    runs = sorted(path.parent for path in suite_folder.glob(pattern)) if suite_folder.is_dir() else []
    return runs[-1] if runs else None


def table(found: list[dict[str, Any]]) -> "pd.DataFrame":
    """One row per (cell, metric), with the columns and types of :data:`COLUMNS`."""
    import pandas as pd

    rows = []
    for record in found:
        asked, happened = record["asked"], record["happened"]
        cell = {key: asked[key] for key in _ASKED} | {"cell": record["cell"], "status": happened["status"]}
        cell["data_quality"] = asked.get("data_quality", "clean")  # which runs of earlier versions do not say
        cell["damaged"] = sum(record.get("environment", {}).get("damaged_items", {}).values())
        cell |= {"options": json.dumps(asked["options"], sort_keys=True), "reason": happened["reason"]}
        for score in happened["scores"] or [
            {"metric": "", "value": None, "unit": "", "better": "", "n": 0, "error": None}
        ]:
            rows.append(cell | {key: math.nan if value is None else value for key, value in score.items()})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def write_tables(run: Path) -> "pd.DataFrame":
    """Make ``results.csv`` and ``results.parquet`` of a run from its records, and return the table."""
    frame = table(records(run))
    write_atomically(run / "results.csv", lambda partial: frame.to_csv(partial, index=False))
    write_atomically(run / "results.parquet", lambda partial: frame.to_parquet(partial, index=False))
    return frame


def read_table(run: Path) -> "pd.DataFrame":
    """The tidy table of a run, from ``results.parquet``."""
    import pandas as pd

    path = run / "results.parquet"
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not a readable table ({error}); run the suite again to make it anew") from error
