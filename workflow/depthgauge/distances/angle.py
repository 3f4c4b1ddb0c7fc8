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
from contextlib import contextmanager
from itertools import pairwise
from tempfile import TemporaryFile

import numpy as np

from ..condensed import images
from ..files import no_space
from ..kernels import kernel
from ..statistics.class_sums import class_sums

log = logging.getLogger(__name__)

# An image nearer to the mean than this share of the root mean square has no angle to speak of:
# what round-off of the distances leaves of it is a hundredth of it.
NEAR = 1e-3
_BLOCK = 1 << 22  # pairs that are made and written at once


def radii(condensed, *, threads=1):
    """Return the distance of each image from the mean of all, zero for those that lie there.

    Parameters
    ----------
    condensed : (n (n - 1) / 2,) array or memory map
        Euclidean distances of the pairs i < j, in SciPy's condensed order.
    threads : int
        They do not change a bit.

    Returns
    -------
    (n,) float64 array
        In the unit of the distances.
    """
    n = images(len(condensed))
    sums = class_sums(
        condensed, np.zeros(n, np.int64), squared=True, threads=threads, progress=False
    )[:, 0]
    squares = sums / n - sums.sum() / (2 * n**2)
    squares[squares <= NEAR**2 * squares.mean()] = 0
    return np.sqrt(squares)


def angles(condensed, *, threads=1, source="distances"):
    """Yield, a stretch after the other, the distances by angle of the pairs i < j.

    An image at the mean has no angle. It counts as at a right angle to every other image, at a
    chord of the root of 2, and copies of it are at distance 0 from it; a warning names it.

    Parameters
    ----------
    condensed : (n (n - 1) / 2,) float32 or float64 array or memory map
        Euclidean distances in SciPy's condensed order.
    threads : int
        They do not change a bit.
    source : path or str
        What to call the distances in the warning.

    Yields
    ------
    array of the distances' type
        From 0 to 2, without a unit, in condensed order.
    """
    condensed = np.asarray(condensed)
    n = images(len(condensed))
    reach = radii(condensed, threads=threads)
    at_mean = np.flatnonzero(reach == 0)
    if 0 < len(at_mean) < n:
        log.warning(
            "%s: image %s of %d (in the manifest's order) lies at the mean of all, and has no "
            "angle; it counts as at a right angle to every other.",
            *(source, ", ".join(str(i + 1) for i in at_mean[:5]), n),
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


@contextmanager
def scratch_angles(condensed, path, *, threads=1):
    """Yield the distances by angle as a read-only memory map, in a file that leaves no trace.

    It lies in the folder of ``path``, where the Euclidean distances are, and has no name: when
    the map is closed, or the process killed, it is gone. Memory is O(n).

    Parameters
    ----------
    condensed, threads
        As of ``angles``.
    path : path
        Of the Euclidean distances.

    Raises
    ------
    UserError
        If the disk is full.
    """
    with no_space(path), TemporaryFile(dir=path.parent) as file:
        for made in angles(condensed, threads=threads, source=path):
            file.write(made)
        file.flush()
        yield np.memmap(file, condensed.dtype, "r", shape=condensed.shape)
