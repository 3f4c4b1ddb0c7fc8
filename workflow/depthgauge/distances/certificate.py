"""Which squared distances can be had from inner products, and which must be computed again."""

import numpy as np

from ..kernels import kernel
from .panels import DEPTH, RUN

# Relative error that a squared distance may have by the products. 1e-5 of the distance is
# 2e-5 of its square; the rest is left to centring and to rounding to float32.
TOLERANCE = 1.5e-5
# Unit roundoff of float32.
ROUNDOFF = 2.0**-24


def certified(totals, tiles, norms, spread, d, pool):
    """Turn inner products into squared distances, in place, and list the pairs in doubt.

    Parameters
    ----------
    totals, norms, spread
        What ``products`` returned, of ``d`` columns, for ``tiles``.
    pool : Executor

    Returns
    -------
    list of (starts, columns), one a tile
        The pairs in doubt are (i, j) for the j in ``columns[starts[i] : starts[i + 1]]``, rows
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
    fluctuation = 4 * columns**0.5 * ROUNDOFF * np.sqrt(spread) / 2
    lost = d * 2.0**-126

    def one(total, tile):
        starts = _certify(total, *tile, norms, drift, fluctuation, lost)
        return starts, _collect(total, starts)

    return list(pool.map(one, totals, tiles))


@kernel()
def _certify(total, top, bottom, left, right, norms, drift, fluctuation, lost):
    """Replace inner products by squared distances, or by -1 where in doubt; count the latter."""
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
def _collect(total, starts):
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
