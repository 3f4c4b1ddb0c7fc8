"""What features and distances were made from, written in the files themselves.

The header of a ``.npy`` file is a Python dictionary padded with spaces, and may hold a comment.
There each shard says, in JSON, the checksum of the manifest, the digest of what its layer is
computed by, its layer, pooling and images; ``head -1`` shows it. A file cannot lose it, and NumPy
reads it as any other.
"""

import hashlib
import json
import re
import struct
from pathlib import Path

import numpy as np

from .distances.shards import open_shard
from .errors import UserError

_MARK = "# depthgauge: "


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
    try:
        described = json.loads(Path(layers).read_text(encoding="utf-8"))["layers"]
    except FileNotFoundError as error:
        raise UserError(f"{layers}: there is no such file.") from error
    known = {one["layer"]: one["poolings"] for one in described}
    if layer not in known:
        raise UserError(f"{layers}: has no layer {layer!r}; it has {', '.join(known)}.")
    pooling = pooling if pooling in known[layer] else "flat"
    digest = known[layer][pooling]["digest"]
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
    except (OSError, ValueError, EOFError):
        return False
    whole = Path(path).stat().st_size == found.offset + found.nbytes
    return whole and read_fingerprint(path) == expected


def read_fingerprint(path):
    """Return what the file at ``path`` was made from, or {} where it does not say."""
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
