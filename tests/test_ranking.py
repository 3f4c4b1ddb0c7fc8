"""Cells against the best of them: intervals against known differences, and against enumeration."""

import numpy as np
import pytest
from depthgauge.statistics.jackknife import covariance
from depthgauge.statistics.ranking import rank
from scipy.stats import dunnett


def without_of(right):
    """Return means and delete-one means of 0 and 1, or of any values, one column per cell."""
    n = len(right)
    return right.mean(axis=0), (right.sum(axis=0) - right) / (n - 1)


def test_covariance_is_that_of_means():
    right = np.random.default_rng(0).normal(size=(40, 3))
    expected = np.cov(right, rowvar=False, bias=False) / 40
    np.testing.assert_allclose(covariance(without_of(right)[1]), expected)


def test_two_cells_are_the_normal_interval():
    right = np.random.default_rng(1).normal([0, 1], size=(200, 2))
    found = rank(*without_of(right))
    assert found.may_be_best.tolist() == [0, 1]
    difference = right[:, 1] - right[:, 0]
    se = difference.std(ddof=1) / np.sqrt(200)
    assert found.worse_by.tolist() == pytest.approx([difference.mean(), 0])
    ends = difference.mean() + np.array([-1.96, 1.96]) * se
    np.testing.assert_allclose(found.loc[0, ["worse_low", "worse_high"]], ends, atol=0.05 * se)
    assert found.worse_low[1] == found.worse_high[1] == 0  # it is the best, for certain


def test_one_clear_best_gives_the_intervals_of_dunnett():
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(4, 400)) + np.array([[3.0], [0], [0.1], [0.2]])
    # Independent cells: each image belongs to one, and counts in the others as nothing.
    right = np.zeros((1600, 4))
    for cell, values in enumerate(samples):
        right[400 * cell : 400 * (cell + 1), cell] = values - values.mean()
    without = -right * (1600 / 400) / 1599 + samples.mean(axis=1)
    found = rank(samples.mean(axis=1), without)
    expected = dunnett(*samples[1:], control=samples[0], rng=1).confidence_interval(0.95)
    np.testing.assert_allclose(found.worse_low[1:], -expected.high, atol=0.02)
    np.testing.assert_allclose(found.worse_high[1:], -expected.low, atol=0.02)


@pytest.mark.parametrize("means", [[0, 0, 0, 0, 0], [0.5, 0.45, 0.2, 0, 0], [1, 0, 0, 0, 0]])
def test_all_intervals_hold_the_truth_at_once(means):
    rng = np.random.default_rng(3)
    means, held, shared = np.array(means, float), 0, rng.normal(size=(5, 5)) / 2
    for _ in range(200):
        right = means + rng.normal(size=(150, 5)) @ shared + rng.normal(size=(150, 5))
        found = rank(*without_of(right))
        truth = means.max() - means
        inside = (found.worse_low <= truth + 1e-12) & (truth <= found.worse_high + 1e-12)
        held += bool(inside.all() and found.may_be_best[means.argmax()])
    assert held >= 180  # of 200; 190 are expected, and 179 come once in 1,000


def test_copies_share_their_rank_and_few_groups_tell_nothing():
    right = np.random.default_rng(4).normal([0, 2], size=(60, 2))
    values, without = without_of(right[:, [0, 1, 1]])
    found = rank(values, without)
    assert found.may_be_best.tolist() == [0, 1, 1]
    assert found.loc[1, "worse_high"] == found.loc[2, "worse_high"] == 0
    few = rank(values, without, groups=np.arange(60) // 20)
    assert few[["worse_low", "worse_high", "may_be_best"]].isna().all(axis=None)
    assert few.worse_by.tolist() == found.worse_by.tolist()


def test_a_cell_without_interval_does_not_spoil_the_others():
    right = np.random.default_rng(5).normal([0, 2], size=(60, 2))
    values, without = without_of(right)
    values, without = np.append(values, -np.inf), np.column_stack([without, np.full(60, np.nan)])
    found = rank(values, without)
    alone = rank(*without_of(right))
    assert found.may_be_best[:2].tolist() == alone.may_be_best.tolist()
    np.testing.assert_allclose(found.worse_low[:2], alone.worse_low, atol=0.01)
    assert np.isnan(found.may_be_best[2]) and np.isnan(found.worse_low[2])
