"""The distances by angle of anybody's distances, in a file."""

import numpy as np

from ..files import whole
from ..statistics.matrices import read_distances
from .angle import angles


def write_angles(distances, output, *, threads=1):
    """Write the distances by angle to ``output`` (.npy), condensed, of the distances' type.

    Parameters
    ----------
    distances : path
        Euclidean distances, ``.npy``, condensed or square.
    output : path
    threads : int
        They do not change a bit.

    Raises
    ------
    UserError
        As ``matrices.read_distances``, and if the disk is full.
    """
    condensed = read_distances(distances)
    header = {"descr": condensed.dtype.str, "fortran_order": False, "shape": condensed.shape}
    with whole(output) as beside, open(beside, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for made in angles(condensed, threads=threads, source=output):
            file.write(made)
