"""Training curves and chosen hyper-parameters, read from a run's records."""

import csv
import io
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from bench.results import runs, schema

_MOST_STEPS = 10**12

Curve = dict[int, list[float]]
"""Gradient step to the validation losses of the seeds that were measured there."""


class Check(NamedTuple):
    """A validation: after how many gradient steps and seconds of its trial (NaN where that was not written), and its
    loss; ``stage`` is empty on the target itself."""

    step: int
    seconds: float
    loss: float
    stage: str


Track = dict[int, list[Check]]
"""Seed to the validations of its chosen trial, in order."""


def chosen_trial(record: dict[str, Any]) -> int | None:
    """Index of the trial that was best on validation; None where nothing was trained."""
    happened = record["happened"]
    return next((i for i, trial in enumerate(happened["trials"]) if trial["values"] == happened["chosen"]), None)


def read_tracks(run: runs.Found, records: list[dict[str, Any]]) -> dict[tuple[str, int], Track]:
    """(approach, data size) to the validations of the chosen trials; a damaged file is noted and left out.

    Args:
        run: what the run's folder holds.
        records: those of one model on one target.
    """
    found: dict[tuple[str, int], Track] = {}
    for record in records:
        asked, trial = record["asked"], chosen_trial(record)
        if trial is None or record["happened"]["status"] != "ok":
            continue
        if (content := run.content(record["cell"], "curve.csv")) is None:
            continue
        try:
            checks = _checks(content, trial)
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            said = f"no column {error}" if isinstance(error, KeyError) else error
            run.note(f"cells/{record['cell']}/curve.csv", said)
            continue
        if checks:
            found.setdefault((asked["approach"], asked["data_size"]), {})[asked["seed"]] = checks
    return found


def pooled(tracks: dict[tuple[str, int], Track]) -> dict[tuple[str, int], Curve]:
    """The same without seeds, as figures show it."""
    found: dict[tuple[str, int], Curve] = {}
    for key, track in tracks.items():
        curve = found.setdefault(key, defaultdict(list))
        for checks in track.values():
            for step, loss in {check.step: check.loss for check in checks}.items():  # of one validated twice the last
                curve[step].append(loss)
    return {key: dict(curve) for key, curve in found.items()}


def _checks(content: bytes, trial: int) -> list[Check]:
    """The validations of one trial; what is not finite, or nearly so, has no place in a figure."""
    found = [
        Check(
            int(row["step"]), float(row.get("seconds") or "nan"), float(row["validation_loss"]), row.get("stage") or ""
        )
        for row in csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
        if row["validation_loss"] and int(row["trial"]) == trial
    ]
    if wrong := next((check.step for check in found if not 0 <= check.step < _MOST_STEPS), None):
        raise ValueError(f"step {str(wrong)[:24]} will not do")
    return [check for check in found if abs(check.loss) <= schema.LARGEST]  # no NaN either


def chosen_values(records: list[dict[str, Any]]) -> dict[tuple[str, int], list[str]]:
    """(approach, data size) to what the search chose, ``learning_rate 0.001 (2 of 3 seeds)``, most frequent first."""
    counts: dict[tuple[str, int], Counter[str]] = {}
    for record in records:
        asked, happened = record["asked"], record["happened"]
        if happened["status"] == "ok" and happened["chosen"]:
            words = ", ".join(
                f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in happened["chosen"].items()
            )
            counts.setdefault((asked["approach"], asked["data_size"]), Counter())[words] += 1
    return {
        key: [
            words if len(counter) == 1 else f"{words} ({count} of {counter.total()} seeds)"
            for words, count in counter.most_common()
        ]
        for key, counter in counts.items()
    }
