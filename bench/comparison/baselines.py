"""The run that the latest one is held against: the newest earlier one of its suite that was all right.

``verdict.json`` in a run's folder keeps what a comparison with that said, so that a regression does not become the next
night's baseline.
"""

from pathlib import Path
from typing import Any

from bench.comparison.sides import Side
from bench.comparison.verdicts import Findings
from bench.errors import ResultsError
from bench.results import files, runs
from bench.results.statuses import ENDED_WELL

LAST_OK = "last-ok"
NAME = "verdict.json"
REGRESSION = "regression"


def last_ok(new: Path) -> Path:
    """The newest run of the same suite that began before it, is complete, in which no cell ended badly, and which is no
    regression itself; :class:`ResultsError` where there is none."""
    well = [
        path
        for path, info in earlier(new)
        if set(info["ends"]) <= set(ENDED_WELL) and verdict(path, info) != REGRESSION
    ]
    if not well:
        suite = runs.about(new)[0]["suite"]
        raise ResultsError(
            f"{new}: beside it lies no earlier run of {suite} that is complete, ended well and is no regression; "
            "name the run to compare with, or run the suite once more"
        )
    return well[-1]


def earlier(new: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The complete runs of the same suite that began before it, earliest first, each with its ``run.json``."""
    info, _ = runs.about(new)
    here = new.resolve()
    found = []
    for path in here.parent.glob("*/run.json"):
        other, wrong = runs.read_info(path.parent)
        began = other["started"] or ""
        if path.parent == here or wrong or not began or began >= (info["started"] or "") or other.get("imported"):
            continue
        if other["finished"]:
            found.append((began, path.parent, other))
    return [(path, other) for _, path, other in sorted(found, key=lambda one: one[:2])]


def keep(new: Side, base: Side, findings: Findings) -> None:
    """Write down what was said of a run."""
    said = {"regression": findings.worse, "against": base.path.name, "counts": findings.counts()}
    files.write_json(new.path / NAME, said | {"finished": new.info["finished"]})


def verdict(run: Path, info: dict[str, Any]) -> str:
    """What was said of a run, ``regression`` or ``ok``; empty where nothing can be read, or it has gone on since.

    Args:
        run: its folder.
        info: the content of its ``run.json``.
    """
    try:
        said = files.parsed(run / NAME) if (run / NAME).exists() else {}
    except files.Damaged:
        return ""
    if not isinstance(said, dict) or said.get("finished") != info["finished"]:
        return ""
    return REGRESSION if said.get("regression") else "ok"
