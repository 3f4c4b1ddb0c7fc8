"""Frozen TensorFlow graphs: read one, run one."""

from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.message import DecodeError

from ..archives import unpack
from ..errors import UserError
from .sources import check_no_folder
from .tensorflow_setup import tf


def read_graph(path):
    """Return the GraphDef in a ``.pb`` file, or in the only ``.pb`` inside a ``.tgz``.

    Raises
    ------
    UserError
        If the file is missing, unreadable or no GraphDef.
    """
    path = Path(path)
    check_no_folder("network", path)
    graph_def = tf.compat.v1.GraphDef()
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
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    session = tf.compat.v1.Session(graph=graph)
    return session.make_callable(tensors, ["input:0"])
