"""The network stage: any extractor of the config as one frozen graph that takes RGB 0-255."""

import csv
import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import whole
from ..fingerprint import sha256
from ..seeds import derive_seed
from .agreement import disagreement
from .digest import tensor_digests
from .dims import check_dims
from .fold import fold, node_name
from .graph import graph_function, read_graph
from .pooling import add_poolings
from .tensorflow_setup import tf, use_threads

log = logging.getLogger(__name__)


def write_network(name, spec, graph, layers, *, seed=0, source=None, nodes=None):
    """Call ``build_network`` in a process in which nothing is computed yet, on one thread."""
    use_threads(1)
    build_network(name, spec, graph, layers, seed=seed, source=source, nodes=nodes)


def build_network(name, spec, graph, layers, *, seed=0, source=None, nodes=None):
    """Write extractor ``name`` as a frozen graph, and a description of its layers.

    Whatever its kind, the graph's ``input:0`` takes float32 RGB 0-255 of shape
    [N, size, size, 3]: channel order, mean and scale are inside, batch norms are folded. The
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
    unfolded, tensors, size = _graph(name, spec, seed, source)
    outputs = sorted({node_name(tensor) for tensor in tensors.values()})
    unfolded = tf.compat.v1.graph_util.extract_sub_graph(unfolded, outputs)
    images = _probes(size)
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
        _write_nodes(published, nodes)  # without the poolings that were added for our own use
    resample = spec.get("resample", "bilinear")
    _add_digests(graph_def, described, f"{size} {resample}")
    with whole(graph) as beside:
        beside.write_bytes(graph_def.SerializeToString(deterministic=True))
    description = {"extractor": name, "size": size, "resample": resample}
    description |= {"graph": sha256(graph), "layers": described}
    with whole(layers) as beside:
        beside.write_text(json.dumps(description, indent=1) + "\n")
    for layer in described:
        poolings = [f"{pooling} {pooled['dim']:,}" for pooling, pooled in layer["poolings"].items()]
        vector = "; a vector, which has one pooling" if len(poolings) == 1 else ""
        log.info("%s: layer %s, values: %s%s", name, layer["layer"], ", ".join(poolings), vector)


def _add_digests(graph_def, described, images):
    """Give each pooling of each layer its ``digest``; ``images`` says how images are resized."""
    pooled = [pooling for layer in described for pooling in layer["poolings"].values()]
    digests = tensor_digests(graph_def, [pooling["tensor"] for pooling in pooled])
    for pooling in pooled:
        computed = f"{digests[pooling['tensor']]} {images}"
        pooling["digest"] = hashlib.sha256(computed.encode()).hexdigest()


def _graph(name, spec, seed, source):
    if spec["kind"] == "frozen_graph":
        if "url" in spec and source is None:
            raise UserError(
                f"extractor {name}: its `url` is a file to download; `depthgauge download` fetches "
                "it, and `--source FILE` hands it to this command."
            )
        return _frozen_graph(name, spec, source or Path(spec["path"]).expanduser())
    from .keras_network import application_graph, file_graph, learned_graph  # only where needed

    tf.keras.utils.set_random_seed(derive_seed(seed, name, "weights"))
    if spec["kind"] in ("autoencoder", "pca"):
        return learned_graph(name, spec, seed, source)
    if spec["kind"] == "keras_application":
        return application_graph(name, spec, source)
    return file_graph(name, spec)


def _frozen_graph(name, spec, path):
    """Return (GraphDef, {layer: tensor}, size) with the spec's ``input`` made ``input:0``."""
    graph_def = read_graph(path)
    nodes = {node.name: node for node in graph_def.node}
    wanted = {"input": spec["input"], **spec["layers"]}
    for key, tensor in wanted.items():
        if node_name(tensor) not in nodes:
            raise UserError(
                f"extractor {name}: {path} has no tensor {tensor!r} ({key}); it has: "
                f"{', '.join(node.name for node in graph_def.node if node.op != 'Const')}."
            )
    old, size = node_name(spec["input"]), spec["size"]
    for node in graph_def.node:
        sources = ["input" if node_name(source) == old else source for source in node.input]
        del node.input[:]
        node.input.extend(sources)
    graph_def.node.remove(nodes[old])
    if old != "input" and "input" in nodes:
        graph_def.node.remove(nodes["input"])
    placeholder = graph_def.node.add(name="input", op="Placeholder")
    placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    shape = tf.TensorShape([None, size, size, 3]).as_proto()
    placeholder.attr["shape"].shape.CopyFrom(shape)
    return graph_def, dict(spec["layers"]), size


def _probes(size):
    """Return two images to try a network on, noise and smooth gradients of the three colours."""
    noise = np.random.default_rng(0).uniform(0, 255, (size, size, 3))
    across, down = np.meshgrid(np.linspace(0, 255, size), np.linspace(0, 255, size))
    gradients = np.stack([across, down, (across + down) / 2], axis=-1)
    return np.stack([noise, gradients]).astype(np.float32)


def _values(name, graph_def, tensors, images):
    """Run two images through; return {layer: its values}, a row an image."""
    size = images.shape[1]
    try:
        values = graph_function(graph_def, list(tensors.values()))(images)
    except (tf.errors.InvalidArgumentError, ValueError) as error:
        raise UserError(
            f"extractor {name}: the network refuses two images of {size}x{size} at once: "
            f"{str(error).splitlines()[0]} Check `size`, and give as `input` a tensor that takes "
            "a batch of any length."
        ) from error
    for layer, value in zip(tensors, values, strict=True):
        if value.ndim < 2 or len(value) != 2:
            raise UserError(
                f"extractor {name}: layer {layer} ({tensors[layer]}) has the shape {value.shape} "
                "for two images; a layer must give one row an image."
            )
    return dict(zip(tensors, values, strict=True))


def _write_nodes(graph_def, path):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with whole(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "op", "inputs", "shape"])
        for node in graph.get_operations():
            shape = node.outputs[0].shape if node.outputs else tf.TensorShape(None)
            sizes = [] if shape.rank is None else list(shape)
            sizes = sizes if node.type == "Const" else sizes[1:]
            writer.writerow(
                [
                    node.name,
                    node.type,
                    ";".join(tensor.op.name for tensor in node.inputs),
                    "x".join("?" if size is None else str(size) for size in sizes),
                ]
            )
