"""Goodness class by class and image by image, from the summed distances to the classes."""

import numpy as np


def class_distances(sums, codes):
    """Return the mean distance of the images of each class to those of each class.

    Parameters
    ----------
    sums : array of float64, shape (n, k)
        As from ``class_sums``.
    codes : array of int, shape (n,)

    Returns
    -------
    array of float64, shape (k, k)
        Symmetric. On the diagonal the mean over pairs of different images of the class; NaN
        for a class of one.
    """
    sizes = np.bincount(codes)
    totals = np.stack([np.bincount(codes, column) for column in sums.T], axis=1)
    with np.errstate(invalid="ignore"):
        means = totals / (np.outer(sizes, sizes) - np.diag(sizes))
    return (means + means.T) / 2


def class_goodness(sums, codes):
    """Return, by class, the mean distance to other classes over the mean distance within.

    Both means are over pairs of images, so the goodness of a class is that of the labels "this
    class" and "another", counting only the pairs that an image of the class is in.

    Parameters
    ----------
    sums, codes
        As for ``class_distances``.

    Returns
    -------
    array of float64, shape (k,)
        Infinite where a class is of copies; NaN for a class of one.
    """
    sizes = np.bincount(codes)
    own, other = _own_and_other(sums, codes)
    return _ratio(
        np.bincount(codes, other),
        sizes * (len(codes) - sizes),
        np.bincount(codes, own),
        sizes * (sizes - 1),
    )


def image_goodness(sums, codes):
    """Return, by image, the mean distance to other classes over the mean distance to its own.

    Parameters
    ----------
    sums, codes
        As for ``class_distances``.

    Returns
    -------
    array of float64, shape (n,)
        Infinite where an image has only copies in its class; NaN for the only one of a class.
    """
    sizes = np.bincount(codes)[codes]
    own, other = _own_and_other(sums, codes)
    return _ratio(other, len(codes) - sizes, own, sizes - 1)


def _own_and_other(sums, codes):
    own = np.take_along_axis(sums, codes[:, None], axis=1)[:, 0]
    # Added up without the own class, not taken off: what is small is not lost in round-off.
    other = np.sum(sums, axis=1, where=np.arange(sums.shape[1]) != codes[:, None])
    return own, other


def _ratio(between, between_pairs, within, within_pairs):
    with np.errstate(divide="ignore", invalid="ignore"):
        return (between / between_pairs) / (within / within_pairs)
