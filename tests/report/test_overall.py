"""What is said over all pairs: the scale of scores, who is compared, and how often equals are told apart."""

import math
from typing import Any

import numpy as np
import pytest

from bench.report import overall
from bench.report.sections import Point, Section

SIZE = 50


def section(means: dict[str, float], index: int = 0, better: str = "lower", **columns: Any) -> Section:
    controls = {name: name if name in ("zero_shot", "from_scratch", "real_data") else "" for name in means}
    none: dict[str, Any] = dict.fromkeys(Point._fields, 0)
    return Section(
        **{"model": f"model {index}", "source": "s", "target": "t", "data_quality": "clean"} | columns,
        family="f",
        modality="text",
        primary="loss",
        approaches=controls,
        sizes=[SIZE],
        metrics=["loss"],
        points={
            ("loss", name, SIZE): Point(
                **none | {"approach": name, "mean": mean, "better": better, "control": controls[name]}
            )
            for name, mean in means.items()
        },
        ends={},
    )


def table(losses: np.ndarray, names: list[str]) -> tuple[list[Section], overall.Scores]:
    """Sections and scores of losses, shape (pairs, approaches, seeds)."""
    sections: list[Section] = []
    scores: overall.Scores = {}
    for index, pair in enumerate(losses):
        sections.append(section(dict(zip(names, pair.mean(axis=1).tolist(), strict=True)), index))
        scores |= {(f"model {index}", "t", "clean", "loss", name): runs for name, runs in zip(names, pair, strict=True)}
    return sections, scores


def constant(*values: float) -> np.ndarray:
    """Three seeds of each, a little apart."""
    return np.array([[value - 0.01, value, value + 0.01] for value in values])


NAMES = ["zero_shot", "from_scratch", "full_finetuning", "lora"]


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_a_scale_goes_from_the_poorer_control_to_the_best_approach(better: str) -> None:
    sign = 1 if better == "lower" else -1
    means = {"zero_shot": 4.0, "from_scratch": 8.0, "full_finetuning": 2.0, "lora": 3.0, "real_data": 0.0}
    one = section({name: sign * mean for name, mean in means.items()}, better=better)
    scores = {("model 0", "t", "clean", "loss", name): sign * np.array([mean]) for name, mean in means.items()}
    found = overall.overall([one], SIZE, scores, "full_finetuning")
    assert (found.scales[0].zero, found.scales[0].zero_value) == ("from_scratch", sign * 8)
    assert (found.scales[0].one, found.scales[0].one_value) == ("full_finetuning", sign * 2)
    assert {name: float(score.value) for name, score in found.score.items()} == pytest.approx(
        {"from_scratch": 0, "full_finetuning": 1, "lora": 5 / 6, "zero_shot": 4 / 6}
    ), "real examples are scored by nobody"


@pytest.mark.parametrize(
    ("means", "why"),
    [
        ({"lora": 1.0}, "no control has a value"),
        ({"zero_shot": 1.0}, "no approach has a value"),
        ({"zero_shot": 1.0, "from_scratch": 1.5, "lora": 2.0}, "no approach is better than the poorer control"),
        ({"zero_shot": 1.0, "from_scratch": 2.0, "lora": 2.0}, "no approach is better than the poorer control"),
        ({"zero_shot": math.inf, "lora": 2.0}, "a mean is not finite"),
    ],
)
def test_where_there_is_no_scale_it_says_why(means: dict[str, float], why: str) -> None:
    found = overall.overall([section(means)], SIZE, {}, "full_finetuning")
    assert found.scales[0].missing == why
    assert found.scored == 0
    assert found.score == {}


def test_what_few_pairs_have_is_left_out_and_told() -> None:
    sections, scores = table(np.stack([constant(4, 8, 2, 3)] * 6), NAMES)
    few = section({"zero_shot": 4.0, "full_finetuning": 2.0, "rare": 1.0}, 6)
    scores |= {("model 6", "t", "clean", "loss", "rare"): constant(1.0)[0]}
    scores |= {("model 6", "t", "clean", "loss", "full_finetuning"): constant(2.0)[0]}
    found = overall.overall([*sections, few], SIZE, scores, "full_finetuning")
    assert found.left_out == {"rare": 1}
    assert found.common == [0, 1, 2, 3, 4, 5]
    assert "rare" not in found.score
    assert found.ranks
    assert list(found.ranks.average) == ["full_finetuning", "lora", "zero_shot", "from_scratch"]
    assert found.improvement["rare"].value == 1, "it is compared where it is"
    assert "rare" not in found.verdict, "but on one pair nothing is concluded"
    assert found.verdict == dict.fromkeys(["zero_shot", "from_scratch", "lora"], "worse")


def test_of_several_qualities_the_mean_rank_is_ranked() -> None:
    clean = [section({"a": 1.0, "b": 2.0, "c": 3.0}, index) for index in range(2)]
    worse = [section({"a": 3.0, "b": 1.0, "c": 2.0}, index, data_quality="corrupted") for index in range(2)]
    found = overall.average_ranks([*clean, *worse], SIZE, ["a", "b", "c"], 0.95)
    assert found
    assert found.pairs == 2
    assert found.average == {"b": 1.0, "a": 2.0, "c": 3.0}, "mean ranks are 1.5, 2 and 2.5"


def test_the_risk_is_shared_among_data_sizes() -> None:
    sections, scores = table(np.stack([constant(4, 8, 2, 3)] * 5), NAMES)
    one, three = (overall.overall(sections, SIZE, scores, "full_finetuning", rankings=n) for n in (1, 3))
    assert (one.confidence, three.confidence) == pytest.approx((0.975, 1 - 0.05 / 6))
    assert three.improvement["lora"].high > one.improvement["lora"].high


def names_any(losses: np.ndarray, names: list[str], confidence: float) -> bool:
    """Whether a page calls an approach better or worse than the first, or shows their ranks apart."""
    sections, scores = table(losses, names)
    better = overall.improvements(sections, names, scores, names[0], confidence)
    ranks = overall.average_ranks(sections, SIZE, names, confidence)
    assert ranks
    apart = [abs(rank - ranks.average[names[0]]) >= ranks.distance for rank in ranks.average.values()]
    return bool(overall.verdicts(sections, scores, names[0], better)) or any(apart)


@pytest.mark.parametrize("pairs", [5, 12])
@pytest.mark.parametrize("approaches", [2, 8])
def test_equals_are_told_apart_on_one_page_in_twenty(pairs: int, approaches: int) -> None:
    generator, pages = np.random.default_rng(pairs), 250
    names = [f"approach {index}" for index in range(approaches)]
    confidence = 1 - overall.ERROR / 2
    wrong = sum(names_any(generator.standard_normal((pairs, approaches, 3)), names, confidence) for _ in range(pages))
    assert wrong / pages <= 0.05 + 2 * (0.05 * 0.95 / pages) ** 0.5


def test_two_standard_deviations_are_seen() -> None:
    generator, names = np.random.default_rng(0), [f"approach {index}" for index in range(8)]
    seen = 0
    for _ in range(60):
        losses = generator.standard_normal((12, 8, 3))
        losses[:, 1] -= 2
        sections, scores = table(losses, names)
        better = overall.improvements(sections, names, scores, names[0], 1 - overall.ERROR / 2)
        seen += overall.verdicts(sections, scores, names[0], better).get(names[1]) == "better"
    assert seen / 60 > 0.95
