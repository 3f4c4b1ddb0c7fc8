"""The null's moments and Pearson III tail against full enumeration and a million permutations."""

import itertools

import numpy as np
import pytest
from depthgauge.distances.matrix import pairs
from depthgauge.statistics import moments as module
from depthgauge.statistics.moments import null_moments
from depthgauge.statistics.permutation import within_sums
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearson3

RNG = np.random.default_rng(5)


def enumerated(condensed, codes):
    """Mean, standard deviation and skewness of W over all n! permutations."""
    square = squareform(condensed)
    same = (codes[:, None] == codes[None, :]) & ~np.eye(len(codes), dtype=bool)
    values = [
        square[np.ix_(order, order)][same].mean()
        for order in map(list, itertools.permutations(range(len(codes))))
    ]
    values = np.array(values)
    centred = values - values.mean()
    sd = np.sqrt(np.mean(centred**2))
    return values.mean(), sd, np.mean(centred**3) / sd**3


@pytest.mark.parametrize("rows", [2, 3, 256])
@pytest.mark.parametrize(
    "codes", [[0, 0, 1], [0, 0, 1, 1], [0, 1, 0, 2, 0], [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 2, 1, 3]]
)
def test_moments_are_those_of_full_enumeration(monkeypatch, codes, rows):
    """Whatever the panels that the matrix is read in, down to two rows."""
    monkeypatch.setattr(module, "ROWS", rows)
    codes = np.array(codes)
    condensed = RNG.gamma(1, 1, pairs(len(codes))) + 3
    mean, sd, skewness = enumerated(condensed, codes)
    found = null_moments(condensed, codes, mean - 2 * sd, progress=False)
    assert found.mean == pytest.approx(mean, rel=1e-10)
    assert found.sd == pytest.approx(sd, rel=1e-10)
    assert found.skewness == pytest.approx(skewness, rel=1e-10, abs=1e-10)
    assert found.z == pytest.approx(2, rel=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_over_distances_are_those_of_the_whole_matrix(monkeypatch, dtype):
    """In double precision, whatever that of the distances: what is left is small beside them."""
    monkeypatch.setattr(module, "ROWS", 48)
    condensed = RNG.uniform(0.5, 1.5, pairs(200)).astype(dtype)
    mean, found = module._of_distances(condensed, 200, threads=2, progress=False)
    wide = condensed.astype(np.float64)
    x = squareform(wide - wide.mean())
    r, q = x.sum(axis=1), (x**2).sum(axis=1)
    expected = {
        "T": x.sum(),
        "q": q.sum(),
        "c": (x**3).sum(),
        "qr": q @ r,
        "rrr": (r**3).sum(),
        "P": (r**2 - q).sum(),
        "rho": r @ x @ r,
        "tri": np.vdot(x, x @ x),
    }
    assert mean == pytest.approx(wide.mean(), rel=1e-14)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", ["clusters", "skewed"])
def test_pearson_tail_is_that_of_a_million_permutations(kind):
    """Within 0.15 in the logarithm of p, down to 1e-4, with unequal classes."""
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1, 2], [30, 15, 15])
    clusters = rng.standard_normal((60, 2)) + 2 * rng.integers(0, 2, (60, 1))
    condensed = pdist(clusters) if kind == "clusters" else rng.gamma(0.3, 1, pairs(60))
    sums = within_sums(condensed, codes, permutations=10**6, seed=1, threads=2, progress=False)
    within = np.sort(sums[1:]) / pairs(np.bincount(codes)).sum()
    for p in (0.3, 0.05, 1e-2, 1e-3, 1e-4):
        at = within[int(p * 10**6) - 1]
        found = null_moments(condensed, codes, at, progress=False)
        assert abs(np.log10(found.p_value / p)) < 0.15, (p, found)


@pytest.mark.parametrize("skewness", [-3, -0.4, -1e-3, -1e-6, 0, 1e-6, 2e-5, 1e-3, 0.4, 3])
def test_tail_is_that_of_scipy(skewness):
    x = np.array([-300, -40, -9, -2, -0.3, 0, 0.7, 2, 9, 40])
    found = [module._pearson3_tail(value, skewness) for value in x.tolist()]
    np.testing.assert_allclose(found, pearson3.cdf(x, skewness), rtol=1e-8, atol=1e-300)


def test_same_bits_for_any_threads(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 32)
    condensed = (RNG.random(pairs(300)) ** 5).astype(np.float32)
    codes = RNG.integers(0, 4, 300)
    found = [
        null_moments(condensed, codes, 0.1, threads=threads, progress=False)
        for threads in (1, 2, 5)
    ]
    assert found[0] == found[1] == found[2]


def test_no_variance_no_significance():
    """All distances alike, up to round-off: W is the same however labels are permuted."""
    for value in (1.0, 0.1, 1e6 / 3):
        condensed = np.full(pairs(20), value)
        found = null_moments(condensed, np.arange(20) % 3, value, progress=False)
        assert (found.sd, found.z, found.p_value) == (0, 0, 1)


def test_p_is_never_below_one_in_the_number_of_labellings():
    condensed = pdist(np.repeat([[0.0], [9.0]], 4, axis=0) + RNG.normal(size=(8, 1)))
    codes = np.repeat([0, 1], 4)
    found = null_moments(condensed, codes, 0.0, least_p=1 / 35, progress=False)
    assert found.p_value == 1 / 35
