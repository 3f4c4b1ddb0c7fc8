"""Euclidean distances of all pairs of images, exact and without ever holding all features.

The features are read once, a panel of columns of all images at a time. A panel is centred, and
its inner products are made in single precision (the fastest there is) of few columns each; a few
of these are added up in single precision too, and all of their sums in double precision. Squared
distances follow from |x - y|^2 = |x|^2 + |y|^2 - 2 x.y. Where images are close this cancels; how
far the products are off is bounded in probability, and every pair of which the relative error
may be too large is computed once more from the differences of its features, in double precision.

All pairs can be made at once, or in blocks, one for each job, which ``blocks`` puts together.
"""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ..code import code_digest
from ..errors import UserError
from ..files import atomic, second_name
from ..fingerprint import (
    check_data,
    check_fingerprints,
    fingerprint,
    image_order,
    is_made_from,
    place_of,
    writing,
)
from ..readings import split_name
from .blocks import BAND, block, part, write_condensed
from .close_pairs import add_differences, squared_distances
from .products import products
from .shards import open_shards

log = logging.getLogger(__name__)


def distances(shards, output, *, made_from=None, threads=1, rows=None, progress=True):
    """Write the Euclidean distances of all pairs of images to ``output``.

    Every distance is within 1e-5 relative of exact; copies are at distance 0. The result is
    the same to the last bit whatever ``threads``, however the images are split into shards, and
    whether it is made at once or in blocks.

    Parameters
    ----------
    shards : sequence of path
        ``.npy`` files of features, float32 or float16 in C order, one row per image, in the
        order of the manifest.
    output : path
        Takes the pairs i < j in SciPy's condensed order, ``.npy``, float32.
    made_from : dict, optional
        What the shards must say that they were made from, a
        :func:`depthgauge.fingerprint.fingerprint` with layer and pooling; the distances then
        say it, too, with the ``code`` that made them.
    threads : int
        How many threads to use.
    rows : int, optional
        How many images there must be.
    progress : bool
        Whether to show a progress bar on stderr.

    Raises
    ------
    UserError
        If a shard is none, is cut short, has another width than the first, holds a number that
        is not finite or was made from something else; if there are fewer than two images, or
        not ``rows``.

    Notes
    -----
    Memory: 4 n(n-1) bytes for n images, 62,000 n for panels (96 MiB at least), and 4 for each
    pair that is computed once more; 1.2 GB for 10,000 images.
    """
    shards, n, d = _checked_shards(shards, rows, made_from)
    tiles, totals = _squared(shards, n, d, (0, 0, 1), threads, progress)
    with atomic(output) as beside:
        write_condensed(beside, n, _bands(tiles, totals), _said_of(output, made_from))


def distance_block(shards, output, place, *, made_from=None, threads=1, progress=True):
    """Write the distances of one block of pairs: a job's share where all are too many.

    Parameters
    ----------
    shards, made_from, threads, progress
        As of :func:`distances`.
    output : path
        Takes a float32 ``.npy`` [images of part a, images of part b]; on and below the
        diagonal of the matrix it is 0.
    place : (int, int, int)
        (a, b, k): part a of the images against part b >= a, of k parts.

    Raises
    ------
    UserError
        As of :func:`distances`.

    Notes
    -----
    Memory: 8 bytes a pair, and 62,000 an image of the block for panels.
    """
    shards, n, d = _checked_shards(shards, None, made_from)
    (top, bottom), (left, right) = (part(n, side, place[2]) for side in place[:2])
    tiles, totals = _squared(shards, n, d, place, threads, progress)
    said = None if made_from is None else _with_code(made_from) | {"block": list(place)}
    shape = bottom - top, right - left
    with atomic(output) as beside, writing(beside, "<f4", shape, said) as write:
        for _, band in _bands(tiles, totals):
            lines = np.zeros((len(band), right - left), "<f4")
            lines[:, right - left - band.shape[1] :] = band
            write(lines)


def layer_distances(
    shards,
    outputs,
    *,
    manifest=None,
    layers=None,
    layer=None,
    block=None,
    threads=1,
):
    """Write the Euclidean distances of a layer, one pooling after the other.

    A matrix that is there already, made from the same features by the same code, is kept: where
    another pooling was asked for later, only that one is made. A vector is the same in every
    pooling: its matrix is made once, and has the names of all.

    Parameters
    ----------
    shards : list of path
        Features: all shards of the first pooling, then all of the second, and so on.
    outputs : list of path
        A file for each pooling, LAYER.npy or LAYER.POOLING.npy, or a block of each.
    manifest, layers : path, optional
        Of which the shards must say they were made: ``layers`` is the network's description.
    layer : str, optional
        Its name there. These three go together.
    block : (int, int, int), optional
        (a, b, k), as of :func:`distance_block`.
    threads : int

    Raises
    ------
    UserError
        As :func:`distances`; if there are not as many shards of
        each pooling; if the description has no such layer, or some of the three are missing.
    """
    named = layer is not None
    if [path is not None for path in (manifest, layers)] != [named] * 2:
        raise UserError("--manifest, --layers and --layer go together: give all, or none.")
    count, left = divmod(len(shards), len(outputs))
    if left or not count:
        raise UserError(
            f"features: {len(shards)} shards were given for {len(outputs)} files of distances; "
            "give all shards of the first pooling, then as many of the next."
        )
    made = {}
    order = image_order(manifest) if named else None
    for place, output in enumerate(map(Path, outputs)):
        part = shards[place * count : (place + 1) * count]
        said = None
        if named:
            _, pooling = split_name(Path(part[0]).parent.name)
            said = fingerprint(manifest, layers, layer, pooling)
            if said["pooling"] in made:
                second_name(made[said["pooling"]], output)
                continue
            made[said["pooling"]] = output
            said["order"] = order
        if block is not None:
            distance_block(part, output, block, made_from=said, threads=threads)
        elif said and is_made_from(output, _said_of(output, said)):
            log.info("%s is there already, made from the same features: it is kept.", output)
            os.utime(output)
        else:
            distances(part, output, made_from=said, threads=threads)


def _said_of(output, made_from):
    """Return what distances say of themselves: of what, by which code, and of which place."""
    if made_from is None:
        return None
    place = place_of(output)
    return _with_code(made_from) | ({"place": place} if place else {})


def _with_code(made_from):
    return made_from | {"code": code_digest("distances.distances")}


def _checked_shards(paths, rows, made_from):
    opened = open_shards(paths, rows)
    if made_from is not None:
        of_shards = {key: value for key, value in made_from.items() if key != "order"}
        check_fingerprints(paths, of_shards)
    return opened


def _check_shards(shards, rows):
    """Look at the checksum of the shards that hold some of the images ``rows``."""
    past = 0
    for shard in shards:
        if np.any((rows >= past) & (rows < past + shard.rows)):
            check_data(shard.path)
        past += shard.rows


def _squared(shards, n, d, place, threads, progress):
    """Return the tiles of a block, and the squared distances of each."""
    rows, tiles = block(n, *place)
    _check_shards(shards, rows)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        totals, norms, fourths = products(shards, n, d, rows, tiles, pool, progress)
        close = squared_distances(totals, tiles, norms, fourths, d, pool)
        count = sum(len(columns) for _, columns in close)
        if count:
            log.info("%d pairs are computed once more", count)
            add_differences(shards, d, rows, tiles, totals, close, pool, progress)
    return tiles, totals


def _bands(tiles, totals):
    """Yield some rows at a time: the first of them, and their distances from its diagonal on."""
    for _, line in groupby(zip(tiles, totals, strict=True), key=lambda pair: pair[0].top):
        (tile, first), *others = line
        for start in range(0, len(first), BAND):
            rows = slice(start, start + BAND)
            behind = start if tile.left == tile.top else 0
            squared = np.hstack([first[rows, behind:], *(total[rows] for _, total in others)])
            yield tile.top + start, _roots(squared)


def _roots(squared):
    with np.errstate(over="ignore"):
        roots = np.sqrt(squared).astype("<f4")
    if not np.isfinite(roots).all():
        raise UserError(
            "features: so large that distances exceed what float32 holds (3e38). Scale them down."
        )
    return roots
