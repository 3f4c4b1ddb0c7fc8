"""Weights in a file that torch wrote before its version 1.6, without torch and without its code.

Such a file is five pickles and then, one after the other, the bytes of the storages in which the
tensors lie. A pickle may name any function to be called; here it may name a table and the four
things that a tensor is made of, all of which are functions of this module.
"""

import pickle
from collections import OrderedDict

import numpy as np

from ..errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"}
_STORAGES |= {"LongStorage": "<i8", "IntStorage": "<i4"}


def read_torch_file(path):
    """Return {name: array} of the tensors in a file of weights (a ``state_dict``).

    Raises
    ------
    UserError
        If the file is missing, of another kind, cut short, or names anything but tensors.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except (OSError, EOFError, ValueError, TypeError, KeyError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{path}: is not a whole file of weights as torch wrote them before version 1.6 "
            f"({error})."
        ) from error


def _read(file):
    magic = _Tensors(file).load()
    if magic != _MAGIC:
        raise ValueError("it does not begin as one")
    _, machine = _Tensors(file).load(), _Tensors(file).load()
    if not machine["little_endian"]:
        raise ValueError("it was written on a big-endian machine")
    reader = _Tensors(file)
    tensors = reader.load()
    storages = {}
    for key in _Tensors(file).load():
        kind, length = reader.storages[key]
        dtype = np.dtype(kind)
        if int.from_bytes(file.read(8), "little") != length:
            raise ValueError(f"storage {key} has another length than its tensors state")
        data = file.read(length * dtype.itemsize)
        storages[key] = np.frombuffer(data, dtype, length)
    return {name: _tensor(storages, *parts) for name, parts in tensors.items()}


def _tensor(storages, key, offset, shape, strides):
    values = storages[key][offset:]
    reach = sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if min(shape, default=1) < 1 or min(strides, default=1) < 0 or reach >= len(values):
        raise ValueError(f"a tensor of shape {shape} does not lie within storage {key}")
    steps = [stride * values.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values, shape, steps, writeable=False).copy()


class _Tensors(pickle.Unpickler):
    """Reads tensors as (storage, offset, shape, strides), and calls nothing of anyone's."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        known = {"torch._utils": {"_rebuild_tensor_v2": _parts}}
        known["collections"] = {"OrderedDict": OrderedDict}
        if name not in known.get(module, {}):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module][name]

    def persistent_load(self, reference):
        _, kind, key, _, length, _ = reference
        self.storages[key] = (kind, length)
        return key


def _parts(key, offset, shape, strides, *_):
    return key, offset, shape, strides
