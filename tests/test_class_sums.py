"""Sums by class and what is made of them, against the square matrix and scikit-learn."""

import numpy as np
import pytest
from depthgauge.distances import passes as module
from depthgauge.distances.matrix import pairs
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.distances.passes import class_sums
from depthgauge.statistics.accuracy import vote
from depthgauge.statistics.goodness import class_distances, class_goodness, image_goodness
from depthgauge.statistics.measures import silhouettes
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_samples

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def cell():
    """(condensed, square, codes) of 90 images, one class of one image."""
    rng = np.random.default_rng(5)
    codes = rng.permutation(np.repeat([0, 1, 2, 3], [50, 9, 30, 1]))
    condensed = pdist(rng.normal(size=(90, 6)) + codes[:, None]).astype(np.float32)
    return condensed, squareform(condensed.astype(np.float64)), codes


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 3, 65, 400])
def test_sums_are_direct_and_the_same_for_any_threads(n, dtype, squared, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 5000)
    condensed = RNG.uniform(0, 3, pairs(n)).astype(dtype)
    codes = np.r_[0, 1, RNG.integers(0, 7, n - 2)]
    square = squareform(condensed.astype(np.float64)) ** (2 if squared else 1)
    found = [class_sums(condensed, codes, squared=squared, threads=t) for t in (1, 2, 3)]
    np.testing.assert_allclose(found[0], square @ np.eye(codes.max() + 1)[codes], rtol=1e-13)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_silhouettes_are_scikit_learns(cell):
    condensed, square, codes = cell
    found = silhouettes(class_sums(condensed, codes), codes)
    expected = silhouette_samples(square, codes, metric="precomputed")
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[codes == 3] == 0


def test_silhouettes_of_copies_are_nought():
    codes = np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(silhouettes(np.zeros((4, 2)), codes), 0)


def test_classes_and_images_against_the_square_matrix(cell):
    condensed, square, codes = cell
    sums = class_sums(condensed, codes)
    table, by_class, by_image = (
        f(sums, codes) for f in (class_distances, class_goodness, image_goodness)
    )
    others = ~np.eye(len(codes), dtype=bool)
    for a in range(4):
        for b in range(4):
            block = (codes[:, None] == a) & (codes == b) & others
            mean = square[block].mean() if block.any() else np.nan
            np.testing.assert_allclose(table[a, b], mean, rtol=1e-12)
        apart = square[codes == a][:, codes != a].mean()
        np.testing.assert_allclose(by_class[a], apart / table[a, a], rtol=1e-12)
    np.testing.assert_array_equal(table, table.T)
    for i in np.flatnonzero(codes != 3):
        same = (codes == codes[i]) & others[i]
        expected = square[i, codes != codes[i]].mean() / square[i, same].mean()
        assert by_image[i] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(by_image[codes == 3]).all() and np.isnan(by_class[3])


def test_votes_and_their_ties():
    codes = np.array([0, 0, 1, 1, 2])
    indices = np.array([[4, 0, 1, 2, 3], [4, 2, 0, 3, 1], [2, 0, 3, 1, 4]])
    distances = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, 4], [1, 1, 1, 1, 1]])
    # Two votes each: 0 lies nearer than 1; 1 nearer than 0; equal, 1 comes first.
    np.testing.assert_array_equal(vote(codes, indices, distances), [0, 1, 1])


def test_five_votes_against_a_plain_count(cell):
    condensed, square, codes = cell
    np.fill_diagonal(square, np.inf)
    found = vote(codes, *nearest_neighbours(condensed, 5, progress=False))
    for i, row in enumerate(square):
        nearest = np.argsort(row, kind="stable")[:5]
        by_class = [(-np.sum(codes[nearest] == c), row[nearest][codes[nearest] == c].sum(), c)
            for c in set(codes[nearest])]  # fmt: skip
        assert found[i] == min(by_class)[2]
