"""Nearest neighbours and t-SNE maps from distances."""

import logging

import numpy as np
import pandas as pd
import pytest
from depthgauge.distances.matrix import Distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.errors import UserError
from depthgauge.maps.descent import descend
from depthgauge.maps.embedding import _beyond_the_nearest, embed, write_embedding
from openTSNE import TSNEEmbedding
from openTSNE.affinity import Affinities, PerplexityBasedNN
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from scipy.sparse import random as random_sparse
from scipy.spatial.distance import pdist, squareform
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits


def points(n, seed=0, dims=10):
    return np.random.default_rng(seed).normal(size=(n, dims))


def condensed(images):
    return pdist(images).astype(np.float32)


def brute_force(distances, k):
    """The k nearest by a stable sort of the square matrix: ties in the order of the index."""
    square = squareform(distances)
    np.fill_diagonal(square, np.inf)
    indices = np.argsort(square, axis=1, kind="stable")[:, :k]
    return indices, np.take_along_axis(square, indices, axis=1)


@pytest.mark.parametrize("n, k", [(2, 1), (3, 2), (40, 1), (40, 39), (300, 17)])
@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_neighbours_are_those_of_a_sort(n, k, decimals, monkeypatch):
    # Several blocks of rows, the last of them ragged.
    monkeypatch.setattr("depthgauge.distances.passes.BLOCK", 3 * n + 1)
    distances = condensed(points(n))
    if decimals is not None:  # many ties, or nothing else
        distances = np.round(distances, decimals).astype(np.float32)
    indices, nearest = nearest_neighbours(distances, k, progress=False)
    expected_indices, expected = brute_force(distances, k)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_array_equal(nearest, expected)
    assert indices.dtype == np.int64 and nearest.dtype == np.float32


def test_neighbours_do_not_depend_on_threads():
    distances = np.round(condensed(points(257)), 1).astype(np.float32)
    one, many = (nearest_neighbours(distances, 30, threads=t, progress=False) for t in (1, 5))
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], many[1])


@pytest.mark.parametrize("k", [0, 10])
def test_impossible_numbers_of_neighbours_are_refused(k):
    with pytest.raises(ValueError, match="from 1 to 9"):
        nearest_neighbours(condensed(points(10)), k, progress=False)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_distances_that_are_not_finite_are_refused(wrong):
    distances = condensed(points(6))
    distances[3] = wrong
    with pytest.raises(UserError, match="not finite"):
        nearest_neighbours(distances, 5, progress=False)


@pytest.fixture
def affinities():
    p = random_sparse(60, 60, 0.3, format="csr", random_state=1)
    p = p + p.T
    p.setdiag(0)
    p = (p / p.sum()).tocsr()
    p.sort_indices()
    return p


def similarities(places):
    q = 1 / (1 + squareform(pdist(places, "sqeuclidean")))
    np.fill_diagonal(q, 0)
    return q


def test_first_step_is_down_the_gradient_of_the_divergence(affinities):
    """Against the definition, all pairs in float64, and against finite differences."""
    p, places = affinities.toarray(), points(60, dims=2) * 5
    places -= places.mean(axis=0)

    def divergence(places):
        q = similarities(places)
        q /= q.sum()
        return np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0]))

    _, there = descend(places, affinities, [])
    assert there == pytest.approx(divergence(places), rel=1e-5)
    difference = np.empty_like(places)
    for index in np.ndindex(*places.shape):
        step = np.zeros_like(places)
        step[index] = 1e-5
        difference[index] = (divergence(places + step) - divergence(places - step)) / 2e-5
    moved, _ = descend(places, affinities, [(1, 1)])
    # The rate is n, and the first gain 1.2.
    gradient = 4 * (places - moved) / (60 * 1.2)
    np.testing.assert_allclose(gradient, difference, atol=1e-5 * np.abs(difference).max())


def test_steps_are_those_of_openTSNE(affinities):
    def gradient(places, P, **_):
        places, q = np.asarray(places), similarities(places)
        pull = (P.toarray() - q / q.sum()) * q
        return 0.0, pull.sum(axis=1)[:, None] * places - pull @ places

    start = points(60, dims=2)
    holder = Affinities()
    holder.P = affinities.copy()
    theirs = TSNEEmbedding(start, holder, negative_gradient_method=gradient)
    for iterations, exaggeration in (phases := [(5, 4), (5, 1), (5, 0.01)]):
        theirs.optimize(iterations, exaggeration=exaggeration, inplace=True)
    assert np.ptp(theirs) > 40  # steps of the last five were cut short, to 5
    ours, _ = descend(start, affinities, phases)
    np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-3 * np.ptp(theirs))


@pytest.fixture(params=["exact", "interpolated"])
def method(request, monkeypatch):
    if request.param == "interpolated":
        monkeypatch.setattr("depthgauge.maps.embedding._EXACT_UP_TO", 0)
        monkeypatch.setattr("depthgauge.maps.embedding._PHASES", [(20, 12), (20, 1)])


@pytest.mark.usefixtures("method")
def test_maps_are_the_same_for_any_threads_and_run():
    distances = condensed(points(350))
    maps = [embed(Distances(distances), seed=3, threads=t, progress=False) for t in (1, 2, 3, 1)]
    for other in maps[1:]:
        np.testing.assert_array_equal(maps[0], other)
    assert maps[0].shape == (350, 2) and maps[0].dtype == np.float64
    assert np.any(maps[0] != embed(Distances(distances), seed=4, progress=False))


def test_planted_clusters_stay_apart():
    labels = np.arange(200) % 5
    distances = condensed(points(200) + 8 * points(5, seed=1)[labels])
    square = squareform(pdist(embed(Distances(distances), progress=False)))
    np.fill_diagonal(square, np.inf)
    assert (labels[square.argmin(axis=1)] == labels).all()


def test_digits_are_as_trustworthy_as_with_scikit_learn():
    digits = load_digits().data[:500]
    distances = condensed(digits)
    square = squareform(distances)

    def trust(places):
        return trustworthiness(square, places, n_neighbors=15, metric="precomputed")

    with threadpool_limits(1):
        theirs = TSNE(metric="precomputed", init="random", random_state=0).fit_transform(square)
    assert trust(embed(Distances(distances), progress=False)) > trust(theirs) - 0.004


def test_distances_that_are_nearly_equal_keep_their_perplexity():
    """In thousands of dimensions all distances of an image are alike."""
    _, distances = nearest_neighbours(condensed(points(300)), 90, progress=False)
    alike = np.sqrt(distances.astype(np.float64) ** 2 + 3000**2)  # the same affinities
    index = PrecomputedNeighbors(np.tile(np.arange(90), (300, 1)), _beyond_the_nearest(alike))
    p = PerplexityBasedNN(perplexity=30, knn_index=index, symmetrize=False).P.toarray()[:, :90]
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(entropy(p, axis=1)), 30, rtol=1e-6)


@pytest.mark.parametrize("n", [3, 4, 5, 8, 30, 91, 92])
def test_few_images_have_a_map(n, caplog):
    with caplog.at_level(logging.INFO, "depthgauge.maps.embedding"):
        places = embed(Distances(condensed(points(n))), progress=False)
    assert np.isfinite(places).all() and len(np.unique(places, axis=0)) == n
    assert ("perplexity lowered from 30" in caplog.text) == (n < 91)


@pytest.mark.parametrize(
    "distances",
    [
        np.zeros(45, np.float32),
        np.ones(45, np.float32),
        condensed(np.repeat(points(5), 20, axis=0)),
        condensed(np.arange(50.0)[:, None]),
    ],
    ids=["all the same image", "all equally far", "copies", "on a line"],
)
def test_degenerate_distances_have_a_finite_map(distances):
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(embed(Distances(distances), progress=False)).all()


def test_two_images_are_too_few():
    with pytest.raises(UserError, match="at least 3"):
        embed(Distances(np.ones(1, np.float32)), progress=False)


@pytest.mark.parametrize("perplexity", [1, 0, -5, np.nan])
def test_impossible_perplexities_are_refused(perplexity):
    with pytest.raises(UserError, match="above 1"):
        embed(Distances(condensed(points(20))), perplexity=perplexity, progress=False)


def write_inputs(folder, n, labels=None):
    np.save(folder / "distances.npy", condensed(points(n)))
    manifest = pd.DataFrame({"image": [f"{i}.jpg" for i in range(n)], "label": labels or [""] * n})
    manifest.to_csv(folder / "manifest.csv", index=False)
    return folder / "distances.npy", folder / "manifest.csv", folder / "map.csv"


def test_map_is_written_in_the_order_of_the_manifest(tmp_path):
    labels = list("ab" * 10)
    paths = write_inputs(tmp_path, 20, labels)
    names = {"dataset": "d", "extractor": "e", "layer": "l"}
    write_embedding(*paths, **names, seed=1)
    table = pd.read_csv(paths[2], dtype={"label": str})
    assert list(table.columns) == ["image", "label", "x", "y"]
    assert list(table.image) == [f"{i}.jpg" for i in range(20)] and list(table.label) == labels
    first = paths[2].read_bytes()
    write_embedding(*paths, **names, seed=1, threads=2)
    assert paths[2].read_bytes() == first
    write_embedding(*paths, **(names | {"layer": "other"}), seed=1)
    assert paths[2].read_bytes() != first


def test_distances_of_another_manifest_are_refused(tmp_path):
    distances, manifest, output = write_inputs(tmp_path, 20)
    np.save(distances, condensed(points(19)))
    with pytest.raises(UserError, match=r"distances\.npy"):
        write_embedding(distances, manifest, output)
    assert not output.exists()
