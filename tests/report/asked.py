"""Tables to ask a recommendation of: approaches with seeds around their levels, and costs."""

import pandas as pd

from bench.report import aggregate, candidates, sections
from bench.report.recommendation import Wish, recommend
from tests.report.frames import frame_of

NOISE = {0: 0.01, 1: -0.01, 2: 0.005, 3: -0.002, 4: 0.0}


def scores(levels, noise=NOISE, **columns):
    """(approach, size) to its level, with seeds around it that each approach has in another order."""
    values = {}
    for place, (key, level) in enumerate(levels.items()):
        turned = list(noise.values())[place % len(noise) :] + list(noise.values())[: place % len(noise)]
        values[key] = {seed: level + turned[index] for index, seed in enumerate(noise)}
    return frame_of(values, **columns)


def costs(metric, levels, unit):
    return frame_of({key: dict.fromkeys(NOISE, level) for key, level in levels.items()}, metric=metric, unit=unit)


def section_of(*frames, items=None):
    frame = pd.concat(frames, ignore_index=True)
    (section,) = sections.split(frame, aggregate.summarise(frame), {"text": "bits_per_byte"})
    return candidates.Measured(section, aggregate.spread(frame), items)


def answer_of(*frames, size=100, items=None, **asked):
    return recommend(section_of(*frames, items=items), Wish(size, **asked))


BOTH = {("good", 100): 1.0, ("bad", 100): 2.0}
