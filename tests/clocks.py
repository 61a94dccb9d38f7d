"""Metrics that want the machine to themselves; the tests install this file as a plugin."""

import json
import os
import time
from pathlib import Path

import numpy as np

from bench.evaluation import Evaluation, Score
from bench.metrics.loss import loss

EXCLUSIVE = True
NEEDS = ("network",)


def stopwatch(evaluation: Evaluation, *, into: str) -> list[Score]:
    """Writes down when it measured."""
    begun = time.monotonic()
    time.sleep(0.1)
    (Path(into) / f"measured-{os.getpid()}.json").write_text(json.dumps([begun, time.monotonic()]))
    return [Score("stopwatch", 0.1, "s", "lower", n=1)]


def broken(evaluation: Evaluation) -> list[Score]:
    """Has a fault."""
    raise RuntimeError("a wheel is loose")


def stopped(evaluation: Evaluation) -> list[Score]:
    """Never ends."""
    while True:
        time.sleep(60)


def reread(evaluation: Evaluation) -> list[Score]:
    """The test loss again, in the process that measures."""
    score = loss(evaluation)[0]
    return [Score("reread_loss", score.value, score.unit, score.better, score.n)]


def itemised(evaluation: Evaluation) -> list[Score]:
    """Items of which there are more than the test split has."""
    return [Score("itemised", 1.0, "", "lower", n=2, items=np.ones(len(evaluation.data.test) + 1))]


def boastful(evaluation: Evaluation) -> list[Score]:
    """Scores no table can hold."""
    return [Score("boastful", 1.0, "", "lower", n=10**30)]
