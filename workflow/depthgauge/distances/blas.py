"""Inner products by SciPy's BLAS, without the interpreter's lock, so that threads share work."""

import ctypes
from ctypes import byref
from functools import cache

from scipy.linalg import cython_blas


def _routine(name, arguments):
    """Return a routine of BLAS: SciPy offers them as capsules, and ctypes lets go of the lock."""
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
