"""The additive fit and its variances against least squares, Grubbs's estimators, and what was drawn."""

import numpy as np
import pytest

from bench.statistics.variances import PRIOR_FREEDOM, Design, Table, comparable, of_deviations, of_differences

RANDOM = np.random.default_rng(0)
HOLES = np.array([[1, 1, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 1]], dtype=bool)


def test_three_approaches_have_the_variances_of_grubbs():
    """Published for three instruments on the same items: s11 - s12 - s13 + s23, and so on."""
    scores = RANDOM.normal(size=(3, 50)) * np.array([[1.0], [1.5], [2.0]]) + RANDOM.normal(size=50)
    c = np.cov(scores)
    grubbs = np.array([c[a, a] - c[a, b] - c[a, d] + c[b, d] for a, b, d in ((0, 1, 2), (1, 0, 2), (2, 0, 1))])
    _, variances = Design(np.ones((3, 50))).fit(scores)
    share = PRIOR_FREEDOM / (PRIOR_FREEDOM + 49)
    assert variances == pytest.approx(share * grubbs.mean() + (1 - share) * grubbs)


def test_two_approaches_share_the_variance_of_their_difference():
    scores = RANDOM.normal(size=(2, 5)) + 10 * RANDOM.normal(size=5)
    _, variances = Design(np.ones((2, 5))).fit(scores)
    assert variances == pytest.approx([np.var(scores[0] - scores[1], ddof=1) / 2] * 2)


def test_effects_with_holes_are_those_of_least_squares():
    scores = RANDOM.normal(size=HOLES.shape)
    row, column = np.nonzero(HOLES)
    model = np.zeros((len(row), sum(HOLES.shape)))
    model[np.arange(len(row)), row] = model[np.arange(len(row)), len(HOLES) + column] = 1
    expected = np.linalg.lstsq(model, scores[HOLES], rcond=None)[0][: len(HOLES)]
    design = Design(HOLES)
    effects, _ = design.fit(np.where(HOLES, scores, np.nan))
    assert effects - effects[0] == pytest.approx(expected - expected[0])
    assert design.freedom == pytest.approx(HOLES.sum() - sum(HOLES.shape) + 1)


def test_variances_and_standard_errors_are_right_on_average():
    """With a hole in it, approaches that differ, and seeds that do much to all."""
    held = np.ones((5, 6), dtype=bool)
    held[0, 0] = held[3, 2] = False
    true = np.array([1.0, 0.5, 2.0, 1.5, 1.0])
    scores = RANDOM.normal(size=(20_000, 5, 6)) * np.sqrt(true)[:, None] + 5 * RANDOM.normal(size=(20_000, 1, 6))
    design = Design(held)
    effects, variances = design.fit(scores)
    share = PRIOR_FREEDOM / (PRIOR_FREEDOM + design.own_freedom)
    own = (variances - share * variances.mean()) / (1 - share)
    assert own.mean(axis=0) == pytest.approx(true, abs=0.1)
    members = np.array([0, 2, 3])
    away = effects[:, members] - effects[:, members].mean(axis=1, keepdims=True)
    assert away.var(axis=0) == pytest.approx(design.from_mean(members) @ true, rel=0.05)
    assert (effects - effects[:, :1]).var(axis=0)[1:] == pytest.approx((design.from_one(0) @ true)[1:], rel=0.05)


def test_variances_of_contrasts_are_those_of_the_covariance():
    factor = RANDOM.normal(size=(4, 4))
    covariance, members = factor @ factor.T, np.array([0, 1, 3])
    contrast = np.eye(4)[members] - np.eye(4)[members].mean(axis=0)
    assert of_deviations(covariance, members) == pytest.approx(np.diag(contrast @ covariance @ contrast.T))
    contrast = np.eye(4) - np.eye(4)[2]
    assert of_differences(covariance, 2) == pytest.approx(np.diag(contrast @ covariance @ contrast.T))


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([[1, 1, 1], [1, 1, 0], [0, 1, 1]], [1, 1, 1]),
        ([[1, 1, 1], [1, 1, 1], [1, 0, 0]], [1, 1, 0]),  # one seed
        ([[1, 1, 0, 0], [0, 0, 1, 1]], [0, 0]),  # none in common
        ([[1, 1, 0], [0, 1, 1]], [0, 0]),  # one in common
        ([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], [0, 0, 1, 1, 1]),  # the larger part
        ([[1, 1, 1]], [0]),
        ([[1], [1]], [0, 0]),
    ],
)
def test_what_can_be_compared(held, expected):
    assert comparable(held).tolist() == [bool(value) for value in expected]


def test_large_offsets_and_scales_change_nothing():
    scores = RANDOM.normal(size=(4, 3))
    plain, moved = Table.of(scores), Table.of(1e290 * (scores + 3))
    assert plain is not None
    assert moved is not None
    assert moved.effects * moved.scale == pytest.approx(1e290 * plain.effects * plain.scale, rel=1e-6)
    assert moved.variances == pytest.approx(plain.variances * (1e290 * plain.scale / moved.scale) ** 2, rel=1e-6)
