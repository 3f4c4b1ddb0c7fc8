"""Condensed distances on disk: written in bands of rows, joined from the blocks of many jobs."""

from math import isqrt

import numpy as np

from ..condensed import pairs
from ..errors import UserError
from ..files import whole
from ..fingerprint import read_fingerprint, write_header
from .tiles import part

# Rows of the matrix that are put together for the file at once: few, to stay in the cache.
BAND = 64


def join_all_blocks(blocks, outputs):
    """Call ``join_blocks`` for each pooling of a layer.

    Parameters
    ----------
    blocks : sequence of path
        All blocks of the first pooling, then as many of the next.
    outputs : sequence of path
        A file for each pooling.

    Raises
    ------
    UserError
        As ``join_blocks``; if there are not as many blocks for each file.
    """
    count, left = divmod(len(blocks), len(outputs))
    if left:
        raise UserError(
            f"{len(blocks)} BLOCKS were given for {len(outputs)} files; give as many for each."
        )
    for place, output in enumerate(outputs):
        join_blocks(blocks[place * count : (place + 1) * count], output)


def join_blocks(blocks, output):
    """Write the condensed distances that ``blocks`` hold together to ``output``.

    Memory is that of a band of rows.

    Parameters
    ----------
    blocks : sequence of path
        What :func:`distance_block` wrote: (0, 0), (0, 1), ... (1, 1), ... of k parts.
    output : path
        As of :func:`distances`.

    Raises
    ------
    UserError
        If a block is missing, damaged, of another size than its place asks for or made from
        something else than the first.
    """
    k = (isqrt(8 * len(blocks) + 1) - 1) // 2
    if k * (k + 1) // 2 != len(blocks):
        raise UserError(
            f"blocks of distances: {len(blocks)} were given; k parts of the images make "
            "k(k+1)/2, in the order 0,0 0,1 ... 1,1 ..."
        )
    remaining = [_opened_block(path) for path in blocks]
    lines = [[remaining.pop(0) for _ in range(k - a)] for a in range(k)]
    n = sum(line[0].shape[0] for line in lines)
    paths = iter(blocks)
    for a, line in enumerate(lines):
        for b, values in enumerate(line, start=a):
            path = next(paths)
            expected = tuple(last - first for first, last in (part(n, a, k), part(n, b, k)))
            if values.shape != expected:
                raise UserError(
                    f"{path}: distances of shape {values.shape} where {expected} were expected "
                    f"for {n} images in {k} parts. Remove the file and run again."
                )

    said = read_fingerprint(blocks[0])
    for path in blocks:
        if read_fingerprint(path) != said:
            raise UserError(
                f"{path}: was not made from the same features as {blocks[0]}. Remove the file and "
                "run again."
            )

    def bands():
        first = 0
        for line in lines:
            for start in range(0, len(line[0]), BAND):
                band = [line[0][start : start + BAND, start:]]
                yield first + start, np.hstack(band + [v[start : start + BAND] for v in line[1:]])
            first += len(line[0])

    with whole(output) as beside:
        write_condensed(beside, n, bands(), said)


def _opened_block(path):
    remedy = "Remove the file and run again to have it made anew."
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such block of distances.") from error
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {remedy}") from error
    if values.dtype != np.float32 or values.ndim != 2:
        raise UserError(
            f"{path}: holds {values.dtype} of shape {values.shape}; a block of distances is "
            f"float32, two-dimensional. {remedy}"
        )
    return values


def write_condensed(path, n, bands, made_from=None):
    """Write the condensed matrix of ``n`` images as a float32 ``.npy``.

    Parameters
    ----------
    path : path
    n : int
    bands : iterable of (int, (rows, n - first) float32 array)
        The first of some consecutive rows, and those rows from its diagonal entry on.
    made_from : dict, optional
        What the file says that it was made from.
    """
    with open(path, "wb") as file:
        write_header(file, "<f4", (pairs(n),), made_from)
        for _, band in bands:
            for i, row in enumerate(band):
                file.write(row[i + 1 :])
