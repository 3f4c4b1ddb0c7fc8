"""Panels: the columns of some images' features, a stretch at a time, read while others are used."""

from itertools import cycle, pairwise, zip_longest

import numpy as np
from tqdm import tqdm

from .pieces import read_centred
from .shards import read_rows

# Columns of one matrix product: fewer are more accurate, more are faster.
DEPTH = 320
# Products that are added up in single precision before their sum is added in double.
RUN = 8
# Bytes that a panel should have, and the runs that it has at least, however many the images: so
# that some 20 kB of each are read at once.
PANEL = 32 << 20
LEAST = 2
# Tasks that the reading of a panel is cut into, at most.
TASKS = 8


def panels(shards, rows, d, pool, shifts, norms, spread, description, progress):
    """Yield (start, stop, panel): columns ``start`` to ``stop`` of the features of ``rows``.

    A panel is a float32 array of C order, a row an image; what it holds beyond those columns
    means nothing. It begins where a run does. It is the caller's until the next but one is asked
    for: ``pool`` reads the two that follow meanwhile, and has the next one done before it comes
    to what the caller submits for this one.

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
    run = RUN * DEPTH
    widest = min(d, run * max(LEAST, PANEL // (4 * m * run)))
    # A few numbers longer, or rows could be a power of two apart and compete for cache lines.
    buffers = cycle([np.empty((m, widest + 16), np.float32) for _ in range(3)])
    shares = np.unique(np.linspace(0, m, TASKS + 1).astype(int))

    def reading(start):
        panel, stop = next(buffers), min(start + widest, d)
        powers = np.zeros((m, -(-(stop - start) // run), 2))
        shift = shifts(start, stop)
        ahead = min(widest, d - stop)

        def share(first, last):
            def centred(at, *pieces):
                return read_centred(*pieces, shift, powers[first + at : last], DEPTH, RUN)

            read_rows(shards, rows[first:last], start, stop, panel[first:last], ahead, centred)

        tasks = [pool.submit(share, *ends) for ends in pairwise(shares.tolist())]
        return stop, panel, powers, tasks

    starts = range(0, d, widest)
    coming = [reading(start) for start in starts[:2]]
    with tqdm(total=d, desc=description, unit="column", mininterval=1, disable=not progress) as bar:
        for start, later in zip_longest(starts, starts[2:]):
            stop, panel, powers, tasks = coming.pop(0)
            for task in tasks:
                task.result()
            for norm, fourth in powers.transpose(1, 2, 0):  # in order, however wide the panel is
                norms += norm
                spread += fourth
            yield start, stop, panel
            if later is not None:
                coming.append(reading(later))
            bar.update(stop - start)
