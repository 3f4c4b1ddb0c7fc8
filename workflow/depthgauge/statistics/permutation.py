"""Labels permuted: what changes places, and the sums of distances within classes each time."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import factorial, prod

import numpy as np
from numba import uint64

from ..distances.passes import bar
from ..errors import UserError
from ..kernels import kernel

# What may be permuted, and what must be known of the images.
PERMUTED = {
    "images": None,
    "within_groups": "group",
    "groups": "group",
    "within_collections": "collection",
    "similar_groups": "group",
}

# By `similar_groups`, those that change labels have at most so many times the images of the least.
SIMILAR = 1.5

# Labellings per pass over the matrix. It fixes which permutation comes from which stream of
# random numbers, so another value gives other permutations. A block of labels takes
# 2 * BLOCK bytes per image; below some hundreds the tables of the kernel cost more than they save.
BLOCK = 1024
# Parts of the matrix that can be summed in parallel; fixed, for the order of the sums.
PARTS = 32
# Labellings that are shuffled in one call.
ROWS = 16
# Columns that the kernel handles at once: the bits of a machine word, eight tables of a byte.
CHUNK = 64
# Rows of which the distances are fetched at once: they are far apart, and memory is slow to answer.
FETCH = 16


@dataclass(frozen=True)
class Exchange:
    """Units that change labels: ``codes`` is the class, ``strata`` the stratum of each.

    ``strata`` is None where all units are of one stratum. ``units`` tells the unit of each
    image where units are groups, else it is None. ``distinct`` counts the ways in which
    permuting can part the images into classes; ``resized`` tells that it changes how many images
    the classes have.
    """

    codes: np.ndarray
    strata: np.ndarray | None
    units: np.ndarray | None
    distinct: int
    resized: bool = False


def usual_permute(labels, groups):
    """Return what to permute where nobody said it, and why, in words.

    Whole groups, where all images of a group have one label; images within their group, where most
    images that share a group are in one of several labels. Else ``similar_groups``, since a few
    groups of several labels, permuted within, would leave all others as they are.

    Parameters
    ----------
    labels : sequence of str, length n
    groups : sequence of str, length n, or None

    Returns
    -------
    permute : str
        See ``exchange``.
    reason : str
        Empty where there are no groups.
    """
    if groups is None:
        return "images", ""
    units, sizes = np.unique(np.asarray(groups, str), return_inverse=True, return_counts=True)[1:]
    parts = np.unique(np.stack([units, np.unique(labels, return_inverse=True)[1]]), axis=1)[0]
    mixed = np.bincount(parts) > 1
    shared = sizes > 1
    if sizes[mixed].sum() * 2 > sizes[shared].sum():
        return "within_groups", f"{mixed.sum()} of {shared.sum()} groups have several labels"
    if mixed.any():
        return "similar_groups", f"{mixed.sum()} of {shared.sum()} groups have several labels"
    if np.ptp(sizes):
        return "similar_groups", "each group has one label, and groups differ in size"
    return "groups", "each group has one label"


def exchange(data, permute="images"):
    """Return what may change places under the hypothesis that labels say nothing.

    Parameters
    ----------
    data : Labelled
    permute : {"images", "within_groups", "groups", "similar_groups", "within_collections"}
        Each image by itself; each, but with images of its group alone (where groups have images
        of several classes, such as persons with many expressions); whole groups, with groups of
        as many images (where they share the label, such as patches of one photograph); whole
        groups, with groups of about as many images (at most ``SIMILAR`` times those of the least;
        of a group with several classes, the part of each class is one by itself); or each image
        with those of its collection alone. All images of one collection are permuted as by
        ``images``.

    Raises
    ------
    UserError
        If ``permute`` needs groups or collections and there are none, if a group that is to be
        permuted as a whole has images of two classes, or if all permutations part the images
        alike.
    """
    if permute not in PERMUTED:
        raise UserError(f"permute: {permute!r} is not one of {', '.join(PERMUTED)}.")
    kind = PERMUTED[permute]
    known = {None: (), "group": data.groups, "collection": data.collections}[kind]
    if known is None:
        raise UserError(
            f"permute: {permute} needs {kind}s; give the manifest a column `{kind}`, or permute "
            "images."
        )
    codes, classes = data.codes, data.classes
    strata = units = None
    names, of_image = np.unique(np.asarray(known, dtype=str), return_inverse=True)
    if permute.startswith("within_"):
        strata = of_image
    if permute == "similar_groups":
        parts = np.unique(np.stack([of_image, codes]), axis=1, return_inverse=True)
        codes, units = parts[0][1], parts[1].ravel()
        strata = _similar(np.bincount(units))
    if permute == "groups":
        units = of_image
        least, most = np.full((2, len(names)), codes[0])
        least[:], most[:] = len(classes), -1
        np.minimum.at(least, units, codes)
        np.maximum.at(most, units, codes)
        mixed = np.flatnonzero(least != most)
        if len(mixed):
            at = mixed[0]
            raise UserError(
                f"permute: groups, but the group '{names[at]}' has images of the classes "
                f"'{classes[least[at]]}' and '{classes[most[at]]}'. A group that is permuted as "
                "a whole has one label; permute images, or within_groups."
            )
        codes, strata = least, np.bincount(units)
    resized = permute == "similar_groups" and np.ptp(np.bincount(units)) > 0
    if strata is not None and len(np.unique(strata)) == 1 and not resized:
        strata = None
    distinct = _distinct(codes, strata)
    if distinct == 1:
        raise UserError(
            f"permute: {permute}: the number of distinct permutations is 1, for all of them part "
            "the images into classes alike. "
            + (
                "Permute images; or bring more groups per class, of as many images each."
                if permute in ("groups", "similar_groups")
                else f"Permute images; or bring {kind}s with images of several classes."
            )
        )
    return Exchange(codes, strata, units, distinct, resized)


def _similar(sizes):
    """Return the stratum of each size: the least that there is, and up to ``SIMILAR`` times it."""
    strata, least = np.empty(len(sizes), np.int64), 0
    for size in np.unique(sizes):
        if size > SIMILAR * least:
            least = size
        strata[sizes == size] = least
    return strata


def _distinct(codes, strata):
    """Return how many partitions into classes there are, whichever class has which name."""
    strata = np.zeros_like(codes) if strata is None else np.unique(strata, return_inverse=True)[1]
    counts = np.zeros((strata.max() + 1, codes.max() + 1), np.int64)
    np.add.at(counts, (strata, codes), 1)
    labellings = prod(
        factorial(int(row.sum())) // prod(factorial(int(count)) for count in row) for row in counts
    )
    # Classes with as many units in each stratum can swap names.
    alike = Counter(map(tuple, counts.T.tolist()))
    return labellings // prod(map(factorial, alike.values()))


def group_sums(condensed, units):
    """Return (inside, condensed sums): all distances within units, and between any two of them.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
    units : array of int, shape (n,)
        The unit of each image, from 0 to u-1.

    Returns
    -------
    inside : float
    between : array of float64, shape (u(u-1)/2,)
    """
    count = int(units.max()) + 1
    sums = np.zeros((count, count))
    _sum_units(condensed, len(units), units, sums)
    sums += sums.T
    return float(np.trace(sums)) / 2, sums[np.triu_indices(count, 1)]


@kernel()
def _sum_units(condensed, n, units, sums):
    at = 0
    for i in range(n - 1):
        row = sums[units[i]]
        for j in range(i + 1, n):
            row[units[j]] += condensed[at]
            at += 1


def within_sums(condensed, codes, *, permutations, seed, strata=None, threads=1, progress=True):
    """Return the summed distance of same-class pairs under the true and the permuted labels.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        See ``matrix.Distances``.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    permutations : int
        How many permutations to draw, uniformly and independently.
    seed : int
        The permutations follow from it, the labels, the strata and nothing else.
    strata : array of int, shape (n,), optional
        Labels change places within a stratum only; by default all images are of one.
    threads, progress
        As for ``passes.over_rows``; the result is the same to the last bit.

    Returns
    -------
    array of float64, shape (1 + permutations,)
        First the sum under ``codes`` itself. Labellings that part the images into the same
        classes have equal sums to the last bit, for they meet the same additions.

    Notes
    -----
    The subset sums of eight distances of a row are tabulated (Arlazarov, Dinic, Kronrod and
    Faradzev 1970, the "four Russians"), 256 for each eight columns; then every labelling looks
    up, by the byte that tells which of the eight images are of the row's class, what it would
    otherwise add up. Work and time do not depend on the number of classes. Memory is that of
    two blocks of labels, whatever ``permutations``.
    """
    codes = np.asarray(codes)
    n = len(codes)
    classes = int(codes.max()) + 1
    codes = codes.astype(np.uint16 if classes <= 1 << 16 else np.uint32)
    strata = np.zeros(n, np.int64) if strata is None else np.asarray(strata)
    order = np.argsort(strata, kind="stable")
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(strata[order])) + 1, [n]])
    sums = np.empty(1 + permutations)
    starts = range(0, len(sums), BLOCK)
    # Edges at even shares of the pairs, which grow with the square of the column.
    chunks = -(-n // CHUNK)
    edges = np.unique(np.round(chunks * np.sqrt(np.linspace(0, 1, PARTS + 1))).astype(int))

    def labels(start):
        return _labels(codes, seed, start, min(start + BLOCK, len(sums)), order, bounds)

    with (
        ThreadPoolExecutor(threads) as pool,
        bar(total=permutations, desc="permutations", unit="perm", progress=progress) as counted,
    ):
        block = pool.submit(labels, 0)
        for start in starts:
            drawn = block.result()
            if start + BLOCK < len(sums):
                block = pool.submit(labels, start + BLOCK)
            parts = [
                pool.submit(_within, condensed, n, drawn, classes, first, last)
                for first, last in pairwise(edges)
            ]
            sums[start : start + BLOCK] = np.sum([part.result() for part in parts], axis=0)
            counted.update(drawn.shape[1] - (start == 0))
    return sums


def _labels(codes, seed, start, stop, order, bounds):
    """Return labellings ``start`` to ``stop``, a column each; number 0 is the true one.

    Labels change places among the images of ``order[bounds[s] : bounds[s + 1]]``, for each s.
    """
    rng = np.random.default_rng([seed, start // BLOCK])
    labels = np.tile(codes, (stop - start, 1))
    for first in range(1 if start == 0 else 0, len(labels), ROWS):
        rows = labels[first : first + ROWS]
        _shuffle(rows, rng.random(rows.shape), order, bounds)
    return np.ascontiguousarray(labels.T)


@kernel()
def _shuffle(rows, uniform, order, bounds):
    """Fisher and Yates' shuffle by random numbers in [0, 1), four times as fast as NumPy's."""
    for p in range(len(rows)):
        row, draws = rows[p], uniform[p]
        for stratum in range(len(bounds) - 1):
            first = bounds[stratum]
            for at in range(bounds[stratum + 1] - 1, first, -1):
                i, j = order[at], order[first + int(draws[at] * (at - first + 1))]
                row[i], row[j] = row[j], row[i]


@kernel()
def _within(condensed, n, labels, classes, first, last):
    """Sum the same-class pairs (i, j), i < j, of column chunks ``first`` to ``last``."""
    labellings = labels.shape[1]
    sums = np.zeros(labellings)
    tables = np.empty((8, 256))
    rows = np.zeros((FETCH, CHUNK))
    byte = uint64(255)
    for chunk in range(first, last):
        begin = chunk * CHUNK
        end = min(begin + CHUNK, n)
        # members[p, c]: a bit for each image of the chunk that has label c in labelling p.
        members = np.zeros((labellings, classes), np.uint64)
        for j in range(begin, end):
            bit = uint64(1) << uint64(j - begin)
            for p in range(labellings):
                members[p, labels[j, p]] |= bit
        for i in range(end - 1):
            if i % FETCH == 0:
                _fetch(condensed, n, i, min(i + FETCH, end - 1), begin, end, rows)
            _tabulate(rows[i % FETCH], tables)
            own = labels[i]
            for p in range(labellings):
                same = members[p, own[p]]
                sums[p] += (
                    (tables[0, same & byte] + tables[1, (same >> uint64(8)) & byte])
                    + (
                        tables[2, (same >> uint64(16)) & byte]
                        + tables[3, (same >> uint64(24)) & byte]
                    )
                ) + (
                    (
                        tables[4, (same >> uint64(32)) & byte]
                        + tables[5, (same >> uint64(40)) & byte]
                    )
                    + (tables[6, (same >> uint64(48)) & byte] + tables[7, same >> uint64(56)])
                )
    return sums


@kernel()
def _fetch(condensed, n, first, last, begin, end, rows):
    """Copy the distances of images ``first`` to ``last`` to later ones of ``begin`` to ``end``."""
    rows[:] = 0
    for i in range(first, last):
        start = max(begin, i + 1)
        before = i * (2 * n - i - 1) // 2 - i - 1
        later = condensed[before + start : before + end]
        row = rows[i - first]
        into = row[start - begin :]
        for k in range(len(later)):
            into[k] = later[k]


@kernel()
def _tabulate(row, tables):
    """Fill ``tables[t, mask]`` with the sum of those of ``row[8 * t : 8 * t + 8]`` in ``mask``."""
    for t in range(8):
        table = tables[t]
        table[0] = 0
        # Written out, loops of fixed length become vector instructions; one loop over the sizes,
        # or a function of the size, takes half as long again and more.
        table[1] = row[8 * t]
        for mask in range(2):
            table[2 + mask] = table[mask] + row[8 * t + 1]
        for mask in range(4):
            table[4 + mask] = table[mask] + row[8 * t + 2]
        for mask in range(8):
            table[8 + mask] = table[mask] + row[8 * t + 3]
        for mask in range(16):
            table[16 + mask] = table[mask] + row[8 * t + 4]
        for mask in range(32):
            table[32 + mask] = table[mask] + row[8 * t + 5]
        for mask in range(64):
            table[64 + mask] = table[mask] + row[8 * t + 6]
        for mask in range(128):
            table[128 + mask] = table[mask] + row[8 * t + 7]
