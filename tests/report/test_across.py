"""The ranking of approaches across the models and targets of a run."""

import math

import pandas as pd
import pytest

from bench.report import aggregate, sections
from bench.report.across import Ranking, percent, rankings
from tests.report.frames import Values, frame_of, seeds


def ranked(*frames: pd.DataFrame) -> list[Ranking]:
    whole = pd.concat(frames, ignore_index=True)
    whole["cell"] += whole["target"] + whole["data_quality"]
    frame = aggregate.in_every_quality(whole)
    return rankings(sections.split(frame, aggregate.summarise(frame), {}), frame)


def values(**means: float) -> Values:
    """Three seeds each, a little apart."""
    sizes = {"zero_shot": 0, "real_data": 0, "training_data": 0}
    return {(name, sizes.get(name, 50)): seeds(mean, mean + 0.01, mean - 0.01) for name, mean in means.items()}


ONE = frame_of(values(zero_shot=4.0, full_finetuning=2.0, lora=3.0, real_data=0.1, training_data=0.2), target="one")
OTHER = frame_of(values(zero_shot=1.0, full_finetuning=5.0, lora=9.0), metric="recall", better="higher", target="other")


def test_ranks_by_the_primary_metric_in_its_own_direction() -> None:
    (ranking,) = ranked(ONE, OTHER)
    found = {standing.approach: standing for standing in ranking.standings}
    assert {name: [place and place.rank for place in standing.places] for name, standing in found.items()} == {
        "lora": [2, 1],
        "full_finetuning": [1, 2],
        "zero_shot": [3, 3],
    }, "real examples are not ranked"
    assert found["zero_shot"].share == 1.0
    assert found["lora"].share == found["full_finetuning"].share == 0.25
    assert found["lora"].first == 1
    assert ranking.standings[-1].approach == "zero_shot"


def test_improvement_is_over_full_fine_tuning() -> None:
    (ranking,) = ranked(ONE, OTHER)
    found = {standing.approach: standing for standing in ranking.standings}
    assert found["lora"].improvement == 0.5, "never on one, always on the other"
    assert found["zero_shot"].improvement == 0.0
    assert math.isnan(found["full_finetuning"].improvement)


def test_what_does_not_apply_everywhere_is_ranked_where_it_does() -> None:
    third = frame_of(values(full_finetuning=2.0), target="third")
    (ranking,) = ranked(ONE, OTHER, third)
    lora = next(standing for standing in ranking.standings if standing.approach == "lora")
    assert [place is None for place in lora.places] == [False, False, True]
    assert lora.sections == 2


def test_one_pair_alone_is_no_ranking() -> None:
    assert ranked(ONE) == []


def test_worse_data_are_pairs_of_their_own() -> None:
    worse = frame_of({("full_finetuning", 50): seeds(5.0, 5.1)}, target="one").assign(data_quality="corrupted 0.2")
    (ranking,) = ranked(ONE, worse)
    assert [section.title for section in ranking.sections] == ["m → one", "m → one · corrupted 0.2"]
    zero_shot = next(standing for standing in ranking.standings if standing.approach == "zero_shot")
    assert [place and place.rank for place in zero_shot.places] == [3, 1], "it stands beside both"


@pytest.mark.parametrize(
    ("value", "half", "text"), [(0.5, 0.11, "50 % ±11"), (1, math.nan, "100 %"), (math.nan, 1, "—")]
)
def test_percentages(value: float, half: float, text: str) -> None:
    assert percent(value, half) == text
