"""Fold a frozen graph: constants into one node each, batch norms into the convolutions."""

import numpy as np

from .tensorflow_setup import Session, extract_sub_graph
from .tensorflow_whole import tf

CONVOLUTIONS = {"Conv2D", "DepthwiseConv2dNative"}
BATCH_NORMS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
NEVER_CONSTANT = {"Placeholder", "RandomUniform", "RandomStandardNormal", "StatelessRandomUniform"}


def fold(graph_def, outputs):
    """Return an equivalent, smaller GraphDef for inference.

    Every tensor that does not depend on a placeholder becomes a Const; a batch norm that
    follows a convolution (`BatchNormWithGlobalNormalization`, which TensorFlow 2 no longer
    runs, `FusedBatchNorm*`, or the multiplication and addition into which Keras 3 lowers
    it) is folded into the weights: w' = w g / sqrt(v + e), b' = b - m g / sqrt(v + e)
    (Ioffe & Szegedy 2015, algorithm 2), computed in float64.

    Parameters
    ----------
    graph_def : GraphDef
    outputs : list of str
        Names of the nodes to keep; the rest is dropped unless they need it.
    """
    graph_def = extract_sub_graph(graph_def, outputs)
    _read_constants_themselves(graph_def)
    _fold_batch_norms(graph_def)
    graph_def = _fold_constants(graph_def, outputs)
    _fold_affine(graph_def, outputs)
    return extract_sub_graph(graph_def, outputs)


def node_name(tensor):
    """Return the name of the node that a NodeDef input or a tensor name refers to."""
    return tensor.lstrip("^").split(":")[0]


def readers_of(graph_def):
    """Return the nodes that read each node, by its name; one that reads it twice, twice."""
    readers = {}
    for node in graph_def.node:
        for source in node.input:
            readers.setdefault(node_name(source), []).append(node)
    return readers


def constant(nodes, tensor):
    """Return the array that a tensor always is, or None; ``nodes`` is {name: node}."""
    node = nodes[node_name(tensor)]
    return tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None


def _read_constants_themselves(graph_def):
    """Have nodes read constants, in place, not identities of them."""
    nodes = {node.name: node for node in graph_def.node}
    for node in graph_def.node:
        for i, source in enumerate(node.input):
            origin = nodes[node_name(source)]
            while origin.op == "Identity":
                origin = nodes[node_name(origin.input[0])]
            if origin.op == "Const" and not source.startswith("^"):
                node.input[i] = origin.name


def _fold_batch_norms(graph_def):
    """Rewrite each batch-norm node, in place, as Mul by and AddV2 of constant vectors."""
    nodes = {node.name: node for node in graph_def.node}
    for node in list(graph_def.node):
        if node.op == "BatchNormWithGlobalNormalization":
            x, mean, variance, beta, gamma = node.input[:5]
            epsilon = node.attr["variance_epsilon"].f
            scaled = node.attr["scale_after_normalization"].b
        elif node.op in BATCH_NORMS and not node.attr["is_training"].b:
            x, gamma, beta, mean, variance = node.input[:5]
            epsilon, scaled = node.attr["epsilon"].f, True
        else:
            continue
        values = [constant(nodes, name) for name in (mean, variance, beta, gamma)]
        if any(value is None for value in values):
            continue
        mean, variance, beta, gamma = (value.astype(np.float64) for value in values)
        scale = (gamma if scaled else 1.0) / np.sqrt(variance + epsilon)
        name = node.name
        _add_constant(graph_def, f"{name}/scale", scale)
        _add_constant(graph_def, f"{name}/shift", beta - mean * scale)
        _add_node(graph_def, f"{name}/scaled", "Mul", [x, f"{name}/scale"])
        node.Clear()
        _set_node(node, name, "AddV2", [f"{name}/scaled", f"{name}/shift"])


def _fold_constants(graph_def, outputs):
    """Evaluate every constant tensor that a varying node reads; return the smaller graph."""
    nodes = {node.name: node for node in graph_def.node}
    varying = {}
    for node in graph_def.node:  # depth first, without recursion: graphs are deep
        stack = [node.name]
        while stack:
            name = stack[-1]
            if name in varying:
                stack.pop()
                continue
            sources = [node_name(source) for source in nodes[name].input]
            unknown = [source for source in sources if source not in varying]
            if unknown:
                stack.extend(unknown)
                continue
            varying[name] = nodes[name].op in NEVER_CONSTANT or any(varying[s] for s in sources)
            stack.pop()
    read = sorted(
        {
            source if ":" in source else f"{source}:0"
            for node in graph_def.node
            if varying[node.name]
            for source in node.input
            if not source.startswith("^")
            and not varying[node_name(source)]
            and nodes[node_name(source)].op != "Const"
        }
    )
    if not read:
        return graph_def
    needed = extract_sub_graph(graph_def, [node_name(t) for t in read])
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(needed, name="")
        with Session(graph=graph) as session:
            values = session.run(read)
    folded = {}
    for tensor, value in zip(read, values, strict=True):
        folded[tensor] = tensor.replace(":", "/folded_")
        _add_constant(graph_def, folded[tensor], value)
    for node in graph_def.node:
        if not varying.get(node.name):
            continue
        inputs = [source for source in node.input if not source.startswith("^")]
        del node.input[:]
        node.input.extend(folded.get(s if ":" in s else f"{s}:0", s) for s in inputs)
    return extract_sub_graph(graph_def, outputs)


def _fold_affine(graph_def, outputs):
    """Fold what follows a convolution, sums with and products by constants, into it."""
    nodes = {node.name: node for node in graph_def.node}
    readers = readers_of(graph_def)
    for convolution in list(graph_def.node):
        if convolution.op not in CONVOLUTIONS or _data_format(convolution) != "NHWC":
            continue
        weights = constant(nodes, convolution.input[1])
        if weights is None:
            continue
        shape = weights.shape[-2:] if "Depthwise" in convolution.op else weights.shape[-1:]
        channels = int(np.prod(shape))
        scale, shift, last = np.ones(channels), np.zeros(channels), convolution
        while last.name not in outputs and len(readers[last.name]) == 1:
            following = readers[last.name][0]
            value = _constant_operand(nodes, following, last.name)
            if value is None or not _is_per_channel(value, channels):
                break
            value = value.ravel().astype(np.float64)
            if following.op == "Mul":
                scale, shift = scale * value, shift * value
            else:
                shift = shift + value
            last = following
        if last is convolution:
            continue
        name = last.name
        _add_constant(graph_def, f"{name}/weights", weights * scale.reshape(shape))
        _add_constant(graph_def, f"{name}/bias", shift)
        convolution.input[1] = f"{name}/weights"
        last.Clear()
        # BiasAdd is what TensorFlow's own optimiser fuses with the convolution and the ReLU.
        _set_node(last, name, "BiasAdd", [convolution.name, f"{name}/bias"])


def _data_format(node):
    return node.attr["data_format"].s.decode() or "NHWC"


def _is_per_channel(value, channels):
    """Return whether a constant is one number, or one for each channel, along the last axis.

    As many numbers along the height or the width, [channels, 1, 1], are something else.
    """
    return value.size == 1 or (value.size == channels and value.shape[-1] == channels)


def _constant_operand(nodes, node, source):
    """Return the constant that ``node`` adds to, or multiplies, the tensor ``source`` by."""
    if node.op not in ("Mul", "AddV2", "Add", "BiasAdd"):
        return None
    others = [other for other in node.input if node_name(other) != source]
    return constant(nodes, others[0]) if len(others) == 1 else None


def _add_constant(graph_def, name, value):
    value = np.asarray(value)
    if value.dtype == np.float64:
        value = value.astype(np.float32)
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def _add_node(graph_def, name, op, inputs):
    _set_node(graph_def.node.add(), name, op, inputs)


def _set_node(node, name, op, inputs):
    node.name, node.op = name, op
    node.input.extend(inputs)
    node.attr["T"].type = tf.float32.as_datatype_enum
