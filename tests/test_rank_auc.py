"""AUC with and without each image, against literal counting and deletion."""

import numpy as np
import pytest
from depthgauge.distances.matrix import Distances, pairs
from depthgauge.statistics import auc as module
from depthgauge.statistics.auc import rank_auc
from scipy.spatial.distance import squareform
from scipy.stats import mannwhitneyu
from skbio.stats.distance import DistanceMatrix, anosim

RNG = np.random.default_rng(6)


def direct(condensed, codes):
    upper = np.triu_indices(len(codes), 1)
    same = codes[upper[0]] == codes[upper[1]]
    within, between = condensed[same], condensed[~same]
    if not len(within) or not len(between):
        return np.nan
    above = (between[:, None] > within).sum() + (between[:, None] == within).sum() / 2
    return above / len(within) / len(between)


def distances(n, kind):
    if kind == "ties":
        return RNG.integers(0, 4, pairs(n)).astype(np.float32)
    # Over many powers of two, with copies at 0, and -0.
    values = np.exp(RNG.normal(0, 6 if kind == "wide" else 1, pairs(n)))
    values[::7] = 0
    values[::49] = -0.0
    return values.astype(np.float64 if kind == "double" else np.float32)


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("kind", ["ties", "wide", "double", "near"])
@pytest.mark.parametrize("sizes", [[2, 1], [3, 2], [9, 1, 12, 2], [18, 25]])
def test_with_and_without_each_image(sizes, kind, windowed, monkeypatch):
    if windowed:  # as for matrices too large to be ranked in memory
        monkeypatch.setattr(module, "RANKED", 0)
        monkeypatch.setattr(module, "STRETCHES", 16)
        monkeypatch.setattr(module, "ROWS", 8)
    codes = RNG.permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(codes)
    condensed = distances(n, kind)
    auc, without = rank_auc(condensed, codes, threads=2, progress=False)
    assert auc == pytest.approx(direct(condensed, codes), rel=1e-14)
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        expected = direct(Distances(condensed).among(rest).condensed, codes[rest])
        np.testing.assert_allclose(without[i], expected, rtol=1e-13)


@pytest.mark.parametrize("windowed", [False, True])
def test_is_mann_whitneys_and_anosims_for_any_threads(windowed, monkeypatch):
    if windowed:
        monkeypatch.setattr(module, "RANKED", 0)
    codes = RNG.integers(0, 5, 300)
    condensed = RNG.uniform(1.9, 2.2, pairs(300)).astype(np.float32)
    found = [rank_auc(condensed, codes, threads=t, progress=False) for t in (1, 2, 3)]
    for auc, without in found[1:]:
        assert auc == found[0][0]
        np.testing.assert_array_equal(without, found[0][1])
    upper = np.triu_indices(300, 1)
    same = codes[upper[0]] == codes[upper[1]]
    double = condensed.astype(np.float64)
    u = mannwhitneyu(double[~same], double[same]).statistic
    assert found[0][0] == pytest.approx(u / same.sum() / (~same).sum(), rel=1e-13)
    matrix = DistanceMatrix(squareform(double))
    r = anosim(matrix, codes.astype(str), permutations=0)["test statistic"]
    assert 2 * found[0][0] - 1 == pytest.approx(r, rel=1e-10)
