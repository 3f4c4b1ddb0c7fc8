"""The waists of a network: the tensors through which everything flows from images to output."""

from ..errors import UserError

# How many `layers: auto` takes.
USUAL = 6

# What mixes values by weights or over positions: what comes out is another thing than went in.
_MIXING = {
    *("Conv", "ConvTranspose", "MatMul", "Gemm", "Conv2D", "DepthwiseConv2dNative", "Einsum"),
    *("ConvInteger", "QLinearConv", "MatMulInteger", "QLinearMatMul", "FusedConv", "BatchMatMulV2"),
    *("Conv2DBackpropInput", "BatchMatMul", "Attention", "MultiHeadAttention", "XlaDot"),
    *("_FusedConv2D", "_FusedMatMul"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPoolV2", "AvgPool"),
}
_REDUCING = {"ReduceMean", "ReduceMax", "ReduceSum", "Mean", "Max", "Sum", "SquaredDifference"}
_NORMALISING = {
    *("LayerNormalization", "GroupNormalization", "InstanceNormalization"),
    *("RMSNormalization", "SimplifiedLayerNormalization"),
}
_JOINING = {"Add", "AddV2", "AddN", "Concat", "ConcatV2"}
# Some of the values, or none that are features.
_CHOOSING = {
    *("Gather", "GatherV2", "GatherND", "Slice", "StridedSlice", "ArgMax", "TopK", "Split"),
    *("Softmax", "LogSoftmax", "Sigmoid", "Clip", "Unpack"),
}
# The same values in another shape or place.
_RESHAPING = {
    *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Dropout"),
    *("ExpandDims", "StopGradient", "Pad", "PadV2", "Resize", "Shape"),
}


def waists(nodes, source, outputs):
    """Return the names of the waists of a network, from shallow to deep.

    A waist is a tensor that every path from the images to an output goes through. Of those that
    follow one another with nothing between but what works on each value by itself, such as a
    convolution, its batch norm and its activation, the last is taken that is not a mere change of
    shape. Sums, concatenations, poolings, convolutions and normalisations begin anew.

    In a topological order a node is a waist if, after it, nothing before it is still needed but
    itself; one walk finds all.

    Parameters
    ----------
    nodes : sequence of nodes.Node
        In topological order; tensors that are no node count as constant.
    source : str
        The images.
    outputs : sequence of str
        What the network is for; nodes that lead to none of them do not count.
    """
    nodes = _between(nodes, source, outputs)
    left = {}  # by node, how many inputs of others it has yet to be
    for node in nodes.values():
        for name in node.inputs:
            left[name] = left.get(name, 0) + 1
    for name in set(outputs) & nodes.keys():
        left[name] = left.get(name, 0) + 1
    alive, blocks, since = set(), [], []
    for node in nodes.values():
        for name in node.inputs:
            left[name] -= 1
            if not left[name]:
                alive.discard(name)
        alive.add(node.name)
        since.append(node)
        if alive == {node.name}:
            begins, kind = _begins(node, since)
            if not blocks or (begins and not kind == "norm" == blocks[-1][0]):
                blocks.append((kind, []))
            blocks[-1][1].append(node)
            since = []
    # The first block is the images, and what is done to each of their values by itself.
    return list(filter(None, (_representative(block) for _, block in blocks[1:])))


def _between(nodes, source, outputs):
    """Return by name the nodes that lie on a path from ``source`` to one of ``outputs``.

    Their inputs are those that do, too. What only asks for a shape is constant.
    """
    fed = {}
    for node in nodes:
        inputs = tuple(dict.fromkeys(name for name in node.inputs if name in fed))
        if (inputs and node.op not in ("Shape", "Size")) or node.name == source:
            fed[node.name] = node._replace(inputs=inputs)
    needed = set(outputs)
    for node in reversed(fed.values()):
        if node.name in needed:
            needed.update(node.inputs)
    return {name: node for name, node in fed.items() if name in needed}


def _begins(node, since):
    """Return (whether a waist begins a block, the kind of the block)."""
    ops = {one.op for one in since}
    if node.op in _NORMALISING:
        return True, "norm"
    if ops & _MIXING or (node.op in _JOINING and len(node.inputs) > 1):
        return True, "mixing"
    if ops & _REDUCING:
        return True, "norm" if len(since) > 1 else "mixing"
    return False, ""


def _representative(block):
    """Return the name of the node that stands for a block, or None if there is none."""
    kept = None
    for node in block:
        if node.op in _CHOOSING:
            break
        if node.op not in _RESHAPING:
            kept = node.name
    return kept


def evenly(name, found, count):
    """Return ``count`` of the waists ``found``, evenly by depth, the last one always.

    Raises
    ------
    UserError
        If there are not as many.
    """
    if count > len(found):
        raise UserError(
            f"extractor {name}: `layers: {count}` asks for more depths than the network has: "
            f"{len(found)} tensors are passed by every path through it. Ask for {len(found)} at "
            "most, or name the layers."
        )
    return [found[round(place * len(found) / count) - 1] for place in range(1, count + 1)]


def depth_count(layers):
    """Return how many depths the key ``layers`` of an extractor asks for; None if it names them."""
    return USUAL if layers == "auto" else layers if isinstance(layers, int) else None


def depth_names(count):
    """Return what so many layers are called that are chosen by depth."""
    return [f"depth_{place}" for place in range(1, count + 1)]


def listed(found, shown=40):
    """Return a sentence on waists, {name: Node}; of very many, evenly spaced ones."""
    kept = list(found) if len(found) <= shown else evenly("", list(found), shown)
    names = [f"{name} ({found[name].shape})" if found[name].shape else name for name in kept]
    return (
        f"The tensors that every path through it passes, from shallow to deep: {', '.join(names)}."
    )
