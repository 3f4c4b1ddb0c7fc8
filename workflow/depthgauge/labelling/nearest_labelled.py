"""Labels from the nearest labelled images."""

from functools import wraps

import numpy as np

NEIGHBOURS = 5
_IMAGES = 1000  # whose distances are copied at once


def _in_parts(method):
    """Have a method score some images after the other, of which each is scored by itself."""

    @wraps(method)
    def scores(distances, codes, classes, **options):
        starts = range(0, distances.shape[1], _IMAGES)
        parts = [distances[:, start : start + _IMAGES] for start in starts]
        return np.concatenate([method(part, codes, classes, **options) for part in parts])

    return scores


@_in_parts
def nearest_labelled(distances, codes, classes):
    """Return the scores of ``classes`` classes by the nearest labelled image of each: 1-NN.

    Parameters
    ----------
    distances : (m, n) array
        From each of m labelled images to each of n images.
    codes : (m,) int array
        The classes of the labelled images, from 0.
    classes : int

    Returns
    -------
    (n, classes) float64 array
        Minus the logarithm of the least distance to a labelled image of the class, so that the
        difference of two scores has no unit; minus infinity for a class without labels.
    """
    scores = np.full((distances.shape[1], classes), -np.inf)
    tiny = np.finfo(np.float64).tiny
    for code in np.unique(codes):
        least = distances[codes == code].min(axis=0).astype(np.float64)
        scores[:, code] = -np.log(np.maximum(least, tiny))
    return scores


@_in_parts
def k_nearest_labelled(distances, codes, classes, k=NEIGHBOURS):
    """Return the scores of ``classes`` classes by a vote of the ``k`` nearest labelled images.

    A vote weighs the inverse of the distance, as scikit-learn's KNeighborsClassifier with
    ``weights="distance"`` has it; where labelled images are copies of the image they alone
    vote. Parameters are those of ``nearest_labelled``.

    Returns
    -------
    (n, classes) float64 array
        Each class's share of the votes; minus infinity for a class without any.
    """
    k = min(k, len(codes))
    columns = np.ascontiguousarray(distances.T)
    nearest = np.argpartition(columns, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(columns, nearest, axis=1).astype(np.float64)
    copies = near == 0
    with np.errstate(divide="ignore"):
        votes = np.where(copies.any(axis=1, keepdims=True), copies, 1 / near)
    scores = np.zeros((len(columns), classes))
    for voter, weight in zip(nearest.T, votes.T, strict=True):
        scores[np.arange(len(columns)), codes[voter]] += weight
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = scores / scores.sum(axis=1, keepdims=True)
    return np.where(scores > 0, shares, -np.inf)


METHODS = {"1-NN": nearest_labelled, f"{NEIGHBOURS}-NN": k_nearest_labelled}
