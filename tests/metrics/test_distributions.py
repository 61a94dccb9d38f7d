"""Closed forms that FID, KID and the neighbourhood metrics must meet, and torch-fidelity's own functions."""

import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from bench.metrics._distributions import frechet_distance, kernel_distance, neighbourhoods


def normal(n: int, d: int, seed: int, sigma: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, (n, d))


def test_fid_of_equal_laws_is_its_known_bias() -> None:
    d, n = 16, 1000
    found = np.mean([frechet_distance(normal(n, d, seed), normal(n, d, seed + 100)) for seed in range(12)])
    assert found == pytest.approx(2 * d / n + d * (d + 1) / (2 * n), rel=0.1)


def test_fid_of_gaussians_is_their_distance() -> None:
    samples, references = normal(200_000, 4, 0, sigma=2.0) + 3, normal(200_000, 4, 1)
    assert frechet_distance(samples, references) == pytest.approx(4 * 3**2 + 4 * (2 - 1) ** 2, rel=0.01)


@pytest.mark.parametrize("size", [10, 60])
def test_fid_agrees_with_torch_fidelity_also_with_fewer_samples_than_dimensions(size: int) -> None:
    samples, references = normal(size, 24, 0) @ normal(24, 24, 2), normal(50, 24, 1)
    statistics = [fid_features_to_statistics(torch.from_numpy(part)) for part in (samples, references)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(samples, references) == pytest.approx(expected, rel=1e-4)


def test_fid_of_a_set_with_itself_is_zero() -> None:
    features = normal(40, 64, 0)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_kid_of_two_gaussians_is_the_closed_form() -> None:
    d, sigma = 16, 1.5
    found = [kernel_distance(normal(500, d, seed, sigma), normal(400, d, seed + 100))[:2] for seed in range(100)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(3 * (1 - sigma**2) ** 2 / d, rel=0.03)
    assert 0.9 < errors.mean() / values.std(ddof=1) < 1.4


def test_kid_of_equal_laws_is_zero_on_average_and_its_error_no_smaller_than_its_spread() -> None:
    found = [kernel_distance(normal(150, 8, seed), normal(250, 8, seed + 100))[:2] for seed in range(60)]
    values, errors = np.array(found).T
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(60)
    assert values.std() * 0.8 < errors.mean() < values.std() * 2


def test_kid_agrees_with_torch_fidelity_on_one_subset_of_all() -> None:
    samples, references = normal(80, 12, 0, 1.3), normal(80, 12, 1)
    options = {"kid_subsets": 1, "kid_subset_size": 80, "kid_kernel": "poly", "kid_kernel_poly_degree": 3}
    options |= {"kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1, "rng_seed": 0, "verbose": False}
    expected = kid_features_to_metric(torch.from_numpy(samples), torch.from_numpy(references), **options)
    assert kernel_distance(samples, references)[0] == pytest.approx(
        expected["kernel_inception_distance_mean"], rel=1e-9
    )


def test_kid_error_is_the_jackknife_written_out() -> None:
    samples, references = normal(7, 3, 0, 1.5), normal(5, 3, 1)
    variance = 0.0
    for rows, value in (
        (samples, lambda x: kernel_distance(x, references)),
        (references, lambda y: kernel_distance(samples, y)),
    ):
        less = np.array([value(np.delete(rows, i, axis=0))[0] for i in range(len(rows))])
        variance += (len(rows) - 1) * less.var()
    assert kernel_distance(samples, references)[1] == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_density_and_coverage_of_equal_laws_have_their_known_means() -> None:
    n, m, k = 120, 200, 5
    found = [neighbourhoods(normal(n, 6, seed), normal(m, 6, seed + 1000), 3, k) for seed in range(60)]
    assert np.mean([near.crowd.mean() for near in found]) == pytest.approx(1, abs=0.05)
    missed = math.prod((m - i) / (m + n - i) for i in range(1, k + 1))  # no sample among the k nearest of all others
    assert np.mean([near.covered.mean() for near in found]) == pytest.approx(1 - missed, abs=0.02)


@pytest.mark.parametrize("seed", [0, 1])
def test_precision_and_recall_agree_with_torch_fidelity(seed: int) -> None:
    samples, references = normal(90, 5, seed, 0.8), normal(70, 5, seed + 10)
    options = {"prc_neighborhood": 3, "prc_batch_size": 1000, "save_cpu_ram": False, "verbose": False}
    expected = prc_features_to_metric(torch.from_numpy(samples), torch.from_numpy(references), **options)
    near = neighbourhoods(samples, references, 3, 5)
    assert near.inside.mean() == pytest.approx(expected["precision"], abs=1e-6)
    assert near.reached.mean() == pytest.approx(expected["recall"], abs=1e-6)


def test_precision_sees_strays_and_recall_sees_what_is_missing() -> None:
    references = normal(200, 4, 0)
    strays = np.concatenate([normal(100, 4, 1), normal(100, 4, 2) + 50])
    assert neighbourhoods(strays, references, 3, 5).inside.mean() == pytest.approx(0.5, abs=0.1)
    collapsed = references[:1] + normal(200, 4, 3, 1e-3)
    near = neighbourhoods(collapsed, references, 3, 5)
    assert near.inside.mean() == 1
    assert near.reached.mean() < 0.02
    assert near.covered.mean() < 0.2


def test_results_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, references = normal(50, 4, 0), normal(70, 4, 1)
    whole = kernel_distance(samples, references)[:2], neighbourhoods(samples, references, 3, 5)
    monkeypatch.setattr("bench.metrics._distributions._BLOCK", 8)
    assert kernel_distance(samples, references)[:2] == pytest.approx(whole[0], rel=1e-9)
    blocks = neighbourhoods(samples, references, 3, 5)
    for name in ("inside", "reached", "crowd", "covered"):
        assert np.array_equal(getattr(blocks, name), getattr(whole[1], name))
