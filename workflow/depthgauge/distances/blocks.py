"""How the matrix of all pairs is cut into blocks, one for each job, and put together again.

A block consists of tiles, the unit of computing. Tiles depend on the number of images alone.
However they are shared out among jobs and threads, the same products are therefore made of the
same operands, and the distances come out the same to the last bit.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np

from ..errors import UserError
from ..files import atomic
from ..fingerprint import check_data, place_of, read_fingerprint, writing
from .matrix import pairs
from .shards import DAMAGED

# Images a side of a tile, at most. Not a power of two, or rows would compete for cache lines.
SIDE = 1000
# Rows of the matrix that are put together for the file at once: few, to stay in the cache.
BAND = 64


class Tile(NamedTuple):
    """Rows ``top`` to ``bottom`` of a block's images against its images ``left`` to ``right``."""

    top: int
    bottom: int
    left: int
    right: int


def parts(n, images):
    """Return into how many parts of about ``images`` each the ``n`` images can be cut."""
    return min(-(-n // images), len(_edges(n)) - 1)


def part(n, index, count):
    """Return the (first, last) image of the ``index``-th of ``count`` parts of ``n`` images."""
    edges = _edges(n)
    sides = len(edges) - 1
    return int(edges[index * sides // count]), int(edges[(index + 1) * sides // count])


def block(n, row, column, count):
    """Return the images of a block of pairs, and its tiles.

    Parameters
    ----------
    n : int
        Images in all.
    row, column, count : int
        The images of part ``row`` against those of part ``column`` >= ``row``, of ``count``
        parts; (0, 0, 1) is all pairs.

    Returns
    -------
    rows : (m,) int array
        The images of the block, ascending.
    tiles : list of Tile
        In places among ``rows``. They cover all pairs i <= j, by rows, then columns.
    """
    edges = _edges(n)
    top, bottom = part(n, row, count)
    left, right = part(n, column, count)
    down = edges[(edges >= top) & (edges <= bottom)] - top
    across = edges[(edges >= left) & (edges <= right)] - left
    rows = np.arange(top, bottom)
    if row != column:
        rows = np.concatenate([rows, np.arange(left, right)])
        across += bottom - top
    tiles = [
        Tile(int(down[i]), int(down[i + 1]), int(across[j]), int(across[j + 1]))
        for i in range(len(down) - 1)
        for j in range(i if row == column else 0, len(across) - 1)
    ]
    return rows, tiles


def _edges(n):
    # Few images make two sides: they too can be computed in blocks.
    return np.linspace(0, n, (2 if n < SIDE else -(-n // SIDE)) + 1).astype(int)


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
        What :func:`depthgauge.distances.distances.distance_block` wrote, of k parts of the
        images: (0, 0), (0, 1), ... (1, 1), ...
    output : path
        As of :func:`depthgauge.distances.distances.distances`.

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

    made_from = read_fingerprint(blocks[0])
    made_from.pop("block", None)
    places = [[a, b, k] for a in range(k) for b in range(a, k)]
    for path, place in zip(blocks, places, strict=True):
        said = read_fingerprint(path)
        if said.pop("block", place) != place or said != made_from:
            raise UserError(
                f"{path}: was not made from the same features as {blocks[0]}, or is another block. "
                "Remove the file and run again."
            )

    def bands():
        first = 0
        for line in lines:
            for start in range(0, len(line[0]), BAND):
                band = [line[0][start : start + BAND, start:]]
                yield first + start, np.hstack(band + [v[start : start + BAND] for v in line[1:]])
            first += len(line[0])

    place = place_of(output)
    if made_from and place:
        made_from["place"] = place
    with atomic(output) as beside:
        write_condensed(beside, n, bands(), made_from or None)


def _opened_block(path):
    remedy = "Remove the file and run again to have it made anew."
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such block of distances.") from error
    except DAMAGED as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {remedy}") from error
    check_data(path)
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
    with writing(path, "<f4", (pairs(n),), made_from) as write:
        for _, band in bands:
            # Row by row, but checked and written together: a call a band.
            write(np.concatenate([row[i + 1 :] for i, row in enumerate(band)]))
