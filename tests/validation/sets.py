"""Real labelled images through trained networks: the distances of every reading, kept in a cache.

The image sets and the networks lie in a folder that is no part of this repository (``--shared``):
sets/SET/CLASS/* and the files that NETWORKS names. Pictures become JPEGs and pixels as in a run,
networks are built as in a run; features are pooled here, in float64.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from depthgauge.config import checked_spec
from depthgauge.datasets import make_dataset
from depthgauge.files import atomic
from depthgauge.manifest import class_codes, read_manifest

VERSION = "1"  # of the cache's files
BATCH = 4  # images computed at once on one thread, as in a run
COLUMNS = 1 << 14  # values of a layer that are multiplied at once

_BLOCKS = ["tokens", *(f"block_{number}" for number in range(1, 10))]
_STAGES = ["stem_relu", *(f"stage{number}" for number in range(1, 8)), "avg_pool"]
NETWORKS = {
    "googlenet": {
        "kind": "frozen_graph",
        "path": "models/googlenet_bvlc.pb",
        "input": "input:0",
        "size": 224,
        "layers": {f"pool{number}": f"pool{number}:0" for number in range(1, 6)},
    },
    "mobilenet": {
        "kind": "frozen_graph",
        "path": "models/mobilenet_v1.pb",
        "input": "input:0",
        "size": 224,
        "layers": {
            f"conv_{number}": f"MobilenetV1/MobilenetV1/Conv2d_{number}_pointwise/Relu6:0"
            for number in (1, 3, 5, 11, 13)
        }
        | {"avg_pool": "MobilenetV1/Logits/AvgPool_1a/AvgPool:0"},
    },
    "efficientnet": {
        "kind": "keras_file",
        "path": "models/efficientnet_lite0.keras",
        "layers": _STAGES,
    },
    "inception_2015": {
        "kind": "frozen_graph",
        "path": "models/inception_2015_to_mixed_8.pb",
        "input": "ResizeBilinear:0",
        "size": 299,
        "resample": "tf1_bilinear",
        "layers": {
            "pool": "pool:0",
            "mixed_3_pool": "mixed_3/pool:0",
            "mixed_8_pool": "mixed_8/pool:0",
        },
    },
    "inception_v3_finetuned": {
        "kind": "keras_file",
        "path": "models/inception_v3_finetuned.keras",
        "layers": [*(f"max_pooling2d_{n}" for n in (1, 3, 4)), "average_pooling2d_10"],
    },
    "vit_s14": {"kind": "keras_file", "path": "models/vit_s14_9blocks.keras", "layers": _BLOCKS},
}
CLASS_TOKEN = ("vit_s14",)  # networks whose sequences begin with one


def real_pairs(shared, cache, *, threads=2):
    """Yield (set, network, file) for every set and network in ``shared``, made where missing.

    The file, an .npz in the folder ``cache``, is what ``load`` reads. Its name holds a digest
    of the names and sizes of the set's files and of the network's file: when they change it is
    made anew.
    """
    networks = {
        name: spec | {"path": str(shared / spec["path"])}
        for name, spec in NETWORKS.items()
        if (shared / spec["path"]).exists()
    }
    digests = {
        name: hashlib.sha256(
            json.dumps(spec | {"path": ""}).encode() + Path(spec["path"]).read_bytes()
        ).hexdigest()
        for name, spec in networks.items()
    }
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as scratch:
        scratch = Path(scratch)
        extractors = {}
        for folder in sorted(path for path in (shared / "sets").glob("*") if path.is_dir()):
            listed = sorted((str(f.relative_to(folder)), f.stat().st_size) for f in _files(folder))
            files = {}
            for name, digest in digests.items():
                key = hashlib.sha256(json.dumps([VERSION, listed, digest]).encode()).hexdigest()
                files[name] = cache / f"{folder.name}-{name}-{key[:16]}.npz"
            missing = [name for name, file in files.items() if not file.exists()]
            if missing:
                images, manifest = scratch / folder.name, scratch / f"{folder.name}.csv"
                spec = checked_spec("datasets", "set", {"kind": "folder", "path": str(folder)})
                make_dataset(
                    folder.name, spec, images, manifest, seed=1, threads=threads, progress=False
                )
                table = read_manifest(manifest)
                codes, _ = class_codes(table.label)
                paths = [images / name for name in table.image]
                for name in missing:
                    if name not in extractors:
                        extractors[name] = _Extractor(name, networks[name], scratch)
                    made = extractors[name].readings(paths, threads)
                    with atomic(files[name]) as beside:
                        np.savez(beside, codes=codes, source=table.source.to_numpy(str), **made)
            for name, file in files.items():
                yield folder.name, name, file


def _files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def load(file):
    """Return (codes, layers) of a file of the cache.

    ``layers``, from shallow to deep, are pairs: a dict from pooling to condensed Euclidean
    distances (float32), and the features [n, channels] that are the mean over positions.
    """
    with np.load(file) as found:
        layers = []
        while f"features.{len(layers)}" in found:
            start = f"distances.{len(layers)}."
            of_layer = {
                key.removeprefix(start): found[key] for key in found.files if key.startswith(start)
            }
            layers.append((of_layer, found[f"features.{len(layers)}"]))
        return found["codes"], layers


class _Extractor:
    """A network that is built once and run on several sets."""

    def __init__(self, name, spec, scratch):
        # TensorFlow takes seconds to import, and none of it where all is in the cache.
        from depthgauge.networks.graph import graph_function, read_graph
        from depthgauge.networks.network import build_network

        graph, layers = scratch / f"{name}.pb", scratch / f"{name}.json"
        build_network(name, spec, graph, layers)
        described = json.loads(layers.read_text())
        self.size, self.resample = described["size"], described["resample"]
        self.shapes = [layer["shape"] for layer in described["layers"]]
        self.class_token = name in CLASS_TOKEN
        self.run = graph_function(
            read_graph(graph), [layer["tensor"] for layer in described["layers"]]
        )

    def readings(self, paths, threads):
        """Return the arrays that ``load`` reads, without the codes."""
        from depthgauge.networks.pixels import load_pixels

        flat = [np.empty((len(paths), int(np.prod(shape))), np.float32) for shape in self.shapes]

        def compute(start):
            batch = [load_pixels(p, self.size, self.resample) for p in paths[start : start + BATCH]]
            for rows, values in zip(flat, self.run(np.stack(batch)), strict=True):
                rows[start : start + len(batch)] = values.reshape(len(batch), -1)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(compute, range(0, len(paths), BATCH)))
        made = {}
        for depth, shape in enumerate(self.shapes):
            pooled = _pooled(flat[depth], shape, self.class_token)
            flat[depth] = None
            for pooling, features in pooled.items():
                made[f"distances.{depth}.{pooling}"] = condensed_distances(features)
            made[f"features.{depth}"] = pooled.get("mean", pooled["flat"]).astype(np.float32)
        return made


def _pooled(flat, shape, class_token):
    """Return the features of a layer by pooling; of a vector there is one."""
    channels = shape[-1]
    if flat.shape[1] == channels:
        return {"flat": flat}
    rows = flat.reshape(len(flat), -1, channels)
    if len(shape) == 2 and class_token:
        return {
            "flat": flat,
            "mean": rows[:, 1:].mean(axis=1, dtype=np.float64),
            "cls": rows[:, 0],
        }
    return {"flat": flat, "mean": rows.mean(axis=1, dtype=np.float64)}


def condensed_distances(features):
    """Return the Euclidean distances of the rows, condensed, float32; summed in float64."""
    n = len(features)
    inner = np.zeros((n, n))
    for start in range(0, features.shape[1], COLUMNS):
        part = features[:, start : start + COLUMNS].astype(np.float64)
        part -= part.mean(axis=0)
        inner += part @ part.T
    squares = np.diagonal(inner)
    i, j = np.triu_indices(n, 1)
    both = squares[i] + squares[j]
    squared = both - 2 * inner[i, j]
    squared[squared < 1e-14 * both] = 0  # copies, but for round-off
    return np.sqrt(squared).astype(np.float32)
