"""Labels and distances that belong together, looked at once before anything is computed."""

import numpy as np

from ..distances.matrix import images, pair_at
from ..errors import UserError
from ..manifest import class_codes

# Entries of the matrix that are looked at in one go: 16 MB of float32.
STRETCH = 1 << 22


def checked(condensed, labels, groups=None):
    """Return the class of each image and the sum of all distances, having looked at each.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        The distances of the pairs i < j in SciPy's condensed order; a memory map is welcome.
    labels, groups : sequence of str, length n
        At least two labels, at least one of them on two images.

    Returns
    -------
    codes : (n,) int array
        The class of each image, 0 to k-1, a place among ``classes``.
    classes : (k,) array of str
    total : float

    Raises
    ------
    UserError
        If labels or groups are of another number of images than the matrix, or no two images
        share a label; if a distance is negative or not finite, or all are zero.
    """
    n = images(len(condensed))
    for name, values in (("labels", labels), ("groups", groups)):
        if values is not None and len(values) != n:
            raise UserError(
                f"{name}: {len(values)} of them for a matrix of {len(condensed)} distances, which "
                + (f"is of {n} images." if n else "is not the number of pairs of any images.")
                + f" Distances and {name} must be of the same images in the same order."
            )
    codes, classes = class_codes(labels)
    if np.bincount(codes).max() < 2:
        raise UserError(
            "labels: no two images have the same one, so there is no within-class distance. "
            "Give at least one class two images or more."
        )
    total = 0.0
    for start in range(0, len(condensed), STRETCH):
        stretch = np.asarray(condensed[start : start + STRETCH])
        if not (stretch.min() >= 0 and stretch.max() < np.inf):
            at = start + int(np.argmin((stretch >= 0) & (stretch < np.inf)))
            i, j = pair_at(at, n)
            raise UserError(
                f"distances: that of images {i + 1} and {j + 1} is {condensed[at]}; expected a "
                "finite number, not negative. Make the distances anew from checked features."
            )
        total += stretch.sum(dtype=np.float64)
    if total == 0:
        raise UserError(
            "distances: all are zero, for all images have the same features; there is nothing "
            "to compare. Leave this layer out, or look at what the extractor makes."
        )
    return codes, classes, total
