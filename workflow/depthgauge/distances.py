"""Euclidean distances of all pairs of images, exact and without ever holding all features.

The features are read once, a panel of columns of all images at a time. A panel is centred, and
its Gram matrix is made by single-precision matrix products (the fastest there is) of few
columns each, which are added up in double precision. Squared distances follow from
|x - y|^2 = |x|^2 + |y|^2 - 2 x.y. Where images are close this cancels; but how far the products
can be off is known, and every pair of which the relative error is not certified to be small is
computed once more from the differences of its features, in double precision.
"""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from .condensed import pairs
from .errors import UserError
from .files import whole
from .kernels import REORDERED, kernel

log = logging.getLogger(__name__)

# Columns of one matrix product: fewer are more accurate, more are faster.
DEPTH = 384
# Bytes that a panel should have, if its rows are then long enough: of LEAST columns at least, to
# read some 16 kB of each at once and to touch the Gram matrix, which is large, seldom.
PANEL = 32 << 20
LEAST = 12 * DEPTH
# Most images a side of one matrix product.
TILE = 512
# Relative error that a squared distance may have by the products. 1e-5 of the distance is
# 2e-5 of its square; the rest is left to centring and to rounding to float32.
TOLERANCE = 1.5e-5
# Unit roundoff of float32.
ROUNDOFF = 2.0**-24
# Parts of the matrix that can be worked on side by side.
PARTS = 64
# Distances that are written in one go.
STRETCH = 1 << 22


class Shard(NamedTuple):
    """A ``.npy`` file of features: where its numbers start and what they are."""

    path: Path
    offset: int
    dtype: np.dtype
    rows: int
    columns: int


def distances(shards, output, *, threads=1, rows=None, progress=True):
    """Write the Euclidean distances of all pairs of images to ``output``.

    Every distance is within 1e-5 relative of exact; copies are at distance 0. The result is
    the same to the last bit whatever ``threads`` and however the images are split into shards.

    Parameters
    ----------
    shards : sequence of path
        ``.npy`` files of features, float32 or float16 in C order, a row an image, in the
        order of the manifest.
    output : path
        Takes the pairs i < j in SciPy's condensed order, ``.npy``, float32.
    threads : int
        How many threads to use.
    rows : int, optional
        How many images there must be.
    progress : bool
        Whether to show a progress bar on stderr.

    Raises
    ------
    UserError
        If a shard is none, is cut short, has another width than the first or holds a number
        that is not finite; if there are fewer than two images, or not ``rows``.

    Notes
    -----
    Memory: 4 n(n-1) bytes for n images, 56,000 n for panels, and 4 for each pair that is computed
    once more; 1 GB for 10,000 images.

    Error bound. Let u = 2^-24, let a product span c columns, and let x_p, y_p be the parts of
    two rows there. Each of the c additions of a float32 inner product is off by at most u times
    the partial sum. Where these roundings are independent, their sum has a standard deviation
    below sqrt(c / 3) u |x_p| |y_p| (Higham & Mary 2019, doi 10.1137/18M1226312, on why this,
    not the worst case c u, is what one sees); over the products the squares add up, to less
    than sqrt(c / 3) u (e_x + e_y) / 2 with e_x^2 = sum_p |x_p|^4. Seven times that is allowed:
    4 sqrt(c) u (e_x + e_y) / 2. Where the roundings all go one way, as with equal summands,
    partial sums grow evenly to the inner product g and the drift is c u |g| / 4, which is allowed
    on top. The squared distance is off by twice the sum. What underflows in float32 adds at most
    2^-126 a column.
    """
    shards = [_opened(path) for path in shards]
    n, d = _checked(shards, rows)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        gram, norms, spread = _products(shards, n, d, pool, progress)
        squared, starts, columns = _certified(gram, norms, spread, d, pool)
        if len(columns):
            log.info("%d of %d pairs are computed once more", len(columns), len(squared))
            _differences(shards, d, squared, starts, columns, pool, progress)
    with whole(output) as beside:
        _write(squared, beside)


# First pass: products ---------------------------------------------------------------------


def _products(shards, n, d, pool, progress):
    """Return the condensed Gram matrix of the centred features, |x|^2 and sum |x_p|^4."""
    gram = np.zeros(pairs(n))
    norms, spread = np.zeros(n), np.zeros(n)
    tiles = _tiles(n)
    under_way = []
    for start, width, panel in _panels(shards, np.arange(n), d, "distances", progress):
        blocks = [(k, min(k + DEPTH, width)) for k in range(0, width, DEPTH)]
        for block_norms in pool.map(_centre, repeat(panel), *zip(*blocks, strict=True)):
            norms += block_norms
            spread += block_norms**2
        if not np.isfinite(norms).all():
            _refuse_nonfinite(shards, start, width)
        # Only now wait for the panel before: threads that had no tile left were centring.
        for tile in under_way:
            tile.result()
        under_way = [pool.submit(_multiply, panel, blocks, tile, gram, n) for tile in tiles]
    for tile in under_way:
        tile.result()
    return gram, norms, spread


def _tiles(n):
    """Return the (top, bottom, left, right) of products that cover all pairs i <= j."""
    # Three sides at least, lest a few large tiles keep threads waiting for one another.
    edges = np.linspace(0, n, max(3, -(-n // TILE)) + 1).astype(int)
    sides = list(pairwise(np.unique(edges)))
    across = [(*rows, *columns) for rows, columns in combinations(sides, 2)]
    # Those on the diagonal take half as long (BLAS makes a triangle of x x'): the last to start.
    return across + [(*side, *side) for side in sides]


def _multiply(panel, blocks, tile, gram, n):
    """Add the inner products of one tile, over all blocks of columns, to ``gram``."""
    top, bottom, left, right = tile
    product = np.empty((bottom - top, right - left), np.float32)
    total = np.zeros(product.shape)
    # What overflows is not certified, and is computed once more.
    with np.errstate(all="ignore"):
        for begin, end in blocks:
            np.matmul(panel[top:bottom, begin:end], panel[left:right, begin:end].T, out=product)
            _add(product, total)
    _deposit(total, top, left, gram, n)


@kernel()
def _add(product, total):
    for i in range(product.shape[0]):
        for j in range(product.shape[1]):
            total[i, j] += product[i, j]


@kernel()
def _deposit(total, top, left, gram, n):
    for i in range(total.shape[0]):
        row = top + i
        before = row * (2 * n - row - 1) // 2 - row - 1
        for j in range(max(0, row + 1 - left), total.shape[1]):
            gram[before + left + j] += total[i, j]


@kernel(fastmath=REORDERED)
def _centre(panel, begin, end):
    """Subtract their means from columns ``begin`` to ``end``; return the rows' squared norms.

    Distances do not change when a column is shifted, so that means rounded to float32 serve.
    """
    n = len(panel)
    sums = np.zeros(end - begin)
    for i in range(n):
        row = panel[i, begin:end]
        for k in range(len(row)):
            sums[k] += row[k]
    means = (sums / n).astype(np.float32)
    norms = np.zeros(n)
    for i in range(n):
        row = panel[i, begin:end]
        norm = 0.0
        for k in range(len(row)):
            row[k] -= means[k]
            norm += np.float64(row[k]) * np.float64(row[k])
        norms[i] = norm
    return norms


# The certificate --------------------------------------------------------------------------


def _certified(gram, norms, spread, d, pool):
    """Turn ``gram`` into squared distances, in place; list the pairs that are not certified.

    Returns (squared, starts, columns): the pairs in doubt are (i, j) for the j in
    ``columns[starts[i] : starts[i + 1]]``, and their squared distances are 0 as yet.
    """
    n = len(norms)
    drift = DEPTH / 4 * ROUNDOFF
    fluctuation = 4 * DEPTH**0.5 * ROUNDOFF * np.sqrt(spread) / 2
    lost = d * 2.0**-126
    parts = list(pairwise(np.unique(np.linspace(0, n, PARTS + 1).astype(int))))
    counts = pool.map(lambda p: _certify(gram, norms, drift, fluctuation, lost, *p), parts)
    starts = np.concatenate([[0], np.cumsum(np.concatenate(list(counts)))])
    columns = np.empty(starts[-1], np.int32)
    list(pool.map(lambda p: _collect(gram, n, starts, columns, *p), parts))
    return gram, starts, columns


@kernel()
def _certify(gram, norms, drift, fluctuation, lost, first, last):
    """Replace Gram entries by squared distances, or by -1 where in doubt; count the latter."""
    n = len(norms)
    counts = np.zeros(last - first, np.int64)
    for i in range(first, last):
        before = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(i + 1, n):
            g = gram[before + j]
            squared = norms[i] + norms[j] - 2 * g
            error = 2 * (drift * abs(g) + fluctuation[i] + fluctuation[j] + lost)
            if error <= TOLERANCE * squared < np.inf:  # not so for NaN
                gram[before + j] = squared
            else:
                gram[before + j] = -1
                counts[i - first] += 1
    return counts


@kernel()
def _collect(squared, n, starts, columns, first, last):
    """List the pairs that are marked by -1, and set them to 0."""
    for i in range(first, last):
        before = i * (2 * n - i - 1) // 2 - i - 1
        at = starts[i]
        if starts[i + 1] > at:
            for j in range(i + 1, n):
                if squared[before + j] < 0:
                    squared[before + j] = 0
                    columns[at] = j
                    at += 1


# Second pass: differences -----------------------------------------------------------------


def _differences(shards, d, squared, starts, columns, pool, progress):
    """Compute the squared distances of the pairs in doubt from the differences of features."""
    needed = np.diff(starts) > 0
    needed[columns] = True
    rows, place = np.flatnonzero(needed), np.cumsum(needed) - 1
    shares = np.searchsorted(starts, np.linspace(0, starts[-1], PARTS + 1))
    parts = list(pairwise(np.unique(shares)))
    for _, width, panel in _panels(shards, rows, d, "close pairs", progress):
        args = panel, width, place, starts, columns, squared
        list(pool.map(lambda p, args=args: _subtract(*args, *p), parts))


@kernel(fastmath=REORDERED)
def _subtract(panel, width, place, starts, columns, squared, first, last):
    """Add the squared differences in ``panel`` of the pairs of rows ``first`` to ``last``."""
    n = len(starts) - 1
    for begin in range(0, width, DEPTH):  # so that rows stay in the cache
        end = min(begin + DEPTH, width)
        for i in range(first, last):
            before = i * (2 * n - i - 1) // 2 - i - 1
            x = panel[place[i], begin:end]
            for at in range(starts[i], starts[i + 1]):
                j = columns[at]
                y = panel[place[j], begin:end]
                total = 0.0
                for k in range(len(x)):
                    difference = np.float64(x[k]) - np.float64(y[k])
                    total += difference * difference
                squared[before + j] += total


# Files ------------------------------------------------------------------------------------


def _opened(path):
    """Return the shard at ``path``, having checked all but its numbers."""
    remedy = "Remove the file and run again to have it made anew."
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
        excess = os.path.getsize(path) - features.offset - features.nbytes
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file of features.") from error
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {remedy}") from error
    if excess:
        raise UserError(f"{path}: {excess} bytes longer than its header says. {remedy}")
    if features.dtype not in (np.float32, np.float16) or features.ndim != 2:
        raise UserError(
            f"{path}: holds {features.dtype} of shape {features.shape}; features are float32 or "
            f"float16, a row an image. {remedy}"
        )
    if not features.flags.c_contiguous:
        raise UserError(
            f"{path}: in Fortran order; features are in C order, a row an image: "
            "save numpy.ascontiguousarray of them."
        )
    return Shard(Path(path), features.offset, features.dtype, *features.shape)


def _checked(shards, rows):
    """Return how many rows and columns the shards have, having checked that they agree."""
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
    return n, first.columns


def _panels(shards, rows, d, description, progress):
    """Yield (first column, width, panel) of ``rows``, reading ahead while one is in use.

    A panel is float32, C order, at least ``width`` columns wide. It is the caller's to
    overwrite, until it asks for the next but one.
    """
    widest = min(d, max(LEAST, PANEL // (4 * len(rows) * DEPTH) * DEPTH))
    # Three: one is read, one centred, one multiplied. A row is a little longer than a panel is
    # wide: rows that are a power of two apart would compete for the same lines of the cache.
    panels = [np.empty((len(rows), widest + 16), np.float32) for _ in range(3)]

    def read(start):
        panels.append(panels.pop(0))
        _read(shards, rows, start, min(widest, d - start), panels[-1])
        return panels[-1]

    with (
        ThreadPoolExecutor(1) as reader,
        tqdm(total=d, desc=description, unit="column", mininterval=1, disable=not progress) as bar,
    ):
        coming = reader.submit(read, 0)
        for start in range(0, d, widest):
            panel = coming.result()
            if start + widest < d:
                coming = reader.submit(read, start + widest)
            width = min(widest, d - start)
            yield start, width, panel
            bar.update(width)


def _read(shards, rows, start, width, panel):
    """Read ``width`` columns from ``start`` on of the sorted ``rows`` into ``panel``."""
    past = 0
    for shard in shards:
        first, last = np.searchsorted(rows, [past, past + shard.rows])
        line = np.empty(width, shard.dtype)
        with open(shard.path, "rb", buffering=0) as file:
            for at in range(first, last):
                into = panel[at, :width] if shard.dtype == panel.dtype else line
                begin = (int(rows[at]) - past) * shard.columns + start
                read = os.preadv(file.fileno(), [into], shard.offset + begin * line.itemsize)
                if read != line.nbytes:
                    raise UserError(
                        f"{shard.path}: cut short while it was read. Remove the file and run "
                        "again to have it made anew."
                    )
                if into is line:
                    panel[at, :width] = line
        past += shard.rows


def _refuse_nonfinite(shards, start, width):
    """Raise if there is a NaN or an infinity in these columns of the shards."""
    for shard in shards:
        features = np.load(shard.path, mmap_mode="r", allow_pickle=False)
        for row, values in enumerate(features[:, start : start + width]):
            finite = np.isfinite(values)
            if not finite.all():
                column = int(np.argmin(finite))
                raise UserError(
                    f"{shard.path}: feature {start + column + 1} of row {row + 1} is "
                    f"{values[column]}; features must be finite numbers. Look at that image and "
                    "at the network's preprocessing; float16 ends at 65504."
                )


def _write(squared, path):
    """Write the roots of ``squared`` as a float32 ``.npy``."""
    with open(path, "wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": squared.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(squared), STRETCH):
            with np.errstate(over="ignore"):
                roots = np.sqrt(squared[start : start + STRETCH]).astype("<f4")
            if not np.isfinite(roots).all():
                raise UserError(
                    "features: so large that distances exceed what float32 holds (3e38). "
                    "Scale them down."
                )
            file.write(roots)
