"""Panels: the features of some images, some columns at a time, read while others are used.

The rows of a panel are read by a compiled kernel, without the interpreter's lock: threads that
read row after row by ``os.preadv`` wait for that lock longer than they read.
"""

import os
from itertools import cycle, pairwise, zip_longest

import numpy as np
from numba import types
from tqdm import tqdm

from ..errors import UserError
from ..kernels import REORDERED, kernel
from .shards import REMEDY

# Columns of one matrix product: fewer are more accurate, more are faster.
DEPTH = 320
# Products that are added up in single precision before their sum is added in double.
RUN = 8
# Bytes that a panel should have, and the runs that it has at least, however many the images: so
# that some 20 kB of each are read at once.
PANEL = 32 << 20
LEAST = 2
# Tasks that the reading of a panel is cut into, at most.
TASKS = 8

# Of the C library: pread(2) and posix_fadvise(2). Buffers are given by their addresses.
_pread = types.ExternalFunction(
    "pread", types.intp(types.intc, types.uintp, types.uintp, types.int64)
)
_posix_fadvise = types.ExternalFunction(
    "posix_fadvise", types.intc(types.intc, types.int64, types.int64, types.intc)
)
# All numbers that there are in half precision, by their bits.
_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


def panels(shards, rows, d, pool, shifts, norms, fourths, description, progress):
    """Yield (start, stop, panel): columns ``start`` to ``stop`` of the features of ``rows``.

    A panel is a float32 array of C order, one row per image; what it holds beyond those columns
    means nothing. It begins where a run does. It is the caller's until the next but one is asked
    for: ``pool`` reads the two that follow meanwhile, and has the next one done before it comes
    to what the caller submits for this one.

    Parameters
    ----------
    shards : list of Shard
    rows : (m,) int array
        Images, ascending.
    d : int
        Columns in all.
    pool : Executor
    shifts : callable
        ``shifts(start, stop)`` returns the float32 numbers to subtract from these columns.
    norms, fourths : (m,) float64 array
        |x_p|^2 and |x_p|^4 of the parts x_p of each row in every block p are added to these.
    description : str
        For the bar on stderr, shown if ``progress``.
    """
    m = len(rows)
    run = RUN * DEPTH
    widest = min(d, run * max(LEAST, PANEL // (4 * m * run)))
    # A few numbers longer, or rows could be a power of two apart and compete for cache lines.
    buffers = cycle([np.empty((m, widest + 16), np.float32) for _ in range(3)])
    shares = np.unique(np.linspace(0, m, TASKS + 1).astype(int))

    def reading(start):
        panel, stop = next(buffers), min(start + widest, d)
        powers = np.zeros((m, -(-(stop - start) // run), 2))
        shift = shifts(start, stop)
        ahead = min(widest, d - stop)

        def share(first, last):
            def centred(at, *pieces):
                return read_centred(*pieces, shift, powers[first + at : last], DEPTH, RUN)

            read_rows(shards, rows[first:last], start, stop, panel[first:last], ahead, centred)

        tasks = [pool.submit(share, *ends) for ends in pairwise(shares.tolist())]
        return stop, panel, powers, tasks

    starts = range(0, d, widest)
    coming = [reading(start) for start in starts[:2]]
    with tqdm(total=d, desc=description, unit="column", mininterval=1, disable=not progress) as bar:
        for start, later in zip_longest(starts, starts[2:]):
            stop, panel, powers, tasks = coming.pop(0)
            for task in tasks:
                task.result()
            for norm, fourth in powers.transpose(1, 2, 0):  # in order, however wide the panel is
                norms += norm
                fourths += fourth
            yield start, stop, panel
            if later is not None:
                coming.append(reading(later))
            bar.update(stop - start)


def read_rows(shards, rows, start, stop, into, ahead=0, read=None):
    """Fill ``into`` with columns ``start`` to ``stop`` of some images.

    Parameters
    ----------
    shards : list of Shard
    rows : (m,) int array
        Images, ascending.
    start, stop : int
    into : (m, >= stop - start) float32 array of C order
    ahead : int
        How many columns more the system may begin to read.
    read : callable, optional
        ``read(at, ...)`` reads from the ``at``-th row on, else as
        :func:`read_pieces` does.

    Raises
    ------
    UserError
        If a shard has become shorter.
    """
    read = read or (lambda at, *pieces: read_pieces(*pieces))
    past, columns = 0, stop - start
    for shard in shards:
        first, last = np.searchsorted(rows, [past, past + shard.rows]).tolist()
        if first < last:
            size = shard.dtype.itemsize
            places = shard.offset + size * ((rows[first:last] - past) * shard.columns + start)
            halves = np.empty(columns if size == 2 else 0, np.uint16)
            with open(shard.path, "rb", buffering=0) as file:
                while first < last:
                    left = places[first - last :], into[first:last], columns, halves, size * ahead
                    first += read(first, file.fileno(), *left)
                    if first < last:  # it is cut short; or there was but a signal, and once more
                        _refuse_short(shard, file, places[first - last], size * columns)
        past += shard.rows


def _refuse_short(shard, file, place, size):
    file.seek(place)
    if len(file.read(size)) < size:
        raise UserError(f"{shard.path}: cut short while it was read. {REMEDY}")


@kernel()
def read_pieces(file, places, into, columns, halves, ahead):
    """Fill rows of ``into`` with what is at their places in ``file``; stop if one cannot be read.

    Parameters
    ----------
    file : int
        A file descriptor.
    places : (m,) int64 array
        Offsets in bytes.
    into : (m, >= columns) float32 array of C order
    columns : int
        Numbers of a piece.
    halves : (columns,) or (0,) uint16 array
        Where the file holds float16: room for a piece of it.
    ahead : int
        Bytes behind each piece that the system may begin to read.

    Returns
    -------
    done : int
        How many pieces were read before one ended too soon, or failed.
    """
    for i in range(len(places)):
        if not _read(file, places[i], into[i, :columns], halves, ahead):
            return i
    return len(places)


@kernel(fastmath=REORDERED)
def read_centred(file, places, into, columns, halves, ahead, shift, powers, depth, run):
    """Do as :func:`read_pieces`, but subtract ``shift``, while a piece is in the cache.

    Parameters
    ----------
    shift : (columns,) float32 array
    powers : (m, runs, 2) float64 array
        To these |x|^2 and |x|^4 are added of each block x of ``depth`` columns of a row, of which
        ``run`` make a run.
    """
    for i in range(len(places)):
        piece = into[i, :columns]
        if not _read(file, places[i], piece, halves, ahead):
            return i
        for block in range(-(-columns // depth)):
            line = piece[block * depth : (block + 1) * depth]
            less = shift[block * depth : (block + 1) * depth]
            norm = 0.0
            for k in range(len(line)):
                value = line[k] - less[k]
                line[k] = value
                norm += np.float64(value) * np.float64(value)
            powers[i, block // run, 0] += norm
            powers[i, block // run, 1] += norm * norm
    return len(places)


@kernel()
def _read(file, place, into, halves, ahead):
    """Fill ``into`` as :func:`read_pieces` does a row; return whether it could be read."""
    raw, size = (halves.ctypes.data, 2) if len(halves) else (into.ctypes.data, 4)
    size *= len(into)
    if _pread(file, raw, size, place) != size:
        return False
    if ahead:
        _will_need(file, place + size, ahead)
    for i in range(len(halves)):
        into[i] = _HALVES[halves[i]]
    return True


if hasattr(os, "posix_fadvise"):
    _WILLNEED = os.POSIX_FADV_WILLNEED

    @kernel()
    def _will_need(file, place, size):
        _posix_fadvise(file, place, size, _WILLNEED)

else:  # as on macOS

    @kernel()
    def _will_need(file, place, size):
        pass
