"""Clustering goodness of one distance matrix, and its null under permutation of the labels."""

import logging
from dataclasses import dataclass

import numpy as np

from ..distances.matrix import pairs
from ..errors import UserError
from .checked import checked
from .exchange import exchange, group_sums
from .moments import null_moments
from .permutations import within_sums

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


def goodness(
    condensed,
    labels,
    *,
    groups=None,
    collections=None,
    permute="images",
    permutations=9999,
    seed=0,
    threads=1,
    progress=True,
):
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
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        The distances of the pairs i < j in SciPy's condensed order; a memory map is welcome.
    labels : sequence of str, length n
        At least two different ones, at least one of them on two images. The only image of a
        class is in pairs with different labels alone.
    groups, collections : sequence of str, length n, optional
    permute : {"images", "within_groups", "groups", "within_collections"}
        What changes labels, see ``exchange.exchange``.
    permutations : int
        m, at least 1.
    seed, threads, progress
        As for ``permutations.within_sums``.

    Returns
    -------
    Goodness

    Raises
    ------
    UserError
        If the labels are not as said above, or of another number of images than the matrix;
        if a distance is negative or not finite, or all are zero; if ``permutations`` < 1; if
        there is nothing to permute as ``permute`` says.
    """
    if permutations < 1:
        raise UserError(f"permutations: {permutations}; at least 1 is needed, 9999 is usual.")
    codes, classes, total = checked(condensed, labels)
    n, sizes = len(codes), np.bincount(codes)
    if sizes.min() < 2:
        log.warning(
            "classes of one image, which have no within-class distances: %s",
            ", ".join(classes[sizes == 1]),
        )
    units = exchange(codes, classes, groups, permute, collections)
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
    sums = inside + within_sums(
        condensed,
        units.codes,
        permutations=permutations,
        seed=seed,
        strata=units.strata,
        threads=threads,
        progress=progress,
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
        spread = sums[1:].std(ddof=1) if permutations > 1 else 0.0
        z = (sums[1:].mean() - sums[0]) / spread if spread > 0 else 0.0
        p_pearson = float("nan")
    within = sums / within_pairs
    # Round-off may leave a hair below zero where all distances between classes are zero.
    between = np.maximum(total - sums, 0) / (pairs(n) - within_pairs)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = between / within
        null = ratio[1:]
        mean, sd = null.mean(), null.std(ddof=1) if permutations > 1 else 0.0
    return Goodness(
        images=n,
        classes=len(classes),
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
