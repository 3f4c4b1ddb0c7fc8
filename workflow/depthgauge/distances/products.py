"""Inner products of all pairs, in single precision where it is fast, summed in double."""

import ctypes
from ctypes import byref
from functools import cache

import numpy as np
from scipy.linalg import cython_blas

from ..kernels import kernel
from .panels import DEPTH, RUN, panels, read_rows
from .shards import refuse_nonfinite

# Images, evenly spread, of which the mean is the origin. Distances do not depend on it; how far
# products cancel does, and so many are within a few percent of the mean of all.
ORIGIN = 32


def products(shards, n, d, rows, tiles, pool, progress):
    """Return the inner products of the centred features, a tile at a time, and their norms.

    Parameters
    ----------
    shards : list of Shard
        Of ``n`` images, ``d`` features each.
    rows : (m,) int array
    tiles : list of Tile
        Of pairs of ``rows``.
    pool : Executor
    progress : bool

    Returns
    -------
    totals : list of float64 array
        The inner products of each tile; of one on the diagonal, its upper half.
    norms, fourths : (m,) float64 array
        |x|^2, and the sum of |x_p|^4 over the blocks p of columns.

    Raises
    ------
    UserError
        For a feature that is not finite.
    """
    some = np.unique(np.linspace(0, n - 1, min(n, ORIGIN)).astype(int))

    def origin(start, stop):
        lines = np.empty((len(some), stop - start), np.float32)
        read_rows(shards, some, start, stop, lines)
        return lines.mean(axis=0, dtype=np.float64).astype(np.float32)

    totals = [np.zeros((t.bottom - t.top, t.right - t.left)) for t in tiles]
    norms, fourths = np.zeros(len(rows)), np.zeros(len(rows))
    under_way, last = [], [None] * len(tiles)
    with np.errstate(all="ignore"):  # what is not finite is looked at below
        for start, stop, panel in panels(
            shards, rows, d, pool, origin, norms, fourths, "distances", progress
        ):
            if not np.isfinite(norms).all():
                refuse_nonfinite(shards, start, stop)
            before, under_way = under_way, []
            for at in range(0, stop - start, RUN * DEPTH):
                run = panel[:, at : min(at + RUN * DEPTH, stop - start)]
                for t, (tile, total) in enumerate(zip(tiles, totals, strict=True)):
                    last[t] = pool.submit(_multiply, run, tile, total, last[t])
                    under_way.append(last[t])
            for task in before:  # their panel is overwritten next
                task.result()
        for task in under_way:
            task.result()
    return totals, norms, fourths


def _multiply(run, tile, total, before):
    """Add the inner products of one tile, over a run of columns, to ``total``.

    They are made beside others of the same tile, but added when ``before``, the task of the run
    before, has ended: always in the same order.
    """
    diagonal = tile.top == tile.left
    product = np.empty(total.shape, np.float32)
    for at in range(0, run.shape[1], DEPTH):
        rows = run[tile.top : tile.bottom, at : at + DEPTH]
        columns = rows if diagonal else run[tile.left : tile.right, at : at + DEPTH]
        # What overflows is not certified, and is computed once more.
        inner_products(rows, columns, product, add=at > 0)
    if before:
        before.result()
    _add(product, total, diagonal)


@kernel()
def _add(product, total, diagonal):
    for i in range(len(product)):
        first = i if diagonal else 0
        row, onto = product[i, first:], total[i, first:]
        for j in range(len(row)):
            onto[j] += row[j]


def _routine(name, arguments):
    """Return a routine of SciPy's BLAS; called by ctypes, it lets go of the interpreter's lock."""
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = cython_blas.__pyx_capi__[name]
    address = pointer_of(capsule, name_of(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


_sgemm, _ssyrk = _routine("sgemm", 13), _routine("ssyrk", 10)
_ONE, _ZERO = byref(ctypes.c_float(1)), byref(ctypes.c_float(0))


def inner_products(x, y, out, *, add):
    """Write to ``out`` the inner products of the rows of ``x`` and those of ``y``.

    Where ``y`` is ``x`` half of them are made. NumPy, asked for x x', copies them to the other
    half as well, which takes it a tenth of the time; here that half is left as it was.

    Parameters
    ----------
    x : (m, c) float32 array
    y : (n, c) float32 array
    out : (m, n) float32 array
        Rows of all three are contiguous. If ``y is x``, the half above the diagonal and the
        diagonal are written.
    add : bool
        Add them to what ``out`` holds.
    """
    # BLAS counts columns first: out' = y x', with the transposes of what it is given.
    m, c = (_integer(size) for size in x.shape)
    one, other, to = (_address(array) for array in (x, y, out))
    kept = _ONE if add else _ZERO
    if y is x:
        _ssyrk(b"L", b"T", m, c, _ONE, *one, kept, *to)
    else:
        _sgemm(b"T", b"N", _integer(len(y)), m, c, _ONE, *other, *one, kept, *to)


def _address(array):
    return array.ctypes.data, _integer(array.strides[0] // array.itemsize)


@cache
def _integer(value):
    return byref(ctypes.c_int(value))
