"""Many pieces of a file into memory, without the interpreter's lock between one and the next.

Threads that read row after row by ``os.preadv`` wait for each other's turn at the interpreter
for longer than they read.
"""

import os

import numpy as np
from numba import types

from ..kernels import REORDERED, kernel

# Of the C library: pread(2) and posix_fadvise(2). Buffers are given by their addresses.
_pread = types.ExternalFunction(
    "pread", types.intp(types.intc, types.uintp, types.uintp, types.int64)
)
_posix_fadvise = types.ExternalFunction(
    "posix_fadvise", types.intc(types.intc, types.int64, types.int64, types.intc)
)
# All numbers that there are in half precision, by their bits.
_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


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
