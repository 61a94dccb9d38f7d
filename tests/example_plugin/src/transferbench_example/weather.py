"""Made-up weather reports."""

import random

from bench.dataset import Dataset
from bench.options import Count

MODALITY = "text"

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SKIES = ("sun", "rain", "snow", "fog", "hail", "wind")


def weather(*, count: Count = 60) -> Dataset:
    """Reports of one sentence each, such as "Friday 12: fog, 3 degrees"; no two alike.

    Args:
        count: of reports; six in ten are for training.
    """
    draw = random.Random(0)
    reports = [f"{draw.choice(_DAYS)} {day}: {draw.choice(_SKIES)}, {day % 30} degrees" for day in range(count)]
    draw.shuffle(reports)
    train, validation = count * 6 // 10, count * 8 // 10
    return Dataset(
        name="weather",
        modality=MODALITY,
        train=reports[:train],
        validation=reports[train:validation],
        test=reports[validation:],
    )
