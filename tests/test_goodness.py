"""Goodness and its null against direct sums, full enumeration and scikit-bio."""

import csv
import itertools
import logging
import tracemalloc

import numpy as np
import pytest
from depthgauge import permutations as module
from depthgauge.condensed import pairs
from depthgauge.errors import UserError
from depthgauge.goodness import goodness, write_goodness
from depthgauge.permutations import within_sums
from depthgauge.seeds import derive_seed
from scipy.spatial.distance import pdist, squareform
from scipy.stats import binomtest, chisquare, kstest
from skbio.stats.distance import DistanceMatrix, permanova

RNG = np.random.default_rng(11)


def random_distances(n, dtype=np.float32):
    return RNG.uniform(0.5, 2, pairs(n)).astype(dtype)


def direct(condensed, labels):
    """(mean within, mean between) from the square matrix."""
    square = squareform(condensed.astype(np.float64))
    labels = np.asarray(labels)
    same = labels[:, None] == labels[None, :]
    upper = np.triu(np.ones_like(same), 1)
    return square[same & upper].mean(), square[~same & upper].mean()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [3, 8, 63, 64, 65, 129, 300])
@pytest.mark.parametrize("classes", [1, 2, 7, 150])
def test_sums_are_those_of_the_labels_drawn(n, classes, dtype):
    """Every sum, one by one, against a direct one in double precision."""
    condensed = random_distances(n, dtype)
    codes = RNG.integers(0, classes, n)
    sums = within_sums(condensed, codes, permutations=40, seed=5, threads=2, progress=False)
    labels = module._labels(codes.astype(np.uint16), 5, 0, 41)
    np.testing.assert_array_equal(labels[:, 0], codes)
    np.testing.assert_array_equal(np.sort(labels, axis=0), np.sort(codes)[:, None].repeat(41, 1))
    square = squareform(condensed.astype(np.float64))
    same = labels[:, None, :] == labels[None, :, :]
    np.testing.assert_allclose(sums, np.einsum("ij,ijp->p", square, same) / 2, rtol=1e-12)


def test_goodness_is_the_ratio_of_direct_means():
    condensed = random_distances(200)
    labels = RNG.choice(["a", "b", "c d", "é"], 200, p=[0.6, 0.2, 0.1, 0.1])
    found = goodness(condensed, labels, permutations=99, progress=False)
    within, between = direct(condensed, labels)
    assert found.within == pytest.approx(within, rel=1e-12)
    assert found.between == pytest.approx(between, rel=1e-12)
    assert found.goodness == pytest.approx(between / within, rel=1e-12)
    assert (found.images, found.classes, found.permutations) == (200, 4, 99)
    assert found.null.shape == (99,) and found.null.dtype == np.float64
    assert found.null_mean == pytest.approx(found.null.mean())
    assert found.null_sd == pytest.approx(found.null.std(ddof=1))
    assert found.p_value == (1 + (found.null >= found.goodness).sum()) / 100


def test_null_is_that_of_full_enumeration():
    """All 60 labellings of 3 + 2 + 1 images come up, equally often, and nothing else does."""
    condensed = random_distances(6, np.float64)
    labels = list("aaabbc")
    every = sorted(
        {
            arrangement: direct(condensed, arrangement)
            for arrangement in itertools.permutations(labels)
        }.values()
    )
    ratios = np.sort([between / within for within, between in every])
    assert len(ratios) == 60 and np.diff(ratios).min() > 1e-9
    m = 12_000
    found = goodness(condensed, labels, permutations=m, seed=3, progress=False)
    at = np.abs(found.null[:, None] - ratios[None, :]).argmin(axis=1)
    np.testing.assert_allclose(found.null, ratios[at], rtol=1e-12)
    assert chisquare(np.bincount(at, minlength=60)).pvalue > 1e-4
    exact = np.mean(ratios >= found.goodness - 1e-12)
    assert binomtest(round(found.p_value * (1 + m)) - 1, m, exact).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_partitions_tie_to_the_last_bit(dtype):
    """Two classes of 4 part 8 images in 35 ways: whichever class has which name."""
    condensed = (random_distances(8, np.float64) ** 9).astype(dtype)
    found = goodness(condensed, list("abababab"), permutations=3000, progress=False)
    assert len(np.unique(found.null)) == 35
    assert found.goodness in found.null


def test_permanova_of_scikit_bio():
    """Its pseudo-F of balanced classes follows from our sums over squared distances."""
    n, k, m = 120, 4, 999
    labels = np.repeat(np.arange(k), n // k)
    x = RNG.standard_normal((n, 5))
    x[:, 0] += 0.35 * labels
    condensed = pdist(x)
    sums = within_sums(condensed**2, labels, permutations=m, seed=1, progress=False)
    total = (condensed**2).sum() / n
    within = sums / (n // k)
    f = (total - within) / (k - 1) / (within / (n - k))
    oracle = permanova(DistanceMatrix(squareform(condensed)), labels, permutations=m, seed=1)
    assert f[0] == pytest.approx(oracle["test statistic"], rel=1e-10)
    ours, theirs = (1 + (f[1:] >= f[0]).sum()) / (1 + m), oracle["p-value"]
    assert 0.002 < theirs < 0.5
    assert abs(ours - theirs) < 5 * np.sqrt(2 * theirs / m)


@pytest.mark.parametrize("ratio", [0.5, 1, 2.5])
def test_planted_ratio(ratio):
    labels = np.repeat(list("abcd"), 25)
    same = labels[:, None] == labels[None, :]
    condensed = squareform(np.where(same, 1, ratio) * ~np.eye(100, dtype=bool))
    found = goodness(condensed, labels, permutations=199, progress=False)
    assert found.goodness == pytest.approx(ratio, rel=1e-12)
    assert found.p_value == (1 if ratio <= 1 else 1 / 200)
    assert abs(found.null_mean - 1) < 0.01


def test_p_values_are_uniform_where_labels_mean_nothing():
    values = []
    for trial in range(300):
        condensed = pdist(RNG.standard_normal((24, 3)))
        labels = RNG.integers(0, 3, 24)
        values.append(
            goodness(condensed, labels, permutations=99, seed=trial, progress=False).p_value
        )
    assert kstest(np.array(values) - 0.005, "uniform").pvalue > 1e-4
    assert abs(np.mean(np.array(values) <= 0.05) - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 300)


def test_same_bits_for_any_threads(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 64)
    condensed = random_distances(700) ** 7
    labels = RNG.integers(0, 5, 700)
    nulls = [
        goodness(condensed, labels, permutations=300, threads=threads, progress=False).null
        for threads in (1, 2, 3, 8)
    ]
    for null in nulls[1:]:
        np.testing.assert_array_equal(null, nulls[0])


def test_permutations_are_those_of_the_seed_alone(monkeypatch):
    """Every layer meets the same ones; more of them begin with the same ones."""
    monkeypatch.setattr(module, "BLOCK", 16)
    condensed = random_distances(50)
    labels = RNG.integers(0, 3, 50)

    def null(scale, permutations, seed):
        return goodness(
            condensed * np.float32(scale),
            labels,
            permutations=permutations,
            seed=seed,
            progress=False,
        ).null

    np.testing.assert_array_equal(null(1, 70, 4), null(2, 70, 4))
    np.testing.assert_array_equal(null(1, 20, 4), null(1, 70, 4)[:20])
    assert len(np.intersect1d(null(1, 70, 4), null(1, 70, 5))) == 0
    assert len(np.unique(null(1, 70, 4))) == 70


def test_memory_does_not_grow_with_the_permutations(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 128)
    condensed = random_distances(200)
    labels = RNG.integers(0, 3, 200)
    peaks = []
    for m in (500, 5000):
        tracemalloc.start()
        goodness(condensed, labels, permutations=m, progress=False)
        peaks.append(tracemalloc.get_traced_memory()[1] - 6 * 8 * m)  # a few numbers each
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_copies_within_classes_are_infinitely_good():
    labels = np.repeat(list("abc"), 4)
    condensed = pdist(np.repeat(RNG.standard_normal((3, 2)), 4, axis=0))
    found = goodness(condensed, labels, permutations=9999, progress=False)
    assert found.within == 0 and found.between > 0 and found.goodness == np.inf
    assert found.p_value == (1 + np.isinf(found.null).sum()) / 10_000
    # 3! of the 12!/(4!)^3 arrangements are as good
    assert binomtest(int(np.isinf(found.null).sum()), 9999, 6 / 34_650).pvalue > 1e-4


def test_single_images_are_between_alone(caplog):
    labels = ["a", "a", "b", "a", "c"]
    condensed = random_distances(5)
    with caplog.at_level(logging.WARNING):
        found = goodness(condensed, labels, permutations=9, progress=False)
    within, between = direct(condensed, labels)
    assert found.goodness == pytest.approx(between / within, rel=1e-12)
    assert "b, c" in caplog.text


@pytest.mark.parametrize(
    ("condensed", "labels", "permutations", "says"),
    [
        (np.ones(3), "aab", 0, "at least 1"),
        (np.ones(3), "aabb", 9, "4 of them .* of 3 images"),
        (np.ones(4), "aab", 9, "not the number of pairs"),
        (np.ones(3), "abc", 9, "no two images"),
        (np.ones(3), "aaa", 9, "at least two classes"),
        (np.ones(3), ["a", "b", ""], 9, "no label"),
        (np.zeros(3), "aab", 9, "all are zero"),
        (np.array([1, 1, np.nan, 1, 1, 1]), "aabb", 9, "images 1 and 4 is nan"),
        (np.array([1, 1, 1, 1, 1, -1e-9]), "aabb", 9, "images 3 and 4 is -1e-09"),
        (np.array([1, 1, 1, np.inf, 1, 1]), "aabb", 9, "images 2 and 3 is inf"),
    ],
)
def test_refusals(condensed, labels, permutations, says):
    with pytest.raises(UserError, match=says):
        goodness(condensed, list(labels), permutations=permutations, progress=False)


COLUMNS = (
    "dataset,extractor,layer,depth,dim,images,classes,within,between,goodness,permutations,"
    "null_mean,null_sd,p_value"
)
CELL = {"dataset": "digits", "extractor": "net, big", "layer": "pool", "depth": 2, "dim": 77}


def test_write_goodness(tmp_path):
    n = 30
    labels = RNG.choice(["x", "y"], n)
    np.save(tmp_path / "d.npy", random_distances(n))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "image,label\n" + "".join(f"{i}.jpg,{label}\n" for i, label in enumerate(labels))
    )
    null, row = tmp_path / "nulls" / "n.npy", tmp_path / "rows" / "r.csv"
    write_goodness(
        tmp_path / "d.npy", manifest, null, row, **CELL, permutations=99, seed=8, progress=False
    )
    expected = goodness(
        np.load(tmp_path / "d.npy"),
        labels,
        permutations=99,
        seed=derive_seed(8, "digits", "permutations"),
        progress=False,
    )
    np.testing.assert_array_equal(np.load(null, allow_pickle=False), expected.null)
    assert row.read_text().splitlines()[0] == COLUMNS
    (found,) = csv.DictReader(row.open(newline=""))
    for name, value in CELL.items():
        assert found[name] == str(value)
    for name in COLUMNS.split(",")[5:]:
        assert float(found[name]) == getattr(expected, name), name

    np.save(tmp_path / "d.npy", random_distances(n + 1))
    with pytest.raises(UserError, match="d.npy.* of 31 images where 30"):
        write_goodness(tmp_path / "d.npy", manifest, null, row, **CELL, progress=False)
    manifest.write_text("image,label\n" + "".join(f"{i}.jpg,\n" for i in range(n)))
    with pytest.raises(UserError, match="manifest.csv: no image has a label"):
        write_goodness(tmp_path / "d.npy", manifest, null, row, **CELL, progress=False)
