"""The graph that goes from images to the finished vectors of one reading of a layer."""

from pathlib import Path

import numpy as np

from ..files import atomic

_NAME = "depthgauge/vector"


def write_vector_graph(graph, output, tensor, dim, mean=None):
    """Write a network's graph, cut at one of its tensors, which gives the vectors of a reading.

    It takes images as ``graph`` does, and gives float32 [N, dim]. With a mean, vectors are centred
    on it and scaled to length one, both in double precision; one that is the mean stays zero.

    Parameters
    ----------
    graph : path
        As ``build_network`` wrote it: ``.onnx``, or a frozen TensorFlow graph.
    output : path
        To write, with the same suffix.
    tensor : str
        That of a pooling of a layer.
    dim : int
        Its values of an image.
    mean : float64 array [dim], optional

    Returns
    -------
    str
        The tensor of the vectors.
    """
    add = _to_onnx if Path(graph).suffix == ".onnx" else _to_tensorflow
    extended, made = add(graph, tensor, dim, mean)
    with atomic(output) as beside:
        beside.write_bytes(extended.SerializeToString(deterministic=True))
    return made


def _to_tensorflow(path, tensor, dim, mean):
    from .graph import read_graph, with_added
    from .tensorflow_setup import (
        Graph,
        array_ops,
        extract_sub_graph,
        import_graph_def,
        math_ops,
    )

    graph_def = read_graph(path)
    with Graph().as_default() as graph:
        import_graph_def(graph_def, name="")
        vectors = array_ops.reshape(graph.get_tensor_by_name(tensor), [-1, dim])
        if mean is not None:
            vectors = math_ops.cast(vectors, np.float64) - np.asarray(mean, np.float64)
            lengths = math_ops.sqrt(math_ops.reduce_sum(vectors * vectors, axis=1, keepdims=True))
            vectors = math_ops.cast(math_ops.div_no_nan(vectors, lengths), np.float32)
        vectors = array_ops.identity(vectors, name=_NAME)
    extended = with_added(graph_def, graph)
    return extract_sub_graph(extended, [vectors.op.name]), vectors.name


def _to_onnx(path, tensor, dim, mean):
    from .onnx_file import cut, onnx, read_onnx

    model = read_onnx(path)
    graph, at = model.graph, tensor

    def add(op, *others, **attributes):
        nonlocal at
        output = f"{_NAME}_{op}"
        graph.node.append(onnx.helper.make_node(op, [at, *others], [output], output, **attributes))
        at = output

    add("Flatten", axis=1)
    if mean is not None:
        mean = np.asarray(mean, np.float64)
        graph.initializer.append(onnx.numpy_helper.from_array(mean, f"{_NAME}_mean"))
        add("Cast", to=onnx.TensorProto.DOUBLE)
        add("Sub", f"{_NAME}_mean")
        add("LpNormalization", axis=1, p=2)
        output = onnx.helper.make_node("Cast", [at], [_NAME], _NAME, to=onnx.TensorProto.FLOAT)
    else:
        output = onnx.helper.make_node("Identity", [at], [_NAME], _NAME)
    graph.node.append(output)
    smaller = cut(model, [_NAME])
    del smaller.graph.output[:]
    kind = onnx.TensorProto.FLOAT
    smaller.graph.output.append(onnx.helper.make_tensor_value_info(_NAME, kind, ["N", dim]))
    return smaller, _NAME
