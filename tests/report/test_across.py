"""The ranking of approaches across the models and targets of a run."""

import csv
import io
import math
import re

import numpy as np
import pandas as pd
import pytest

from bench.report import across, aggregate, plots, sections
from bench.report.across import Ranking, percent, rankings
from bench.report.sections import Section
from tests.report.frames import Values, frame_of, seeds
from tests.report.test_overall import SIZE, table


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
    values = {name: one.improvement and float(one.improvement.value) for name, one in found.items()}
    assert values == {"lora": 0.5, "zero_shot": 0.0, "full_finetuning": None}, "lora: never on one, always on the other"


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
    ("value", "half", "text"), [(0.5, 0.11, "50 % ±11"), (1, math.nan, "100 %"), (math.nan, math.nan, "—")]
)
def test_percentages(value: float, half: float, text: str) -> None:
    assert percent(value, half) == text


def several(pairs: int, **means: float) -> list[pd.DataFrame]:
    """As many pairs in which the same approaches have the same means."""
    return [frame_of(values(**means), target=f"target {index}") for index in range(pairs)]


MEANS = {"zero_shot": 4.0, "from_scratch": 5.0, "full_finetuning": 2.0, "lora": 1.0, "other": 3.0}


def shown(ranking: Ranking) -> str:
    return across.render({"suite": "s", "run": "r"}, [ranking])


def test_with_fewer_than_five_pairs_nothing_is_named() -> None:
    (ranking,) = ranked(*several(4, **MEANS))
    assert "Little can be said" in shown(ranking)
    assert "4 pairs" in shown(ranking)
    assert not any(standing.verdict for standing in ranking.standings)
    assert plots.draw_across(ranking, {}) == {}
    assert "Better than" not in shown(ranking)


def test_with_five_what_is_always_better_is_named() -> None:
    (ranking,) = ranked(*several(5, **MEANS))
    assert {standing.approach: standing.verdict for standing in ranking.standings} == {
        "lora": "better",
        "full_finetuning": "",
        "other": "worse",
        "zero_shot": "worse",
        "from_scratch": "worse",
    }
    assert "Little can be said" not in shown(ranking)
    assert '<td class="better"><span class="verdict">better</span> 100 %' in shown(ranking)


def test_worse_data_make_no_more_pairs() -> None:
    frames = several(3, **MEANS)
    (ranking,) = ranked(*frames, *(frame.assign(data_quality="corrupted 0.2") for frame in frames))
    assert len(ranking.sections) == 6
    assert ranking.overall.pairs == 3
    assert "Little can be said" in shown(ranking)


def test_a_single_seed_has_no_interval_and_no_verdict() -> None:
    frames = [frame[frame["seed"] == 0] for frame in several(6, **MEANS)]
    (ranking,) = ranked(*frames)
    assert not any(standing.verdict for standing in ranking.standings)
    assert "One seed" in shown(ranking)
    lora = next(standing for standing in ranking.standings if standing.approach == "lora")
    assert across.between(lora.improvement) == ("1.00", "")


def test_csv_has_every_number_of_the_page() -> None:
    (ranking,) = ranked(*several(5, **MEANS))
    rows = {row["approach"]: row for row in csv.DictReader(io.StringIO(across.table([ranking])))}
    assert list(rows) == [standing.approach for standing in ranking.standings]
    lora = rows["lora"]
    assert (lora["data_size"], lora["verdict"], lora["improvement"], lora["rank"]) == ("50", "better", "1", "1")
    assert float(lora["improvement_low"]) > 0.5
    assert rows["full_finetuning"]["improvement"] == ""


def mixed(pairs: int) -> list[pd.DataFrame]:
    """Pairs of which each has another approach before the others in turn."""
    names = list(MEANS)
    turned = [dict(zip(names[index % 2 :] + names[: index % 2], MEANS.values(), strict=True)) for index in range(pairs)]
    return [frame_of(values(**means), target=f"target {index}") for index, means in enumerate(turned)]


@pytest.mark.parametrize(("pairs", "is_shown"), [(4, False), (12, True)])
def test_mean_places_have_an_interval_on_the_page_and_as_csv_alike(pairs: int, is_shown: bool) -> None:
    (ranking,) = ranked(*mixed(pairs))
    rows = list(csv.DictReader(io.StringIO(across.table([ranking]))))
    assert [row["mean_place_half_width"] != "" for row in rows] == [is_shown] * len(rows)
    assert all(row["mean_place"] for row in rows)
    cells = re.findall(r"<td>(\d+ %[^<]*)</td><td>\d+ of", shown(ranking))
    assert ["±" in cell for cell in cells] == [is_shown] * len(rows)


def test_the_intervals_of_mean_places_are_for_all_data_sizes_together() -> None:
    frames = mixed(12)
    (one,) = ranked(*frames)
    larger = [frame.assign(data_size=frame["data_size"].replace(50, 100)) for frame in frames]
    learned = [frame[frame["data_size"] > 0] for frame in larger]
    two = ranked(*frames, *(frame.assign(cell=frame["cell"] + " 100") for frame in learned))
    assert [ranking.size for ranking in two] == [50, 100]
    half = [next(s.half_width for s in ranking.standings if s.approach == "lora") for ranking in (one, *two)]
    assert half[0] < half[1] == half[2]
    assert "for all approaches and data sizes together" in across.render({"suite": "s", "run": "r"}, two)


@pytest.mark.parametrize(
    ("approaches", "pairs", "sizes"), [(2, 8, 1), (3, 5, 1), (3, 8, 3), (8, 5, 1), (8, 5, 3), (8, 12, 3), (36, 5, 3)]
)
def test_equals_have_their_mean_place_within_all_intervals_on_19_pages_of_20(
    approaches: int, pairs: int, sizes: int
) -> None:
    generator, pages = np.random.default_rng(approaches), 400 if approaches < 36 else 200
    names = [f"approach {index}" for index in range(approaches)]

    def errs(sections: list[Section]) -> bool:
        places = [across.places_in(one, SIZE) for one in sections]
        found = across.mean_places(sections, places, names, sizes)
        return any(abs(mean - 0.5) > half for mean, half in found.values())

    wrong = 0
    for _ in range(pages):
        common = generator.standard_normal((pairs, approaches))  # sizes are alike in part
        tables = [common + generator.standard_normal(common.shape) for _ in range(sizes)]
        wrong += any(errs(table(losses[..., None], names)[0]) for losses in tables)
    assert wrong / pages <= 0.05 + 2 * (0.05 * 0.95 / pages) ** 0.5


def test_the_figures_are_drawn_and_are_the_same_bytes() -> None:
    (ranking,) = ranked(*several(5, **MEANS))
    look = plots.styles(ranking.sections)
    drawn = plots.draw_across(ranking, look)
    assert set(drawn) == {"performance_profiles", "average_ranks"}
    assert drawn == plots.draw_across(ranking, look)
    assert across.render({"suite": "s", "run": "r"}, [ranking], [drawn]).count("<img") == 2


def test_a_crowd_is_drawn() -> None:
    crowd = {f"approach_{index}": 1.0 + 0.01 * index for index in range(14)}
    (ranking,) = ranked(*several(5, **(MEANS | crowd)))
    assert set(plots.draw_across(ranking, plots.styles(ranking.sections))) == {"performance_profiles", "average_ranks"}
