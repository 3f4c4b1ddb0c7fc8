"""Networks that TensorFlow computes, of any kind, as one frozen graph that takes RGB 0-255."""

import logging

import numpy as np

from ..errors import UserError
from ..files import atomic
from ..seeds import derive_seed
from .agreement import disagreement
from .description import write_description
from .digest import tensor_digests
from .dims import check_dims, check_rows
from .fold import fold, node_name
from .graph import graph_function, graph_nodes, graph_waists, read_graph
from .nodes import write_nodes
from .pixels import height_and_width, probe_images, size_of
from .pooling import add_poolings
from .sources import network_file
from .tensorflow_setup import extract_sub_graph
from .tensorflow_whole import tf
from .waists import depth_count, depth_names, evenly, listed

log = logging.getLogger(__name__)


def build_network(name, spec, graph, layers, *, seed=0, source=None, nodes=None):
    """Write extractor ``name`` as a frozen graph, and a description of its layers.

    Whatever its kind, the graph's ``input:0`` takes float32 RGB 0-255 of shape
    [N, height, width, 3]: channel order, mean and scale are inside, batch norms are folded. The
    folded graph is held against the network as it is, on two images; should it not agree (see
    :mod:`.agreement`), the unfolded graph is written, and a warning says where they part.

    Parameters
    ----------
    name : str
        The extractor's name in the config.
    spec : dict
        Its entry: ``kind`` and that kind's keys, as the config's schema describes them.
    graph : path
        Where the GraphDef goes (.pb).
    layers : path
        Where its description goes (.json): size, resampling, the checksum of the graph and, for
        every layer, name, tensor, shape, dim and the poolings that it has, in the config's order,
        which is that of depth. Each pooling has a tensor, a dim and a digest of all that it is
        computed by.
    seed : int
        The run's seed; random weights derive theirs from it and ``name``.
    source : path, optional
        The downloaded file, where the spec names a URL or ImageNet weights; the model that was
        learned from a dataset (.keras), where the spec is of such a kind.
    nodes : path, optional
        Where the graph's nodes go in topological order (.csv): columns ``name``, ``op``,
        ``inputs`` (names joined by ``;``) and ``shape`` (without the batch, ``73x73x64``).

    Raises
    ------
    UserError
        For a file that is missing or no network, a layer that does not exist (those that
        do are listed), a dimension other than the one stated under ``dims``, or more
        ``prefix_tokens`` than a layer has tokens.
    """
    unfolded, tensors, size, names = network_graph(name, spec, seed, source)
    size = size_of(*height_and_width(size))
    chosen = {}
    if count := depth_count(spec.get("layers")):
        ends = [node_name(tensor) for tensor in tensors.values()]
        found = graph_waists(unfolded, "input", ends, names)
        chosen = dict(zip(depth_names(count), evenly(name, list(found), count), strict=True))
        tensors = {layer: f"{found[called].name}:0" for layer, called in chosen.items()}
    outputs = sorted({node_name(tensor) for tensor in tensors.values()})
    unfolded = extract_sub_graph(unfolded, outputs)
    images = probe_images(size)
    values = _values(name, unfolded, tensors, images)
    described = []
    for layer, found in values.items():
        shape = list(found.shape[1:])
        dim = int(np.prod(shape))
        described.append({"layer": layer, "tensor": tensors[layer], "shape": shape, "dim": dim})
    check_dims(name, spec.get("dims", {}), described)
    prefix_tokens = spec.get("prefix_tokens")
    published = fold(unfolded, outputs)
    graph_def = add_poolings(name, published, described, prefix_tokens)
    if departs := disagreement(graph_def, described, images, values):
        log.warning(
            "%s: not folded. Folding its batch norms and constants would change layer %s (%s) by "
            "%.2g of its largest value, more than rounding does; the graph stays as it is, slower.",
            *(name, *departs),
        )
        published = unfolded
        graph_def = add_poolings(name, unfolded, described, prefix_tokens)
    if nodes is not None:
        write_nodes(graph_nodes(published), nodes)  # without the poolings, added for our own use
    tensors = [pooling["tensor"] for layer in described for pooling in layer["poolings"].values()]
    with atomic(graph) as beside:
        beside.write_bytes(graph_def.SerializeToString(deterministic=True))
    resizing = {"size": size, "resample": spec.get("resample", "bilinear")}
    digests = tensor_digests(graph_def, tensors)
    write_description(layers, name, graph, resizing, described, digests, chosen)


def network_graph(name, spec, seed, source):
    """Return (GraphDef, {layer: tensor}, size, names) of an extractor, as its kind has it.

    ``names`` has what the config calls the output of a node, where that is not ``NODE:0``.
    """
    if spec["kind"] == "frozen_graph":
        return *_frozen_graph(name, spec, network_file(name, spec, source)), {}
    from .keras_network import application_graph, file_graph, learned_graph  # only where needed
    from .keras_setup import keras

    keras.utils.set_random_seed(derive_seed(seed, name, "weights"))
    if spec["kind"] in ("autoencoder", "pca"):
        return learned_graph(name, spec, seed, source)
    if spec["kind"] == "keras_application":
        return application_graph(name, spec, source)
    return file_graph(name, spec)


def _frozen_graph(name, spec, path):
    """Return (GraphDef, {layer: tensor}, size) with the spec's ``input`` made ``input:0``."""
    graph_def = read_graph(path)
    nodes = {node.name: node for node in graph_def.node}
    layers = {} if depth_count(spec["layers"]) else spec["layers"]
    for key, tensor in {"input": spec["input"], **layers}.items():
        if node_name(tensor) not in nodes:
            raise UserError(
                f"extractor {name}: {path} has no tensor {tensor!r} ({key}). "
                f"{_those_there_are(graph_def, spec['input'])}"
            )
    layers = layers or {node: f"{node}:0" for node in sinks(graph_def)}
    old, size = node_name(spec["input"]), spec["size"]
    height, width = height_and_width(size)
    for node in graph_def.node:
        sources = ["input" if node_name(source) == old else source for source in node.input]
        del node.input[:]
        node.input.extend(sources)
    graph_def.node.remove(nodes[old])
    if old != "input" and "input" in nodes:
        graph_def.node.remove(nodes["input"])
    placeholder = graph_def.node.add(name="input", op="Placeholder")
    placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    shape = tf.TensorShape([None, height, width, 3]).as_proto()
    placeholder.attr["shape"].shape.CopyFrom(shape)
    return graph_def, dict(layers), size


def sinks(graph_def):
    """Return the nodes whose values no other takes."""
    taken = {node_name(source) for node in graph_def.node for source in node.input}
    return [node.name for node in graph_def.node if node.name not in taken and node.op != "NoOp"]


def _those_there_are(graph_def, given):
    """Return a sentence on the tensors that there are to choose from."""
    source = node_name(given)
    if source not in {node.name for node in graph_def.node}:
        kinds = ("Placeholder", "DecodeJpeg", "ResizeBilinear", "Sub", "Mul")
        first = [node.name for node in graph_def.node if node.op in kinds][:10]
        return f"`input` may be one of: {', '.join(first)}."
    return listed(graph_waists(graph_def, source, sinks(graph_def), {}))


def _values(name, graph_def, tensors, images):
    """Run two images through; return {layer: its values}, one row per image."""
    height, width = images.shape[1:3]
    try:
        values = graph_function(graph_def, list(tensors.values()))(images)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        raise UserError(
            f"extractor {name}: the network refuses two images of {height}x{width} at once: "
            f"{str(error).splitlines()[0]} Check `size`, and give as `input` a tensor that takes "
            "a batch of any length."
        ) from error
    check_rows(name, tensors, values)
    return dict(zip(tensors, values, strict=True))
