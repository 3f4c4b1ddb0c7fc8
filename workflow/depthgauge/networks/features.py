"""The feature stage: one forward pass over a shard of the images writes every layer."""

import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..capacity import check_features_disk
from ..described import read_description, read_layers
from ..errors import UserError
from ..files import atomic, second_name
from ..fingerprint import fingerprint, sha256, writing
from ..manifest import read_manifest
from ..readings import layer_poolings, pooled
from .forward import batches, network_function
from .pixels import load_pixels

log = logging.getLogger(__name__)


def write_features(
    graph,
    layers,
    images,
    manifest,
    outputs,
    *,
    poolings=("flat",),
    dtype="float32",
    threads=1,
    **options,
):
    """Call ``features`` in a process in which nothing is computed yet, if the disk has the room.

    Raises
    ------
    UserError
        As ``features`` and ``capacity.check_features_disk``; if there are not as many outputs as
        layers and poolings.
    """
    described = read_layers(layers)
    if len(outputs) != len(described) * len(poolings):
        raise UserError(
            f"{len(outputs)} OUTPUTS were given for {len(described)} layers in {len(poolings)} "
            "poolings; give one for each."
        )
    dims = [
        pooled(layer, pooling)["dim"]
        for layer in described
        for pooling in layer_poolings(layer, poolings)
    ]
    check_features_disk(outputs, len(read_manifest(manifest)), dims, dtype)
    if Path(graph).suffix != ".onnx":
        from .tensorflow_setup import use_threads

        use_threads(threads)
    own = {"poolings": poolings, "dtype": dtype, "threads": threads}
    features(graph, layers, images, manifest, outputs, **own, **options)


def features(
    graph,
    layers,
    images,
    manifest,
    outputs,
    *,
    poolings=("flat",),
    means=None,
    shard=(0, 1),
    dtype="float32",
    precision="float32",
    threads=1,
):
    """Write the features of one shard of a dataset at every layer and pooling of a network.

    A layer that is a vector has one pooling; its file is there under the names of all.
    Decoding, resizing and writing overlap with computing; ``threads`` batches are computed
    at once, each on one thread, so that the numbers do not depend on ``threads``.

    Parameters
    ----------
    graph, layers : path
        What :func:`depthgauge.networks.network.build_network` wrote.
    images : path
        The folder of the images that the manifest names.
    manifest : path
        The dataset's manifest (CSV); its order is the order of the rows.
    outputs : list of path
        A .npy file for each layer and pooling, layer after layer in the order of ``layers``:
        [rows of the shard, dim], C order.
    poolings : sequence of str
        As in :mod:`depthgauge.readings`.
    means : list of path, optional
        A .npy file for each of ``outputs``, float64 [dim]: the mean of its rows.
    shard : (int, int)
        (i, k): the i-th of k parts of the manifest, rows i*n//k to (i+1)*n//k.
    dtype : str
        ``float32`` or ``float16``: how they are stored.
    precision : str
        ``float32`` or ``bfloat16``: how they are computed; see
        :func:`depthgauge.networks.tensorflow_setup.usable_precision`.
    threads : int
        Batches in flight.

    Raises
    ------
    UserError
        For an image that is missing or unreadable, values that do not fit ``dtype``, a pooling
        that a layer does not have, or a graph that is not the one described.
    """
    description = read_description(layers)
    if sha256(graph) != description["graph"]:
        raise UserError(
            f"{graph}: is not the graph that {layers} describes. Remove both and run again."
        )
    names = read_manifest(manifest).image.tolist()
    part, parts = shard
    total = len(names)
    start, stop = part * total // parts, (part + 1) * total // parts
    names = names[start:stop]
    columns = _columns(description["layers"], poolings, outputs, means)
    function, precision = network_function(graph, [column.tensor for column in columns], precision)
    resizing = [description.get(key) for key in ("size", "resample", "shortest_edge")]

    def pixels(name):
        return load_pixels(Path(images) / name, *resizing)

    log.info("%s: images %d to %d of %d", description["extractor"], start + 1, stop, total)
    computed = {"images": [start, stop, total], "precision": precision}
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                _rows(
                    column.paths[0],
                    (len(names), column.dim),
                    dtype,
                    fingerprint(manifest, layers, column.layer, column.pooling) | computed,
                )
            )
            for column in columns
        ]
        bar = stack.enter_context(
            tqdm(total=len(names), desc=description["extractor"], unit="image", mininterval=1)
        )
        for _, values in batches(function, pixels, names, threads):
            _write(values, files, dtype, columns, bar)
    for column in columns:
        for other in column.paths[1:]:
            second_name(column.paths[0], other)
        for path in column.means:
            with atomic(path) as beside:
                np.save(beside, column.sums / max(1, len(names)))


@dataclass
class _Column:
    """What is taken from the network together: one pooling of one layer."""

    layer: str
    pooling: str
    tensor: str
    dim: int
    paths: list
    means: list
    sums: np.ndarray


def _columns(layers, poolings, outputs, means):
    """Return the columns of files to write; a vector's files share one."""
    count = len(poolings)
    columns = []
    for place, layer in enumerate(layers):
        own = slice(place * count, (place + 1) * count)
        paths, of_means = (list(files or [])[own] for files in (outputs, means))
        kept = layer_poolings(layer, poolings)
        for at, pooling in enumerate(kept):
            taken = slice(at, at + 1) if len(kept) == count else slice(None)
            source = pooled(layer, pooling)
            columns.append(
                _Column(
                    layer["layer"],
                    pooling if pooling in layer["poolings"] else "flat",
                    source["tensor"],
                    source["dim"],
                    paths[taken],
                    of_means[taken],
                    np.zeros(source["dim"]),
                )
            )
    return columns


@contextmanager
def _rows(path, shape, dtype, made_from):
    """Open a .npy file of ``shape`` for writing row after row; it appears when whole."""
    with atomic(path) as beside, writing(beside, dtype, shape, made_from, "sums") as write:
        yield write


def _write(values, files, dtype, columns, bar):
    for write, rows, column in zip(files, values, columns, strict=True):
        rows = rows.astype(dtype, copy=False)
        if not np.isfinite(rows).all():
            raise UserError(
                f"layer {column.layer}, {column.pooling}: values are not finite as {dtype}. Use "
                "`features_dtype: float32`, or check the network."
            )
        column.sums += rows.sum(axis=0, dtype=np.float64)
        write(rows)
    bar.update(len(rows))
