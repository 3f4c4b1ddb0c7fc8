"""Clustering goodness: of all, and tested by permutation; of classes and images; its jackknife."""

import logging
from dataclasses import dataclass

import numpy as np

from ..distances.matrix import pairs
from ..errors import UserError
from ..manifest import LEAST_GROUPS
from .moments import null_moments
from .permutation import exchange, group_sums, within_sums

log = logging.getLogger(__name__)

# Distinct permutations below which no test can be significant at 5 %.
FEW = 20


@dataclass(frozen=True)
class Goodness:
    """What ``goodness`` found; distances are in the units of the matrix.

    ``within`` and ``between`` are the mean distances of the pairs with the same and with
    different labels, ``goodness`` is between / within, ``null`` the goodness under each of the
    ``permutations`` permutations, in the order in which they were drawn. ``z`` is how many
    standard deviations of its null ``within`` lies below its mean, ``p_pearson`` the p-value
    from the null's exact moments (see ``moments.null_moments``), NaN where they are not to be
    had. ``distinct`` counts the ways in which permuting can part the images into classes.
    """

    images: int
    classes: int
    within: float
    between: float
    goodness: float
    permutations: int
    null: np.ndarray
    null_mean: float
    null_sd: float
    p_value: float
    z: float
    p_pearson: float
    distinct: int


def goodness(data, *, permute="images", permutations=9999, seed=0, threads=1, progress=True):
    """Return how much farther apart the images of different labels are than those of the same.

    Goodness is the mean distance of pairs with different labels over the mean distance of
    pairs with the same label, pairs i < j. Its p-value is (1 + b) / (1 + m), b of the m
    permutations of the labels having at least the goodness of the labels themselves (Phipson &
    Smyth 2010, doi 10.2202/1544-6115.1585).

    Where all images of each class are copies of one another, ``within`` is 0 and the goodness
    infinite; permutations that part the images in the same way are then infinite too, and
    count. ``null_mean`` and ``null_sd`` (with m - 1) are infinite and NaN if any of them is.

    Goodness falls strictly with the mean distance within classes, so all of this is the test of
    MRPP with weights n_c (n_c - 1), and Mantel's of distances and labels. Its z and Pearson III
    p-value come from exact moments, not from the permutations; with strata (permuting within
    groups or collections, or groups of unequal size) there is no p-value of this kind, and z is
    that of the permutations.

    Parameters
    ----------
    data : Labelled
        Where a class has one image, it is in pairs with different labels alone.
    permute : {"images", "within_groups", "groups", "similar_groups", "within_collections"}
        What changes labels, see ``permutation.exchange``.
    permutations : int
        m, at least 1.
    seed, threads, progress
        As for ``permutation.within_sums``.

    Returns
    -------
    Goodness

    Raises
    ------
    UserError
        If ``permutations`` < 1, or there is nothing to permute as ``permute`` says.
    """
    if permutations < 1:
        raise UserError(f"permutations: {permutations}; at least 1 is needed, 9999 is usual.")
    condensed, n, sizes = data.condensed, data.n, data.sizes
    if sizes.min() < 2:
        log.warning(
            "classes of one image, which have no within-class distances: %s",
            ", ".join(data.classes[sizes == 1]),
        )
    units = exchange(data, permute)
    if units.distinct < FEW:
        log.warning(
            "Permuting %s parts the images in %d distinct ways only; p is at least about 1/%d.",
            permute,
            units.distinct,
            units.distinct,
        )
    within_pairs = int(pairs(sizes).sum())
    inside = 0.0
    if units.units is not None:
        inside, condensed = group_sums(condensed, units.units)
    draws = {"permutations": permutations, "seed": seed, "strata": units.strata, "threads": threads}
    sums = inside + within_sums(condensed, units.codes, progress=progress, **draws)
    if units.resized:  # the pairs that are within classes are summed as their distances are
        counts = np.bincount(units.units).astype(np.float64)
        of_units = np.outer(counts, counts)[np.triu_indices(len(counts), 1)]
        within_pairs = pairs(counts).sum() + within_sums(
            of_units, units.codes, progress=False, **draws
        )
    if units.strata is None:
        moments = null_moments(
            condensed,
            units.codes,
            (sums[0] - inside) / pairs(np.bincount(units.codes)).sum(),
            least_p=1 / units.distinct,
            threads=threads,
            progress=progress,
        )
        z, p_pearson = moments.z, moments.p_value
    else:
        drawn = sums / within_pairs if units.resized else sums
        deviation = drawn[1:].std(ddof=1) if permutations > 1 else 0.0
        z = (drawn[1:].mean() - drawn[0]) / deviation if deviation > 0 else 0.0
        p_pearson = float("nan")
    within = sums / within_pairs
    # Round-off may leave a hair below zero where all distances between classes are zero.
    between = np.maximum(data.total - sums, 0) / (pairs(n) - within_pairs)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = between / within
        null = ratio[1:]
        mean, sd = null.mean(), null.std(ddof=1) if permutations > 1 else 0.0
    return Goodness(
        images=n,
        classes=len(data.classes),
        within=float(within[0]),
        between=float(between[0]),
        goodness=float(ratio[0]),
        permutations=permutations,
        null=null,
        null_mean=float(mean),
        null_sd=float(sd),
        p_value=(1 + int(np.count_nonzero(null >= ratio[0]))) / (1 + permutations),
        z=float(z),
        p_pearson=p_pearson,
        distinct=units.distinct,
    )


def class_distances(sums, codes):
    """Return the mean distance of the images of each class to those of each class.

    Parameters
    ----------
    sums : array of float64, shape (n, k)
        As from ``passes.class_sums``.
    codes : array of int, shape (n,)

    Returns
    -------
    array of float64, shape (k, k)
        Symmetric. On the diagonal the mean over pairs of different images of the class; NaN
        for a class of one.
    """
    sizes = np.bincount(codes)
    totals = np.stack([np.bincount(codes, column) for column in sums.T], axis=1)
    with np.errstate(invalid="ignore"):
        means = totals / (np.outer(sizes, sizes) - np.diag(sizes))
    return (means + means.T) / 2


def class_goodness(sums, codes):
    """Return, by class, the mean distance to other classes over the mean distance within.

    Both means are over pairs of images, so the goodness of a class is that of the labels "this
    class" and "another", counting only the pairs that an image of the class is in.

    Parameters
    ----------
    sums, codes
        As for ``class_distances``.

    Returns
    -------
    array of float64, shape (k,)
        Infinite where a class is of copies; NaN for a class of one.
    """
    sizes = np.bincount(codes)
    own, other = _own_and_other(sums, codes)
    return _ratio(
        np.bincount(codes, other),
        sizes * (len(codes) - sizes),
        np.bincount(codes, own),
        sizes * (sizes - 1),
    )


def image_goodness(sums, codes):
    """Return, by image, the mean distance to other classes over the mean distance to its own.

    Parameters
    ----------
    sums, codes
        As for ``class_distances``.

    Returns
    -------
    array of float64, shape (n,)
        Infinite where an image has only copies in its class; NaN for the only one of a class.
    """
    sizes = np.bincount(codes)[codes]
    own, other = _own_and_other(sums, codes)
    return _ratio(other, len(codes) - sizes, own, sizes - 1)


def _own_and_other(sums, codes):
    own = np.take_along_axis(sums, codes[:, None], axis=1)[:, 0]
    # Added up without the own class, not taken off: what is small is not lost in round-off.
    other = np.sum(sums, axis=1, where=np.arange(sums.shape[1]) != codes[:, None])
    return own, other


def _ratio(between, between_pairs, within, within_pairs):
    with np.errstate(divide="ignore", invalid="ignore"):
        return (between / between_pairs) / (within / within_pairs)


def log_goodness_without(sums, codes):
    """Return the log goodness of the labels with each image left out in turn.

    With w_i and t_i the summed distance of image i to its class and to all, S_w and T their
    sums over all pairs, N_w and N_b the numbers of pairs within and between classes:

        theta_i = log[((T - S_w) - (t_i - w_i)) / (N_b - (N - n_c))]
                - log[(S_w - w_i) / (N_w - (n_c - 1))]

    which is goodness computed anew from the pairs that do not contain image i (Efron 1982,
    *The Jackknife, the Bootstrap and Other Resampling Plans*, ch. 3; images are left out, never
    pairs, for pairs that share an image are not independent).

    Parameters
    ----------
    sums, codes
        As for ``class_distances``.

    Returns
    -------
    array of float64, shape (n,)
        Infinite where the images left are copies within their classes; NaN where no pair
        within, or none between classes, is left.
    """
    sizes = np.bincount(codes)[codes]
    n = len(codes)
    own = np.take_along_axis(sums, codes[:, None], axis=1)[:, 0]
    other = sums.sum(axis=1) - own
    within_pairs = (sizes - 1).sum() / 2
    between_pairs = (n - sizes).sum() / 2
    within = _left(own)
    between = _left(other)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = within / (within_pairs - (sizes - 1))
        between = between / (between_pairs - (n - sizes))
        return np.log(between) - np.log(within)


def _left(sums):
    """Return the sum over the pairs that do not contain each image, from its images' sums."""
    total = sums.sum() / 2
    left = total - sums
    # Where nothing is left, round-off may leave a hair.
    return np.where(left > 1e-12 * total, left, 0)


def standard_error(theta, groups=None):
    """Return the jackknife standard error of a statistic from its delete-one values.

    SE^2 = (N-1)/N * sum (theta_i - mean)^2 (Efron 1982). Where images belong together, as
    patches of one photograph do, the deviations are summed by group first:
    SE^2 = ((N-1)/N)^2 * G/(G-1) * sum_g (sum_{i in g} (theta_i - mean))^2, the
    cluster-robust variance of the same influences (Cameron & Miller 2015,
    doi 10.3368/jhr.50.2.317), which is the former where each image is a group of its own.

    It errs on the safe side (Efron & Stein 1981, doi 10.1214/aos/1176345462): where classes hardly
    differ it was 20 % too large for 60 images, 7 % for 200, and 95 % intervals covered the
    truth in 96 to 98 %.

    Parameters
    ----------
    theta : array of float64, shape (n,)
        The statistic without each image in turn; or the difference of two, for their
        paired comparison.
    groups : array of str or int, shape (n,), optional
        What images belong to.

    Returns
    -------
    float
        NaN where a value is not finite, with fewer than two images, or with fewer groups than
        ``manifest.LEAST_GROUPS``, by which intervals cover too little.
    """
    n = len(theta)
    if not np.isfinite(theta).all():
        return float("nan")
    deviations = theta - theta.mean()
    least = 2
    if groups is not None:
        deviations = np.bincount(np.unique(groups, return_inverse=True)[1], deviations)
        least = LEAST_GROUPS
    parts = len(deviations)
    if parts < least:
        return float("nan")
    return float((n - 1) / n * np.sqrt(parts / (parts - 1) * np.sum(deviations**2)))
