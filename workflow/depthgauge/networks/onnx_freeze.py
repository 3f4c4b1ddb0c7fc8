"""An ONNX file written as the one graph that features are computed by, its layers described."""

import numpy as np

from ..errors import UserError
from ..files import atomic
from .channels import channels_last
from .description import write_description
from .dims import check_dims
from .nodes import write_nodes
from .onnx_digest import onnx_digests
from .onnx_file import cut, onnx
from .onnx_network import OnnxNetwork
from .tokens import one_before_a_square, tokens_before


def freeze_onnx(name, spec, path, graph, layers, nodes=None):
    """Write extractor ``name``, the ONNX file at ``path``, as ``build_network`` does other kinds.

    ``input`` takes float32 RGB 0-255 of [N, height, width, 3]; where the file computes one image at
    a time, N is 1. Layers are [height, width, channels] or [tokens, channels], in this order also
    where the file has the channels first.

    Raises
    ------
    UserError
        As :class:`.onnx_network.OnnxNetwork`; for a dimension other than the one under ``dims``,
        or more ``prefix_tokens`` than a layer has tokens; for a graph of 2 GB or more.
    """
    network = OnnxNetwork(name, spec, path)
    described = []
    for layer, value in network.layer_values().items():
        tensor = network.layers[layer]
        axis = network.axes.get(tensor, value.ndim - 1)
        shape = channels_last(value.shape, axis)
        described.append(
            {"layer": layer, "tensor": tensor, "shape": shape, "dim": int(np.prod(shape))}
        )
        _add_poolings(name, network.model, described[-1], axis, value, spec.get("prefix_tokens"))
    check_dims(name, spec.get("dims", {}), described)
    tensors = [one["tensor"] for layer in described for one in layer["poolings"].values()]
    model = cut(network.model, tensors)
    digests = onnx_digests(model, tensors)
    try:
        content = model.SerializeToString(deterministic=True)
    except Exception as error:  # of protobuf, whichever implementation that has
        raise UserError(
            f"extractor {name}: {path} has 2 GB of weights or more, too many for one ONNX file; "
            "use a smaller network, or one in half precision."
        ) from error
    with atomic(graph) as beside:
        beside.write_bytes(content)
    if nodes is not None:
        known = {one for node in model.graph.node for one in node.output} | {"input"}
        write_nodes([node for node in network.nodes if node.name in known], nodes)
    write_description(layers, name, graph, network.resizing, described, digests, network.chosen)


def _add_poolings(name, model, layer, axis, value, prefix_tokens):
    """Add a layer's poolings to the model, and note them in ``layer`` as ``add_poolings`` does."""
    shape, rank = layer["shape"], value.ndim
    layer["poolings"] = {}

    def add(pooling, op, source, *values, **attributes):
        place = sum(node.name.startswith("depthgauge/pool") for node in model.graph.node)
        output = f"depthgauge/pool_{place}"
        names = [f"{output}_{i}" for i in range(len(values))]
        for one, of_one in zip(names, values, strict=True):
            model.graph.initializer.append(onnx.numpy_helper.from_array(of_one, one))
        model.graph.node.append(
            onnx.helper.make_node(op, [source, *names], [output], name=output, **attributes)
        )
        if pooling:
            dim = layer["dim"] if pooling == "flat" else shape[-1]
            layer["poolings"][pooling] = {"tensor": output, "dim": dim}
        return output

    tensor = layer["tensor"]
    if value.dtype != np.float32:
        tensor = add("flat", "Cast", tensor, to=onnx.TensorProto.FLOAT)
    if axis != rank - 1:
        order = [one for one in range(rank) if one != axis] + [axis]
        tensor = add("flat", "Transpose", tensor, perm=order)
    layer["poolings"]["flat"] = {"tensor": tensor, "dim": layer["dim"]}
    if np.prod(shape[:-1]) <= 1:
        return
    patches = tensor
    if len(shape) == 2:
        counted = one_before_a_square(layer["shape"][0])
        before = layer["prefix_tokens"] = tokens_before(name, layer, prefix_tokens, counted)
        if before:
            patches = add(None, "Gather", tensor, np.arange(before, shape[0]), axis=1)
    positions = list(range(1, rank - 1))
    opset = max(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    if opset >= 18:  # axes became an input
        add("mean", "ReduceMean", patches, np.int64(positions), keepdims=0)
    else:
        add("mean", "ReduceMean", patches, axes=positions, keepdims=0)
    if layer.get("prefix_tokens"):
        add("cls", "Gather", tensor, np.int64(0), axis=1)
