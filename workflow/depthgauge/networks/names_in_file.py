"""What a file of a network calls its layers, read without what would run it."""

import json
import mmap
import zipfile

# Extractors that a file is of.
KINDS = ("keras_file", "frozen_graph", "onnx")
_NESTED = ("Functional", "Sequential", "Model")


def names_in_file(kind, path):
    """Return the names that the config may have for layers, or tensors without ``:0``, in order.

    What runs a network takes seconds to import; its names are a small part of its file.

    Parameters
    ----------
    kind : str
        Of the extractor: keras_file, frozen_graph or onnx; of all others nothing is known.
    path : path

    Returns
    -------
    list of str or None
        None, where only what runs the network can tell: an archive, layers of classes that are not
        Keras' own, functions of an ONNX model's own; or a file that is none of the kind.
    """
    read = {"keras_file": _keras_names, "frozen_graph": _graph_names, "onnx": _onnx_names}.get(kind)
    try:
        return list(read(path)) or None if read else None
    except Exception:  # whatever reads what is no such file, or is damaged, raises what it likes
        return None


def _keras_names(path):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            return _layers_of(json.loads(file.read("config.json")))
    import h5py  # which only a .h5 needs

    with h5py.File(path) as file:
        return _layers_of(json.loads(file.attrs["model_config"]))


def _layers_of(model, above=""):
    """Return the paths of the layers of a model, of which Keras 3 says where each class is from."""
    names = []
    for layer in model["config"]["layers"]:
        if not str(layer.get("module") or "keras").startswith("keras"):
            raise LookupError("what layers it has within itself its own code knows")
        names.append(above + layer["config"]["name"])
        if layer["class_name"] in _NESTED:
            names += _layers_of(layer, f"{names[-1]}/")
    return names


def _graph_names(path):
    # GraphDef.node = 1, NodeDef.name = 1
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, *node in _fields(data, 0, len(data)):
            if number == 1:
                names = (place for number, *place in _fields(data, *node) if number == 1)
                yield from (_text(data, *place) for place in names)


def _onnx_names(path):
    # ModelProto.graph = 7 and .functions = 25, GraphProto.node = 1, NodeProto.output = 2, .name = 3
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, *graph in _fields(data, 0, len(data)):
            if number == 25:
                raise LookupError("its functions are yet to be written out")
            for number_within, *node in _fields(data, *graph) if number == 7 else ():
                for number, *name in _fields(data, *node) if number_within == 1 else ():
                    if number in (2, 3):
                        yield _text(data, *name)


def _text(data, start, end):
    return data[start:end].decode()


def _fields(data, start, end):
    """Yield (number, start, end) of the fields of a Protocol Buffers message that have a length.

    Their wire format: https://protobuf.dev/programming-guides/encoding/
    """
    while start < end:
        key, start = _varint(data, start)
        kind = key & 7
        if kind == 0:
            _, start = _varint(data, start)
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, start = _varint(data, start)
            yield key >> 3, start, start + size
        start += size
    if start != end:
        raise ValueError("it is cut short")


def _varint(data, start):
    value = shift = 0
    while True:
        byte = data[start]
        value |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return value, start
