"""Panels: the columns of some images' features, a stretch at a time, read while others are used."""

from itertools import pairwise

import numpy as np
from tqdm import tqdm

from ..kernels import REORDERED, kernel
from .shards import read_rows

# Columns of one matrix product: fewer are more accurate, more are faster.
DEPTH = 384
# Bytes that a panel should have, if its rows are then long enough: of LEAST columns at least, to
# read some 16 kB of each at once and to touch the sums of products, which are large, seldom.
PANEL = 96 << 20
LEAST = 12 * DEPTH
# Tasks that the reading of a panel is cut into, at most.
TASKS = 32


def panels(shards, rows, d, pool, shifts, norms, spread, description, progress):
    """Yield (start, stop, panel): columns ``start`` to ``stop`` of the features of ``rows``.

    A panel is a float32 array [blocks, rows, DEPTH], zero beyond ``stop``. It is the caller's
    until the next but one is asked for: the next is being read and made by ``pool`` meanwhile.

    Parameters
    ----------
    shards : list of Shard
    rows : (m,) int array
        Images, ascending.
    d : int
        Columns in all.
    pool : Executor
    shifts : callable
        ``shifts(start, stop)`` returns the float32 numbers to subtract from these columns.
    norms, spread : (m,) float64 array
        |x_p|^2 and |x_p|^4 of the parts x_p of each row in every block p are added to these.
    description : str
        For the bar on stderr, shown if ``progress``.
    """
    m = len(rows)
    widest = min(d, max(LEAST, PANEL // (4 * m * DEPTH) * DEPTH))
    blocks = -(-widest // DEPTH)
    ready, other = (np.empty((blocks, m, DEPTH), np.float32) for _ in range(2))
    shares = np.unique(np.linspace(0, m, TASKS + 1).astype(int))

    def make(start, panel):
        stop = min(start + widest, d)
        shift = shifts(start, stop)

        def share(first, last):
            ahead = min(widest, d - stop)
            for at, lines in read_rows(shards, rows[first:last], start, stop, ahead):
                _centre(lines, shift, panel, first + at, norms, spread)

        return [pool.submit(share, *ends) for ends in pairwise(shares.tolist())]

    with tqdm(total=d, desc=description, unit="column", mininterval=1, disable=not progress) as bar:
        coming = make(0, ready)
        for start in range(0, d, widest):
            stop = min(start + widest, d)
            for task in coming:
                task.result()
            yield start, stop, ready[: -(-(stop - start) // DEPTH)]
            if stop < d:
                coming = make(stop, other)
                ready, other = other, ready
            bar.update(stop - start)


@kernel(fastmath=REORDERED)
def _centre(lines, shift, panel, at, norms, spread):
    """Put ``lines`` less ``shift`` into the rows of ``panel`` from ``at`` on."""
    width = lines.shape[1]
    for i in range(len(lines)):
        for block in range((width + DEPTH - 1) // DEPTH):
            begin = block * DEPTH
            line = lines[i, begin : begin + DEPTH]
            less = shift[begin : begin + DEPTH]
            into = panel[block, at + i]
            norm = 0.0
            for k in range(len(line)):
                value = line[k] - less[k]
                into[k] = value
                norm += np.float64(value) * np.float64(value)
            into[len(line) :] = 0
            norms[at + i] += norm
            spread[at + i] += norm * norm
