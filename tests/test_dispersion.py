"""PERMDISP against geometry and scikit-bio; its size and its warning in simulation."""

import numpy as np
import pytest
from depthgauge.distances.passes import class_sums
from depthgauge.statistics.geometry import centroid_distances, dispersion
from scipy.spatial.distance import pdist, squareform
from scipy.stats import binom, f_oneway
from skbio.stats.distance import DistanceMatrix, permdisp

RNG = np.random.default_rng(10)


def squares(features, codes):
    return class_sums(pdist(features), codes, squared=True, progress=False)


def test_distances_to_the_centroid():
    codes = RNG.permutation(np.repeat([0, 1, 2], [1, 20, 9]))
    features = RNG.normal(size=(30, 5)) * (1 + codes[:, None])
    centroids = np.stack([features[codes == c].mean(axis=0) for c in range(3)])
    expected = np.linalg.norm(features - centroids[codes], axis=1)
    found = centroid_distances(squares(features, codes), codes)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sizes", [[15, 15, 15], [8, 30, 17]])
def test_f_is_scikit_bios(sizes):
    codes = np.repeat([0, 1, 2], sizes)
    features = RNG.normal(size=(len(codes), 6)) * (1 + codes[:, None])
    matrix = DistanceMatrix(squareform(pdist(features)))
    expected = permdisp(
        matrix, codes.astype(str), test="centroid", permutations=0, dimensions=len(codes)
    )["test statistic"]
    z = centroid_distances(squares(features, codes), codes)
    assert f_oneway(*(z[codes == c] for c in range(3)))[0] == pytest.approx(expected, rel=1e-8)
    if len(set(sizes)) == 1:  # what F is adjusted for is the same in each class
        f = dispersion(squares(features, codes), codes).f
        assert f == pytest.approx(expected, rel=1e-8)


def test_rejects_a_true_null_as_often_as_it_should():
    """A small class and a large one in many dimensions, where it is least to be expected."""
    codes = np.repeat([0, 1], [10, 50])
    p_values = []
    for seed in range(200):
        features = RNG.normal(size=(60, 150))
        by_class = squareform(pdist(features, "sqeuclidean")) @ np.eye(2)[codes]
        p_values.append(dispersion(by_class, codes, permutations=99, seed=seed).p_value)
    rejected = np.sum(np.array(p_values) <= 0.05)
    assert binom.ppf(1e-4, 200, 0.05) <= rejected <= binom.ppf(1 - 1e-4, 200, 0.05)


def test_warns_of_spread_and_not_of_place():
    codes = np.repeat([0, 1, 2], [40, 60, 20])
    noise = RNG.normal(size=(120, 30))
    spread = dispersion(squares(noise * (1 + 0.3 * codes[:, None]), codes), codes)
    assert spread.warning and spread.p_value == 1 / 1000
    place = dispersion(squares(noise + np.eye(30)[codes] * 3, codes), codes)
    assert not place.warning and place.place > 10 * place.spread
    # Both differ, place more so: significant, and no warning.
    both = noise * (1 + 0.1 * codes[:, None]) + np.eye(30)[codes] * 8
    both = dispersion(squares(both, codes), codes)
    assert both.p_value <= 0.05 and not both.warning
    neither = dispersion(squares(noise, codes), codes)
    assert neither.place < 0.5


def test_place_and_spread_are_variances():
    """Known centroids at -3 and 3, and radii close to sqrt(100) and sqrt(400)."""
    codes = np.repeat([0, 1], 200)
    features = RNG.normal(size=(400, 100)) * (1 + codes[:, None])
    features[:, 0] += 6 * codes
    found = dispersion(squares(features, codes), codes)
    assert found.place == pytest.approx(9, rel=0.2)
    assert found.spread == pytest.approx(25, rel=0.1)


def test_where_spread_is_undefined():
    pairs_only = np.repeat([0, 1, 2], 2)
    found = dispersion(squares(RNG.normal(size=(6, 3)), pairs_only), pairs_only)
    assert np.isnan(found.f) and np.isnan(found.p_value) and not found.warning
    alone = np.array([0, 0, 0, 1])
    found = dispersion(squares(RNG.normal(size=(4, 3)), alone), alone)
    assert np.isnan(found.f) and np.isnan(found.place) and not found.warning
    copies = np.repeat([0, 1], 5)
    found = dispersion(squares(copies[:, None] * 2.0, copies), copies)
    assert np.isnan(found.p_value) and found.spread == 0 and found.place == pytest.approx(1)
    # A class of one image is left out.
    features = RNG.normal(size=(21, 3))
    codes = np.repeat([0, 1, 2], [12, 8, 1])
    with_one = dispersion(squares(features, codes), codes)
    without = dispersion(squares(features[:20], codes[:20]), codes[:20])
    assert with_one.f == pytest.approx(without.f) and with_one.p_value == without.p_value
