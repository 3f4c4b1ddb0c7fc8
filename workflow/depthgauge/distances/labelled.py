"""Distances and labels that belong together, looked at once before anything is computed."""

import numpy as np

from ..errors import UserError
from ..manifest import class_codes
from .matrix import Distances, pair_at

# Entries of the matrix that are looked at in one go: 16 MB of float32.
_STRETCH = 1 << 22


class Labelled:
    """The distances of all pairs of ``n`` images, each looked at, and the images' labels.

    Parameters
    ----------
    distances : Distances or their condensed array
    labels : sequence of str, length n
        At least two different ones, at least one of them on two images. The only image of a
        class is in pairs with different labels alone.
    groups : sequence of str, length n, optional
        Images of one group depend on one another: one photograph, one person, one film.
    collections : sequence of str, length n, optional
        Where images were taken from, if that is not to count as what labels tell.
    source : path or str
        What to call the labels in an error.

    Attributes
    ----------
    distances : Distances
    condensed : (n (n - 1) / 2,) array
        That of the distances.
    n : int
    codes : (n,) int array
        The class of each image, 0 to k-1, a place among ``classes``.
    classes : (k,) array of str
    sizes : (k,) int array
        How many images each class has.
    groups, collections
        As given.
    total : float
        The sum of all distances.

    Raises
    ------
    UserError
        If labels, groups or collections are of another number of images than the matrix, or the
        labels are not as said above; if a distance is negative or not finite, or all are zero.
    """

    def __init__(self, distances, labels, *, groups=None, collections=None, source="labels"):
        self.distances = Distances.of(distances)
        self.condensed, self.n = np.asarray(self.distances.condensed), self.distances.n
        self.groups, self.collections = groups, collections
        given = {"labels": labels, "groups": groups, "collections": collections}
        for name, values in given.items():
            if values is not None and len(values) != self.n:
                raise UserError(
                    f"{name}: {len(values)} of them for a matrix of {len(self.condensed)} "
                    f"distances, which is of {self.n} images. Distances and {name} must be of the "
                    "same images in the same order."
                )
        self.codes, self.classes = class_codes(labels, source=source)
        self.sizes = np.bincount(self.codes)
        if self.sizes.max() < 2:
            raise UserError(
                "labels: no two images have the same one, so there is no within-class distance. "
                "Give at least one class two images or more."
            )
        self.total = self._total()

    def _total(self):
        total = 0.0
        for start in range(0, len(self.condensed), _STRETCH):
            stretch = self.condensed[start : start + _STRETCH]
            if not (stretch.min() >= 0 and stretch.max() < np.inf):
                at = start + int(np.argmin((stretch >= 0) & (stretch < np.inf)))
                i, j = pair_at(at, self.n)
                raise UserError(
                    f"distances: that of images {i + 1} and {j + 1} is {self.condensed[at]}; "
                    "expected a finite number, not negative. Make the distances anew from checked "
                    "features."
                )
            total += stretch.sum(dtype=np.float64)
        if total == 0:
            raise UserError(
                "distances: all are zero, for all images have the same features; there is nothing "
                "to compare. Leave this layer out, or look at what the extractor makes."
            )
        return total
