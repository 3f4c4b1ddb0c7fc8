"""New pictures as the features that are advised."""

import logging
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..files import atomic
from ..tables import write_table
from .folder import open_advised
from .pictures import Vectors, picture_files

log = logging.getLogger(__name__)


def apply(advised, pictures, output, *, threads=1):
    """Write the vectors of pictures that the run never saw, comparable with its features.npy.

    Parameters
    ----------
    advised : path
        results/advised/DATASET of a run.
    pictures : list of path
        Picture files, and folders of them.
    output : path
        ``.npy``, float32 [pictures, dim], and beside it ``.images.csv`` with the column image; or
        ``.csv`` or ``.parquet``, with the columns image, v1, v2, ...
    threads : int

    Raises
    ------
    UserError
        As ``open_advised`` and ``picture_files``; for another suffix, or Parquet without a library
        that writes it; and, when all else is written, for pictures that cannot be read.
    """
    output = Path(output)
    if output.suffix not in _WRITERS:
        raise UserError(f"{output}: expected a name that ends in {', '.join(_WRITERS)}.")
    if output.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise UserError(
            f"{output}: Parquet is written by pyarrow, which is not installed: pip install "
            "pyarrow, or give a name that ends in .npy or .csv."
        )
    opened = open_advised(advised)
    vectors = Vectors(opened, picture_files(pictures), threads)
    count = _WRITERS[output.suffix](vectors, output, opened.dim)
    log.info("%s: %d pictures, %d values each.", output, count, opened.dim)
    vectors.check()


def _write_npy(vectors, output, dim):
    names = []
    with atomic(output) as beside, open(beside, "wb") as file:
        _header(file, len(vectors.files), dim)
        for name, vector in vectors:
            names.append(str(name))
            file.write(np.ascontiguousarray(vector, np.float32))
        if not names:
            vectors.check()
        # NumPy leaves room for any number of rows: the header keeps its length.
        file.seek(0)
        _header(file, len(names), dim)
    write_table(pd.DataFrame({"image": names}), output.with_suffix(".images.csv"))
    return len(names)


def _header(file, rows, dim):
    array = {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)}
    np.lib.format.write_array_header_1_0(file, array)


def _table(vectors, dim):
    found = list(vectors)
    if not found:
        vectors.check()
    table = pd.DataFrame(
        np.stack([vector for _, vector in found]), columns=[f"v{i + 1}" for i in range(dim)]
    )
    table.insert(0, "image", [str(file) for file, _ in found])
    return table


def _write_csv(vectors, output, dim):
    table = _table(vectors, dim)
    write_table(table, output)
    return len(table)


def _write_parquet(vectors, output, dim):
    table = _table(vectors, dim)
    with atomic(output) as beside:
        table.to_parquet(beside, index=False)
    return len(table)


_WRITERS = {".npy": _write_npy, ".csv": _write_csv, ".parquet": _write_parquet}
