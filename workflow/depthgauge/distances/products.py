"""Inner products of all pairs, in single precision where it is fast, summed in double."""

import numpy as np

from ..kernels import kernel
from .blas import inner_products
from .panels import panels
from .shards import read_rows, refuse_nonfinite

# Images, evenly spread, of which the mean is the origin. Distances do not depend on it; how far
# products cancel does, and so many are within a few percent of the mean of all.
ORIGIN = 32


def products(shards, n, d, rows, tiles, pool, progress):
    """Return the inner products of the centred features, a tile at a time, and their norms.

    Parameters
    ----------
    shards : list of Shard
        Of ``n`` images, ``d`` features each.
    rows : (m,) int array
    tiles : list of Tile
        Of pairs of ``rows``.
    pool : Executor
    progress : bool

    Returns
    -------
    totals : list of float64 array
        The inner products of each tile; of one on the diagonal, its upper half.
    norms, spread : (m,) float64 array
        |x|^2, and the sum of |x_p|^4 over the blocks p of columns.

    Raises
    ------
    UserError
        For a feature that is not finite.
    """
    some = np.unique(np.linspace(0, n - 1, min(n, ORIGIN)).astype(int))

    def origin(start, stop):
        sums = np.zeros(stop - start)
        for _, lines in read_rows(shards, some, start, stop):
            for line in lines:  # in the same order however many there are at once
                sums += line
        return (sums / len(some)).astype(np.float32)

    totals = [np.zeros((t.bottom - t.top, t.right - t.left)) for t in tiles]
    norms, spread = np.zeros(len(rows)), np.zeros(len(rows))
    # Those on the diagonal take half as long, for half of it is made: the last to start.
    order = sorted(range(len(tiles)), key=lambda t: tiles[t].top == tiles[t].left)
    under_way = []
    with np.errstate(all="ignore"):  # what is not finite is looked at below
        for start, stop, panel in panels(
            shards, rows, d, pool, origin, norms, spread, "distances", progress
        ):
            if not np.isfinite(norms).all():
                refuse_nonfinite(shards, start, stop)
            for tile in under_way:
                tile.result()
            under_way = [pool.submit(_multiply, panel, tiles[t], totals[t]) for t in order]
        for tile in under_way:
            tile.result()
    return totals, norms, spread


def _multiply(panel, tile, total):
    """Add the inner products of one tile, over all blocks of the panel, to ``total``."""
    diagonal = tile.top == tile.left
    product = np.empty(total.shape, np.float32)
    for block in panel:
        rows = block[tile.top : tile.bottom]
        columns = rows if diagonal else block[tile.left : tile.right]
        # What overflows is not certified, and is computed once more.
        inner_products(rows, columns, product)
        _add(product, total, diagonal)


@kernel()
def _add(product, total, diagonal):
    for i in range(len(product)):
        first = i if diagonal else 0
        row, onto = product[i, first:], total[i, first:]
        for j in range(len(row)):
            onto[j] += row[j]
