"""Leave-one-out nearest-neighbour classification."""

import numpy as np


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
