"""Cells of an earlier run beside the same cells trained once more: whether they are equal to the last digit.

If not, from where on they differ, and what is other around them.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bench.comparison import environments, sides, verdicts
from bench.comparison.environments import Change
from bench.comparison.kinds import MEASURED, kind_of
from bench.comparison.sides import Side
from bench.comparison.verdicts import Findings
from bench.results import runs
from bench.results.statuses import ENDED_WELL
from bench.words import counted, cut

Record = dict[str, Any]
_NAMED = 5
_CURVE = "curve.csv"
_LOSSES = ("train_loss", "validation_loss")


class Twice(NamedTuple):
    """One cell, then and now.

    Attributes:
        before, now: its records.
        apart: where they differ first, in words; empty where nothing does but what depends on the clock.
    """

    before: Record
    now: Record
    apart: str = ""


@dataclass(frozen=True)
class Rerun:
    """What a rerun found.

    Attributes:
        base, new: the cells then and now.
        cells: each of them.
        findings: both held against each other; None where no cell has a score or another end.
        changes: what is other now around any of the cells, and in what determines its outcome.
    """

    base: Side
    new: Side
    cells: list[Twice]
    findings: Findings | None
    changes: list[Change]

    @property
    def equal(self) -> int:
        """Cells that are the same to the last digit."""
        return sum(not one.apart for one in self.cells)

    def conclusion(self) -> str:
        """What follows for who looks for the reason of a change."""
        total, changed = counted(len(self.cells), "cell"), bool(self.changes)
        if self.equal == len(self.cells):
            what = "what changed since" if changed else "today's code, packages and machine"
            verb = "is" if changed else "are"
            return f"{total}: the same to the last digit; {what} {verb} not the reason for what later runs scored"
        other = len(self.cells) - self.equal
        some = f"{other} of {total} {'is' if other == 1 else 'are'} not the same"
        if changed:
            return f"{some}; the reason is among what changed, if it is recorded"
        return f"{some}, and nothing that is recorded changed: look at drivers, and at arithmetic that varies by itself"


def hold(before: runs.Found, now: runs.Found, pairs: list[tuple[Record, str]]) -> Rerun:
    """Hold a rerun against the run whose cells it trained again.

    Args:
        before, now: both runs.
        pairs: each cell's old record, and its name in the rerun.
    """
    again = {record["cell"]: record for record in now.records}
    cells = [Twice(old, again[name]) for old, name in pairs]
    base = sides.of_records(before, [one.before for one in cells])
    new = sides.of_records(now, [one.now for one in cells])
    ends = [{one.before["happened"]["status"], one.now["happened"]["status"]} for one in cells]
    told = any("ok" in end or (len(end) == 2 and end & set(ENDED_WELL)) for end in ends)
    return Rerun(
        base,
        new,
        cells=[one._replace(apart=_apart(one, before, now)) for one in cells],
        findings=verdicts.compare(base, new) if told else None,
        changes=list(dict.fromkeys(change for one in cells for change in _changes(base, new, one))),
    )


def _changes(base: Side, new: Side, cell: Twice) -> list[Change]:
    """By the cell's own records: a run that was gone on with has them from several environments."""
    facts = [
        {"environment": one.get("environment"), "definition": _asked(one), "workers": side.info["workers"]}
        for one, side in ((cell.before, base), (cell.now, new))
    ]
    found = environments.changes(replace(base, info=facts[0]), replace(new, info=facts[1]))
    keys = [one["asked"].get("key") for one in (cell.before, cell.now)]
    if keys[0] != keys[1] and facts[0]["definition"] == facts[1]["definition"]:  # nothing else is in a key
        found.append(Change("GENERATION of bench.suite.cell", "an earlier one", "today's"))
    return found


def _asked(record: Record) -> dict[str, Any]:
    """What determines a cell's outcome, options by name."""
    asked = record["asked"]
    metrics = dict(asked["definition"].get("metrics", []))
    return {**asked["definition"], "chain": asked["options"], "metrics": metrics}


def _apart(one: Twice, before: runs.Found, now: runs.Found) -> str:
    """Where a cell's two records differ first; empty where they do not."""
    old, new = one.before["happened"], one.now["happened"]
    if old["status"] != new["status"]:
        said = f": {new['reason']}" if new["reason"] else ""
        return cut(f"{old['status']} then, {new['status']} now{said}".replace("_", " "), 400)
    curves = [found.content(one_of["cell"], _CURVE) for found, one_of in ((before, one.before), (now, one.now))]
    rows = [[*csv.DictReader(each.decode(errors="replace").splitlines())] for each in curves if each is not None]
    differences = _curves_apart(*rows) if len(rows) == len(curves) else _losses_apart(old["trials"], new["trials"])
    where = next(differences, "")
    if where:
        return where
    if old["chosen"] != new["chosen"]:
        return "another point of the grid was chosen"
    scores = [{score["metric"]: score["value"] for score in each["scores"] if _is_told(score)} for each in (old, new)]
    differ = [name for name in dict.fromkeys([*scores[0], *scores[1]]) if scores[0].get(name) != scores[1].get(name)]
    named = ", ".join(differ[:_NAMED]) + (f" and {len(differ) - _NAMED} more" if len(differ) > _NAMED else "")
    return f"scores alone, every loss being the same: {named}" if differ and old["trials"] else named


def _is_told(score: dict[str, Any]) -> bool:
    return kind_of(score["metric"], score["unit"]) not in MEASURED


def _losses_apart(old: list[Record], new: list[Record]) -> Iterator[str]:
    for number, (then, today) in enumerate(zip(old, new, strict=False), start=1):
        if then.get("validation_loss") != today.get("validation_loss"):
            yield f"validation loss of trial {number}"
    if len(old) != len(new):
        yield f"{counted(len(old), 'trial')} then, {len(new)} now"


def _curves_apart(old: list[dict[str, str]], new: list[dict[str, str]]) -> Iterator[str]:
    for then, today in zip(old, new, strict=False):
        where = f"step {then.get('step')} of trial {_number(then.get('trial') or '0')}"
        if any(then.get(name) != today.get(name) for name in ("trial", "step", "stage")):
            yield f"from {where} on the steps are others"
        for name in _LOSSES:
            if then.get(name) != today.get(name):
                began = ", before anything was learned" if then.get("step") == "0" else ""
                values = f"{then.get(name) or 'none'} then, {today.get(name) or 'none'} now"
                yield f"from {where} on{began}: {name.replace('_', ' ')} {values}"
    if len(old) != len(new):
        yield f"{len(old)} losses were taken then, {len(new)} now"


def _number(trial: str) -> str:
    return str(int(trial) + 1) if trial.isdecimal() else trial
