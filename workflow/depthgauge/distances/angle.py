"""Distances by angle, from the Euclidean distances alone.

Seen from the mean of all images, image i lies at the distance a_i, a_i^2 = mean_j d_ij^2 - half
the mean of all d^2 (the mean over all pairs (i, j), an image and itself included; Torgerson 1952,
Gower 1966). The images that are scaled to length one from there are at the chord

    c_ij^2 = (d_ij^2 - (a_i - a_j)^2) / (a_i a_j)

from one another. That is 2 - 2 cos of the angle between them, which cancels where images are
close and this does not. No second product of features is needed: the matrix is read twice.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from ..files import atomic
from ..kernels import kernel
from .matrix import read_distances
from .passes import class_sums

log = logging.getLogger(__name__)

# An image nearer to the mean than this share of the root mean square has no angle to speak of:
# what round-off of the distances leaves of it is a hundredth of it.
NEAR = 1e-3
_BLOCK = 1 << 22  # pairs that are made and written at once


def radii(distances, *, threads=1):
    """Return the distance of each image from the mean of all, zero for those that lie there.

    Parameters
    ----------
    distances : Distances
        Euclidean.
    threads : int
        They do not change a bit.

    Returns
    -------
    (n,) float64 array
        In the unit of the distances.
    """
    n = distances.n
    sums = class_sums(
        distances.condensed, np.zeros(n, np.int64), squared=True, threads=threads, progress=False
    )[:, 0]
    squares = sums / n - sums.sum() / (2 * n**2)
    squares[squares <= NEAR**2 * squares.mean()] = 0
    return np.sqrt(squares)


def angles(distances, *, threads=1):
    """Yield, a stretch after the other, the distances by angle of the pairs i < j.

    An image at the mean has no angle. It counts as at a right angle to every other image, at a
    chord of the root of 2, and copies of it are at distance 0 from it; a warning names it.

    Parameters
    ----------
    distances : Distances
        Euclidean.
    threads : int
        They do not change a bit.

    Yields
    ------
    array of the distances' type
        From 0 to 2, without a unit, in condensed order.
    """
    condensed, n = np.asarray(distances.condensed), distances.n
    reach = radii(distances, threads=threads)
    at_mean = np.flatnonzero(reach == 0)
    if 0 < len(at_mean) < n:
        log.warning(
            "%s: image %s of %d (in the manifest's order) lies at the mean of all, and has no "
            "angle; it counts as at a right angle to every other.",
            *(distances.source, ", ".join(str(i + 1) for i in at_mean[:5]), n),
        )
    with ThreadPoolExecutor(threads) as pool:
        first = 0
        while first < n - 1:
            last = min(n - 1, first + max(1, _BLOCK // (n - 1 - first)))
            start = first * (2 * n - first - 1) // 2
            stop = last * (2 * n - last - 1) // 2
            made = np.empty(stop - start, condensed.dtype)
            bounds = np.linspace(first, last, threads + 1).astype(np.int64)
            for done in [
                pool.submit(_chords, condensed, reach, a, b, start, made)
                for a, b in pairwise(bounds)
            ]:
                done.result()
            yield made
            first = last


@kernel()
def _chords(condensed, reach, first, last, offset, made):
    n = len(reach)
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(i + 1, n):
            d = np.float64(condensed[start + j])
            apart = reach[i] - reach[j]
            product = reach[i] * reach[j]
            if product > 0:
                square = max((d * d - apart * apart) / product, 0.0)
            else:
                square = 2.0 if d > 0 else 0.0
            made[start + j - offset] = np.sqrt(min(square, 4.0))


def write_angles(distances, output, *, threads=1):
    """Write the distances by angle to ``output`` (.npy), condensed, of the distances' type.

    Parameters
    ----------
    distances : path
        Euclidean distances, ``.npy``, condensed or square.
    output : path
    threads : int
        They do not change a bit.

    Raises
    ------
    UserError
        As ``matrix.read_distances``, and if the disk is full.
    """
    opened = read_distances(distances)
    condensed = opened.condensed
    header = {"descr": condensed.dtype.str, "fortran_order": False, "shape": condensed.shape}
    with atomic(output) as beside, open(beside, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for made in angles(opened, threads=threads):
            file.write(made)
