"""The features of the cell that is advised for a dataset, and what extracts them, in one folder."""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np

from ..capacity import check_features_disk
from ..described import read_description, read_layer
from ..distances.shards import open_shard
from ..errors import UserError
from ..files import atomic, remove
from ..fingerprint import (
    fingerprint,
    is_foreign,
    is_made_from,
    read_array,
    read_fingerprint,
    sha256,
    write_header,
)
from ..manifest import read_manifest
from ..networks.features import features as extract
from ..networks.vectors import write_vector_graph
from ..readings import KEYS, METRICS, POOLINGS, pooled, pooled_name
from ..tables import read_table, write_table
from .readme import readme

log = logging.getLogger(__name__)

_VALUES = 1 << 22  # of features that are read at once


def write_advised(
    advice,
    manifest,
    images,
    networks,
    output,
    *,
    dataset,
    means,
    parts=1,
    kept=None,
    quality=95,
    threads=1,
):
    """Write the features of the cell that is advised for a dataset, and what extracts them.

    In the folder of ``output`` are then ``features.npy`` (float32 [images, dim], in the order of
    the manifest; by angle centred and scaled to length one), ``images.csv`` (image, source,
    label), ``extractor.pb`` or ``.onnx``, which makes such vectors of images, and
    ``extractor.json``, which says how they are resized; where nothing is advised, ``output`` says
    so alone. Features are in single precision, whatever the run's are. Those that are there
    already, made from the same, are left as they are.

    Parameters
    ----------
    advice : path
        verdict.csv; or the accuracy.csv of ``labels``, of a dataset of which some images have one;
        or a table of one's own, ``extractor,layer,pooling,metric``, of one row.
    manifest, images : path
        The dataset's.
    networks : list of path
        The graphs of all extractors, EXTRACTOR.pb or .onnx, each with its EXTRACTOR.json beside.
    output : path
        README.md of the folder, which is written last.
    dataset : str
    means : path
        The folder of the means of the dataset's features, EXTRACTOR/NAME/PART-of-PARTS.npy.
    parts : int
        In how many the features were extracted.
    kept : path, optional
        The folder of the features themselves, laid out alike. Those in single precision that are
        whole and made from this manifest and network are taken, and nothing is extracted again.
    quality : int
        Of JPEGs, with which the dataset was made and new pictures are converted.
    threads : int

    Raises
    ------
    UserError
        If ``advice`` does not know the dataset, or names what there is not, or a network or a mean
        is missing; as ``features``.
    """
    folder = Path(output).parent
    cell = _cell(advice, dataset)
    remove(output)
    if cell is None:
        for file in folder.glob("*.*"):
            remove(file)
        with atomic(output) as beside:
            beside.write_text(readme(dataset), encoding="utf-8")
        return
    graph = _network(networks, cell["extractor"])
    layers = graph.with_suffix(".json")
    described = read_description(layers)
    _, layer = read_layer(layers, cell["layer"])
    if len(layer["shape"]) > 1 and cell["pooling"] not in layer["poolings"]:
        raise UserError(
            f"{advice}: {cell['layer']} of {cell['extractor']} is not read {cell['pooling']!r}, "
            f"but {' or '.join(layer['poolings'])}."
        )
    source = pooled(layer, cell["pooling"])
    table = read_manifest(manifest)
    part_files = [
        Path(cell["extractor"], pooled_name(cell["layer"], cell["pooling"]), f"{i}-of-{parts}.npy")
        for i in range(parts)
    ]
    mean = None
    if cell["metric"] == "angle":
        mean = _mean([Path(means, file) for file in part_files], len(table))

    extractor, description = (folder / f"extractor{end}" for end in (graph.suffix, ".json"))
    for other in set(folder.glob("extractor.*")) - {extractor, description}:
        remove(other)
    if graph.suffix != ".onnx":
        from ..networks.tensorflow_setup import use_threads

        use_threads(threads)
    tensor = write_vector_graph(graph, extractor, source["tensor"], source["dim"], mean)
    written = _description(described, cell, extractor, tensor, source["dim"], quality)
    with atomic(description) as beside:
        beside.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")

    vectors = folder / "features.npy"
    made_from = fingerprint(manifest, description, cell["layer"])
    made_from |= {"images": [0, len(table), len(table)], "precision": "float32"}
    shards = [Path(kept, file) for file in part_files] if kept else []
    if is_made_from(vectors, made_from):
        log.info("%s: there already, made from the same.", vectors)
    else:
        remove(vectors)
        check_features_disk([vectors], len(table), [source["dim"]], "float32")
        expected = fingerprint(manifest, layers, cell["layer"], cell["pooling"])
        if shards and _are_usable(shards, expected):
            log.info("%s: from the features that are kept.", vectors)
            _write_scaled(shards, vectors, (len(table), source["dim"]), mean, made_from)
        else:
            extract(extractor, description, images, manifest, [vectors], threads=threads)
    listed = table.reindex(columns=["image", "source", "label"], fill_value="")
    write_table(listed, folder / "images.csv")
    with atomic(output) as beside:
        beside.write_text(readme(dataset, written, len(table)), encoding="utf-8")


def _cell(path, dataset):
    """Return extractor, layer, pooling and metric of the cell advised, or None for none."""
    advice = read_table(path)
    if "expected_accuracy" in advice:  # of `labels`: that of the candidate that was taken
        rows = advice[advice.expected_accuracy.notna()]
    elif "scope" in advice:
        rows = advice[(advice.scope == "dataset") & (advice.dataset == dataset)]
    else:  # one's own
        rows = advice.reindex(columns=["extractor", "layer", *KEYS])
        names = {"pooling": POOLINGS, "metric": METRICS}
        if len(rows) != 1 or not all(rows[key].isin(names[key]).all() for key in KEYS):
            raise UserError(
                f"{path}: expected verdict.csv, or one row with extractor, layer, pooling (one of "
                f"{', '.join(POOLINGS)}) and metric ({' or '.join(METRICS)})."
            )
    if rows.empty:
        raise UserError(f"{path}: says nothing of the dataset {dataset!r}.")
    cell = {key: rows.iloc[0][key] for key in ("extractor", "layer", *KEYS)}
    return cell if cell["layer"] else None


def _network(networks, extractor):
    found = [Path(path) for path in networks if Path(path).stem == extractor]
    if not found:
        names = ", ".join(Path(path).stem for path in networks)
        raise UserError(
            f"networks: there is none of the extractor {extractor!r}, which is advised; there are "
            f"{names}."
        )
    return found[0]


def _mean(files, count):
    """Return the mean of all features, float64, from those of the parts of ``count`` images."""
    total = 0
    for part, file in enumerate(files):
        size = (part + 1) * count // len(files) - part * count // len(files)
        total = total + read_array(file) * size
    return total / count


def _description(described, cell, extractor, tensor, dim, quality):
    """Return what extractor.json says: what a network's description does, the cell and quality."""
    keys = [key for key in ("size", "resample", "shortest_edge") if key in described]
    resizing = {key: described[key] for key in keys}
    graph = sha256(extractor)
    computed = " ".join([graph, *map(str, resizing.values())])
    digest = hashlib.sha256(computed.encode()).hexdigest()
    flat = {"tensor": tensor, "dim": dim, "digest": digest}
    layer = {"layer": cell["layer"], "tensor": tensor, "shape": [dim], "dim": dim}
    return {
        "extractor": cell["extractor"],
        **resizing,
        "graph": graph,
        "layers": [layer | {"poolings": {"flat": flat}}],
        "reading": {key: cell[key] for key in KEYS},
        "jpeg_quality": quality,
    }


def _are_usable(shards, expected):
    """Return whether shards are there, whole, in single precision and made from what is expected.

    Those in half precision differ by more than rounding from what the extractor makes.
    """
    return all(
        path.exists()
        and not is_foreign(path, expected, part, len(shards))
        and open_shard(path).dtype == np.float32
        and read_fingerprint(path).get("precision") == "float32"
        for part, path in enumerate(shards)
    )


def _write_scaled(shards, output, shape, mean, made_from):
    step = max(1, _VALUES // shape[1])
    with atomic(output) as beside, open(beside, "wb") as file:
        write_header(file, "float32", shape, made_from)
        for path in shards:
            rows = np.load(path, mmap_mode="r")
            for start in range(0, len(rows), step):
                file.write(_scaled(rows[start : start + step], mean))


def _scaled(features, mean):
    """Return float32 [n, d]: less the mean, each row of length one; as they are without a mean.

    As the extractor has it: in double precision, and a row that is the mean becomes zero.
    """
    if mean is None:
        return np.ascontiguousarray(features, np.float32)
    centred = np.subtract(features, mean, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, lengths, out=centred, where=lengths > 0).astype(np.float32)
