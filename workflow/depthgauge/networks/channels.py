"""Which axis of each tensor of an ONNX graph are the channels."""

from math import prod

_FIRST = {
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
    *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
    *("DepthToSpace", "SpaceToDepth"),
}


def channel_axes(graph, shapes):
    """Return the axis of the channels by tensor.

    Convolutions and poolings of ONNX have them second, [N, C, H, W]; matrix products last, [N,
    tokens, C]. Transpositions and changes of shape carry them along, and what works on each value
    by itself leaves them where they are.

    Parameters
    ----------
    graph : onnx.GraphProto
    shapes : dict of str to tuple of int
        Of the tensors to tell it of, with the batch in front.
    """
    axes = {name: len(shape) - 1 for name, shape in shapes.items() if name == "input"}
    for node in graph.node:
        for output in node.output:
            if output not in shapes or not shapes[output]:
                continue
            rank = len(shapes[output])
            source = next((one for one in node.input if one in axes), None)
            axis = rank - 1
            if node.op_type in _FIRST and rank > 2:
                axis = 1
            elif node.op_type == "Transpose" and source:
                orders = [one.ints for one in node.attribute if one.name == "perm"]
                order = list(orders[0]) if orders else list(range(rank))[::-1]
                axis = order.index(axes[source])
            elif node.op_type in ("Reshape", "Flatten", "Squeeze", "Unsqueeze") and source:
                axis = _carried(shapes[source], shapes[output], axes[source])
            elif node.op_type not in ("MatMul", "Gemm", "LayerNormalization"):
                same = [one for one in node.input if one in axes and len(shapes[one]) == rank]
                axis = axes[same[0]] if same else axis
            axes[output] = axis
    return axes


def channels_last(shape, axis):
    """Return the ``shape`` of one image, of a tensor with the batch in front: channels last.

    ``axis`` is that of its channels, 0 where it has one value per image and no axis but the batch.
    """
    return [*shape[1:axis], *shape[axis + 1 :], shape[axis]] if axis else []


def _carried(before, after, axis):
    """Return where the axis of ``before`` is in ``after``, of as many values in another shape."""
    for place in range(1, len(after)):
        if (
            after[place] == before[axis]
            and prod(after[1:place]) == prod(before[1:axis])
            and prod(after[place + 1 :]) == prod(before[axis + 1 :])
        ):
            return place
    return len(after) - 1
