"""The two sides of a comparison: a run, or a tidy table."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ResultsError
from bench.results import files, runs, tidy
from bench.words import cut

if TYPE_CHECKING:
    import pandas as pd

TABLES = (".csv", ".parquet")
_OPTIONAL: dict[str, Any] = {
    "n": 0,
    "error": float("nan"),
    "reason": "",
    "damaged": 0,
    "options": "{}",
    "data_quality": "clean",
}


@dataclass(frozen=True)
class Side:
    """What one side holds.

    Attributes:
        path: as it was named.
        name: suite and run.
        frame: its tidy table.
        info: the content of ``run.json``; empty for a table.
        found: the run, for scores of test items; None for a table.
        unfinished: cells that have not ended.
    """

    path: Path
    name: str
    frame: "pd.DataFrame"
    info: dict[str, Any] = field(default_factory=dict)
    found: runs.Found | None = None
    unfinished: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, Any]:
        """Where it was measured; a record speaks where ``run.json`` does not say."""
        known: dict[str, Any] = self.info.get("environment") or {}
        if not known.get("machine") and self.found and self.found.records:
            known = known | self.found.records[0].get("environment", {})
        return known

    @property
    def machine(self) -> tuple[str, ...] | None:
        """What tells its machine from others; None where that is not known."""
        machine = self.environment.get("machine") or {}
        known = machine.get("id"), self.environment.get("accelerator") or machine.get("accelerator")
        return tuple(str(part or "") for part in known) if any(known) else None


def read(path: Path) -> Side:
    """A run's folder, or a tidy table as CSV or Parquet; :class:`ResultsError` where it is neither."""
    if path.suffix.lower() in TABLES and path.is_file():
        return _table(path)
    found = runs.read(path)
    ended = {record["cell"] for record in found.records}
    left = [cell for cell in found.info["cells"] if cell not in ended]
    if not found.records:
        raise ResultsError(f"{path}: no cell has finished; go on with it by bench run {found.info['suite']}")
    return replace(of_records(found, found.records), path=path, unfinished=left)


def of_records(found: runs.Found, records: list[dict[str, Any]]) -> Side:
    """Some of a run's cells."""
    name = f"{found.info['suite']} / {found.info['run']}{' (published)' if found.info.get('published') else ''}"
    return Side(found.folder, name, tidy.table(records), found.info, found)


def quick(path: Path, info: dict[str, Any]) -> Side:
    """A run by its table and its ``run.json`` alone; of its records where it has no table yet."""
    frame = tidy.read(path) if (path / "results.parquet").exists() else tidy.table(runs.records(path))
    return Side(path, f"{info['suite']} / {info['run']}", frame, info)


def _table(path: Path) -> Side:
    import pandas as pd

    try:
        is_csv = path.suffix.lower() == ".csv"
        content = files.regular(path)
        frame = (
            pd.read_csv(content, keep_default_na=False, na_values=["", "NaN"]) if is_csv else pd.read_parquet(content)
        )
    except Exception as error:  # what libraries say of a damaged file is of many kinds
        raise ResultsError(f"{path}: not a readable table ({cut(' '.join(str(error).split()), 200)})") from error
    lacking = [name for name in tidy.COLUMNS if name not in frame and name not in _OPTIONAL]
    if lacking:
        remedy = "bench import csv makes a run of any other table"
        raise ResultsError(f"{path}: no tidy table, it lacks the columns {', '.join(lacking)}; {remedy}")
    for name, kind in tidy.COLUMNS.items():
        if name not in frame:
            frame[name] = _OPTIONAL[name]
        elif kind == "str":
            frame[name] = frame[name].fillna("").astype(str)
    try:
        frame = frame[list(tidy.COLUMNS)].astype(tidy.COLUMNS)
    except (TypeError, ValueError) as error:
        raise ResultsError(
            f"{path}: not a tidy table ({cut(str(error), 200)}); is it one of a newer version?"
        ) from error
    names = [" + ".join(frame[name].unique()[:3]) for name in ("suite", "run")]
    return Side(path, " / ".join(names), frame)
