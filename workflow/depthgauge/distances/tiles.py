"""How the matrix of pairs is cut: into tiles, the unit of computing, and blocks, one a job.

Tiles depend on the number of images alone. However they are shared out among jobs and threads,
the same products are therefore made of the same operands: the distances come out the same to
the last bit.
"""

from typing import NamedTuple

import numpy as np

# Images a side of a tile, at most. Not a power of two, or rows would compete for cache lines.
SIDE = 1000


class Tile(NamedTuple):
    """Rows ``top`` to ``bottom`` of a block's images against its images ``left`` to ``right``."""

    top: int
    bottom: int
    left: int
    right: int


def parts(n, images):
    """Return into how many parts of about ``images`` each the ``n`` images can be cut."""
    return min(-(-n // images), len(_edges(n)) - 1)


def part(n, index, count):
    """Return the (first, last) image of the ``index``-th of ``count`` parts of ``n`` images."""
    edges = _edges(n)
    sides = len(edges) - 1
    return int(edges[index * sides // count]), int(edges[(index + 1) * sides // count])


def block(n, row, column, count):
    """Return the images of a block of pairs, and its tiles.

    Parameters
    ----------
    n : int
        Images in all.
    row, column, count : int
        The images of part ``row`` against those of part ``column`` >= ``row``, of ``count``
        parts; (0, 0, 1) is all pairs.

    Returns
    -------
    rows : (m,) int array
        The images of the block, ascending.
    tiles : list of Tile
        In places among ``rows``. They cover all pairs i <= j, by rows, then columns.
    """
    edges = _edges(n)
    top, bottom = part(n, row, count)
    left, right = part(n, column, count)
    down = edges[(edges >= top) & (edges <= bottom)] - top
    across = edges[(edges >= left) & (edges <= right)] - left
    rows = np.arange(top, bottom)
    if row != column:
        rows = np.concatenate([rows, np.arange(left, right)])
        across += bottom - top
    tiles = [
        Tile(int(down[i]), int(down[i + 1]), int(across[j]), int(across[j + 1]))
        for i in range(len(down) - 1)
        for j in range(i if row == column else 0, len(across) - 1)
    ]
    return rows, tiles


def _edges(n):
    # Few images make two sides: they too can be computed in blocks.
    return np.linspace(0, n, (2 if n < SIDE else -(-n // SIDE)) + 1).astype(int)
