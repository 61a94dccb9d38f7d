"""The tidy table of a run: one row per (cell, metric). Imports no torch, and pandas when it is asked for a table."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ResultsError
from bench.results import columns, files

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {name: column.kind for name, column in columns.RESULTS.items()}
"""The tidy table's columns, and their types; :data:`bench.results.columns.RESULTS` says what is in them. A cell without
scores has one row with an empty ``metric`` and a NaN ``value``."""

_ASKED = ("suite", "run", "model", "family", "modality", "source", "target", "approach", "data_size", "seed")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would work out, or send somewhere (OWASP's list for CSV injection)."""
_SCORED = ("metric", "value", "unit", "better", "n", "error")


def table(found: list[dict[str, Any]]) -> "pd.DataFrame":
    """One row per (cell, metric), with the columns and types of :data:`COLUMNS`."""
    import pandas as pd

    rows = []
    for one in found:
        asked, happened = one["asked"], one["happened"]
        cell = {key: asked[key] for key in _ASKED} | {"cell": one["cell"], "status": happened["status"]}
        cell["data_quality"] = asked.get("data_quality", "clean")  # which runs of earlier versions do not say
        cell["damaged"] = sum(one.get("environment", {}).get("damaged_items", {}).values())
        cell |= {"options": json.dumps(asked["options"], sort_keys=True), "reason": happened["reason"]}
        for score in happened["scores"] or [
            {"metric": "", "value": None, "unit": "", "better": "", "n": 0, "error": None}
        ]:
            rows.append(cell | {key: math.nan if score[key] is None else score[key] for key in _SCORED})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def as_csv(table: "pd.DataFrame") -> str:
    """The table as CSV, in which a spreadsheet finds no formula: a text that begins as one has an apostrophe first."""
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    inert = {
        name: table[name].map(lambda cell: f"'{cell}" if str(cell).startswith(_FORMULA) else cell) for name in texts
    }
    return str(table.assign(**inert).to_csv(index=False, lineterminator="\n"))


def write(run: Path, records: list[dict[str, Any]]) -> "pd.DataFrame":
    """Make ``results.parquet`` of a run's records, and return the table."""
    frame = table(records)
    (run / "results.csv").unlink(missing_ok=True)  # which earlier versions wrote: it would be of other records now
    files.write_atomically(run / "results.parquet", lambda partial: frame.to_parquet(partial, index=False))
    return frame


def read(run: Path) -> "pd.DataFrame":
    """The tidy table of a run, from ``results.parquet``."""
    import pandas as pd

    path = run / "results.parquet"
    try:
        found = pd.read_parquet(files.regular(path))
        if lacking := [name for name in COLUMNS if name not in found]:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        return found[list(COLUMNS)].astype(COLUMNS)
    except Exception as error:  # what libraries say of a damaged file is of many kinds
        said = " ".join(str(error).split())[:200]
        raise ResultsError(f"{path}: not a readable table ({said}); {files.ANEW}") from error
