"""The distances of one layer in all of its poolings, a file each."""

import json
import logging
import os
from pathlib import Path

from ..code import code_digest
from ..errors import UserError
from ..files import second_name
from ..fingerprint import fingerprint, is_made_from
from ..readings import split_name
from .distances import distance_block, distances

log = logging.getLogger(__name__)


def layer_distances(
    shards,
    outputs,
    *,
    manifest=None,
    graph=None,
    layers=None,
    layer=None,
    block=None,
    threads=1,
):
    """Write the Euclidean distances of a layer, one pooling after the other.

    A matrix that is there already, made from the same features by the same code, is kept: where
    another pooling was asked for later, only that one is made. A vector is the same in every
    pooling: its matrix is made once, and has the names of all.

    Parameters
    ----------
    shards : list of path
        Features: all shards of the first pooling, then all of the second, and so on.
    outputs : list of path
        A file for each pooling, LAYER.npy or LAYER.POOLING.npy, or a block of each.
    manifest, graph, layers : path, optional
        Of which the shards must say they were made: ``layers`` is the graph's description.
    layer : str, optional
        Its name there. These four go together.
    block : (int, int, int), optional
        (a, b, k), as of :func:`depthgauge.distances.distances.distance_block`.
    threads : int

    Raises
    ------
    UserError
        As :func:`depthgauge.distances.distances.distances`; if there are not as many shards of
        each pooling; if the description has no such layer, or some of the four are missing.
    """
    source = (manifest, graph, layers)
    named = layer is not None
    if [path is not None for path in source] != [named] * 3:
        raise UserError("--manifest, --graph, --layers and --layer go together: give all, or none.")
    count, left = divmod(len(shards), len(outputs))
    if left or not count:
        raise UserError(
            f"features: {len(shards)} shards were given for {len(outputs)} files of distances; "
            "give all shards of the first pooling, then as many of the next."
        )
    made = {}
    for place, output in enumerate(map(Path, outputs)):
        part = shards[place * count : (place + 1) * count]
        said = None
        if named:
            said = fingerprint(*source) | {"layer": layer}
            said["pooling"] = _pooling(layers, layer, Path(part[0]).parent.name)
            if said["pooling"] in made:
                second_name(made[said["pooling"]], output)
                continue
            made[said["pooling"]] = output
        if block is not None:
            distance_block(part, output, block, made_from=said, threads=threads)
        elif said and is_made_from(output, said | {"code": code_digest("distances.distances")}):
            log.info("%s is there already, made from the same features: it is kept.", output)
            os.utime(output)
        else:
            distances(part, output, made_from=said, threads=threads)


def _pooling(description, layer, folder):
    """Return what the features in ``folder`` are: a vector is flat, whatever it is called."""
    described = {d["layer"]: d for d in json.loads(Path(description).read_text())["layers"]}
    if layer not in described:
        raise UserError(f"{description}: has no layer {layer!r}; it has {', '.join(described)}.")
    _, pooling = split_name(folder)
    return pooling if pooling in described[layer]["poolings"] else "flat"
