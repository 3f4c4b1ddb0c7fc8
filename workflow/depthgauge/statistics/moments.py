"""Exact moments of the mean within-class distance when labels are permuted, without permuting."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import fsum, perm
from sys import float_info

import numpy as np
from scipy.special import gammainc, gammaincc, ndtr
from threadpoolctl import threadpool_limits

from ..distances.matrix import pairs
from ..distances.passes import bar
from ..kernels import REORDERED, kernel

# Rows of the matrix that are held side by side in double precision: 8 ROWS n bytes a panel, and
# two panels a thread. It fixes the order of the sums.
ROWS = 256


@dataclass(frozen=True)
class NullMoments:
    """The null of the mean within-class distance: its exact moments, and where the truth lies.

    ``mean`` and ``sd`` are in the units of the distances. ``z`` is how many ``sd`` the labels'
    own mean lies below ``mean``: positive where images of a class lie together. ``p_value`` is
    that of the Pearson type III distribution with these three moments, its lower tail; never
    below one in the number of distinct labellings, of which the labels' own is one.
    """

    mean: float
    sd: float
    skewness: float
    z: float
    p_value: float


def null_moments(condensed, codes, within, *, least_p=0.0, threads=1, progress=True):
    """Return the exact null moments of the mean within-class distance under permuted labels.

    The mean within-class distance W is a generalised correlation of two matrices, the distances
    and the indicator of equal labels, one of which has its rows and columns permuted. Mean,
    variance and third moment of such a sum over all n! permutations follow from a few sums over
    each matrix alone (Mielke & Berry, Permutation Methods, 2nd ed. 2007, ch. 2; Kazi-Aoual et
    al. 1995, doi 10.1016/0167-9473(94)00064-2; Minas & Montana, arXiv:1205.2417). The tail is
    that of the Pearson type III distribution, Mielke and Berry's choice.

    The labels' share is in closed form. The distances' takes sum_ij X_ij (XX)_ij, n^3/6
    multiplications and additions in double precision, as products of tiles of the matrix; twice
    the images take eight times as long. Memory is 4 KiB an image and thread.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        See ``matrix.Distances``.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1; at least two images share one.
    within : float
        W under ``codes``.
    least_p : float
        What the p-value cannot be below, one in the number of distinct labellings.
    threads, progress
        As for ``passes.over_rows``; the result is the same to the last bit.

    Returns
    -------
    NullMoments
        Where W is the same however the labels are permuted, ``sd`` and ``z`` are 0 and the
        p-value is 1.
    """
    mean, of_distances = _of_distances(condensed, len(codes), threads, progress)
    of_labels = _of_labels(np.bincount(codes))
    second, third, scale = _moments(of_labels, of_distances, len(codes))
    # Round-off, of sums that cancel or of distances that are all the same, is no variance.
    if second <= max(1e-12 * scale, 1e-24 * of_labels["q"] * mean**2):
        return NullMoments(mean, 0.0, 0.0, 0.0, 1.0)
    sd = second**0.5
    skewness = third / sd**3
    twice_pairs = of_labels["T"]
    z = (mean - within) * twice_pairs / sd
    p_value = _pearson3_tail(-z, skewness)
    return NullMoments(
        mean=mean,
        sd=sd / twice_pairs,
        skewness=skewness,
        z=z,
        p_value=min(1.0, max(p_value, least_p, float_info.min)),
    )


def _pearson3_tail(x, skewness):
    """Return P(X <= x), X of mean 0, standard deviation 1 and this skewness, Pearson type III.

    X is a gamma variable of shape a = 4 / skewness^2, less a and over its standard deviation, or
    the negative of such a one. ``scipy.stats.pearson3.cdf`` is the same, and takes 0.4 s to import.
    """
    if abs(skewness) < 1e-5:
        return float(ndtr(x))
    shape = 4 / skewness**2
    at = max(0.0, shape + 2 * x / skewness)
    return float((gammainc if skewness > 0 else gammaincc)(shape, at))


def _moments(a, x, n):
    """Return E Z^2, E Z^3 and a scale of the former, Z = sum of A_ij X_ij with X permuted.

    The sums run over ordered pairs, X is centred, and T, P, ... are as in ``_sums``.
    """
    # Second moment: pairs of pairs that share both, one or no image.
    second = [
        2 * a["q"] * x["q"] / perm(n, 2),
        4 * a["P"] * x["P"] / perm(n, 3) if n >= 3 else 0,
        _disjoint(a) * _disjoint(x) / perm(n, 4) if n >= 4 else 0,
    ]
    third, left_a, left_x = [], a["T"] ** 3, x["T"] ** 3
    for count, vertices, h_a, h_x in zip(
        (4, 24, 8, 6, 8, 24, 12), (2, 3, 3, 4, 4, 4, 5), _shapes(a), _shapes(x), strict=True
    ):
        left_a -= count * h_a
        left_x -= count * h_x
        if n >= vertices:
            third.append(count * h_a * h_x / perm(n, vertices))
    if n >= 6:
        third.append(left_a * left_x / perm(n, 6))
    return fsum(second), fsum(third), second[0]


def _disjoint(s):
    return s["T"] ** 2 - 2 * s["q"] - 4 * s["P"]


def _shapes(s):
    """Return the sums of products of three entries, one for each graph that three pairs make."""
    return (
        s["c"],  # one pair, three times
        s["qr"] - s["c"],  # one pair twice, and one that shares an image
        s["tri"],  # a triangle
        s["T"] * s["q"] - 4 * s["qr"] + 2 * s["c"],  # one pair twice, and one apart
        s["rrr"] - 3 * s["qr"] + 2 * s["c"],  # a star
        s["rho"] - 2 * s["qr"] + s["c"] - s["tri"],  # a path
        s["T"] * s["P"]  # two pairs that share an image, and one apart
        - 2 * (s["rrr"] - s["qr"])
        - 4 * (s["rho"] - s["qr"])
        + 4 * (s["qr"] - s["c"])
        + 2 * s["tri"],
    )


def _of_labels(sizes):
    """Return the sums of the indicator of equal labels, exactly, in integers."""
    sums = dict.fromkeys(("T", "q", "c", "qr", "rrr", "P", "rho", "tri"), 0)
    for size in map(int, sizes):
        r = size - 1
        for name, value in {
            **dict.fromkeys(("T", "q", "c"), r),
            "qr": r * r,
            "rrr": r**3,
            "P": r * r - r,
            "rho": r**3,
            "tri": r * (r - 1),
        }.items():
            sums[name] += size * value
    return sums


def _of_distances(condensed, n, threads, progress):
    """Return the mean distance, and the sums of the distances less that mean.

    T, q, c: the sums of all X_ij, X_ij^2, X_ij^3; with r, q and c now the same of each row,
    qr = sum of q r, rrr of r^3, P of r^2 - q, rho = r'Xr, tri = sum of X_ij (XX)_ij.
    """
    starts = range(0, n, ROWS)
    mean = fsum(float(_rows(condensed, n, i).sum(dtype=np.float64)) for i in starts) / pairs(n)
    r, q, c = powers = np.zeros((3, n))
    for i in starts:
        _add_powers(_rows(condensed, n, i), i, mean, powers)

    def share(i):
        """Return what the rows from ``i`` give to rho, and to tri with all rows after them.

        A triple of images counts six times, whatever their order. It is met once, with its
        images in the order of their panels; two in one panel are met in both orders.
        """
        own = _panel(condensed, n, i, mean)
        b = len(own)
        first, rest = own[:, :b], own[:, b:]
        near, far = r[i : i + b], r[i + b :]
        rho = near @ first @ near + 2 * (near @ (rest @ far))
        tri = [_product_sum(first, first, first) + 3 * _product_sum(first, rest, rest)]
        for j in range(i + b, n, ROWS):
            other = _panel(condensed, n, j, mean)
            tile, beyond = own[:, j - i : j - i + len(other)], j - i + len(other)
            tri.append(3 * _product_sum(tile, tile, other[:, : len(other)]))
            tri.append(6 * _product_sum(tile, own[:, beyond:], other[:, len(other) :]))
        return rho, fsum(tri)

    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
        bar(
            total=n**3 // 6, desc="moments", unit="triple", unit_scale=True, progress=progress
        ) as counted,
    ):
        shares = []
        for i, done in zip(starts, pool.map(share, starts), strict=True):
            shares.append(done)
            counted.update(((n - i) ** 3 - max(n - i - ROWS, 0) ** 3) // 6)
    return mean, {
        "T": fsum(r),
        "q": fsum(q),
        "c": fsum(c),
        "qr": fsum(q * r),
        "rrr": fsum(r**3),
        "P": fsum(r**2 - q),
        "rho": fsum(rho for rho, _ in shares),
        "tri": fsum(tri for _, tri in shares),
    }


def _product_sum(tile, left, right):
    """Return the sum of ``tile`` times ``left @ right.T``, entry by entry."""
    return float(np.vdot(tile, left @ right.T)) if left.shape[1] else 0.0


def _rows(condensed, n, first):
    """Return the stretch of the matrix that holds the rows from ``first``."""
    start = first * (2 * n - first - 1) // 2
    last = min(first + ROWS, n)
    return np.asarray(condensed[start : last * (2 * n - last - 1) // 2])


def _panel(condensed, n, first, mean):
    """Return rows ``first`` and on, columns from ``first``, less ``mean`` off the diagonal."""
    panel = np.empty((min(ROWS, n - first), n - first))
    _fill(_rows(condensed, n, first), mean, panel)
    return panel


@kernel()
def _fill(stretch, mean, panel):
    start = 0
    for row in range(len(panel)):
        panel[row, row] = 0
        after = panel[row, row + 1 :]
        values = stretch[start : start + len(after)]
        for at in range(len(after)):
            after[at] = values[at] - mean
        for other in range(row):
            panel[row, other] = panel[other, row]
        start += len(after)


@kernel(fastmath=REORDERED)
def _add_powers(stretch, first, mean, powers):
    """Add to [3, n] the sums of X, X^2 and X^3 of each image, from the pairs in these rows."""
    row, start = first, 0
    while start < len(stretch):
        r, q, c = powers[0, row + 1 :], powers[1, row + 1 :], powers[2, row + 1 :]
        values = stretch[start : start + len(r)]
        own_r = own_q = own_c = 0.0
        for at in range(len(r)):
            x = values[at] - mean
            own_r += x
            own_q += x * x
            own_c += x * x * x
            r[at] += x
            q[at] += x * x
            c[at] += x * x * x
        powers[0, row] += own_r
        powers[1, row] += own_q
        powers[2, row] += own_c
        start += len(r)
        row += 1
