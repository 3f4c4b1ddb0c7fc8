"""Leave-one-out accuracy of the nearest neighbour in halves of the images."""

import numpy as np

from ..neighbours import nearest_neighbours

SPLITS = 20
# Neighbours that are looked at: all of them are in the other half once in 2**32 images.
REACH = 32


def half_accuracies(condensed, codes, *, groups=None, seed=0, threads=1, progress=True):
    """Return the share of images whose nearest neighbour in their half is of their class.

    The images are halved 20 times, class by class, by the seed alone: layers and networks meet
    the same halves.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        The distances of the pairs i < j in SciPy's condensed order; a memory map is welcome.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    groups : sequence, length n, optional
        Images of one group are not each other's neighbours.
    seed, threads, progress
        As for ``permutations.within_sums``.

    Returns
    -------
    accuracies : array of float64, shape (20, 2)
        The two halves of each split. An image without a neighbour in its half counts as wrong.
    halves : array of int, shape (20, n)
        0 or 1 for each image: the half that it was in.
    """
    n = len(codes)
    reach = n - (1 if groups is None else int(np.unique(groups, return_counts=True)[1].max()))
    neighbours, _ = nearest_neighbours(
        condensed,
        max(1, min(REACH, reach)),
        groups=groups,
        threads=threads,
        progress=progress,
    )
    rng = np.random.default_rng(seed)
    halves = np.stack([halve(codes, rng) for _ in range(SPLITS)])
    accuracies = np.empty((SPLITS, 2))
    for split, half in enumerate(halves):
        near = half[neighbours] == half[:, None]
        nearest = neighbours[np.arange(n), near.argmax(axis=1)]
        correct = near.any(axis=1) & (codes[nearest] == codes)
        accuracies[split] = [correct[half == part].mean() for part in (0, 1)]
    return accuracies, halves


def half_means(values, halves):
    """Return the mean of ``values``, one an image, over each half, shape (20, 2)."""
    return np.array([[values[half == part].mean() for part in (0, 1)] for half in halves])


def halve(codes, rng):
    """Return 0 or 1 for each image, at random, with half of each class in each half."""
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    # Every second image class after class: of an odd class, either half may have one more.
    half = np.empty(len(codes), np.int64)
    half[order] = np.arange(len(codes)) % 2
    return half
