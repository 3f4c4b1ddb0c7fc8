"""Silhouettes: how much nearer an image lies to its own class than to the next."""

import numpy as np


def silhouettes(sums, codes):
    """Return the silhouette of each image from its summed distances to the classes.

    (b - a) / max(a, b), a the mean distance of the image to the others of its class, b the
    least of its mean distances to the other classes (Rousseeuw 1987,
    doi 10.1016/0377-0427(87)90125-7).

    Parameters
    ----------
    sums : array of float64, shape (n, k)
        As from ``class_sums``.
    codes : array of int, shape (n,)

    Returns
    -------
    array of float64, shape (n,)
        From -1 to 1; 0 for the only image of a class, and where a = b = 0.
    """
    sizes = np.bincount(codes)
    own = codes[:, None]
    means = sums / sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.take_along_axis(sums, own, axis=1)[:, 0] / (sizes[codes] - 1)
        np.put_along_axis(means, own, np.inf, axis=1)
        b = means.min(axis=1)
        values = (b - a) / np.maximum(a, b)
    return np.where((sizes[codes] > 1) & np.isfinite(values), values, 0.0)
