"""The condensed distance matrix: the pairs i < j row by row, as SciPy's ``squareform`` has it."""

from math import isqrt

import numpy as np

from .errors import UserError


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


def open_condensed(path, expected=None):
    """Open the condensed distances at ``path`` as a read-only memory map.

    Parameters
    ----------
    path : path
        A ``.npy`` file, one-dimensional, float32 or float64.
    expected : int, optional
        The number of images that it must be of.

    Raises
    ------
    UserError
        If the file is no such matrix, or is one of another number of images.
    """
    remedy = (
        "Expected the pairs i < j in SciPy's squareform order, a one-dimensional .npy of float32 "
        "or float64; remove the file and run again to have it made anew."
    )
    try:
        condensed = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such distance matrix.") from error
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {remedy}") from error
    if not isinstance(condensed, np.ndarray):
        raise UserError(f"{path}: an archive of arrays. {remedy}")
    if condensed.dtype not in (np.float32, np.float64) or condensed.ndim != 1:
        raise UserError(f"{path}: holds {condensed.dtype} of shape {condensed.shape}. {remedy}")
    n = images(len(condensed))
    if n is None or n < 2:
        raise UserError(
            f"{path}: {len(condensed)} entries are not the number n(n-1)/2 of pairs of any n "
            f"images. {remedy}"
        )
    if expected is not None and n != expected:
        raise UserError(
            f"{path}: the distances are of {n} images where {expected} were expected; they "
            "belong to another set of images. Remove the file and run again."
        )
    return condensed


def rows(condensed, indices):
    """Return the distances from the images at ``indices`` to all images, a row each.

    Parameters
    ----------
    condensed : (n (n - 1) / 2,) array or memory map
    indices : sequence of m int

    Returns
    -------
    (m, n) array of the matrix's dtype, zero where an image meets itself
    """
    n = images(len(condensed))
    found = np.zeros((len(indices), n), condensed.dtype)
    before = np.arange(n)
    for row, i in zip(found, indices, strict=True):
        row[:i] = condensed[pair_index(before[:i], i, n)]
        start = pair_index(i, i + 1, n)
        row[i + 1 :] = condensed[start : start + n - 1 - i]
    return found


def subset(condensed, indices):
    """Return the condensed distances among the images at ``indices``, in the order given.

    Each distance is copied to the bit; the matrix is read row by row.

    Parameters
    ----------
    condensed : (n (n - 1) / 2,) array or memory map
    indices : sequence of m int, all different

    Returns
    -------
    (m (m - 1) / 2,) array of the matrix's dtype
    """
    n = images(len(condensed))
    indices = np.asarray(indices, np.int64)
    found = np.empty(pairs(len(indices)), condensed.dtype)
    start = 0
    for place, i in enumerate(indices):
        others = indices[place + 1 :]
        pair = pair_index(np.minimum(i, others), np.maximum(i, others), n)
        found[start : start + len(others)] = condensed[pair]
        start += len(others)
    return found
