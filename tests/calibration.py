"""How often the report's comparisons err, by simulation through its own summary: ``python -m tests.calibration``.

Writes ``docs/calibration.md``. Takes ten minutes on one core; ``--tables 100`` gives a rough one in one.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.report import aggregate
from bench.results import tidy

Array = np.ndarray
Draw = Callable[..., Array]
"""A generator, tables, approaches, seeds to scores of that shape."""

OUT = Path(__file__).parent.parent / "docs" / "calibration.md"
_ROWS = 150_000  # of a frame that is summarised at once


def _normal(random: np.random.Generator, *shape: int) -> Array:
    return random.standard_normal(shape)


def _fourfold(random: np.random.Generator, *shape: int) -> Array:
    return random.standard_normal(shape) * (1 + np.arange(shape[1]) % 2)[:, None]


def _log_normal(deviation: float) -> Draw:
    """Of variances whose logarithms have this standard deviation."""

    def drawn(random: np.random.Generator, *shape: int) -> Array:
        return random.standard_normal(shape) * np.exp(deviation / 2 * random.standard_normal((*shape[:2], 1)))

    return drawn


_variances = _log_normal(0.7)


def _skewed(random: np.random.Generator, *shape: int) -> Array:
    return np.exp(0.5 * random.standard_normal(shape))


LAWS: dict[str, Draw] = {
    **{"normal": _normal, "variances fourfold": _fourfold},
    **{"variances log-normal": _variances, "scores log-normal": _skewed},
}
"""What runs of equal approaches score. Every second variance is four times the others; the logarithms of the variances
have the standard deviation 0.7; the logarithms of the scores 0.5, a skewness of 1.75."""


def _one_wild(random: np.random.Generator, *shape: int) -> Array:
    return random.standard_normal(shape) * np.where(np.arange(shape[1]) == 0, 5.0, 1.0)[:, None]


BEYOND: dict[str, Draw] = {
    "every second variance fourfold": _fourfold,
    "log-normal, 1.5": _log_normal(1.5),
    "one 25 times the others": _one_wild,
}
"""Variances that differ as much as, and by more than, what sets and intervals are made for."""


def summary(scores: Array, error: float = math.nan, baseline: str | None = None, **controls: Array) -> dict[str, Array]:
    """What the report says of simulated columns.

    Args:
        scores: shape (tables, K, S), lower is better; a seed does the same to all approaches.
        error: the scores' own standard error.
        baseline: what all are held against, ``a00`` for the first approach.
        controls: name to shape (tables, S).

    Returns:
        Columns of the summary, each of shape (tables, K).
    """
    parts = [aggregate.summarise(frame, baseline=baseline) for frame in frames(scores, controls, error)]
    approaches = scores.shape[1]
    found: dict[str, Array] = {}
    for name in map(str, parts[0]):
        values = np.concatenate([part[name].to_numpy() for part in parts])
        found[name] = values.reshape(len(scores), -1)[:, -approaches:]
    return found


def frames(scores: Array, controls: dict[str, Array], error: float = math.nan) -> Iterator[pd.DataFrame]:
    """Tidy tables in which each column is a target of its own."""
    tables, approaches, seeds = scores.shape
    names = [*controls, *(f"a{index:02}" for index in range(approaches))]
    whole = np.concatenate([*(control[:, None] for control in controls.values()), scores], axis=1)
    step = max(1, _ROWS // (len(names) * seeds))
    for start in range(0, tables, step):
        part = whole[start : start + step]
        frame = pd.DataFrame(
            {
                "target": np.repeat([f"t{index:06}" for index in range(len(part))], len(names) * seeds),
                "approach": np.tile(np.repeat(names, seeds), len(part)),
                "options": np.tile(np.repeat([json.dumps({name: {}}) for name in names], seeds), len(part)),
                "seed": np.tile(np.arange(seeds), len(part) * len(names)),
                "value": part.ravel(),
            }
        )
        same = {"model": "m", "data_quality": "clean", "metric": "loss", "better": "lower", "unit": ""}
        frame = frame.assign(**same, data_size=50, n=1, error=error, status="ok", reason="", cell="c")
        missing = {name: "" for name in tidy.COLUMNS if name not in frame}
        yield frame.assign(**missing)


def false_alarms(
    random: np.random.Generator, law: Draw, tables: int, approaches: int, seeds: int, failed: int = 0
) -> float:
    """Share of columns in which an approach is called worse though all are equal; seeds do something to all of them.

    Of ``failed`` approaches one run has no score, of each another seed's.
    """
    scores = law(random, tables, approaches, seeds)
    scores = scores + random.standard_normal((tables, 1, seeds))
    scores[:, np.arange(failed), np.arange(failed) % seeds] = math.nan
    return float((summary(scores)["mark"] == "").any(axis=1).mean())


def power(random: np.random.Generator, tables: int, approaches: int, seeds: int) -> tuple[float, float]:
    """One approach is better by two standard deviations of a run: which share of the others is called worse, and in
    which share of columns it is itself left out."""
    scores = _normal(random, tables, approaches, seeds)
    scores[:, 0] -= 2
    left_out = summary(scores)["mark"] == ""
    return float(left_out[:, 1:].mean()), float(left_out[:, 0].mean())


def cluster(
    random: np.random.Generator, tables: int, top: int, gap: float, approaches: int = 8, seeds: int = 5
) -> float:
    """Share of columns that leave out one of ``top`` equal best approaches; the others are worse by ``gap``."""
    scores = _normal(random, tables, approaches, seeds)
    scores[:, top:] += gap
    return float((summary(scores)["mark"] == "")[:, :top].any(axis=1).mean())


def coverage_of_means(random: np.random.Generator, tables: int, seeds: int, items: float) -> float:
    """Share of means whose ± holds the truth; ``items`` is the standard deviation of what the test set does to all."""
    scores = _normal(random, tables, 1, seeds) + items * random.standard_normal((tables, 1, 1))
    found = summary(scores, items or math.nan)
    return float((np.abs(found["mean"]) <= found["half_width"]).mean())


def coverage_behind(random: np.random.Generator, law: Draw, tables: int, true: Array, seeds: int) -> float:
    """Share of columns in which all intervals of how far approaches are behind the best hold the truth."""
    found = summary(law(random, tables, len(true), seeds) + true[:, None])
    behind = true - true.min()
    return float(((found["behind_low"] <= behind) & (behind <= found["behind_high"])).all(axis=1).mean())


def coverage_against(
    random: np.random.Generator, law: Draw, tables: int, approaches: int, seeds: int, control: str
) -> tuple[float, float]:
    """Share of columns in which all intervals against zero_shot hold the truth, and in which harm is found wrongly.

    ``control`` says what it does: ``constant``, ``like an approach``, or ``far from them`` where seeds do three times
    to the approaches what runs differ by, and nothing to it.
    """
    scores = law(random, tables, approaches, seeds)
    other = np.zeros((tables, seeds)) if control == "constant" else _normal(random, tables, 1, seeds)[:, 0]
    if control == "far from them":
        scores = scores + 3 * random.standard_normal((tables, 1, seeds))
    found = summary(scores, zero_shot=other)
    covered = (found["behind_zero_shot_low"] <= 0) & (found["behind_zero_shot_high"] >= 0)
    return float(covered.all(axis=1).mean()), float(found["harm"].any(axis=1).mean())


def coverage_of_baseline(random: np.random.Generator, law: Draw, tables: int, approaches: int, seeds: int) -> float:
    """Share of columns in which all intervals against one of the approaches hold the truth."""
    found = summary(law(random, tables, approaches, seeds), baseline="a00")
    return float(((found["behind_baseline_low"] <= 0) & (found["behind_baseline_high"] >= 0)).all(axis=1).mean())


def share(value: float, tables: int) -> str:
    """``4.8 ± 0.3``: per cent, with its Monte Carlo standard error."""
    return f"{100 * value:.1f} ± {100 * math.sqrt(max(value * (1 - value), 1 / tables) / tables):.1f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def beyond(tables: int) -> str:
    """The last table of the document."""
    random, rows = np.random.default_rng(20_27), []
    for k, s in ((8, 3), (8, 5), (36, 3)):
        count, far = max(100, tables // 2) if k > 8 else tables, np.r_[0.0, np.full(k - 1, 30.0)]
        for law, draw in BEYOND.items():
            told = false_alarms(random, draw, count, k, s), coverage_behind(random, draw, count, far, s)
            rows.append([f"{k} × {s}", law, *(share(value, count) for value in told)])
    return table(["approaches × seeds", "variances", "false alarms", "intervals hold"], rows)


def pages(tables: int) -> str:
    """The document."""
    random = np.random.default_rng(20_26)
    few = max(100, tables // 2)

    def count(approaches: int) -> int:
        return few if approaches > 8 else tables

    alarms = [
        [f"{k} × {s}", *(share(false_alarms(random, law, count(k), k, s), count(k)) for law in LAWS.values())]
        for k in (2, 8, 36)
        for s in (3, 5, 10)
    ]
    for failed in (1, 4):
        told = [false_alarms(random, law, tables, 8, 3, failed) for law in LAWS.values()]
        alarms.append([f"8 × 3, {failed} of 24 runs failed", *(share(value, tables) for value in told)])
    found = {(k, s): power(random, count(k), k, s) for k in (2, 8, 36) for s in (3, 5, 10)}
    powers = [[f"{k} × {s}", share(found[k, s][0], count(k)), share(found[k, s][1], count(k))] for k, s in found]
    gaps = (0.3, 0.6, 1.0, 2.0)
    clusters = [[str(top), *(share(cluster(random, tables, top, gap), tables) for gap in gaps)] for top in (1, 2, 4)]
    means = [
        [words, *(share(coverage_of_means(random, tables, s, items), tables) for s in (3, 5, 10))]
        for words, items in (("seeds", 0.0), ("seeds and test items, as much of each", 0.5), ("mostly test items", 3.0))
    ]
    behind = []
    for k in (2, 8, 36):
        far, near, equal = np.r_[0.0, np.full(k - 1, 6.0)], np.r_[0.0, np.linspace(0.5, 4, k - 1)], np.zeros(k)
        for s in (3, 5):
            cases = ((_normal, far), (_variances, far), (_normal, near), (_normal, equal))
            told = [coverage_behind(random, law, count(k), true, s) for law, true in cases]
            behind.append([f"{k} × {s}", *(share(value, count(k)) for value in told)])
    kinds = ("constant", "like an approach", "far from them")
    against = []
    for k in (2, 8, 36):
        for s in (3, 5):
            held = [coverage_against(random, _normal, count(k), k, s, kind) for kind in kinds]
            shares = [covered for covered, _ in held] + [max(harm for _, harm in held)]
            shares += [coverage_of_baseline(random, law, count(k), k, s) for law in (_normal, _variances)]
            against.append([f"{k} × {s}", *(share(value, count(k)) for value in shares)])
    return _TEXT.format(
        tables=f"{tables:,}".replace(",", "\N{THIN SPACE}"),
        few=f"{few:,}".replace(",", "\N{THIN SPACE}"),
        alarms=table(["approaches × seeds", *LAWS], alarms),
        powers=table(["approaches × seeds", "of the others, called worse", "the best one left out"], powers),
        clusters=table(["equally best", *(f"others worse by {gap}" for gap in gaps)], clusters),
        means=table(["± covers", "3 seeds", "5 seeds", "10 seeds"], means),
        behind=table(
            [
                "approaches × seeds",
                "one clear best",
                "the same, variances log-normal",
                "others 0.5 to 4 behind",
                "all equal",
            ],
            behind,
        ),
        against=table(_AGAINST, against),
        beyond=beyond(tables),
    )


_AGAINST = [
    *("approaches × seeds", "zero_shot constant", "zero_shot like an approach", "zero_shot far from them"),
    *("harm where there is none, at most", "an approach (`--baseline`)", "the same, variances log-normal"),
]

_TEXT = """# Calibration

How often the report's comparisons err, in columns whose truth is known. Made by `python -m tests.calibration` through
the report's own summary; a smaller version of it is among the tests. Shares are in per cent, ± is the Monte Carlo
standard error of {tables} simulated columns ({few} for 36 approaches). A column is one metric at one data size; it is
named by its approaches × seeds.

## All approaches are equal

Columns in which at least one approach is left out of the set that may be the best. It should be 5 at most, and 7 where
variances differ. (Every second variance four times the others; logarithms of variances with standard deviation 0.7;
scores whose logarithms have standard deviation 0.5.)

{alarms}

The best compared with each other one in turn, as it was: 41 to 44 at 8 × 3, and 89 to 92 with 36 approaches.

## One is better by two standard deviations of a run

{powers}

## Several are equally good

Columns that leave out at least one of them, of 8 approaches with 5 seeds; the gap is in standard deviations of a run.

{clusters}

## The ± of a mean

Should be 95. Test items are common to all seeds; where both count, each part has its own critical value, and squares
are added, which covers a little more than it must.

{means}

## How far behind the best

Columns in which the intervals of all approaches hold the truth at once. Should be 95 where one approach is clearly the
best. Where several may be, an interval has to hold for each of them, and covers more.

{behind}

## Against a control

Columns in which the intervals of all approaches hold the truth at once. Should be 95. How much a control shares with
the approaches nobody knows, so that these intervals are made for the worst case, in which nearly all that varies is
common to the differences; where less is, and with three seeds, they cover more. An approach as the baseline shares what
all approaches share.

{against}

## Where variances differ more

A few seeds hardly tell how much an approach varies, so each borrows from all others, and what is said of one that
varies far more than the rest is too sure. Columns in which an approach is called worse though all are equal (should be
5), and in which the intervals of how far all are behind the first, the clear best, hold at once (should be 95).

{beyond}

With three seeds and an approach that visibly varies far more than the others, read its row with care, or add seeds.
"""


def main() -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=2000, help="simulated columns of each case")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    chosen.out.parent.mkdir(exist_ok=True)
    chosen.out.write_text(pages(chosen.tables), encoding="utf-8")
    print(chosen.out)


if __name__ == "__main__":
    main()
