"""How often a pair between classes is farther apart than a pair within, over all such pairs."""

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np

from ..distances.matrix import pairs
from ..distances.passes import bar, over_rows
from ..kernels import kernel

# Matrices of so few pairs are replaced by their ranks, which costs one sort in memory.
RANKED = 1 << 22
# Keys of one stretch of 65,536 consecutive ones are counted together; so many stretches at once.
STRETCHES = 128
# Rows of the square matrix that are sorted side by side.
ROWS = 64


def rank_auc(condensed, codes, *, threads=1, progress=True):
    """Return P(between > within), and the same without each image in turn; both exact.

    The share, among all pairs of a pair (i, j) of different classes and a pair (k, l) of one
    class, of those where i and j are farther apart than k and l; ties count one half. That is
    the area under the ROC curve and Mann & Whitney's U / (N_w N_b); ANOSIM's R is 2 AUC - 1
    (Clarke 1993, doi 10.1111/j.1442-9993.1993.tb00438.x).

    Let U be the number of such pairs of pairs, A_i the number of those that contain image i
    on one side, summed over both sides, and C_i of those that contain it on both. Without
    image i, U - A_i + C_i are left. A_i are sums of placements (DeLong et al. 1988,
    doi 10.2307/2531595), which are looked up in counts of the distances; C_i come of sorting
    the distances of image i. O(n^2 log n) in all.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        Finite, not negative. In float64, more than 4 million of them are compared as float32.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    threads, progress
        As for ``passes.over_rows``; all is counted in whole numbers.

    Returns
    -------
    auc : float
    auc_without : array of float64, shape (n,)
        NaN where no pair within, or none between classes, is left.

    Notes
    -----
    The bit patterns of float32 that are not negative are in the order of the numbers, so
    counting patterns ranks distances exactly. A window of 2^23 patterns, a factor of two in
    distance, is counted at a time, and takes 64 MiB a thread and 128 MiB; the matrix is read
    twice for each window that is not empty. n = 60,000 takes no more memory than that.
    """
    codes = np.asarray(codes, np.int64)
    n = len(codes)
    sizes = np.bincount(codes)
    within_pairs = int(pairs(sizes).sum())
    between_pairs = pairs(n) - within_pairs
    keys = _keys(condensed)
    one_side = _placements(keys, codes, between_pairs, threads, progress)
    both_sides = _own_pairs(keys, codes, threads, progress)
    # Twice U, for a tie is one half; each of its pairs of pairs has four images to be counted at.
    doubled = sum(one_side.tolist()) // 4
    within_left = within_pairs - (sizes[codes] - 1)
    between_left = between_pairs - (n - sizes[codes])
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (doubled - one_side.astype(float) + both_sides) / (
            2.0 * within_left * between_left
        )
    without[(within_left == 0) | (between_left == 0)] = np.nan
    return doubled / (2 * within_pairs * between_pairs), without


def _keys(condensed):
    """Return whole numbers below 2^31 in the order of the distances."""
    if len(condensed) <= RANKED:
        return np.unique(condensed, return_inverse=True)[1].astype(np.uint32)
    return np.asarray(condensed, np.float32).view(np.uint32)


def _placements(keys, codes, between_pairs, threads, progress):
    """Return, by image, how its pairs lie to those of the other kind, twice the number.

    For a pair within classes, how many pairs between are farther apart; for a pair between,
    how many pairs within are less far apart; ties one half.
    """
    n = len(codes)

    def pass_over(part, desc):
        return over_rows(part, n, threads=threads, progress=progress, desc=desc)

    found = pass_over(lambda first, last: _stretches(keys, n, first, last), "auc: range")
    stretches = np.flatnonzero(np.any(found, axis=0))
    place = np.full(1 << 15, -1)
    counted = np.uint32 if len(keys) < 1 << 32 else np.int64
    sums = np.zeros(n, np.int64)
    nearer = np.zeros(2, np.int64)  # pairs (between, within) below the window
    windows = range(0, len(stretches), STRETCHES)
    for number, start in enumerate(windows, 1):
        window = stretches[start : start + STRETCHES]
        place[:] = -1
        place[window] = np.arange(len(window))
        buffers = [np.zeros((2, len(window) << 16), counted) for _ in range(threads)]
        free = SimpleQueue()
        for buffer in buffers:
            free.put(buffer)

        def count(first, last, place=place, free=free):
            buffer = free.get()
            _count(keys, codes, place, first, last, buffer)
            free.put(buffer)

        pass_over(count, f"auc: counts {number}/{len(windows)}")
        counts = buffers.pop()
        while buffers:
            counts += buffers.pop()
        # Twice the number of pairs of the other kind that lie on the right side of a key.
        tables = np.empty(counts.shape, np.int64)
        for kind in (0, 1):
            np.cumsum(counts[1 - kind], out=tables[kind])
            tables[kind] *= 2
            tables[kind] += 2 * nearer[1 - kind]
            tables[kind] -= counts[1 - kind]
        np.subtract(2 * between_pairs, tables[1], out=tables[1])
        nearer += counts.sum(axis=1, dtype=np.int64)

        def look_up(first, last, place=place, tables=tables):
            return _look_up(keys, codes, place, first, last, tables)

        sums += np.sum(pass_over(look_up, f"auc: ranks {number}/{len(windows)}"), axis=0)
    return sums


def _own_pairs(keys, codes, threads, progress):
    """Return, by image, U of its own pairs within and between classes, twice the number."""
    n = len(codes)
    counts = np.zeros(n, np.int64)

    def block(first):
        last = min(first + ROWS, n)
        rows = _rows(keys, codes, first, last)
        rows.sort(axis=1)
        _compare(rows, counts[first:last])

    starts = range(0, n, ROWS)
    with ThreadPoolExecutor(threads) as pool:
        done = pool.map(block, starts)
        list(bar(done, total=len(starts), desc="auc: rows", unit="block", progress=progress))
    return counts


@kernel()
def _stretches(keys, n, first, last):
    """Tell which stretches of 65,536 keys the rows ``first`` to ``last`` fall into."""
    found = np.zeros(1 << 15, np.bool_)
    begin = first * (2 * n - first - 1) // 2
    end = last * (2 * n - last - 1) // 2
    for at in range(begin, end):
        found[(keys[at] & np.uint32(0x7FFFFFFF)) >> np.uint32(16)] = True
    return found


@kernel()
def _count(keys, codes, place, first, last, counts):
    """Count the keys of the window in the rows, between (0) and within (1) classes."""
    n = len(codes)
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(i + 1, n):
            key = keys[start + j] & np.uint32(0x7FFFFFFF)
            stretch = place[key >> np.uint32(16)]
            if stretch >= 0:
                kind = np.int64(codes[i] == codes[j])
                counts[kind, (stretch << 16) | np.int64(key & np.uint32(0xFFFF))] += 1


@kernel()
def _look_up(keys, codes, place, first, last, tables):
    """Add the entry of each pair of the window, by its kind, to both of its images."""
    n = len(codes)
    sums = np.zeros(n, np.int64)
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(i + 1, n):
            key = keys[start + j] & np.uint32(0x7FFFFFFF)
            stretch = place[key >> np.uint32(16)]
            if stretch >= 0:
                kind = np.int64(codes[i] == codes[j])
                entry = tables[kind, (stretch << 16) | np.int64(key & np.uint32(0xFFFF))]
                sums[i] += entry
                sums[j] += entry
    return sums


@kernel()
def _rows(keys, codes, first, last):
    """Return rows of the square matrix: twice the key, plus one within a class."""
    n = len(codes)
    rows = np.empty((last - first, n), np.uint32)
    for j in range(n):
        for i in range(first, last):
            if i == j:
                rows[i - first, j] = 0xFFFFFFFF  # last of all when sorted
                continue
            a, b = min(i, j), max(i, j)
            key = keys[a * (2 * n - a - 1) // 2 + b - a - 1]
            rows[i - first, j] = (key << np.uint32(1)) | np.uint32(codes[i] == codes[j])
    return rows


@kernel()
def _compare(rows, counts):
    """Count, in each sorted row, the pairs within a class that are below those between."""
    for r in range(len(rows)):
        row = rows[r]
        below = within = between = doubled = 0
        key = np.uint32(0xFFFFFFFF)
        for at in range(len(row) - 1):
            if row[at] >> np.uint32(1) != key:
                key = row[at] >> np.uint32(1)
                below += within
                within = between = 0
            # Of equal keys those between classes come first.
            if row[at] & np.uint32(1):
                within += 1
                doubled += between
            else:
                between += 1
                doubled += 2 * below
        counts[r] = doubled
