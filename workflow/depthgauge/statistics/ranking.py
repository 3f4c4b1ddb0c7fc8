"""Cells of one dataset against the best of them: how much worse each is, and which may be best."""

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from .jackknife import covariance, drawn, errors_of_differences

# Draws of the largest difference from one cell under no difference.
DRAWS = 20_000
LEVEL = 0.95


def rank(values, without, *, groups=None, seed=0):
    """Return by how much each cell falls short of the best one, all measured on the same images.

    Who is best is not known, so each cell in turn is taken for it: d of a cell is the 95 %
    quantile of its largest |t| to any other where none differ, by simulation from the
    jackknife's covariance (Dunnett 1955, two-sided). A cell may be the best if no other is above
    it by more than d standard errors of their difference. The interval of how much a cell falls
    short spans those from all cells that may be the best. With 95 % probability all intervals
    hold at once: the quantile of the one cell that is the best is what they rest on (Hsu 1984,
    doi 10.1214/aos/1176346516). They are shorter than those of all pairs.

    Parameters
    ----------
    values : array of float64, shape (cells,)
        A statistic of each cell, of all images, large where a cell is good.
    without : array of float64, shape (n, cells)
        The same without each image in turn.
    groups : array, shape (n,), optional
        As for ``jackknife.covariance``.
    seed : int
        The simulation follows from it.

    Returns
    -------
    DataFrame
        One row per cell: worse_by, how far it is below the highest value; worse_low and
        worse_high, the ends of the simultaneous 95 % interval; may_be_best, 1 or 0. The latter
        three are NaN where there is no interval.
    """
    with threadpool_limits(1, user_api="blas"):
        known = covariance(without, groups)
        draws = drawn(known, DRAWS, seed)
        se = errors_of_differences(known)
    with np.errstate(invalid="ignore"):  # of two cells without a value
        difference = values[:, None] - values
    reach = se * [[_quantile(draws, of_cell, place)] for place, of_cell in enumerate(se)]
    told = np.isfinite(np.diag(known))
    # A cell's own row and column are no comparison: it does not differ from itself.
    may = np.all((difference + reach >= -1e-12) | ~told, axis=1) & told
    low, high = (np.full(len(values), np.nan) for _ in range(2))
    if may.any():
        # From each cell that may be the best, in its column, with its own quantile.
        high = -(difference - reach.T)[:, may].min(axis=1)
        low = np.maximum(-(difference + reach.T)[:, may].max(axis=1), 0)
        low[may] = 0
    return pd.DataFrame(
        {
            "worse_by": values.max() - values,
            "worse_low": low,
            "worse_high": np.maximum(high, 0),
            "may_be_best": np.where(told, may, np.nan) if may.any() else np.nan,
        }
    )


def _quantile(draws, se, place):
    """Return the quantile of the largest |t| of any cell to the one at ``place``."""
    largest = np.zeros(draws.shape[1])
    for other in np.flatnonzero(se > 0):  # neither NaN nor copies
        np.maximum(largest, np.abs(draws[other] - draws[place]) / se[other], out=largest)
    return np.quantile(largest, LEVEL)
