"""Passes over a matrix of distances, in threads, with results that no number of threads changes."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
from tqdm import tqdm

from ..kernels import kernel

# Parts of the matrix that can be worked on side by side; fixed, for the order of sums.
PARTS = 32
BLOCK = 1 << 23  # pairs in a block of rows: 32 MiB, so that its second reading is from a cache


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
        return list(bar(done, total=len(bounds), desc=desc, unit="part", progress=progress))


def to_each_image(along_rows, along_columns, n, *, threads, progress, desc):
    """Give every image its distances to all others, reading the matrix once, front to back.

    A block of rows is read twice, the second time from a cache: for the images of its rows, then
    for those of its columns. A thread alone changes the images that it was given, so there are no
    locks and no races, and an image meets the others in one order, that of their index.

    Parameters
    ----------
    along_rows : callable
        Takes ``begin, end``: the images i of begin..end meet the images j > i.
    along_columns : callable
        Takes ``first, last, begin, end``: the images j of begin..end meet the images i < j of the
        rows first..last. Both release the GIL.
    n, threads, progress, desc
        As for ``over_rows``.
    """
    counted = bar(total=n - 1, desc=desc, unit="image", progress=progress)
    with ThreadPoolExecutor(threads) as pool, counted:

        def share(part, begin, end):
            bounds = np.linspace(begin, end, threads + 1).astype(np.int64)
            for done in [pool.submit(part, a, b) for a, b in pairwise(bounds)]:
                done.result()

        first = 0
        while first < n - 1:
            last = min(n - 1, first + max(1, BLOCK // (n - 1 - first)))
            share(along_rows, first, last)
            share(partial(along_columns, first, last), first + 1, n)
            counted.update(last - first)
            first = last


def class_sums(condensed, codes, *, squared=False, threads=1, progress=True):
    """Return the summed distance of each image to the images of each class.

    Memory is that of the result. An image's distances are added in one order whatever the
    threads, so the result is the same to the last bit.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        See ``matrix.Distances``.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    squared : bool
        Add up the squares of the distances instead.
    threads, progress
        As for ``over_rows``.

    Returns
    -------
    array of float64, shape (n, k)
        In the unit of the distances (squared if they are). An image is at distance 0 of itself.
    """
    condensed = np.asarray(condensed)
    codes = np.asarray(codes, np.int64)
    n = len(codes)
    sums = np.zeros((codes.max() + 1, n))
    to_each_image(
        partial(_add_along_rows, condensed, n, codes, squared, sums),
        partial(_add_along_columns, condensed, n, codes, squared, sums),
        n,
        threads=threads,
        progress=progress,
        desc="class sums",
    )
    return sums.T


def bar(*done, progress, **options):
    """Return tqdm's bar, shown on stderr once what it counts has lasted a second."""
    return tqdm(*done, mininterval=1, delay=1, disable=not progress, **options)


@kernel()
def _add_along_rows(condensed, n, codes, squared, sums, begin, end):
    for i in range(begin, end):
        start = i * (2 * n - i - 1) // 2 - i - 1
        row = np.zeros(len(sums))
        for j in range(i + 1, n):
            distance = np.float64(condensed[start + j])
            row[codes[j]] += distance * distance if squared else distance
        for c in range(len(row)):
            sums[c, i] += row[c]


@kernel()
def _add_along_columns(condensed, n, codes, squared, sums, first, last, begin, end):
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2 - i - 1
        to_class = sums[codes[i]]
        for j in range(max(i + 1, begin), end):
            distance = np.float64(condensed[start + j])
            to_class[j] += distance * distance if squared else distance
