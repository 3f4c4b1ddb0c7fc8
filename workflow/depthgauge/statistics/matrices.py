"""Anybody's distances and labels: condensed or square, a manifest or a bare column."""

import numpy as np
import pandas as pd

from ..condensed import open_condensed
from ..errors import UserError
from ..manifest import read_manifest
from ..tables import read_users_table

# What the two halves of a square matrix may differ by, and its diagonal from zero, as a share
# of the largest distance: round-off of single precision.
SLACK = 1e-5


def read_distances(path, expected=None):
    """Return the distances at ``path`` (.npy), condensed, whether they are so or square there.

    Parameters
    ----------
    path : path
        Condensed distances in SciPy's order, which are memory-mapped; or a square matrix.
    expected : int, optional
        The number of images that they must be of.

    Raises
    ------
    UserError
        As ``condensed.open_condensed`` and ``condense``.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return open_condensed(path, expected)  # says what is wrong
    if getattr(matrix, "ndim", 1) != 2:
        return open_condensed(path, expected)
    condensed = condense(matrix, source=path)
    if expected is not None and len(matrix) != expected:
        raise UserError(
            f"{path}: the distances are of {len(matrix)} images where {expected} labels were "
            "given; both must be of the same images in the same order."
        )
    return condensed


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
    kept = square.dtype if square.dtype in (np.float32, np.float64) else np.float64

    def refuse(wrong, first, says):
        if wrong.any():
            i, j = np.argwhere(wrong)[0]
            i += first
            raise UserError(
                f"{source}: the entry in row {i + 1}, column {j + 1} is {square[i, j]}; "
                f"{says(i, j)}."
            )

    rows = max(1, (1 << 22) // n)
    starts = range(0, n, rows)
    largest = 0.0
    for first in starts:
        block = np.asarray(square[first : first + rows])
        refuse(
            ~np.isfinite(block),
            first,
            lambda i, j: "expected a finite distance, not negative",
        )
        largest = max(largest, float(block.max()))
    slack = SLACK * largest
    condensed = np.empty(n * (n - 1) // 2, kept)
    at = 0
    for first in starts:
        block = np.array(square[first : first + rows], dtype=np.float64)
        own = np.arange(len(block))
        diagonal = np.zeros(block.shape, bool)
        diagonal[own, first + own] = np.abs(block[own, first + own]) > slack
        refuse(diagonal, first, lambda i, j: "expected 0, the distance of an image from itself")
        block[own, first + own] = 0
        refuse(block < 0, first, lambda i, j: "expected a finite distance, not negative")
        mirrored = np.asarray(square[:, first : first + len(block)], dtype=np.float64).T
        uneven = np.abs(block - mirrored) > slack
        uneven[own, first + own] = False
        refuse(
            uneven,
            first,
            lambda i, j: (
                f"that in row {j + 1}, column {i + 1} is {square[j, i]}, and distances are "
                "symmetric"
            ),
        )
        for row in own:
            values = block[row, first + row + 1 :]
            condensed[at : at + len(values)] = values
            at += len(values)
    return condensed


def read_labels(path):
    """Return the labels at ``path`` as a manifest: columns image, label, maybe group, collection.

    Parameters
    ----------
    path : path
        A manifest (``image,label``, maybe ``group`` and ``collection``), or a CSV of one column:
        a label a line, with or without the heading ``label``. Images without names are called by
        their number, from 1.

    Raises
    ------
    UserError
        As ``manifest.read_manifest``.
    """
    try:
        column = read_users_table(path, heading=False)
    except UserError:
        return read_manifest(path)  # says what is wrong
    if column.shape[1] != 1:
        return read_manifest(path)
    labels = column[0].tolist()
    if labels[0] == "label":
        del labels[0]
    return pd.DataFrame({"image": [str(i + 1) for i in range(len(labels))], "label": labels})
