"""What it costs to keep what test items add to scores, on disk, and to have standard errors of what is no mean.

The items are drawn with the spreads that real cells of the quickstart have: how far those of a cell are from those of
the cell nearest to the median, over their own standard deviation. What else lies beside a record has that run's sizes.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.metrics._distributions import (
    frechet_distance,
    frechet_error,
    kernel_distance,
    neighbourhood_errors,
    neighbourhoods,
)
from bench.metrics.diversity import vendi, vendi_error
from bench.results import items, packed, runs
from tests.benchmarks.timing import seconds

ROOT = Path(__file__).parents[2]
FROM_PATTERN = {
    "text": {"perplexity": 0.37, "bits_per_byte": 0.13},
    "image": {"kid[digit_classifier]": 0.17, "test_loss": 0.13},
}
SHARES = {"text": {}, "image": {"recall[digit_classifier]": 0.97, "coverage[digit_classifier]": 0.02}}
COUNTS = {"text": 151, "image": 449}
SAMPLES = {"text": ("samples.json", 4_600), "image": ("samples.png", 12_900)}


def items_of(modality: str, seed: int, number: int) -> items.Scores:
    pattern, own = np.random.default_rng(seed), np.random.default_rng([seed, number])
    count = COUNTS[modality]
    found: items.Scores = {}
    for metric, spread in FROM_PATTERN[modality].items():
        found[metric] = pattern.normal(size=count) + spread * own.laplace(scale=0.5**0.5, size=count)
    for metric, share in SHARES[modality].items():
        found[metric] = (own.random(count) < share).astype(float)
    return found


def with_steps(curve: str, random: np.random.Generator) -> str:
    """A committed curve, which has only rows that validate, with a row for each step between them, as runs have."""
    head, *rows = curve.splitlines()
    lines, before = [head], 0
    for row in rows:
        trial, reached = row.split(",")[0], int(row.split(",")[1])
        for step in range(before + 1, reached + 1):
            loss, rate, seconds = (float(number) for number in random.random(3))
            lines.append(f"{trial},{step},,{loss},,{rate},{seconds}")
        lines.append(row)
        before = reached
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's records, and curves and samples of its sizes in every cell."""
    folder = Path(shutil.copytree(ROOT / "results/quickstart/reference", tmp_path_factory.mktemp("runs") / "reference"))
    packed.unpack(folder)
    random = np.random.default_rng(0)
    for number, record in enumerate(runs.read(folder).records):
        asked = record["asked"]
        beside = runs.items_path(folder, record["cell"]).parent
        beside.mkdir(exist_ok=True)
        name, size = SAMPLES[asked["modality"]]
        (beside / name).write_bytes(random.bytes(size))
        if (curve := beside / "curve.csv").exists():
            curve.write_text(with_steps(curve.read_text(), random))
        if asked["approach"] not in ("real_data", "training_data") or asked["modality"] == "image":
            items.write(beside / items.NAME, items_of(asked["modality"], asked["seed"], number))
    packed.pack(folder)
    return folder


def test_on_disk(run):
    sizes = {name: (run / name).stat().st_size for name in (packed.RECORDS, packed.BESIDE, packed.ITEMS)}
    share = sizes[packed.ITEMS] / (sizes[packed.RECORDS] + sizes[packed.BESIDE])
    cells = len(runs.read(run).records)
    each = {name: size // cells for name, size in sizes.items()}
    print(f"\nitems add {share:.1%} to what {cells} cells take on disk; bytes a cell: {each}")
    assert share < 0.05


def test_reading(benchmark, run):
    def read() -> int:
        found = runs.read(run)
        return sum(len(found.items(record)) for record in found.records)

    assert benchmark.pedantic(read, rounds=3) > 200
    alone = seconds(lambda: runs.read(run))
    print(f"\nreading the items, too, takes {benchmark.stats.stats.min / alone:.2f} times as long as the records")


def test_errors_beside_what_they_are_of(benchmark):
    """At the quickstart's sizes; features and samples, which take far longer, are not in it."""
    random = np.random.default_rng(0)
    samples, references = random.normal(0.1, 1.1, (128, 64)), random.normal(size=(449, 64))
    units = samples / np.linalg.norm(samples, axis=1, keepdims=True)
    kernel = units.T @ units / len(units)

    def values() -> None:
        frechet_distance(samples, references)
        kernel_distance(samples, references)
        neighbourhoods(samples, references, 3, 5)
        vendi(kernel)

    def errors() -> None:
        frechet_error(samples, references)
        neighbourhood_errors(samples, references, 3, 5)
        vendi_error(kernel, units)

    benchmark.pedantic(errors, rounds=3)
    ratio = benchmark.stats.stats.min / seconds(values)
    print(f"\nstandard errors take {benchmark.stats.stats.min:.3f} s, {ratio:.1f} times as long as the scores")
    assert benchmark.stats.stats.min < 1
    assert ratio < 8
