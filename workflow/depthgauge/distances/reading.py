"""The distances of one reading of a layer, opened: those of its pooling, by its metric."""

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from ..files import no_space
from ..readings import pooled_name, split_name
from .angle import angles
from .matrix import Distances, read_distances


def file_of(path, reading):
    """Return where the Euclidean distances of a reading lie: beside those at ``path``.

    Without a reading, or a pooling in it, that is ``path`` itself.
    """
    path = Path(path)
    if reading is None or not reading.pooling:
        return path
    layer, _ = split_name(path.stem)
    return path.with_name(f"{pooled_name(layer, reading.pooling)}{path.suffix}")


@contextmanager
def open_distances(path, reading=None, *, expected=None, table=None, threads=1):
    """Open the distances of one reading of a layer, read-only.

    Those by angle are written to a file that has no name, in the folder of ``path``: when they
    are closed, or the process is killed, it is gone. Memory is O(n).

    Parameters
    ----------
    path : path
        Euclidean distances of the layer in any pooling, LAYER.npy or LAYER.POOLING.npy; those
        of the reading's pooling lie beside it.
    reading : Reading, optional
        Without one the file is taken as it is.
    expected, table
        As of ``matrix.read_distances``.
    threads : int
        They do not change a bit.

    Yields
    ------
    Distances

    Raises
    ------
    UserError
        As ``matrix.read_distances``, and if the disk is full.
    """
    path = file_of(path, reading)
    distances = read_distances(path, expected, table)
    if reading is None or reading.metric == "euclidean":
        yield distances
        return
    with no_space(path), TemporaryFile(dir=path.parent) as file:
        for made in angles(distances, threads=threads):
            file.write(made)
        file.flush()
        condensed = distances.condensed
        yield Distances(np.memmap(file, condensed.dtype, "r", shape=condensed.shape), path)
