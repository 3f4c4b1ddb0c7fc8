"""Squared distances from inner products where these suffice, else from differences.

Where images are close |x|^2 + |y|^2 - 2 x.y cancels. How far inner products are off is bounded
in probability; pairs of which that bound is too large are close pairs, and their distances are
computed from the differences of their features, in double precision.
"""

from itertools import pairwise

import numpy as np

from ..kernels import REORDERED, kernel
from .panels import DEPTH, RUN, panels

# Relative error that a squared distance may have by the products. 1e-5 of the distance is
# 2e-5 of its square; the rest is left to centring and to rounding to float32.
TOLERANCE = 1.5e-5
# Unit roundoff of float32.
ROUNDOFF = 2.0**-24
# Pairs that one task works on, about.
SHARE = 4096


def squared_distances(totals, tiles, norms, fourths, d, pool):
    """Turn inner products into squared distances, in place, and list the close pairs.

    Parameters
    ----------
    totals, norms, fourths
        What ``products`` returned, of ``d`` columns, for ``tiles``.
    pool : Executor

    Returns
    -------
    list of (starts, columns), one per tile
        The close pairs are (i, j) for the j in ``columns[starts[i] : starts[i + 1]]``, rows
        and columns of the tile. Their squared distances are 0 as yet.

    Notes
    -----
    |x - y|^2 = |x|^2 + |y|^2 - 2 x.y cancels where images are close. Let u = 2^-24, let a
    product span c columns, and let x_p, y_p be the parts of two rows there. Each of the c
    additions of a float32 inner product is off by at most u times the partial sum. Where these
    roundings are independent, their sum has a standard deviation below sqrt(c / 3) u |x_p| |y_p|
    (Higham & Mary 2019, doi 10.1137/18M1226312, on why this, not the worst case c u, is what
    one sees). A run of q products is added up in float32 as well; the q partial sums are at most
    sum_p |x_p| |y_p|, of which the square is at most q sum_p |x_p|^2 |y_p|^2 (Cauchy-Schwarz),
    so that q of them add no more variance than q^2 columns would: let c stand for c + q^2. Over
    all products the squares add up, to less than sqrt(c / 3) u (e_x + e_y) / 2 with
    e_x^2 = sum_p |x_p|^4. Seven times that is allowed: 4 sqrt(c) u (e_x + e_y) / 2. Where the
    roundings all go one way, as with equal summands, partial sums grow evenly to the inner
    product g and the drift is c u |g| / 4, which is allowed on top. The squared distance is off
    by twice the sum. What underflows in float32 adds at most 2^-126 a column.
    """
    columns = DEPTH + RUN**2
    drift = columns / 4 * ROUNDOFF
    fluctuation = 4 * columns**0.5 * ROUNDOFF * np.sqrt(fourths) / 2
    lost = d * 2.0**-126

    def one(total, tile):
        starts = _squared_or_marked(total, *tile, norms, drift, fluctuation, lost)
        return starts, _marked(total, starts)

    return list(pool.map(one, totals, tiles))


@kernel()
def _squared_or_marked(total, top, bottom, left, right, norms, drift, fluctuation, lost):
    """Replace inner products by squared distances, or by -1 for close pairs; count these."""
    starts = np.zeros(bottom - top + 1, np.int64)
    for i in range(bottom - top):
        x = top + i
        starts[i + 1] = starts[i]
        for j in range(i + 1 if top == left else 0, right - left):
            y = left + j
            g = total[i, j]
            squared = norms[x] + norms[y] - 2 * g
            error = 2 * (drift * abs(g) + fluctuation[x] + fluctuation[y] + lost)
            if error <= TOLERANCE * squared < np.inf:  # not so for NaN
                total[i, j] = squared
            else:
                total[i, j] = -1
                starts[i + 1] += 1
        if top == left:
            total[i, : i + 1] = 0
    return starts


@kernel()
def _marked(total, starts):
    """Return the columns that are marked by -1, row by row, and set them to 0."""
    columns = np.empty(starts[-1], np.int32)
    at = 0
    for i in range(len(starts) - 1):
        if starts[i + 1] > starts[i]:
            for j in range(total.shape[1]):
                if total[i, j] == -1:
                    total[i, j] = 0
                    columns[at] = j
                    at += 1
    return columns


def add_differences(shards, d, rows, tiles, totals, close, pool, progress):
    """Compute in double precision, into ``totals``, the squared distances of close pairs.

    Parameters
    ----------
    shards : list of Shard
    d : int
        Columns in all.
    rows, tiles, totals
        The block's images, its tiles, and the squared distances of each.
    close : list of (starts, columns)
        What :func:`squared_distances` returned.
    pool : Executor
    progress : bool
    """
    needed = np.zeros(len(rows), bool)
    for tile, (starts, columns) in zip(tiles, close, strict=True):
        needed[tile.top : tile.bottom] |= np.diff(starts) > 0
        needed[tile.left + np.unique(columns)] = True
    place = np.cumsum(needed) - 1
    tasks = [
        (total, place[tile.top : tile.bottom], place[tile.left : tile.right], *pairs, *share)
        for total, tile, pairs in zip(totals, tiles, close, strict=True)
        for share in _shares(pairs[0])
    ]

    def nothing(start, stop):
        return np.zeros(stop - start, np.float32)

    unused = np.zeros((2, needed.sum()))
    under_way = []
    for start, stop, panel in panels(
        shards, rows[needed], d, pool, nothing, *unused, "close pairs", progress
    ):
        for task in under_way:
            task.result()
        under_way = [pool.submit(_subtract, panel, stop - start, *task) for task in tasks]
    for task in under_way:
        task.result()


def _shares(starts):
    """Cut the rows of a tile where there are as many pairs before as behind."""
    marks = np.linspace(0, starts[-1], -(-int(starts[-1]) // SHARE) + 1)
    return pairwise(np.unique(np.searchsorted(starts, marks)))


@kernel(fastmath=REORDERED)
def _subtract(panel, width, total, down, across, starts, columns, first, last):
    """Add the squared differences in ``panel`` of the pairs of rows ``first`` to ``last``."""
    for begin in range(0, width, DEPTH):  # so that rows stay in the cache
        end = min(begin + DEPTH, width)
        for i in range(first, last):
            x = panel[down[i], begin:end]
            for at in range(starts[i], starts[i + 1]):
                j = columns[at]
                y = panel[across[j], begin:end]
                squared = 0.0
                for k in range(len(x)):
                    difference = np.float64(x[k]) - np.float64(y[k])
                    squared += difference * difference
                total[i, j] += squared
