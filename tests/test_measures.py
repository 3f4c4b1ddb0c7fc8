"""All measures together: what they are equal to, and what they say at the edges."""

from dataclasses import fields

import numpy as np
import pytest
from depthgauge.distances.labelled import Labelled
from depthgauge.errors import UserError
from depthgauge.statistics import auc, geometry
from depthgauge.statistics.goodness import goodness
from depthgauge.statistics.measures import measures
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

RNG = np.random.default_rng(12)


def planted(n=150, dimensions=70, classes=4, apart=3.0):
    """(features, labels) of unequal classes."""
    codes = RNG.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    features = RNG.normal(size=(n, dimensions))
    features[:, :classes] += apart * np.eye(classes)[codes]
    return features, np.array(["abcdefgh"[c] for c in codes])


def found(condensed, labels, groups=None, **options):
    return measures(Labelled(condensed, labels, groups=groups), progress=False, **options)


def test_equal_to_the_definitions():
    features, labels = planted()
    condensed = pdist(features).astype(np.float32)
    got = found(condensed, labels)
    square = squareform(condensed.astype(np.float64))
    assert got.goodness == pytest.approx(
        goodness(Labelled(condensed, labels), permutations=1, progress=False).goodness, rel=1e-12
    )
    assert got.silhouette == pytest.approx(
        silhouette_score(square, labels, metric="precomputed"), rel=1e-10
    )
    assert got.anosim_r == 2 * got.auc - 1
    assert got.goodness_macro == pytest.approx(got.class_goodness.mean())
    # What the components of the features themselves give.
    components = pdist(PCA(50, svd_solver="full").fit_transform(features))
    assert got.goodness_pca50 == pytest.approx(
        goodness(Labelled(components, labels), permutations=1, progress=False).goodness, rel=1e-6
    )
    assert got.goodness_pca50 > got.goodness
    np.fill_diagonal(square, np.inf)
    np.testing.assert_array_equal(got.neighbours, square.argsort(axis=1)[:, :32])
    right = labels[got.neighbours] == labels[:, None]
    np.testing.assert_array_equal(got.knn1_correct, right[:, 0])
    assert got.knn1 == got.knn1_correct.mean()
    weights = 0.5 ** np.arange(1, 33)
    assert got.knn1_half == pytest.approx((right * weights).sum(axis=1).mean() / weights.sum())
    assert not got.spread_warning
    n = len(labels)
    for se, theta in ((got.log_goodness_se, got.theta), (got.auc_se, got.auc_theta)):
        assert se == pytest.approx(np.sqrt((n - 1) ** 2 / n * theta.var(ddof=1)))


@pytest.mark.parametrize(
    "metric, a, r, f",
    [
        ("euclidean", 0.66631255385656, 0.979002167537932, 9.88739867771694),
        ("braycurtis", 0.636089911307672, 0.957200051000893, 0.902967417748603),
    ],
)
def test_equal_to_vegan(metric, a, r, f):
    """On unequal classes; Bray and Curtis' dissimilarity is not Euclidean.

    The figures are of R 4.2.2 with vegan 2.6-4 (Debian's r-cran-vegan):

        library(vegan); options(digits = 15)
        rows <- c(1:50, 51:80, 101:110); x <- iris[rows, 1:4]; g <- iris$Species[rows]
        for (m in c("euclidean", "bray")) {
          d <- vegdist(x, m)
          b <- betadisper(d, g, type = "centroid", bias.adjust = TRUE)
          print(c(mrpp(d, g, permutations = 99, weight.type = 3)$A,
                  anosim(d, g, permutations = 0)$statistic, anova(b)[1, "F value"]))
        }
    """
    features, codes = load_iris(return_X_y=True)
    rows = np.r_[0:50, 50:80, 100:110]
    got = found(pdist(features[rows], metric), codes[rows].astype(str))
    assert got.mrpp_a == pytest.approx(a, rel=1e-12)
    assert got.anosim_r == pytest.approx(r, rel=1e-12)
    assert got.permdisp_f == pytest.approx(f, rel=1e-9)


@pytest.mark.parametrize("n", [60, 300])
def test_same_bits_for_any_threads(n, monkeypatch):
    monkeypatch.setattr(auc, "RANKED", 1 << 14)
    assert 60 <= geometry.DENSE < 300
    features, labels = planted(n)
    condensed = pdist(features).astype(np.float32)
    one, two, three = (found(condensed, labels, threads=t, seed=4) for t in (1, 2, 3))
    for field in fields(one):
        values = [getattr(m, field.name) for m in (one, two, three)]
        np.testing.assert_array_equal(values[0], values[1], err_msg=field.name)
        np.testing.assert_array_equal(values[0], values[2], err_msg=field.name)


def test_groups_are_the_units():
    """Four near-copies of each image: neighbours only among others, errors as if one of four."""
    features, labels = planted(80, apart=1.5)
    once = found(pdist(features), labels)
    many = features.repeat(4, axis=0) + RNG.normal(0, 1e-3, (320, 70))
    condensed, labels, groups = pdist(many), labels.repeat(4), np.arange(80).repeat(4)
    grouped, naive = found(condensed, labels, groups=groups), found(condensed, labels)
    assert naive.knn1 == 1
    assert grouped.knn1 == pytest.approx(once.knn1, abs=0.03)
    assert (groups[grouped.neighbours] != groups[:, None]).all()
    assert grouped.goodness == naive.goodness
    assert grouped.log_goodness_se > 1.5 * naive.log_goodness_se
    assert grouped.auc_se > 1.5 * naive.auc_se
    assert grouped.permdisp_f == pytest.approx(once.permdisp_f, rel=0.1)


def test_spread_alone_fools_anosim_and_is_said():
    """Two classes about one centre, one twice as wide."""
    codes = np.repeat([0, 1], [30, 90])
    features = RNG.normal(size=(120, 40)) * (2 - codes[:, None])
    got = found(pdist(features), codes.astype(str))
    assert got.anosim_r > 10 * got.auc_se and got.spread_warning and got.permdisp_p == 0.001


def test_all_copies_within_classes():
    labels = list("aabbcc")
    points = np.repeat([[0.0, 0], [3, 4], [3, 0]], 2, axis=0)
    got = found(pdist(points), labels)
    assert got.goodness == got.goodness_macro == got.goodness_pca50 == np.inf
    assert got.auc == got.mrpp_a == got.silhouette == got.knn1 == 1
    assert np.isnan(got.log_goodness_se) and not got.spread_warning
    # An image's fellow gone, four of its five neighbours are of other classes.
    assert got.knn5 < 1


def test_two_images_of_one_class_and_one_of_another():
    got = found(np.array([1.0, 2, 4]), ["a", "a", "b"])
    assert (got.goodness, got.auc, got.mrpp_a) == (3, 1, pytest.approx(1 - 3 / 7))
    assert got.knn1 == pytest.approx(2 / 3)
    assert np.isnan(got.theta).all() and np.isnan(got.log_goodness_se) and np.isnan(got.auc_se)
    assert np.isnan(got.class_goodness[1]) and got.goodness_macro == got.class_goodness[0] == 3


@pytest.mark.parametrize(
    "change, message",
    [
        ({"labels": list("aabbc")}, "labels: 5 of them for a matrix of 15 distances"),
        ({"labels": list("aaaaaa")}, "all images have the one label"),
        ({"labels": list("abcdef")}, "no two images"),
        ({"labels": ["a", "a", "", "b", "b", "b"]}, "row 3"),
        ({"groups": [1, 2]}, "groups: 2 of them"),
        ({"groups": [1] * 6}, "one group 1"),
        ({"condensed": np.zeros(15)}, "all are zero"),
        ({"condensed": np.r_[np.ones(13), np.nan, 1]}, "images 4 and 6 is nan"),
        ({"condensed": np.r_[1, -1, np.ones(13)]}, "images 1 and 3 is -1"),
        ({"condensed": np.r_[1, np.inf, np.ones(13)]}, "images 1 and 3 is inf"),
        ({"condensed": np.ones(14)}, "entries are not the number"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"condensed": np.arange(15.0), "labels": list("aabbcc")} | change
    with pytest.raises(UserError, match=message):
        found(given.pop("condensed"), given.pop("labels"), **given)
