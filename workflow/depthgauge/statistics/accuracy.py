"""Accuracy of the nearest neighbours: of one, of the vote of several, in halves of the images."""

import numpy as np

SPLITS = 20
# Neighbours that are looked at: all of them are in the other half once in 2**32 images.
REACH = 32


def vote(codes, indices, distances):
    """Return the class that most of an image's neighbours have.

    Of classes with equally many votes wins the one whose voters lie at the least summed
    distance; of those that are equal in that, too, the one whose nearest voter comes first.

    Parameters
    ----------
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    indices, distances : arrays, shape (m, neighbours)
        As from ``neighbours.nearest_neighbours``: nearest first.

    Returns
    -------
    array of int64, shape (m,)
    """
    votes = codes[indices]
    same = votes[:, :, None] == votes[:, None, :]
    counts = same.sum(axis=2)
    summed = (same * distances.astype(np.float64)[:, None, :]).sum(axis=2)
    # The first neighbour, in order, of whose class none has more votes or lies nearer.
    summed[counts < counts.max(axis=1, keepdims=True)] = np.inf
    return np.take_along_axis(votes, summed.argmin(axis=1)[:, None], axis=1)[:, 0]


def expected_in_half(right):
    """Return how probably the nearest neighbour in a random half of the others is of the class.

    The r-th nearest image is the nearest of a half with probability 2^-r. So this is the accuracy
    of the nearest neighbour as half of the images would show it, averaged over all halves (the
    weights of bagging, Hall & Samworth 2005, doi 10.1111/j.1467-9868.2005.00506.x). It varies less
    from sample to sample than the accuracy of one neighbour does, which is why it chooses better.

    Parameters
    ----------
    right : (..., k) bool array
        Whether the neighbours of each image, nearest first, are of its class.

    Returns
    -------
    (...,) float64 array
    """
    weights = 0.5 ** np.arange(1, right.shape[-1] + 1)
    return right @ (weights / weights.sum())


def near_twins(distances):
    """Return the share of images of which the nearest other is nearly the image itself.

    Around independent images the logarithm of the distance of the k-th nearest grows with k as
    digamma(k) over the dimension: from the first to the tenth 2.5 times as much as from the tenth
    to the thirtieth. Here the share is that of images of which the nearest is nearer than this
    says, by the mean of the latter over all. Of sets of independent photographs it was 0.4 at
    most at any depth of three networks; of tiles photographed two to six times, 0.6 to 0.85.

    Parameters
    ----------
    distances : array, shape (n, k)
        Of the nearest images, nearest first.

    Returns
    -------
    float
        NaN with fewer than thirty neighbours.
    """
    if distances.shape[1] < 30:
        return float("nan")
    first, tenth, thirtieth = np.maximum(distances[:, [0, 9, 29]].T, np.finfo(np.float32).tiny)
    return float(np.mean(np.log(tenth / first) > 2.5 * np.log(thirtieth / tenth).mean()))


def half_accuracies(neighbours, codes, *, groups=None, seed=0):
    """Return ``expected_in_half``, averaged over the images of each half, of that half alone.

    The images are halved 20 times, class by class, by the seed alone: layers and networks meet
    the same halves. Images of one group are in the same half.

    Parameters
    ----------
    neighbours : array of int, shape (n, k)
        The nearest images of each image, nearest first; of ``REACH`` about half are in its half.
    codes : array of int, shape (n,)
        The class of each image, 0 to k-1.
    groups : array, shape (n,), optional
    seed : int

    Returns
    -------
    accuracies : array of float64, shape (20, 2)
        The two halves of each split. An image without a neighbour in its half counts as wrong.
    halves : array of int, shape (20, n)
        0 or 1 for each image: the half that it was in.
    """
    rng = np.random.default_rng(seed)
    halves = np.stack([halve(codes, rng, groups) for _ in range(SPLITS)])
    right = codes[neighbours] == codes[:, None]
    accuracies = np.empty((SPLITS, 2))
    for split, half in enumerate(halves):
        near = half[neighbours] == half[:, None]
        weights = near * 0.5 ** np.cumsum(near, axis=1)
        total = weights.sum(axis=1)
        expected = (weights * right).sum(axis=1) / np.where(total > 0, total, 1)
        accuracies[split] = [expected[half == part].mean() for part in (0, 1)]
    return accuracies, halves


def half_means(values, halves):
    """Return the mean of ``values``, one per image, over each half, shape (20, 2)."""
    return np.array([[values[half == part].mean() for part in (0, 1)] for half in halves])


def halve(codes, rng, groups=None):
    """Return 0 or 1 for each image, at random, with half of each class in each half.

    With groups, whole groups are halved, as if each were one image of the class that most of its
    images have (of several such the first).
    """
    if groups is not None:
        units = np.unique(groups, return_inverse=True)[1]
        counts = np.zeros((units.max() + 1, codes.max() + 1), np.int64)
        np.add.at(counts, (units, codes), 1)
        return halve(counts.argmax(axis=1), rng)[units]
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    # Every second image class after class: of an odd class, either half may have one more.
    half = np.empty(len(codes), np.int64)
    half[order] = np.arange(len(codes)) % 2
    return half
