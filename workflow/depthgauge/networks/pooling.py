"""Poolings of layers, inside the graph: means over positions, class tokens."""

from math import prod

from .tokens import tokens_before, tokens_before_patches


def add_poolings(name, graph_def, described, prefix_tokens=None):
    """Return the graph with the poolings of its layers, and note them in ``described``.

    Every layer has ``flat``. A map [..., height, width, channels] has ``mean``, over all axes
    but the last; a sequence [tokens, channels] has ``mean``, over the patches' tokens, and
    ``cls``, its first token, if there are tokens before those of the patches. A vector, a map or
    a sequence of one position has ``flat`` alone. What nobody asks for is never computed.

    Parameters
    ----------
    name : str
        The extractor's name, for errors.
    graph_def : GraphDef
    described : list of dict
        Of every layer ``layer``, ``tensor``, ``shape`` (without the batch) and ``dim``. Each is
        given ``poolings``, {pooling: {"tensor": str, "dim": int}}, and a sequence
        ``prefix_tokens``, how many tokens stand before those of the patches.
    prefix_tokens : int, optional
        The class token and registers before the patches. Without it they are found by
        :func:`depthgauge.networks.tokens.tokens_before_patches`.

    Raises
    ------
    UserError
        If a sequence has no more tokens than ``prefix_tokens``.
    """
    from .graph import with_added  # and TensorFlow, which ONNX files do without
    from .tensorflow_whole import tf

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        for place, layer in enumerate(described):
            shape = layer["shape"]
            layer["poolings"] = {"flat": {"tensor": layer["tensor"], "dim": layer["dim"]}}
            if prod(shape[:-1]) <= 1:
                continue
            values = graph.get_tensor_by_name(layer["tensor"])
            if len(shape) == 2:
                counted = tokens_before_patches(values, shape[0])
                before = tokens_before(name, layer, prefix_tokens, counted)
                layer["prefix_tokens"] = before
                pooled = {"mean": tf.reduce_mean(values[:, before:], axis=1)}
                if before:
                    pooled["cls"] = values[:, 0]
            else:
                pooled = {"mean": tf.reduce_mean(values, axis=list(range(1, len(shape))))}
            for pooling, tensor in pooled.items():
                kept = tf.identity(tensor, name=f"depthgauge/{pooling}_{place}")
                layer["poolings"][pooling] = {"tensor": kept.name, "dim": shape[-1]}
    return with_added(graph_def, graph)
