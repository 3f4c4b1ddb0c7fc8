"""Shards: the ``.npy`` files in which the features of a dataset lie, rows in manifest order."""

import os
import tokenize
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import UserError

# What NumPy raises where a file is no whole .npy file, and where its header is damaged.
DAMAGED = (OSError, ValueError, EOFError, AttributeError, SyntaxError, tokenize.TokenError)
DAMAGED += (TypeError, KeyError, MemoryError, RecursionError)
REMEDY = "Remove the file and run again to have it made anew."


class Shard(NamedTuple):
    """A ``.npy`` file of features: where its numbers start and what they are."""

    path: Path
    offset: int
    dtype: np.dtype
    rows: int
    columns: int


def open_shard(path):
    """Return the shard at ``path``; raise UserError where it is none, or cut short."""
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
        excess = os.path.getsize(path) - features.offset - features.nbytes
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file of features.") from error
    except DAMAGED as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {REMEDY}") from error
    if excess:
        raise UserError(f"{path}: {excess} bytes longer than its header says. {REMEDY}")
    if features.dtype not in (np.float32, np.float16) or features.ndim != 2:
        raise UserError(
            f"{path}: holds {features.dtype} of shape {features.shape}; features are float32 or "
            f"float16, one row per image. {REMEDY}"
        )
    if not features.flags.c_contiguous:
        raise UserError(
            f"{path}: in Fortran order; features are in C order, one row per image: "
            "save numpy.ascontiguousarray of them."
        )
    return Shard(Path(path), features.offset, features.dtype, *features.shape)


def open_shards(paths, rows=None):
    """Return the shards at ``paths``, having checked all but their numbers.

    Parameters
    ----------
    paths : sequence of path
        ``.npy`` files, float32 or float16 in C order, one row per image, in manifest order.
    rows : int, optional
        How many images there must be.

    Returns
    -------
    shards : list of Shard
    n, d : int
        Images in all, and features an image.

    Raises
    ------
    UserError
        If a file is none such, is cut short or has another width than the first; if there are
        fewer than two images, or not ``rows``.
    """
    shards = [open_shard(path) for path in paths]
    if not shards:
        raise UserError("features: no shards were given.")
    first = shards[0]
    for shard in shards:
        if shard.columns != first.columns:
            raise UserError(
                f"{shard.path}: {shard.columns} features an image where {first.path} has "
                f"{first.columns}. They are of different layers or networks: remove the "
                "folder of shards and run again."
            )
    if first.columns == 0:
        raise UserError(f"{first.path}: no features at all.")
    n = sum(shard.rows for shard in shards)
    if rows is not None and n != rows:
        raise UserError(
            f"{first.path.parent}: the shards hold {n} images where {rows} were expected. Remove "
            "the folder of shards and run again."
        )
    if n < 2:
        raise UserError(f"{first.path}: one image; a distance is of two.")
    return shards, n, first.columns


def refuse_nonfinite(shards, start, stop):
    """Raise UserError if there is a NaN or an infinity in these columns of the shards."""
    for shard in shards:
        features = np.load(shard.path, mmap_mode="r", allow_pickle=False)
        for row, values in enumerate(features[:, start:stop]):
            finite = np.isfinite(values)
            if not finite.all():
                column = int(np.argmin(finite))
                raise UserError(
                    f"{shard.path}: feature {start + column + 1} of row {row + 1} is "
                    f"{values[column]}; features must be finite numbers. Look at that image and "
                    "at the network's preprocessing; float16 ends at 65504."
                )
