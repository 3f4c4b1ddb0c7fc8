"""Many pieces of a file into memory, without the interpreter's lock between one and the next.

Threads that read row after row by ``os.preadv`` wait for each other's turn at the interpreter
for longer than they read.
"""

import os

import numpy as np
from numba import types

from ..kernels import kernel

# Of the C library: pread(2) and posix_fadvise(2). Buffers are given by their addresses.
_pread = types.ExternalFunction(
    "pread", types.intp(types.intc, types.uintp, types.uintp, types.int64)
)
_posix_fadvise = types.ExternalFunction(
    "posix_fadvise", types.intc(types.intc, types.int64, types.int64, types.intc)
)


def read_pieces(file, places, into, ahead=0):
    """Fill each row of ``into`` with what is at its place in ``file``.

    Parameters
    ----------
    file : int
        A file descriptor.
    places : (m,) int64 array
        Offsets in bytes.
    into : (m, c) array of C order
    ahead : int
        Bytes behind each piece that the system may begin to read.

    Raises
    ------
    EOFError
        If the file ends before a piece does.
    OSError
        If it cannot be read.
    """
    into = into.view(np.uint8)
    done = _read(file, places, into, ahead)
    while done < len(into):  # once more, for Python to say what it was, or to go on after a signal
        if os.preadv(file, [into[done]], int(places[done])) < into.shape[1]:
            raise EOFError
        done += 1 + _read(file, places[done + 1 :], into[done + 1 :], ahead)


@kernel()
def _read(file, places, into, ahead):
    """Return how many pieces were read before one failed."""
    size = into.shape[1]
    for i in range(len(into)):
        if _pread(file, into[i].ctypes.data, size, places[i]) != size:
            return i
        if ahead:
            _will_need(file, places[i] + size, ahead)
    return len(into)


if hasattr(os, "posix_fadvise"):
    _WILLNEED = os.POSIX_FADV_WILLNEED

    @kernel()
    def _will_need(file, place, size):
        _posix_fadvise(file, place, size, _WILLNEED)

else:  # as on macOS

    @kernel()
    def _will_need(file, place, size):
        pass
