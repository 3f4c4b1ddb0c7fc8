"""The description of a network's layers, the file that all later stages know them from."""

import hashlib
import json
import logging

from ..files import atomic
from ..fingerprint import sha256

log = logging.getLogger(__name__)


def write_description(path, name, graph, resizing, described, digests, chosen=None):
    """Write what extractor ``name`` gives to ``path`` (.json), and say it in the log.

    Parameters
    ----------
    path, graph : path
        The description and the graph that it is of.
    name : str
    resizing : dict
        How images are resized: ``size``, ``resample`` and, if there is one, ``shortest_edge``.
    described : list of dict
        Of every layer ``layer``, ``tensor``, ``shape``, ``dim`` and ``poolings``.
    digests : dict of str to str
        By tensor, of all that it is computed by.
    chosen : dict of str to str, optional
        What the network calls layers that were chosen by depth.
    """
    for layer in described:
        if chosen:
            layer["chosen"] = chosen[layer["layer"]]
        for pooling in layer["poolings"].values():
            computed = " ".join([digests[pooling["tensor"]], *map(str, resizing.values())])
            pooling["digest"] = hashlib.sha256(computed.encode()).hexdigest()
    description = {"extractor": name, **resizing, "graph": sha256(graph), "layers": described}
    with atomic(path) as beside:
        beside.write_text(json.dumps(description, indent=1) + "\n")
    for layer in described:
        poolings = [f"{pooling} {pooled['dim']:,}" for pooling, pooled in layer["poolings"].items()]
        kind = "; a vector, which has one pooling" if len(poolings) == 1 else ""
        if "prefix_tokens" in layer:
            before = layer["prefix_tokens"]
            patches = layer["shape"][0] - before
            kind = f"; {before} + {patches} tokens, {before} before those of the patches"
        log.info("%s: layer %s, values: %s%s", name, layer["layer"], ", ".join(poolings), kind)
    if chosen:
        log.info("%s: chosen by depth, by the names of the graph: %s", name, json.dumps(chosen))
