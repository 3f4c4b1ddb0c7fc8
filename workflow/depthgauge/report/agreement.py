"""How well two pictures agree point by point, be one mirrored, or cut out of the other."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from ..kernels import REORDERED, kernel
from .thumbnails import thumbnail

_SIDE = 48  # pixels to which a picture is brought; its proportions do not matter
_PARTS = (1, 0.95, 0.9, 0.85, 0.8)  # of the other's sides, for a picture that is cut out of it
_BLUR = 2.0  # pixels; what is smoother than this tells lighting, and is taken away


def details(path):
    """Return a picture at the sizes at which others are held against it.

    They are its greys less their Gaussian mean, so that what counts is where its edges lie, and
    neither light nor contrast.

    Parameters
    ----------
    path : path
        Of an image of a dataset.

    Returns
    -------
    list of (side, side) float32 array
        The greatest first.

    Raises
    ------
    UserError
        If the image is missing or cannot be read.
    """
    picture = thumbnail(path, 2 * _SIDE).convert("L")
    sizes = [2 * (round(part * _SIDE),) for part in _PARTS]
    greys = [
        np.asarray(picture.resize(size, Image.Resampling.BILINEAR), np.float32) for size in sizes
    ]
    return [grey - gaussian_filter(grey, _BLUR) for grey in greys]


def agreement(one, other):
    """Return how well two pictures agree: the greatest correlation of their details.

    Each is laid over the other at every size and place within it, as it is and mirrored
    (normalised cross-correlation, Lewis 1995, *Fast normalized cross-correlation*).

    Parameters
    ----------
    one, other : list of array
        See ``details``.

    Returns
    -------
    float
        At most 1, of a picture and itself; -1 where one of them is blank.
    """
    pairs = [(one[0], part) for part in other] + [(other[0], part) for part in one[1:]]
    return max(
        _greatest(whole, turned)
        for whole, part in pairs
        for turned in (part, np.ascontiguousarray(part[:, ::-1]))
    )


@kernel(fastmath=REORDERED)
def _greatest(whole, part):
    """Return the greatest correlation of ``part`` with a window of ``whole``.

    The sums over windows are differences of sums over corners (Lewis 1995).
    """
    size, side = whole.shape[0], part.shape[0]
    count, greatest = side * side, -1.0
    total = squares = 0.0
    for y in range(side):
        for x in range(side):
            total += part[y, x]
            squares += part[y, x] * part[y, x]
    spread = squares - total * total / count
    sums, sums_of_squares = np.zeros((size + 1, size + 1)), np.zeros((size + 1, size + 1))
    for y in range(size):
        line = line_of_squares = 0.0
        for x in range(size):
            line += whole[y, x]
            line_of_squares += whole[y, x] * whole[y, x]
            sums[y + 1, x + 1] = sums[y, x + 1] + line
            sums_of_squares[y + 1, x + 1] = sums_of_squares[y, x + 1] + line_of_squares
    for top in range(size - side + 1):
        for left in range(size - side + 1):
            product = 0.0
            for y in range(side):
                for x in range(side):
                    product += whole[top + y, left + x] * part[y, x]
            sum_ = _within(sums, top, left, side)
            own = _within(sums_of_squares, top, left, side) - sum_ * sum_ / count
            if own > 1e-3 and spread > 1e-3:
                greatest = max(greatest, (product - sum_ * total / count) / np.sqrt(own * spread))
    return greatest


@kernel()
def _within(sums, top, left, side):
    low, right = top + side, left + side
    return sums[low, right] - sums[top, right] - sums[low, left] + sums[top, left]
