"""The nearest neighbours of every image, from the distances, read once."""

from functools import partial

import numpy as np

from ..errors import UserError
from ..kernels import kernel
from .matrix import Distances
from .passes import to_each_image


def nearest_neighbours(distances, k, *, groups=None, threads=1, progress=True):
    """Return the ``k`` nearest other images of each image, exactly.

    The matrix is read once, and memory is O(n k). Images equally far away are taken in
    the order of their index, so the result is one and the same for any number of threads.

    Parameters
    ----------
    distances : Distances or their condensed array
    k : int
        Neighbours an image, from 1 to n - 1.
    groups : (n,) integer array, optional
        Images of one group are not each other's neighbours: patches cut from one photograph,
        say. At least ``k`` images must be outside of each group.
    threads, progress
        As for ``passes.over_rows``.

    Returns
    -------
    indices : (n, k) int64 array
        Neighbours in ascending order of (distance, index).
    nearest : (n, k) float32 array
        Theirs, in the distance's own unit.

    Raises
    ------
    UserError
        If distances among the nearest are not finite, or if a group leaves too few images
        outside of it.
    """
    distances = Distances.of(distances)
    condensed, n = np.asarray(distances.condensed), distances.n
    if not 1 <= k < n:
        raise ValueError(f"k is {k}; {n} images have from 1 to {n - 1} neighbours each.")
    groups = np.arange(n) if groups is None else _checked(groups, n, k)
    indices = np.full((n, k), n, np.int64)
    nearest = np.full((n, k), np.inf, np.float32)
    to_each_image(
        partial(_offer_along_rows, condensed, groups, indices, nearest),
        partial(_offer_along_columns, condensed, groups, indices, nearest),
        n,
        threads=threads,
        progress=progress,
        desc="neighbours",
    )
    _sort(indices, nearest)
    if not np.isfinite(nearest).all():
        image = int(np.flatnonzero(~np.isfinite(nearest).all(axis=1))[0])
        raise UserError(
            f"distances of image {image + 1} of {n} are not finite; every distance must be a "
            "number. Make the distances again."
        )
    return indices, nearest


def _checked(groups, n, k):
    """Return ``groups`` numbered from 0, having checked that each leaves ``k`` images."""
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups has the shape {groups.shape}; there are {n} images.")
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    largest = sizes.argmax()
    if n - sizes[largest] < k:
        raise UserError(
            f"group {names[largest]}: it has {sizes[largest]} of the {n} images, which leaves "
            f"{n - sizes[largest]} outside of it where {k} neighbours were asked for. Ask for "
            "fewer, or make the groups smaller."
        )
    return codes


@kernel()
def _offer_along_rows(condensed, groups, indices, distances, begin, end):
    """Offer to each image i of begin..end the images j > i of other groups."""
    n = len(groups)
    for i in range(begin, end):
        start = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(i + 1, n):
            distance = np.float32(condensed[start + j])
            if distance <= distances[i, 0] and groups[i] != groups[j]:
                _take(indices[i], distances[i], j, distance)


@kernel()
def _offer_along_columns(condensed, groups, indices, distances, first, last, begin, end):
    """Offer to each image j of begin..end the images i < j of first..last."""
    n = len(groups)
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(max(i + 1, begin), end):
            distance = np.float32(condensed[start + j])
            if distance <= distances[j, 0] and groups[i] != groups[j]:
                _take(indices[j], distances[j], i, distance)


@kernel()
def _after(distance, index, other_distance, other_index):
    return distance > other_distance or (distance == other_distance and index > other_index)


@kernel()
def _take(indices, distances, index, distance):
    """Put a neighbour in the place of the farthest, the root of a binary heap."""
    if not _after(distances[0], indices[0], distance, index):
        return
    _sink(indices, distances, len(indices), index, distance)


@kernel()
def _sink(indices, distances, size, index, distance):
    """Replace the root of the heap of ``size`` neighbours and restore its order."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _after(
            distances[child + 1], indices[child + 1], distances[child], indices[child]
        ):
            child += 1
        if not _after(distances[child], indices[child], distance, index):
            break
        distances[place] = distances[child]
        indices[place] = indices[child]
        place = child
    distances[place] = distance
    indices[place] = index


@kernel()
def _sort(indices, distances):
    """Sort each image's heap in place, nearest first."""
    for i in range(indices.shape[0]):
        for size in range(indices.shape[1] - 1, 0, -1):
            index, distance = indices[i, size], distances[i, size]
            indices[i, size], distances[i, size] = indices[i, 0], distances[i, 0]
            _sink(indices[i], distances[i], size, index, distance)
