"""The scores and planted sets that the verdict's rule is held against, by brute force."""

import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances
from scipy.optimize import minimize
from scipy.spatial.distance import pdist, squareform
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf

sys.path.insert(0, str(REPOSITORY / "tests/validation"))

from labelfree_depth import effective_rank
from planted import planted
from rules import ALONE, VERDICT, cells_of, halves, judge
from scores import h_score, log_me, measures
from sets import condensed_distances


def clouds(dim, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.repeat([0, 1, 2], [9, 12, 15])
    return rng.standard_normal((3, dim))[codes] + rng.standard_normal((36, dim)) + 0.3, codes


@pytest.mark.parametrize("dim", [5, 60])
def test_log_me_is_the_largest_evidence_that_any_precisions_give(dim):
    features, codes = clouds(dim)

    def evidence(logs, y):
        alpha, beta = np.exp(logs)
        covariance = np.eye(len(y)) / beta + features @ features.T / alpha
        return multivariate_normal.logpdf(y, cov=covariance)

    best = [
        max(
            -minimize(lambda logs, y=y: -evidence(logs, y), start, method="Nelder-Mead").fun
            for start in ([0, 0], [3, 1])
        )
        for y in (np.eye(3)[codes]).T
    ]
    expected = np.mean(best) / len(codes)
    assert log_me(features @ features.T, codes, dim) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dim", [5, 60])
def test_h_score_is_the_trace_of_its_definition(dim):
    features, codes = clouds(dim)
    covariance, shrinkage = ledoit_wolf(features)
    means = np.stack([features[codes == code].mean(axis=0) for code in codes])
    between = np.cov(means, rowvar=False, bias=True)
    expected = (1 - shrinkage) * np.trace(np.linalg.solve(covariance, between))
    assert h_score(features @ features.T, codes, dim) == pytest.approx(expected, rel=1e-6)


def test_measures_of_a_cell_by_brute_force():
    features, codes = clouds(4)
    condensed = pdist(features).astype(np.float32)
    found = measures(condensed, codes)
    square = squareform(condensed)
    np.fill_diagonal(square, np.inf)
    order = square.argsort(axis=1)
    assert found["knn1"] == np.mean(codes[order[:, 0]] == codes)
    first_three = [np.bincount(codes[row[:3]], minlength=3) for row in order]
    winners = [
        votes.argmax() if votes.max() > 1 else codes[row[0]]
        for votes, row in zip(first_three, order, strict=True)
    ]
    assert found["knn3"] == np.mean(winners == codes)
    # The nearest in a random half of the others, drawn many times.
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        kept = rng.random(square.shape) < 0.5
        drawn.append(np.mean(codes[np.where(kept, square, np.inf).argmin(axis=1)] == codes))
    assert found["knn1_half"] == pytest.approx(np.mean(drawn), abs=0.005)
    i, j = np.triu_indices(len(codes), 1)
    same = codes[i] == codes[j]
    farther = condensed[~same][:, None] - condensed[same]
    assert found["auc"] == pytest.approx(np.mean(farther > 0) + np.mean(farther == 0) / 2)
    assert found["goodness"] == pytest.approx(condensed[~same].mean() / condensed[same].mean())


def test_distances_summed_in_parts_are_exact_and_copies_are_at_none():
    rng = np.random.default_rng(3)
    features = (5 + rng.standard_normal((12, 40_000))).astype(np.float32)
    features[7] = features[2]
    found = squareform(condensed_distances(features))
    np.testing.assert_allclose(found, squareform(pdist(features.astype(float))), rtol=1e-6)
    assert found[2, 7] == 0


def test_effective_rank_is_that_of_the_singular_values():
    features, _ = clouds(6, seed=4)
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    share = values / values.sum()
    expected = np.exp(-(share * np.log(share)).sum())
    assert effective_rank(pdist(features)) == pytest.approx(expected, rel=1e-4)


def test_planted_lengths_are_a_nuisance_in_one_network_and_all_there_is_in_another():
    made = {name: (codes, layers) for name, codes, layers in planted(np.random.default_rng(1))}
    assert len(made) == 10
    for name, right, wrong in (
        ("length is a nuisance", "angle", "euclidean"),
        ("length tells", "euclidean", "angle"),
    ):
        codes, layers = made[name]
        condensed = pdist(layers[2])
        accuracy = {
            "euclidean": measures(condensed, codes)["knn1"],
            "angle": measures(np.concatenate(list(angles(Distances(condensed)))), codes)["knn1"],
        }
        assert accuracy[right] > accuracy[wrong] + 0.05, name
    # The rule that may take angle does, in halves that it did not see.
    codes, layers = made["length is a nuisance"]
    layers = [({"flat": pdist(layer).astype(np.float32)}, layer) for layer in layers]
    cells = cells_of(layers)
    means = judge(cells, halves(codes, layers, 2, [1])).groupby("rule").mean()
    assert means.accuracy[VERDICT] > means.accuracy[ALONE] + 0.05
    assert means.accuracy["(best in the half)"] == pytest.approx(
        means.accuracy[VERDICT] + means.loss[VERDICT]
    )
