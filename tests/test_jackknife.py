"""The jackknife against literal deletion, and its standard errors against simulation."""

import numpy as np
import pytest
from depthgauge.distances.matrix import Distances
from depthgauge.distances.passes import class_sums
from depthgauge.manifest import few_groups
from depthgauge.statistics.auc import rank_auc
from depthgauge.statistics.goodness import log_goodness_without, standard_error
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(8)


def log_goodness(condensed, codes):
    i, j = np.triu_indices(len(codes), 1)
    same = codes[i] == codes[j]
    if same.all() or not same.any():
        return np.nan
    return np.log(condensed[~same].mean() / condensed[same].mean())


@pytest.mark.parametrize("sizes", [[2, 1], [2, 3], [20, 1, 8, 3], [40, 40]])
def test_is_literal_deletion(sizes):
    codes = RNG.permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(codes)
    condensed = pdist(RNG.normal(size=(n, 3)) + codes[:, None])
    found = log_goodness_without(class_sums(condensed, codes), codes)
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        expected = log_goodness(Distances(condensed).among(rest).condensed, codes[rest])
        np.testing.assert_allclose(found[i], expected, rtol=1e-10, atol=1e-12)


def test_only_one_image_is_no_copy():
    """Without it all images of a class are copies, and goodness is infinite."""
    points = np.array([[0.1], [0.1], [0.1], [0.7], [5.3], [5.3]])
    codes = np.array([0, 0, 0, 0, 1, 1])
    theta = log_goodness_without(class_sums(pdist(points), codes), codes)
    np.testing.assert_array_equal(np.isposinf(theta), codes * 0 + [0, 0, 0, 1, 0, 0])
    assert np.isnan(standard_error(theta))


def test_standard_error_of_a_mean_is_the_textbooks():
    values = RNG.normal(size=50)
    theta = (values.sum() - values) / 49
    expected = values.std(ddof=1) / np.sqrt(50)
    assert standard_error(theta) == pytest.approx(expected, rel=1e-12)
    assert standard_error(theta, RNG.permutation(50)) == pytest.approx(expected, rel=1e-12)
    # Five copies of each of ten: the standard error of the mean of ten.
    theta = (values[:10].repeat(5).sum() - values[:10].repeat(5)) / 49
    ten = standard_error(theta, np.arange(10).repeat(5))
    assert ten == pytest.approx(values[:10].std(ddof=1) / np.sqrt(10), rel=1e-12)


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11])
def test_fewer_than_ten_groups_give_no_error(count):
    theta = RNG.normal(size=66)
    few = np.isnan(standard_error(theta, np.arange(66) % count))
    assert few == (count < 10) == bool(few_groups(count))
    assert few_groups(None) == few_groups(np.nan) == ""


def test_intervals_cover_the_truth():
    """95 % intervals of log goodness and of AUC from 60 images drawn at random, 600 times."""
    rng = np.random.default_rng(1)

    def cell(n):
        codes = rng.integers(0, 3, n)
        condensed = pdist(rng.normal(size=(n, 8)) + 2.5 * np.eye(8)[codes])
        sums = squareform(condensed) @ np.eye(3)[codes]
        auc, auc_theta = rank_auc(condensed, codes, progress=False)
        return np.array([log_goodness(condensed, codes), auc]), (
            log_goodness_without(sums, codes),
            auc_theta,
        )

    truth, _ = cell(2500)
    covered = []
    for _ in range(600):
        values, thetas = cell(60)
        errors = np.array([standard_error(theta) for theta in thetas])
        covered.append(np.abs(values - truth) < 1.96 * errors)
    coverage = np.mean(covered, axis=0)
    assert (coverage >= 0.93).all() and (coverage <= 0.97).all(), coverage
