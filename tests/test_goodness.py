"""Goodness and its null against direct sums, full enumeration and scikit-bio."""

import itertools
import logging
import tracemalloc

import numpy as np
import pytest
from depthgauge.distances.labelled import Labelled
from depthgauge.distances.matrix import pairs
from depthgauge.errors import UserError
from depthgauge.statistics import permutation as module
from depthgauge.statistics.goodness import goodness
from depthgauge.statistics.permutation import exchange, usual_permute, within_sums
from scipy.spatial.distance import pdist, squareform
from scipy.stats import binomtest, chisquare, kstest
from skbio.stats.distance import DistanceMatrix, permanova

RNG = np.random.default_rng(11)


def found_by(condensed, labels, *, groups=None, collections=None, **options):
    data = Labelled(condensed, labels, groups=groups, collections=collections)
    return goodness(data, **options)


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
    labels = module._labels(codes.astype(np.uint16), 5, 0, 41, np.arange(n), np.array([0, n]))
    np.testing.assert_array_equal(labels[:, 0], codes)
    np.testing.assert_array_equal(np.sort(labels, axis=0), np.sort(codes)[:, None].repeat(41, 1))
    square = squareform(condensed.astype(np.float64))
    same = labels[:, None, :] == labels[None, :, :]
    np.testing.assert_allclose(sums, np.einsum("ij,ijp->p", square, same) / 2, rtol=1e-12)


def test_goodness_is_the_ratio_of_direct_means():
    condensed = random_distances(200)
    labels = RNG.choice(["a", "b", "c d", "é"], 200, p=[0.6, 0.2, 0.1, 0.1])
    found = found_by(condensed, labels, permutations=99, progress=False)
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
    found = found_by(condensed, labels, permutations=m, seed=3, progress=False)
    at = np.abs(found.null[:, None] - ratios[None, :]).argmin(axis=1)
    np.testing.assert_allclose(found.null, ratios[at], rtol=1e-12)
    assert chisquare(np.bincount(at, minlength=60)).pvalue > 1e-4
    exact = np.mean(ratios >= found.goodness - 1e-12)
    assert binomtest(round(found.p_value * (1 + m)) - 1, m, exact).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_partitions_tie_to_the_last_bit(dtype):
    """Two classes of 4 part 8 images in 35 ways: whichever class has which name."""
    condensed = (random_distances(8, np.float64) ** 9).astype(dtype)
    found = found_by(condensed, list("abababab"), permutations=3000, progress=False)
    assert len(np.unique(found.null)) == 35
    assert found.goodness in found.null


def test_permanova_of_scikit_bio():
    """Its pseudo-F of balanced classes follows from our sums over squared distances."""
    n, k, m = 120, 4, 999
    labels = np.repeat(np.arange(k), n // k)
    x = np.random.default_rng(2).standard_normal((n, 5))
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
    condensed = squareform(np.where(same, 1.0, ratio) * ~np.eye(100, dtype=bool))
    found = found_by(condensed, labels, permutations=199, progress=False)
    assert found.goodness == pytest.approx(ratio, rel=1e-12)
    assert found.p_value == (1 if ratio <= 1 else 1 / 200)
    assert abs(found.null_mean - 1) < 0.01


def test_p_values_are_uniform_where_labels_mean_nothing():
    values = []
    for trial in range(300):
        condensed = pdist(RNG.standard_normal((24, 3)))
        labels = RNG.integers(0, 3, 24)
        values.append(
            found_by(condensed, labels, permutations=99, seed=trial, progress=False).p_value
        )
    assert kstest(np.array(values) - 0.005, "uniform").pvalue > 1e-4
    assert abs(np.mean(np.array(values) <= 0.05) - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 300)


def test_same_bits_for_any_threads(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 64)
    condensed = random_distances(700) ** 7
    labels = RNG.integers(0, 5, 700)
    nulls = [
        found_by(condensed, labels, permutations=300, threads=threads, progress=False).null
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
        return found_by(
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
        found_by(condensed, labels, permutations=m, progress=False)
        peaks.append(tracemalloc.get_traced_memory()[1] - 6 * 8 * m)  # a few numbers each
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_copies_within_classes_are_infinitely_good():
    labels = np.repeat(list("abc"), 4)
    condensed = pdist(np.repeat(RNG.standard_normal((3, 2)), 4, axis=0))
    found = found_by(condensed, labels, permutations=9999, progress=False)
    assert found.within == 0 and found.between > 0 and found.goodness == np.inf
    assert found.p_value == (1 + np.isinf(found.null).sum()) / 10_000
    # 3! of the 12!/(4!)^3 arrangements are as good
    assert binomtest(int(np.isinf(found.null).sum()), 9999, 6 / 34_650).pvalue > 1e-4


def test_single_images_are_between_alone(caplog):
    labels = ["a", "a", "b", "a", "c"]
    condensed = random_distances(5)
    with caplog.at_level(logging.WARNING):
        found = found_by(condensed, labels, permutations=9, progress=False)
    within, between = direct(condensed, labels)
    assert found.goodness == pytest.approx(between / within, rel=1e-12)
    assert "b, c" in caplog.text


@pytest.mark.parametrize(
    ("condensed", "labels", "permutations", "says"),
    [
        (np.ones(3), "aab", 0, "at least 1"),
        (np.ones(3), "aabb", 9, "4 of them .* of 3 images"),
        (np.ones(4), "aab", 9, "4 entries are not the number"),
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
        found_by(condensed, list(labels), permutations=permutations, progress=False)


def every_goodness(condensed, labels, orders):
    """Goodness under each order of the labels."""
    return np.array(
        [
            between / within
            for within, between in (
                direct(condensed, np.asarray(labels)[order]) for order in orders
            )
        ]
    )


def assert_null_is(found, ratios):
    """The null is drawn from these, each as often, and from nothing else."""
    values, weights = np.unique(np.round(ratios, 9), return_counts=True)
    at = np.abs(found.null[:, None] - values[None, :]).argmin(axis=1)
    np.testing.assert_allclose(found.null, values[at], rtol=1e-8)
    expected = weights / weights.sum() * len(found.null)
    assert chisquare(np.bincount(at, minlength=len(values)), expected).pvalue > 1e-4
    assert found.null.mean() == pytest.approx(ratios.mean(), rel=0.02)


@pytest.mark.parametrize("kind", ["groups", "collections"])
def test_permuting_within_groups_and_collections(kind):
    """Against all orders that leave each image in its group or collection."""
    condensed = random_distances(7, np.float64)
    labels, parts = list("aabbabc"), list("xxxyyyy")
    orders = [
        [*first, *second]
        for first in itertools.permutations(range(3))
        for second in itertools.permutations(range(3, 7))
    ]
    found = found_by(
        *(condensed, labels),
        **{kind: parts},
        permute=f"within_{kind}",
        permutations=6000,
        progress=False,
    )
    assert_null_is(found, every_goodness(condensed, labels, orders))
    assert found.distinct == 3 * 12
    assert np.isnan(found.p_pearson)


def test_within_one_collection_images_are_permuted():
    condensed, labels = random_distances(8), list("aabbabca")
    options = {"permutations": 99, "seed": 3, "progress": False}
    plain = found_by(condensed, labels, **options)
    options |= {"collections": ["x"] * 8, "permute": "within_collections"}
    one = found_by(condensed, labels, **options)
    np.testing.assert_array_equal(one.null, plain.null)
    assert (one.p_value, one.p_pearson, one.z) == (plain.p_value, plain.p_pearson, plain.z)


@pytest.mark.parametrize("sizes", [(2, 2, 2, 2), (1, 2, 2, 1, 2)])
def test_permuting_whole_groups(sizes):
    """Against all orders of the groups, among those of as many images."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    classes = np.array(list("aabba"))[: len(sizes)]
    labels = classes[groups]
    condensed = random_distances(len(groups), np.float64)
    orders = [
        np.concatenate([np.flatnonzero(groups == group) for group in order])
        for order in itertools.permutations(range(len(sizes)))
        if all(sizes[a] == sizes[b] for a, b in enumerate(order))
    ]
    found = found_by(
        *(condensed, labels),
        groups=groups,
        permute="groups",
        permutations=6000,
        progress=False,
    )
    ratios = every_goodness(condensed, labels, orders)
    assert_null_is(found, ratios)
    within, between = direct(condensed, labels)
    assert found.goodness == pytest.approx(between / within, rel=1e-12)
    if len(set(sizes)) == 1:  # then the moments are exact, too
        assert found.distinct == 3
        every = [direct(condensed, labels[order])[0] for order in orders]
        z = (np.mean(every) - within) / np.std(every)
        assert found.z == pytest.approx(z, rel=1e-9)
        assert found.p_pearson >= 1 / 3
    else:
        assert np.isnan(found.p_pearson)


@pytest.mark.parametrize("strata", [None, [0, 0, 0, 0, 1, 1, 1]])
@pytest.mark.parametrize(
    "codes", [[0, 0, 1, 1, 0, 1, 2], [0, 0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 0, 1, 1]]
)
def test_distinct_permutations_are_counted(codes, strata):
    codes = np.array(codes)
    groups = None if strata is None else np.array(strata)
    data = Labelled(random_distances(7), np.array(list("abc"))[codes], groups=groups)
    of = exchange(data, "images" if strata is None else "within_groups")
    partitions = set()
    for order in itertools.permutations(range(7)):
        order = list(order)
        if groups is None or (groups[order] == groups).all():
            partitions.add(first_names(codes[order]))
    assert of.distinct == len(partitions)


def first_names(codes):
    """The partition alone: classes named in the order in which they come up."""
    names = {}
    return tuple(names.setdefault(code, len(names)) for code in codes)


def test_few_distinct_permutations_are_said(caplog):
    with caplog.at_level(logging.WARNING):
        found = found_by(random_distances(4), list("aabb"), permutations=9, progress=False)
    assert found.distinct == 3 and "3 distinct ways" in caplog.text


@pytest.mark.parametrize(
    ("labels", "groups", "permute", "says"),
    [
        ("aabb", None, "groups", "needs groups"),
        ("aabb", "xyyz", "groups", "'y' has images of the classes 'a' and 'b'"),
        ("aabb", "xxyy", "groups", "distinct permutations is 1"),
        ("aabb", "xxyy", "within_groups", "distinct permutations is 1"),
        ("aabb", "xxyy", "photographs", "not one of images, within_groups, groups, within_coll"),
        ("aabb", "xyxy", "within_collections", "needs collections; give the manifest a column `c"),
    ],
)
def test_groups_that_cannot_be_permuted(labels, groups, permute, says):
    with pytest.raises(UserError, match=says):
        found_by(
            random_distances(4),
            list(labels),
            groups=groups and list(groups),
            permute=permute,
            permutations=9,
            progress=False,
        )


def test_permuting_groups_of_similar_size():
    """Against all labels of the groups, each with those of at most half as many images more."""
    sizes, classes = [1, 1, 2, 2, 3, 5], "abaabb"
    groups = np.repeat(range(6), sizes)
    condensed = random_distances(len(groups), np.float64)
    ratios = [
        every_goodness(condensed, np.array([*one, *other, classes[5]])[groups], [range(14)])[0]
        for one in itertools.permutations(classes[:2])
        for other in itertools.permutations(classes[2:5])
    ]
    found = found_by(
        *(condensed, list(np.array(list(classes))[groups])),
        **{"groups": groups, "permute": "similar_groups", "permutations": 6000, "progress": False},
    )
    assert_null_is(found, np.array(ratios))
    assert found.distinct == 2 * 3 and np.isnan(found.p_pearson)


def test_a_group_of_two_labels_is_permuted_in_parts():
    condensed, labels = random_distances(8), list("aabbabab")
    options = {"permutations": 99, "progress": False}
    mixed = found_by(
        condensed, labels, groups=list("xxxyyzzz"), permute="similar_groups", **options
    )
    parts = found_by(
        condensed, labels, groups=list("ttuvwpqp"), permute="similar_groups", **options
    )
    np.testing.assert_allclose(*(np.unique(found.null.round(9)) for found in (mixed, parts)))
    assert mixed.distinct == parts.distinct


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, "images"),
        ("uuvvwwxx", "groups"),
        ("uuuvwwxx", "similar_groups"),
        ("uuvwwwww", "within_groups"),
        ("uuvvwwws", "similar_groups"),
        ("uvuvwxwx", "within_groups"),
    ],
)
def test_what_is_permuted_follows_from_the_groups(groups, expected):
    labels = list("aabbaabb") if groups != "uuuvwwxx" else list("aaabaabb")
    assert usual_permute(labels, groups and list(groups))[0] == expected


def test_patches_of_one_photograph_make_images_look_significant():
    """Photographs that labels say nothing of: only whole groups keep to 5 %."""
    rejected = {"images": 0, "groups": 0}
    trials = 100
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        photographs = np.repeat(np.arange(12), 4)
        x = 3 * rng.standard_normal((12, 3))[photographs] + rng.standard_normal((48, 3))
        labels = rng.permutation(np.arange(12) % 2)[photographs]
        for permute in rejected:
            found = found_by(
                *(pdist(x), labels),
                groups=photographs,
                permute=permute,
                permutations=199,
                seed=trial,
                progress=False,
            )
            rejected[permute] += found.p_value <= 0.05
    assert rejected["images"] > 0.3 * trials
    assert binomtest(rejected["groups"], trials, 0.05).pvalue > 1e-3


@pytest.mark.parametrize("balanced", [True, False])
def test_exact_moments_keep_to_their_level_and_have_power(balanced):
    """Pearson III's p: uniform where labels mean nothing, small where classes lie apart."""
    sizes = [10, 10, 10] if balanced else [20, 7, 3]
    labels = np.repeat(list("abc"), sizes)
    null, planted = [], []
    for trial in range(150):
        rng = np.random.default_rng(trial)
        x = rng.standard_normal((30, 3))
        for values, shift in ((null, 0), (planted, 1.5)):
            y = x + shift * np.eye(3)[np.repeat(range(3), sizes)]
            found = found_by(pdist(y), labels, permutations=1, progress=False)
            values.append(found.p_pearson)
    assert kstest(null, "uniform").pvalue > 1e-4
    assert binomtest(int(np.sum(np.array(null) <= 0.05)), 150, 0.05).pvalue > 1e-3
    assert np.mean(np.array(planted) <= 0.05) > 0.8
