"""The depths of a network that a person can choose from."""

from pathlib import Path

from ..config import checked_spec
from ..errors import UserError


def print_layers(network, *, size=None, source=None):
    """Print the tensors that every path through a network passes, one per line, with shape.

    Parameters
    ----------
    network : str
        A file, .onnx, .pb, .tgz, .keras or .h5; or the name of a network of keras.applications.
    size : int, optional
        Height and width of the images, where the network does not say.
    source : str, optional
        Of a .pb the tensor that takes images; by default its only placeholder.

    Raises
    ------
    UserError
        If the network cannot be read.
    """
    found = _waists(network, {"size": size} if size else {}, source)
    width = max(map(len, found), default=0)
    for place, (name, node) in enumerate(found.items(), start=1):
        print(f"{place:3d} of {len(found)}  {name:{width}}  {node.shape}".rstrip())


def _waists(network, size, source):
    """Return the waists, by what the config would call them."""
    suffix = Path(network).suffix
    if suffix == ".onnx":
        from .onnx_network import OnnxNetwork

        spec = {"kind": "onnx", "path": network, "layers": 1, "preprocessing": {}, **size}
        spec = checked_spec("extractors", "network", spec)
        return OnnxNetwork("network", spec, Path(network)).named_waists()
    from .graph import graph_waists, read_graph
    from .network import network_graph, sinks

    if suffix in (".pb", ".tgz"):
        graph_def, names = read_graph(network), {}
        source, ends = source or _placeholder(network, graph_def), sinks(graph_def)
    else:
        spec = {"kind": "keras_application", "application": network, "weights": None}
        if suffix:
            spec = {"kind": "keras_file", "path": network}
        spec = checked_spec("extractors", "network", {**spec, "layers": 1, **size})
        graph_def, tensors, _, names = network_graph("network", spec, 0, None)
        source, ends = "input", [tensor.split(":")[0] for tensor in tensors.values()]
    return graph_waists(graph_def, source.split(":")[0], ends, names)


def _placeholder(network, graph_def):
    found = [node.name for node in graph_def.node if node.op == "Placeholder"]
    if len(found) != 1:
        raise UserError(
            f"{network}: has {len(found)} placeholders ({', '.join(found) or 'none'}); say by "
            "--input which tensor takes the images."
        )
    return found[0]
