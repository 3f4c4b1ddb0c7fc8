"""Work on the rows of a condensed matrix, part by part, in threads."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from tqdm import tqdm

# Parts of the matrix that can be worked on side by side; fixed, for the order of sums.
PARTS = 32


def over_rows(part, n, *, threads, progress=False, desc=None):
    """Return what ``part(first, last)`` makes of each of the parts of ``n`` rows, in order.

    Row i holds the pairs i < j. The parts are consecutive, hold about equally many pairs, and
    are the same for any number of threads: so is whatever is made of their results in order.

    Parameters
    ----------
    part : callable
        Takes the rows ``first`` to ``last`` (not included); releases the GIL where it matters.
    n, threads : int
    progress : bool
        Whether to show a progress bar called ``desc`` on stderr when it lasts.

    Returns
    -------
    list
    """
    edges = n - n * np.sqrt(np.linspace(1, 0, PARTS + 1))
    bounds = list(pairwise(np.unique(np.round(edges).astype(np.int64)).tolist()))
    with ThreadPoolExecutor(threads) as pool:
        done = pool.map(part, *zip(*bounds, strict=True))
        return list(
            tqdm(
                done,
                total=len(bounds),
                desc=desc,
                unit="part",
                mininterval=1,
                delay=1,
                disable=not progress,
            )
        )
