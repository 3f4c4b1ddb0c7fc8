"""Frozen TensorFlow graphs: read one, run one."""

from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.message import DecodeError

from ..archives import unpack
from ..errors import UserError
from .nodes import Node
from .sources import check_no_folder
from .tensorflow_setup import Graph, GraphDef, Session, import_graph_def
from .waists import waists


def read_graph(path):
    """Return the GraphDef in a ``.pb`` file, or in the only ``.pb`` inside a ``.tgz``.

    Raises
    ------
    UserError
        If the file is missing, unreadable or no GraphDef.
    """
    path = Path(path)
    check_no_folder("network", path)
    graph_def = GraphDef()
    try:
        graph_def.ParseFromString(_graph_bytes(path))
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such network file; check `path`.") from error
    except (DecodeError, OSError) as error:
        raise UserError(
            f"{path}: not a frozen TensorFlow graph (a GraphDef in a .pb file, or a .tgz with "
            f"one inside): {error}."
        ) from error
    if not graph_def.node:
        raise UserError(f"{path}: the graph is empty; a frozen GraphDef (.pb) was expected.")
    return graph_def


def _graph_bytes(path):
    if path.suffix not in (".tgz", ".gz", ".tar"):
        return path.read_bytes()
    with TemporaryDirectory() as folder:
        found = list(unpack(path, Path(folder, "unpacked")).rglob("*.pb"))
        if len(found) != 1:
            raise UserError(
                f"{path}: holds {len(found)} files that end in .pb, one was expected. Unpack it "
                "and give the `path` of the graph."
            )
        return found[0].read_bytes()


def graph_function(graph_def, tensors):
    """Return a callable from images [N, size, size, 3] to the arrays of ``tensors``.

    A session it is, not a function of TensorFlow 2: that starts half a second later, and takes 1
    to 4 % longer for a batch of Inception-v3.
    """
    with Graph().as_default() as graph:
        import_graph_def(graph_def, name="")
    return Session(graph=graph).make_callable(tensors, ["input:0"])


def graph_nodes(graph_def):
    """Return the table of a graph's nodes, in topological order."""
    with Graph().as_default() as graph:
        import_graph_def(graph_def, name="")
    nodes = []
    for node in graph.get_operations():
        shape = node.outputs[0].shape if node.outputs else None
        sizes = [] if shape is None or shape.rank is None else list(shape)
        sizes = sizes if node.type == "Const" else sizes[1:]
        shape = "x".join("?" if size is None else str(size) for size in sizes)
        inputs = tuple(tensor.op.name for tensor in node.inputs)
        nodes.append(Node(node.name, node.type, inputs, shape))
    return nodes


def graph_waists(graph_def, source, ends, names):
    """Return the waists of a graph, from shallow to deep: {what the config calls one: Node}.

    Parameters
    ----------
    graph_def : GraphDef
    source, ends : str, sequence of str
        The node of the images, and those that the network is for.
    names : dict of str to str
        By node, what its output is called. If there are any, what has no name is left out; if
        there are none, that is the name of the tensor, ``NODE:0``.
    """
    nodes = {node.name: node for node in graph_nodes(graph_def)}
    names = names or {node: f"{node}:0" for node in nodes}
    found = waists(list(nodes.values()), source, ends)
    return {names[node]: nodes[node] for node in found if node in names}


def with_added(graph_def, graph):
    """Return the GraphDef with the nodes that were added to ``graph``, into which it was imported.

    What it has itself stays as it was, which exporting ``graph`` would not leave so.
    """
    known = {node.name for node in graph_def.node}
    extended = GraphDef()
    extended.CopyFrom(graph_def)
    extended.node.extend(node for node in graph.as_graph_def().node if node.name not in known)
    return extended
