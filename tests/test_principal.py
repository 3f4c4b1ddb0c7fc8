"""Principal components from distances against those of the features and a dense solver."""

import numpy as np
import pytest
from depthgauge.distances.matrix import pairs
from depthgauge.statistics import geometry
from depthgauge.statistics.geometry import coordinate_goodness, principal_coordinates, spectrum
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(9)


def gower(condensed):
    n = len(squareform(condensed))
    j = np.eye(n) - 1 / n
    return -j @ squareform(condensed.astype(np.float64)) ** 2 @ j / 2


@pytest.mark.parametrize("n", [2, 3, 40, 300])
@pytest.mark.parametrize("euclidean", [True, False])
def test_spectrum_is_that_of_the_dense_matrix(n, euclidean):
    condensed = pdist(RNG.normal(size=(n, 20))) if euclidean else RNG.uniform(1, 2, pairs(n))
    values = np.linalg.eigvalsh(gower(condensed))
    found = [spectrum(condensed, threads=t) for t in (1, 2, 3)]
    assert found[0].trace == pytest.approx(values.sum(), rel=1e-10)
    assert found[0].norm == pytest.approx(np.sqrt((values**2).sum()), rel=1e-10)
    assert found[0] == found[1] == found[2]


def test_effective_dimension():
    assert spectrum(np.ones(pairs(30))).effective_dimension == pytest.approx(29)
    line = pdist(np.arange(30.0)[:, None])
    assert spectrum(line).effective_dimension == pytest.approx(1)
    assert np.isnan(spectrum(np.zeros(3)).effective_dimension)
    features = RNG.normal(size=(2000, 10))
    assert spectrum(pdist(features)).effective_dimension == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize("n", [60, 500])
@pytest.mark.parametrize("kind", ["flat", "steep", "few", "other"])
def test_coordinates_are_those_of_a_dense_solver(n, kind):
    """500 images go by way of ARPACK; "few" has less than 50 positive eigenvalues."""
    features = RNG.normal(size=(n, 10 if kind == "few" else 120))
    if kind == "steep":
        features /= np.arange(1, 121)
    condensed = pdist(features, "cityblock" if kind == "other" else "euclidean")
    condensed = condensed.astype(np.float32)
    values, vectors = np.linalg.eigh(gower(condensed))
    values, vectors = values[::-1][:50], vectors[:, ::-1][:, :50]
    found = principal_coordinates(condensed, 50, spectrum(condensed).norm)
    p = found.shape[1]
    assert p <= 50 and (kind == "few" or p == 50)
    np.testing.assert_allclose((found**2).sum(axis=0), values[:p], rtol=1e-6, atol=1e-9 * values[0])
    assert (values[p:] < 1e-9 * values[0]).all()
    expected = vectors * np.sqrt(np.maximum(values, 0))
    np.testing.assert_allclose(pdist(found), pdist(expected), rtol=1e-5)


@pytest.mark.parametrize("n, dimensions", [(100, 80), (300, 80), (300, 2)])
def test_same_bits_for_any_threads(n, dimensions):
    condensed = pdist(RNG.normal(size=(n, dimensions))).astype(np.float32)
    codes = RNG.integers(0, 3, n)
    norm = spectrum(condensed).norm
    one, two, three = (principal_coordinates(condensed, 50, norm, threads=t) for t in (1, 2, 3))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)
    goodness = [coordinate_goodness(one, codes, threads=t) for t in (1, 2, 3)]
    assert goodness[0] == goodness[1] == goodness[2]


def test_goodness_of_coordinates():
    assert geometry.DENSE < 300  # so that both ways are tested above
    codes = RNG.integers(0, 3, 80)
    features = RNG.normal(size=(80, 7)) + codes[:, None]
    i, j = np.triu_indices(80, 1)
    same = codes[i] == codes[j]
    expected = pdist(features)[~same].mean() / pdist(features)[same].mean()
    assert coordinate_goodness(features, codes) == pytest.approx(expected, rel=1e-12)
    assert coordinate_goodness(codes[:, None].astype(float), codes) == np.inf
