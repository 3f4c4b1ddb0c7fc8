"""The jackknife's covariance of several statistics of the same images, and draws by it."""

import numpy as np

from ..manifest import LEAST_GROUPS


def covariance(without, groups=None):
    """Return the jackknife's covariance of cells that were measured on the same images.

    Parameters
    ----------
    without : array of float64, shape (n, cells)
        A statistic of each cell without each image in turn.
    groups : array, shape (n,), optional
        What images belong to; they are the independent units, see ``goodness.standard_error``.

    Returns
    -------
    array of float64, shape (cells, cells)
        NaN for a cell that is not finite, and all of it where groups are fewer than
        ``manifest.LEAST_GROUPS``.
    """
    n = len(without)
    with np.errstate(invalid="ignore"):
        deviations = without - without.mean(axis=0)
        if groups is not None:
            names, of_image = np.unique(groups, return_inverse=True)
            summed = np.zeros((len(names), deviations.shape[1]))
            np.add.at(summed, of_image, deviations)
            deviations = summed if len(names) >= LEAST_GROUPS else np.full_like(summed, np.nan)
        parts = len(deviations)
        return ((n - 1) / n) ** 2 * parts / (parts - 1) * (deviations.T @ deviations)


def errors_of_differences(covariance):
    """Return the standard error of each cell's difference from each other, shape (cells, cells).

    It is 0 where two cells are one another's copies, but for round-off.
    """
    variance = np.diag(covariance)
    summed = variance[:, None] + variance
    with np.errstate(invalid="ignore"):
        se = np.sqrt(np.maximum(summed - 2 * covariance, 0))
        se[se <= 1e-7 * np.sqrt(summed)] = 0
    return se


def drawn(covariance, count, seed):
    """Return normal draws of that covariance and no mean, float64 of shape (cells, count).

    Cells of which it is not finite are 0 throughout.
    """
    sound = np.isfinite(np.diag(covariance))
    root = np.zeros_like(covariance)
    values, vectors = np.linalg.eigh(covariance[np.ix_(sound, sound)])
    root[np.ix_(sound, sound)] = vectors * np.sqrt(np.maximum(values, 0))
    return root @ np.random.default_rng(seed).standard_normal((len(root), count))
