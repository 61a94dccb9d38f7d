"""The run that the latest one is held against: the newest earlier one of its suite that was all right.

``verdict.json`` in a run's folder keeps what a comparison with that said, so that neither a regression nor a run that
could not be compared, whose figures nobody has judged, becomes the next night's baseline.
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
UNUSABLE = "could not be compared"


class NoBaseline(ResultsError):
    """No earlier run was all right."""


def last_ok(new: Path) -> Path:
    """The newest run of the same suite that began before it, is complete, in which no cell ended badly, and which is no
    regression itself and could be compared; :class:`NoBaseline` where there is none."""
    well = [
        path
        for path, info in earlier(new)
        if set(info["ends"]) <= set(ENDED_WELL) and verdict(path, info) not in (REGRESSION, UNUSABLE)
    ]
    if not well:
        suite = runs.about(new)[0]["suite"]
        raise NoBaseline(
            f"{new}: beside it lies no earlier run of {suite} that is complete, ended well and is no regression; "
            "name the run to compare with, run the suite once more, or say --first where that is as it should be"
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
        if other["finished"] and other["suite"] == info["suite"]:
            found.append((began, path.parent, other))
    return [(path, other) for _, path, other in sorted(found, key=lambda one: one[:2])]


def keep(new: Side, base: Side, findings: Findings) -> None:
    """Write down what was said of a run."""
    said = {"regression": findings.worse, "against": base.path.name, "counts": findings.counts()}
    files.write_json(new.path / NAME, said | {"finished": new.info["finished"]})


def keep_unusable(new: Path, base: Path, why: str) -> None:
    """Write down that a run could not be held against another; of one that has not finished nothing is kept."""
    info, _ = runs.about(new)
    if info["finished"]:
        files.write_json(new / NAME, {"unusable": why, "against": base.name, "finished": info["finished"]})


def verdict(run: Path, info: dict[str, Any]) -> str:
    """What was said of a run: ``regression``, ``could not be compared`` or ``ok``; empty where nothing is kept."""
    said = kept(run, info)
    if "unusable" in said:
        return UNUSABLE
    return "" if not said else REGRESSION if said.get("regression") else "ok"


def kept(run: Path, info: dict[str, Any]) -> dict[str, Any]:
    """What :func:`keep` wrote of a run; nothing where nothing can be read, or it has gone on since.

    Args:
        run: its folder.
        info: the content of its ``run.json``.
    """
    try:
        said = files.parsed(run / NAME) if (run / NAME).exists() else {}
    except files.Damaged:
        return {}
    return said if isinstance(said, dict) and said.get("finished") == info["finished"] else {}
