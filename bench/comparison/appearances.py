"""Figures that a suite's history has from a run on, or up to one: of an approach that was renamed, of a new metric."""

from typing import NamedTuple

import numpy as np

from bench.comparison.history import History
from bench.words import counted


class Appearance(NamedTuple):
    """Figures of one approach that begin or end in one run.

    Attributes:
        night: index of the first run that has them, or of the first that has them no longer.
        ends: whether they end there.
        approach: it.
        figures: how many.
        metrics: what they are of; empty where all that the approach has in that run, or had, begins or ends.
    """

    night: int
    ends: bool
    approach: str
    figures: int
    metrics: list[str]


def appearances(history: History) -> list[Appearance]:
    """Where figures begin and end, earliest first.

    What the first run has does not begin, and what the last one has does not end. Runs that have not finished may lack
    anything, and are not looked at; nor is a hole between two runs.
    """
    finished = np.array([place for place, night in enumerate(history.nights) if night.ends], dtype=np.int_)
    there = np.isfinite(history.values[:, finished])
    ever = there.any(axis=1)
    if not ever.any():
        return []
    first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    approaches = history.rows["approach"].to_numpy()
    found = []
    for ends, places in ((False, first), (True, last + 1)):
        for at in np.unique(places[ever]):
            if not 0 < at < len(finished):
                continue
            here = ever & (places == at)
            beside = at - 1 if ends else at
            for approach in dict.fromkeys(approaches[here]):
                of = approaches == approach
                metrics = history.rows["metric"][here & of].unique().tolist()
                whole = int((there[:, beside] & of).sum()) == int((here & of).sum())
                found.append(
                    Appearance(int(finished[at]), ends, approach, int((here & of).sum()), [] if whole else metrics)
                )
    return sorted(found, key=lambda one: (one.night, not one.ends))


def line(one: Appearance) -> str:
    """``ends here: 12 figures of lora``, ``begins here: 2 figures of lora (accuracy)``."""
    metrics = f" ({', '.join(one.metrics)})" if one.metrics else ""
    return f"{'ends' if one.ends else 'begins'} here: {counted(one.figures, 'figure')} of {one.approach}{metrics}"
