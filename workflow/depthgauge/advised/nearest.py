"""The images of a run that lie nearest to a picture, in the features that are advised."""

import numpy as np

from .folder import open_advised
from .pictures import Vectors, picture_files

_VALUES = 1 << 22  # of features that are read at once


def print_nearest(advised, pictures, *, count=5, threads=1):
    """Print the nearest images of each picture, with their distances and labels.

    Parameters
    ----------
    advised, pictures, threads
        As for ``apply.apply``.
    count : int
        Of images for each picture.

    Raises
    ------
    UserError
        As ``open_advised`` and ``picture_files``; and, when all others are printed, for pictures
        that cannot be read.
    """
    opened = open_advised(advised)
    vectors = Vectors(opened, picture_files(pictures), threads)
    found = list(vectors)
    if found:
        distances = _distances(np.stack([vector for _, vector in found]), opened.features)
        print("\n\n".join(_lines(opened.images, found, distances, count)))
    vectors.check()


def _distances(vectors, features):
    """Return float64 [len(vectors), len(features)], Euclidean, from differences."""
    step = max(1, _VALUES // features.shape[1])
    distances = np.empty((len(vectors), len(features)))
    for start in range(0, len(features), step):
        block = features[start : start + step].astype(np.float64)
        for row, vector in zip(distances, vectors, strict=True):
            row[start : start + step] = np.linalg.norm(block - vector, axis=1)
    return distances


def _lines(images, found, distances, count):
    """Yield of each picture the lines of its nearest images."""
    for (file, _), row in zip(found, distances, strict=True):
        nearest = np.argsort(row, kind="stable")[:count]
        shown = images.iloc[nearest]
        names = shown.source.where(shown.source != "", shown.image)
        width = max(map(len, shown.label), default=0)
        lines = [
            f"  {distance:10.4g}  {label:<{width}}  {name}"
            for distance, label, name in zip(row[nearest], shown.label, names, strict=True)
        ]
        yield "\n".join([str(file), *lines])
