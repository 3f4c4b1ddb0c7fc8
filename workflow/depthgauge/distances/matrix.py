"""The matrix of distances: the pairs i < j row by row, as SciPy's ``squareform`` has them."""

from math import isqrt

import numpy as np

from ..errors import UserError
from ..fingerprint import check_data, check_place
from .shards import DAMAGED

# What the two halves of a square matrix may differ by, and its diagonal from zero, as a share
# of the largest distance: round-off of single precision.
SLACK = 1e-5

_EXPECTED = (
    "Expected the pairs i < j in SciPy's squareform order, a one-dimensional .npy of float32 or "
    "float64, or a square matrix; remove the file and run again to have it made anew."
)


class Distances:
    """The distances of all pairs of ``n`` images.

    Parameters
    ----------
    condensed : (n (n - 1) / 2,) array of float32 or float64
        The pairs i < j in SciPy's condensed order; a memory map is welcome.
    source : path or str
        Where they come from, to be named in messages.

    Attributes
    ----------
    condensed, source
        As given.
    n : int
        The number of images, at least two.

    Raises
    ------
    UserError
        If the array is of another type, or its length is not the number of pairs of any images.
    """

    def __init__(self, condensed, source="distances"):
        if condensed.dtype not in (np.float32, np.float64) or condensed.ndim != 1:
            raise UserError(
                f"{source}: holds {condensed.dtype} of shape {condensed.shape}. {_EXPECTED}"
            )
        n = images(len(condensed))
        if n is None or n < 2:
            raise UserError(
                f"{source}: {len(condensed)} entries are not the number n(n-1)/2 of pairs of any "
                f"n images. {_EXPECTED}"
            )
        self.condensed, self.source, self.n = condensed, source, n

    @classmethod
    def of(cls, distances):
        """Return ``distances``, which may be their condensed array, as Distances."""
        return distances if isinstance(distances, cls) else cls(distances)

    def rows(self, indices):
        """Return the distances from the images at ``indices`` to all images, one row for each.

        Parameters
        ----------
        indices : sequence of m int

        Returns
        -------
        (m, n) array of the matrix's dtype, zero where an image meets itself
        """
        condensed, n = self.condensed, self.n
        found = np.zeros((len(indices), n), condensed.dtype)
        before = np.arange(n)
        for row, i in zip(found, indices, strict=True):
            row[:i] = condensed[pair_index(before[:i], i, n)]
            start = pair_index(i, i + 1, n)
            row[i + 1 :] = condensed[start : start + n - 1 - i]
        return found

    def among(self, indices):
        """Return the Distances among the images at ``indices``, in the order given.

        Each distance is copied to the bit; the matrix is read row by row.

        Parameters
        ----------
        indices : sequence of at least two int, all different
        """
        indices = np.asarray(indices, np.int64)
        found = np.empty(pairs(len(indices)), self.condensed.dtype)
        start = 0
        for place, i in enumerate(indices):
            others = indices[place + 1 :]
            pair = pair_index(np.minimum(i, others), np.maximum(i, others), self.n)
            found[start : start + len(others)] = self.condensed[pair]
            start += len(others)
        return Distances(found, self.source)


def read_distances(path, expected=None, table=None):
    """Return the Distances at ``path``, whether they are condensed or square there.

    Parameters
    ----------
    path : path
        ``.npy``: condensed distances, which are memory-mapped, read-only, and not read yet; or a
        square matrix.
    expected : int, optional
        The number of images that they must be of.
    table : path, optional
        A table of the images, in whose order they must be; what they do not say is not asked for.

    Raises
    ------
    UserError
        If the file holds no such matrix, or one of another number of images; as :func:`condense`.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such distance matrix.") from error
    except DAMAGED as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {_EXPECTED}") from error
    if not isinstance(matrix, np.ndarray):
        raise UserError(f"{path}: an archive of arrays. {_EXPECTED}")
    check_place(path, table)
    check_data(path)
    if matrix.ndim == 2:
        matrix = condense(matrix, source=path)
    found = Distances(matrix, path)
    if expected is not None and found.n != expected:
        raise UserError(
            f"{path}: the distances are of {found.n} images where {expected} were expected; they "
            "must be of the same images in the same order. If the workflow made them, remove the "
            "file and run again."
        )
    return found


def pairs(n):
    """Return the number of pairs i < j of ``n`` images, the length of their condensed matrix."""
    return n * (n - 1) // 2


def images(length):
    """Return the number of images whose condensed matrix has ``length`` entries, or None."""
    n = (1 + isqrt(1 + 8 * length)) // 2
    return n if pairs(n) == length else None


def pair_index(i, j, n):
    """Return where the pair i < j of ``n`` images stands; arrays are welcome."""
    return i * (2 * n - i - 1) // 2 + j - i - 1


def pair_at(index, n):
    """Return the pair (i, j) that stands at ``index``: the inverse of ``pair_index``."""
    after = pairs(n) - 1 - index
    i = n - 2 - (isqrt(8 * after + 1) - 1) // 2
    return i, index - pair_index(i, i + 1, n) + i + 1


def condense(square, source="distances"):
    """Return the condensed distances of a ``square`` matrix, having looked at every entry.

    Parameters
    ----------
    square : array of numbers, shape (n, n)
        Symmetric, and zero on the diagonal, both up to 1e-5 of the largest distance.
    source : path or str
        What to call it in an error.

    Returns
    -------
    array of float32 or float64, shape (n(n-1)/2,)
        The entries above the diagonal.

    Raises
    ------
    UserError
        Naming the first entry that is not finite, negative, not on both sides alike, or not
        zero on the diagonal; or if the matrix is not square.
    """
    n = len(square)
    if square.ndim != 2 or square.shape[1] != n or n < 2 or square.dtype.kind not in "fiu":
        raise UserError(
            f"{source}: holds {square.dtype} of shape {square.shape}; expected numbers, square "
            "(n, n), or the n(n-1)/2 pairs i < j in SciPy's squareform order."
        )

    def refuse(wrong, first, says):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            i += first
            raise UserError(
                f"{source}: the entry in row {i + 1}, column {j + 1} is {square[i, j]}; "
                f"{says(i, j)}."
            )

    starts = range(0, n, max(1, (1 << 22) // n))
    sound = "expected a finite distance, not negative"
    largest = 0.0
    for first in starts:
        block = np.asarray(square[first : first + starts.step])
        refuse(~np.isfinite(block), first, lambda i, j: sound)
        largest = max(largest, float(block.max()))
    slack = SLACK * largest
    kept = square.dtype if square.dtype in (np.float32, np.float64) else np.float64
    condensed = np.empty(pairs(n), kept)
    for first in starts:
        block = np.array(square[first : first + starts.step], dtype=np.float64)
        diagonal = np.eye(*block.shape, first, dtype=bool)
        refuse(
            diagonal & (np.abs(block) > slack),
            first,
            lambda i, j: "expected 0, the distance of an image from itself",
        )
        refuse(~diagonal & (block < 0), first, lambda i, j: sound)
        mirrored = np.asarray(square[:, first : first + len(block)], dtype=np.float64).T
        refuse(
            ~diagonal & (np.abs(block - mirrored) > slack),
            first,
            lambda i, j: (
                f"that in row {j + 1}, column {i + 1} is {square[j, i]}, and distances are "
                "symmetric"
            ),
        )
        for i, row in enumerate(block, first):
            start = pair_index(i, i + 1, n)
            condensed[start : start + n - i - 1] = row[i + 1 :]
    return condensed
