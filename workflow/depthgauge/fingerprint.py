"""What features and distances were made from, written in the files themselves.

The header of a ``.npy`` file is a Python dictionary padded with spaces, and may hold a comment.
There each shard says, in JSON, the checksum of the manifest, the digest of what its layer is
computed by, its layer, pooling and images; ``head -1`` shows it. A file cannot lose it, and NumPy
reads it as any other.
"""

import csv
import hashlib
import io
import json
import math
import os
import re
import struct
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .described import read_layer
from .distances.shards import DAMAGED, open_shard
from .errors import UserError
from .files import REMEDY, reserve

_MARK = "# depthgauge: "
# Of checksums, see ``writing``.
_KINDS = ("crc32", "sums")
# Bytes written in one call: with a reserved file 40 images/s were seen, 38 with a batch a call.
PIECE = 1 << 20


def fingerprint(manifest, layers, layer, pooling="flat"):
    """Return what the shards of a dataset, of a layer and a pooling must have been made from.

    Parameters
    ----------
    manifest : path
        The dataset's manifest.
    layers : path
        The description of the network, see ``networks.network.build_network``.
    layer, pooling : str
        A vector is read flat, whatever is asked of it.

    Returns
    -------
    dict
        ``manifest``, a SHA-256 in hexadecimal; ``network``, the digest of all that the layer is
        computed by in this pooling; ``layer`` and ``pooling``.

    Raises
    ------
    UserError
        If a file is missing, or if the network has no such layer.
    """
    poolings = read_layer(layers, layer)[1]["poolings"]
    pooling = pooling if pooling in poolings else "flat"
    digest = poolings[pooling]["digest"]
    return {"manifest": sha256(manifest), "network": digest, "layer": layer, "pooling": pooling}


def sha256(*paths):
    """Return one SHA-256 for the contents of the files at ``paths``, in hexadecimal.

    Raises
    ------
    UserError
        If one is missing.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except FileNotFoundError as error:
            raise UserError(f"{path}: there is no such file.") from error
    return digest.hexdigest()


@contextmanager
def writing(path, dtype, shape, made_from, kind="crc32"):
    """Yield a function that writes data to a new ``.npy`` file, as :func:`write_header` has it.

    In the end the header says the checksum of all data, too; without ``made_from`` it says nothing.

    Parameters
    ----------
    path : path
    kind : str
        ``crc32``, of all bytes, 2 GB/s; or ``sums``, of the sum of each row of a two-dimensional
        array, 7 GB/s, for features, of which there are many.
    """
    crc = _of_header(made_from)

    def write(data):
        nonlocal crc
        data = np.ascontiguousarray(data)
        crc = zlib.crc32(_summed(data, kind), crc)
        data = memoryview(data).cast("B") if data.size else b""
        for start in range(0, len(data), PIECE):
            file.write(data[start : start + PIECE])

    def begin():
        said = None if made_from is None else made_from | {kind: f"{crc:08x}"}
        write_header(file, dtype, shape, said)

    with open(path, "wb") as file:
        begin()
        reserve(file, file.tell() + math.prod(shape) * np.dtype(dtype).itemsize)
        yield write
        file.seek(0)
        begin()


def _of_header(made_from):
    return zlib.crc32(json.dumps(made_from).encode())


def _summed(rows, kind):
    if kind == "crc32":
        return rows
    bits = rows.view(f"u{rows.dtype.itemsize}")
    return np.add.reduce(bits, axis=1, dtype=bits.dtype).astype("<u4")


def check_data(path):
    """Raise UserError unless the data of the ``.npy`` file at ``path`` have their checksum.

    One that was written without says nothing, and is taken as it is.
    """
    said = _said(path)
    kind = next((kind for kind in _KINDS if kind in said), None)
    if kind is None:
        return
    data = np.load(path, mmap_mode="r", allow_pickle=False)
    header = io.BytesIO()
    write_header(header, data.dtype, data.shape, said)
    with open(path, "rb") as file:
        whole = file.read(header.tell()) == header.getvalue()
        whole = whole and file.seek(0, os.SEEK_END) == header.tell() + data.nbytes
    step = max(1, (1 << 24) // max(1, data[:1].nbytes))
    crc = _of_header({key: value for key, value in said.items() if key not in _KINDS})
    for start in range(0, len(data), step):
        crc = zlib.crc32(_summed(data[start : start + step], kind), crc)
    if not whole or said[kind] != f"{crc:08x}":
        raise UserError(f"{path}: damaged: it is not what was written. {REMEDY}")


def read_array(path):
    """Return the array in the ``.npy`` file at ``path``, having looked at its checksum.

    Raises
    ------
    UserError
        If it is not there, or damaged.
    """
    try:
        found = np.load(path, allow_pickle=False)
        check_data(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file.") from error
    except DAMAGED as error:
        raise UserError(f"{path}: not a complete .npy file ({error}). {REMEDY}") from error
    return found


def read_null(path, names):
    """Return the nulls of a layer, [readings, permutations], at ``path``.

    Parameters
    ----------
    path : path
    names : dict of str to str
        Of the layer: dataset, extractor, layer.

    Raises
    ------
    UserError
        As ``read_array``, and if they say that they are of another layer.
    """
    nulls, said = read_array(path), _said(path)
    if any(said.get(key, name) != name for key, name in names.items()):
        of = ", ".join(str(said.get(key)) for key in names)
        raise UserError(f"{path}: holds the permutation values of {of}. {REMEDY}")
    return nulls


def place_of(path):
    """Return DATASET/EXTRACTOR/LAYER of distances in a folder of results; None, of all others."""
    *_, kind, dataset, extractor, name = ("", "", "", *Path(path).absolute().parts)
    return f"{dataset}/{extractor}/{name.split('.')[0]}" if kind == "distances" else None


def image_order(path):
    """Return a digest of the images that a table names, in its order; None, if it names none."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            names = [row["image"] for row in csv.DictReader(file)]
    except (KeyError, ValueError, csv.Error):
        return None
    return hashlib.sha256("\n".join(map(str, names)).encode()).hexdigest()[:16]


def check_place(path, table=None):
    """Raise UserError if distances are not those of their place, or of the images of ``table``.

    Parameters
    ----------
    path : path
        Distances. What they do not say is not asked for.
    table : path, optional
        A manifest, or another table of images.
    """
    said = _said(path)
    place = place_of(path)
    if place and said.get("place", place) != place:
        raise UserError(f"{path}: holds the distances of {said['place']}. {REMEDY}")
    if table is not None and "order" in said and image_order(table) not in (None, said["order"]):
        raise UserError(
            f"{path}: of other images than {table} names, or of these in another order. Remove "
            "both and run again."
        )


def write_header(file, dtype, shape, made_from=None):
    """Begin a ``.npy`` file (format 1.0, C order) that says what it was made from, if anything.

    Parameters
    ----------
    file : binary file
    dtype : str
    shape : tuple of int
    made_from : dict, optional
        Of a shard: the :func:`fingerprint`, with ``layer`` and ``pooling`` (names) and
        ``images``: [first, last, of how many], the last one exclusive.
    """
    array = {"descr": np.dtype(dtype).newbyteorder("<").str, "fortran_order": False}
    comment = f" {_MARK}{json.dumps(made_from)}" if made_from else ""
    header = f"{array | {'shape': shape}}{comment}".encode("ascii")
    length = -(-(len(header) + 11) // 64) * 64  # magic and lengths are 10 bytes, the newline one
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", length - 10))
    file.write(header.ljust(length - 11) + b"\n")


def is_made_from(path, expected):
    """Return whether the ``.npy`` file at ``path`` is there whole and says it was made from that.

    Parameters
    ----------
    path : path
    expected : dict
        As was given to :func:`write_header`.
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGED:
        return False
    if Path(path).stat().st_size != found.offset + found.nbytes:
        return False
    try:
        check_data(path)
    except UserError:
        return False
    return read_fingerprint(path) == expected


def read_fingerprint(path):
    """Return what the file at ``path`` was made from, or {} where it does not say."""
    return {key: value for key, value in _said(path).items() if key not in _KINDS}


def _said(path):
    with open(path, "rb") as file:
        header = file.readline(1 << 16).decode("latin-1")
    found = re.search(re.escape(_MARK) + r"(\{.*\})\s*$", header)
    try:
        return json.loads(found[1]) if found else {}
    except ValueError:
        return {}


def check_fingerprints(paths, expected):
    """Raise unless the shards at ``paths`` are all images, in order, of what is ``expected``.

    Parameters
    ----------
    paths : sequence of path
    expected : dict
        The :func:`fingerprint`, and ``layer``.

    Raises
    ------
    UserError
        Naming the first shard that is not, and what it is of.
    """
    past, total, precision = 0, None, None
    for path in paths:
        remedy = f"{Path(path).parent}: remove {Path(path).name} there and run again."
        found = read_fingerprint(path)
        differ = [key for key in expected if found.get(key) != expected[key]]
        if differ:
            is_of = "it says of none" if not found else f"it is of another {' and '.join(differ)}"
            raise UserError(
                f"{path}: these features were not made from the manifest and the network of this "
                f"dataset and layer: {is_of}. {remedy}"
            )
        if past == 0:
            precision = found.get("precision")
        if found.get("precision") != precision:
            raise UserError(
                f"{path}: computed in {found.get('precision')}, {paths[0]} in {precision}: they "
                "come from processors of different kinds. Use `precision: float32`, or nodes of "
                f"one kind. {remedy}"
            )
        first, last, of = found["images"]
        if first != past or total not in (None, of):
            raise UserError(
                f"{path}: holds images {first + 1} to {last} of {of}; those from {past + 1} on "
                f"were expected here. {remedy}"
            )
        past, total = last, of
    if past != total:
        raise UserError(
            f"{paths[-1]}: the shards end at image {past} of {total}; some are missing."
        )


def is_foreign(path, expected, part, parts):
    """Return whether a shard is damaged, or is not the one of ``parts`` that is expected.

    Parameters
    ----------
    path : path
    expected : dict
        The :func:`fingerprint`, and ``layer``.
    part, parts : int
        Which of how many parts of the manifest it must hold.
    """
    try:
        rows = open_shard(path).rows
    except UserError:
        return True
    found = read_fingerprint(path)
    if any(found.get(key) != value for key, value in expected.items()):
        return True
    first, last, of = found["images"]
    return [first, last, rows] != [part * of // parts, (part + 1) * of // parts, last - first]
