"""Training curves and chosen hyper-parameters, read from a run's records."""

import csv
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from bench import results

Curve = dict[int, list[float]]
"""Gradient step to the validation losses of the seeds that were measured there."""


def chosen_trial(record: dict[str, Any]) -> int | None:
    """Index of the trial that was best on validation; None where nothing was trained."""
    happened = record["happened"]
    return next((i for i, trial in enumerate(happened["trials"]) if trial["values"] == happened["chosen"]), None)


def read_curves(run: Path, records: list[dict[str, Any]]) -> dict[tuple[str, int], Curve]:
    """(approach, data size) to the validation loss of the chosen trials.

    Args:
        run: the run's folder.
        records: those of one model on one target.
    """
    found: dict[tuple[str, int], Curve] = {}
    for record in records:
        asked, trial = record["asked"], chosen_trial(record)
        path = results.record_path(run, record["cell"]).with_suffix("") / "curve.csv"
        if trial is None or record["happened"]["status"] != "ok" or not path.exists():
            continue
        curve = found.setdefault((asked["approach"], asked["data_size"]), defaultdict(list))
        with path.open(newline="", encoding="utf-8") as file:
            losses = {  # of a step that was validated twice the last, of the weights that were kept
                int(row["step"]): float(row["validation_loss"])
                for row in csv.DictReader(file)
                if row["validation_loss"] and int(row["trial"]) == trial
            }
        for step, loss in losses.items():
            curve[step].append(loss)
    return {key: dict(curve) for key, curve in found.items() if curve}


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
