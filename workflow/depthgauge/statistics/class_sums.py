"""The summed distance of every image to every class, from the distances, read once."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from tqdm import tqdm

from ..distances.matrix import images
from ..kernels import kernel

_BLOCK = 1 << 23  # pairs in a block of rows: 32 MiB, so that its second reading is from a cache


def class_sums(condensed, codes, *, squared=False, threads=1, progress=True):
    """Return the summed distance of each image to the images of each class.

    The matrix is read once, front to back, a block of rows at a time; memory is that of the
    result. An image's distances are added in one order whatever the threads, so the result is
    the same to the last bit.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        The distances of the pairs i < j in SciPy's condensed order; a memory map is welcome.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    squared : bool
        Add up the squares of the distances instead.
    threads : int
    progress : bool
        Whether to show a progress bar on stderr when it lasts.

    Returns
    -------
    array of float64, shape (n, k)
        In the unit of the distances (squared if they are). An image is at distance 0 of itself.
    """
    condensed = np.asarray(condensed)
    n = images(len(condensed))
    codes = np.asarray(codes, np.int64)
    sums = np.zeros((codes.max() + 1, n))
    bar = tqdm(
        total=n - 1, desc="class sums", unit="image", mininterval=1, delay=1, disable=not progress
    )
    with ThreadPoolExecutor(threads) as pool, bar:

        def share(part, begin, end, *block):
            # A thread alone changes the images that it was given: no locks, no races.
            bounds = np.linspace(begin, end, threads + 1).astype(np.int64)
            for done in [
                pool.submit(part, condensed, n, codes, squared, *block, a, b, sums)
                for a, b in pairwise(bounds)
            ]:
                done.result()

        first = 0
        while first < n - 1:
            last = min(n - 1, first + max(1, _BLOCK // (n - 1 - first)))
            share(_add_along_rows, first, last)
            share(_add_along_columns, first + 1, n, first, last)
            bar.update(last - first)
            first = last
    return sums.T


@kernel()
def _add_along_rows(condensed, n, codes, squared, begin, end, sums):
    """Add to each image i of begin..end its distances to the images j > i."""
    for i in range(begin, end):
        start = i * (2 * n - i - 1) // 2 - i - 1
        row = np.zeros(len(sums))
        for j in range(i + 1, n):
            distance = np.float64(condensed[start + j])
            row[codes[j]] += distance * distance if squared else distance
        for c in range(len(row)):
            sums[c, i] += row[c]


@kernel()
def _add_along_columns(condensed, n, codes, squared, first_row, last_row, begin, end, sums):
    """Add to each image j of begin..end its distances to the images i < j of the block."""
    for i in range(first_row, last_row):
        start = i * (2 * n - i - 1) // 2 - i - 1
        to_class = sums[codes[i]]
        for j in range(max(i + 1, begin), end):
            distance = np.float64(condensed[start + j])
            to_class[j] += distance * distance if squared else distance
