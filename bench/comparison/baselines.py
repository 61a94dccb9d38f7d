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


class NoBaseline(ResultsError):
    """No earlier run was all right."""


def last_ok(new: Path) -> Path:
    """The newest run of the same suite that began before it, is complete, in which no cell ended badly, and which is no
    regression itself; :class:`NoBaseline` where there is none."""
    well = [
        path
        for path, info in earlier(new)
        if set(info["ends"]) <= set(ENDED_WELL) and verdict(path, info) != REGRESSION
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


def verdict(run: Path, info: dict[str, Any]) -> str:
    """What was said of a run, ``regression`` or ``ok``; empty where :func:`kept` has nothing."""
    said = kept(run, info)
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
