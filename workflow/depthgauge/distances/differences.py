"""Squared distances of the pairs in doubt, from the differences of their features."""

from itertools import pairwise

import numpy as np

from ..kernels import REORDERED, kernel
from .panels import DEPTH, panels

# Pairs that one task works on, about.
SHARE = 4096


def add_differences(shards, d, rows, tiles, totals, doubts, pool, progress):
    """Compute in double precision, into ``totals``, the squared distances of pairs in doubt.

    Parameters
    ----------
    shards : list of Shard
    d : int
        Columns in all.
    rows, tiles, totals
        The block's images, its tiles, and the squared distances of each.
    doubts : list of (starts, columns)
        What :func:`depthgauge.distances.certificate.certified` returned.
    pool : Executor
    progress : bool
    """
    needed = np.zeros(len(rows), bool)
    for tile, (starts, columns) in zip(tiles, doubts, strict=True):
        needed[tile.top : tile.bottom] |= np.diff(starts) > 0
        needed[tile.left + np.unique(columns)] = True
    place = np.cumsum(needed) - 1
    tasks = [
        (total, place[tile.top : tile.bottom], place[tile.left : tile.right], *doubt, *share)
        for total, tile, doubt in zip(totals, tiles, doubts, strict=True)
        for share in _shares(doubt[0])
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
