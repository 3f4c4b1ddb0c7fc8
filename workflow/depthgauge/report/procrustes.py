"""Procrustes: one map turned, mirrored, moved and scaled onto another."""

import numpy as np


def standardise(points):
    """Return (n, 2) points moved to a mean of zero and scaled to a mean square radius of one."""
    points = points - points.mean(axis=0)
    size = np.sqrt((points**2).sum(axis=1).mean())
    return points / size if size > 0 else points


def align(points, reference):
    """Return ``points``, standardised, turned and mirrored onto ``reference`` by least squares.

    Orthogonal Procrustes (Schönemann, Psychometrika 31, 1966): of all orthogonal Q the one that
    minimises ||X Q - Y||, Q = U V^T from the singular value decomposition U S V^T of X^T Y. Both
    sides are brought to one size beforehand; a scale fitted together with Q would shrink a map
    the more the less it resembles its reference.

    Parameters
    ----------
    points : (n, 2) array
    reference : (n, 2) array
        Of the same images in the same order.

    Returns
    -------
    (n, 2) float64 array
    """
    points = standardise(points)
    # Summed by NumPy itself: BLAS adds up in another order with another number of threads.
    products = (points[:, :, None] * standardise(reference)[:, None, :]).sum(axis=0)
    left, _, right = np.linalg.svd(products)
    return (points[:, :, None] * (left @ right)).sum(axis=1)
