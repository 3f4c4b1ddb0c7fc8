"""The goodness of a layer in all of its readings, and the files that hold it."""

import logging

import numpy as np
import pandas as pd

from ..code import code_digest
from ..described import read_layer
from ..distances.matrix import read_distances
from ..distances.reading import file_of, open_distances
from ..errors import UserError
from ..files import atomic
from ..fingerprint import read_array, read_fingerprint, sha256, writing
from ..manifest import groups_of, read_labels
from ..readings import KEYS, Reading, choose, layer_poolings, pooled
from ..tables import read_text_table, write_table
from ..users_labels import NO_LABEL
from .cell import as_text, measured_cell
from .geometry import SPREAD
from .permutation import usual_permute

log = logging.getLogger(__name__)

# The tables of a layer, each with all readings.
TABLES = ("row", "classes", "images", "halves")
AS_IT_IS = Reading("", "euclidean")  # of anybody's distances


def goodness(
    distances, labels, *, layer="", layers=None, poolings=(), metrics=("euclidean",), **options
):
    """Call ``write_layer`` for readings by name; print the rows, where no file takes them.

    Parameters
    ----------
    distances, labels : path
    layer : str
    layers : path, optional
        The network's description, which knows the depth of the layer, and its dimension in each
        pooling.
    poolings, metrics : sequence of str
        All readings that they make up. Poolings are those of a layer described, flat if none is
        given; of anybody's distances there is one, without a name.
    options
        As of ``write_layer``.

    Raises
    ------
    UserError
        As ``write_layer``; if the network has no such layer, or the layer no such pooling.
    """
    depth, dims = "", {}
    if layers is not None:
        depth, described = read_layer(layers, layer)
        poolings = layer_poolings(described, poolings or ["flat"])
        dims = {pooling: pooled(described, pooling)["dim"] for pooling in poolings}
    readings = [Reading(pooling, metric) for pooling in poolings or [""] for metric in metrics]
    rows = write_layer(
        distances, labels, layer=layer, depth=depth, dims=dims, readings=readings, **options
    )
    if not any(options.get(file) for file in ("null", *TABLES)):
        for row in rows:
            if len(rows) > 1:
                print(f"\n{row['metric']}:")
            print(as_text(row))


def write_layer(
    distances_path,
    labels_path,
    *,
    null=None,
    row=None,
    classes=None,
    images=None,
    halves=None,
    dataset="",
    extractor="",
    layer="",
    depth="",
    dims=None,
    readings=(AS_IT_IS,),
    no_label=NO_LABEL,
    permute="images",
    permutations=9999,
    seed=0,
    threads=1,
    progress=True,
):
    """Measure a layer in all of its readings, and write what is asked for.

    A reading of which the files hold what was made from the same distances and labels by the same
    code is kept: of a reading that was asked for later, only that one is measured. One in which
    all images coincide is left out, with a warning, unless it is the only one.

    Parameters
    ----------
    distances_path : path
        Distances, ``.npy``, condensed or square; of several poolings, of any of them.
    labels_path : path
        Their manifest, or a bare column of labels, see ``manifest.read_labels``.
    null : path, optional
        Takes the goodness under each permutation, ``.npy``, float64 [readings, permutations].
    row : path, optional
        Takes a CSV of rows of goodness.csv, one per reading, with the column ``best_reading``: True
        for the one that ``readings.choose`` takes.
    classes, images, halves : path, optional
        Take the tables of ``cell.Cell`` as CSV, reading after reading, with the columns
        pooling,metric first; ``halves`` has the names of the cell before them.
    dataset, extractor, layer : str
        The names of the layer.
    depth : int
        Of the layer, from 1.
    dims : dict of str to int, optional
        How many values the layer has in each pooling.
    readings : sequence of Reading
        Without a pooling, that of the file.
    no_label : sequence of str
        What stands for no label, see ``manifest.read_labels``.
    permute : str
        As for ``cell.measured_cell``; or auto, what ``permutation.usual_permute`` says.
    permutations, seed, threads, progress
        As for ``cell.measured_cell``.

    Returns
    -------
    list of dict
        The rows.

    Raises
    ------
    UserError
        As ``cell.measured_cell``, and if a file is not what it should be.
    """
    manifest = read_labels(labels_path, no_label)
    if "source_sha256" not in manifest:  # labels of the user's own
        _check_count(file_of(distances_path, readings[0]), labels_path, manifest)
    names = {"dataset": dataset, "extractor": extractor, "layer": layer}
    if permute == "auto":
        permute, reason = usual_permute(manifest.label, groups_of(manifest))
        if reason:
            log.info("%s: permuting %s, since %s.", labels_path, permute, reason)
    if "group" in manifest and permute == "images":
        log.warning(
            "%s has groups, and images are permuted one by one: p is too small where images of "
            "a group are alike. `permute` groups permutes whole groups.",
            labels_path,
        )
    files = dict(zip(TABLES, (row, classes, images, halves), strict=True))
    made_from = names | {
        "labels": sha256(labels_path),
        "code": code_digest("statistics.layer"),
    }
    made_from |= {"permute": permute, "permutations": permutations, "seed": seed}
    made_from |= {"no_label": list(no_label), "readings": {}}
    kept = _kept(null, files, made_from) if null and all(files.values()) else {}
    tables, nulls, digests = {name: [] for name in TABLES}, [], {}
    for place, reading in enumerate(readings):
        key = str(reading)
        source = file_of(distances_path, reading)
        if source not in digests:  # both metrics are of one file
            digests[source] = sha256(source)
        digest = digests[source]
        if key in kept and kept[key][0] == digest:
            log.info("%s, %s: there already, made from the same; kept.", layer, reading)
            _, its_null, found = kept[key]
        else:
            last = place == len(readings) - 1 and not nulls
            with open_distances(
                distances_path, reading, expected=len(manifest), table=labels_path, threads=threads
            ) as opened:
                if not last and not opened.condensed.max():
                    log.warning(
                        "%s, %s: all images coincide, so there is nothing to compare; this "
                        "reading is left out.",
                        *(layer or distances_path, reading),
                    )
                    continue
                cell = measured_cell(
                    opened,
                    manifest,
                    names
                    | {"pooling": reading.pooling, "metric": reading.metric}
                    | {"depth": depth, "dim": (dims or {}).get(reading.pooling, "")},
                    source=labels_path,
                    permute=permute,
                    permutations=permutations,
                    seed=seed,
                    threads=threads,
                    progress=progress,
                )
            found, its_null = _tables(cell, names, reading), cell.null
            _say(cell.row, names, reading, distances_path)
        made_from["readings"][key] = digest
        nulls.append(its_null)
        for name in TABLES:
            tables[name].append(found[name])
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    rows = tables["row"]
    best = choose(rows.knn1_half.to_numpy(float), rows.auc.to_numpy(float))
    rows["best_reading"] = np.arange(len(rows)) == best
    for name, path in files.items():
        if path is not None:
            write_table(tables[name], path)
    if null is not None:
        made_from["tables"] = sha256(*filter(None, files.values()))
        shape = len(nulls), permutations
        with atomic(null) as beside, writing(beside, "<f8", shape, made_from) as write:
            write(np.array(nulls, "<f8"))
    return rows.to_dict("records")


def _check_count(distances_path, labels_path, manifest):
    """Raise where labels of the user's own are more or fewer than the images of the distances."""
    found = read_distances(distances_path).n
    if found != len(manifest):
        first = manifest.label.iloc[0]
        raise UserError(
            f"{labels_path}: has labels for {len(manifest)} images, and {distances_path} distances "
            f"of {found} images. Expected is a label for each, in the order of the distances"
            + (
                f"; if {first!r} in its first line is a heading, call it `label`."
                if found == len(manifest) - 1
                else "."
            )
        )


def _tables(cell, names, reading):
    """Return the tables of a cell with the names that tell it from the others of its layer."""
    own = dict(zip(KEYS, reading, strict=True))
    return {
        "row": pd.DataFrame([cell.row]),
        "classes": pd.DataFrame(own | dict(cell.classes.items())),
        "images": pd.DataFrame(own | dict(cell.images.items())),
        "halves": pd.DataFrame(names | own | dict(cell.halves.items())),
    }


def _say(row, names, reading, path):
    name = ", ".join(filter(None, [*names.values(), *reading])) if names["layer"] else path
    log.info("%s: goodness %.4f, p = %.4g", name, row["goodness"], row["p_value"])
    if row["spread_warning"]:
        log.warning("%s: %s (PERMDISP).", name, SPREAD)


def _kept(null, files, made_from):
    """Return, by reading, what is there already: (digest of its distances, null, tables).

    It counts if it is undamaged, and was made from the labels, the settings and the code of now.
    """
    try:
        said = read_fingerprint(null)
        digests = said.pop("readings")
        if said.pop("tables") != sha256(*files.values()):
            return {}
        if said != {key: value for key, value in made_from.items() if key != "readings"}:
            return {}
        tables = {name: read_text_table(file) for name, file in files.items()}
        nulls = read_array(null)
    except (OSError, ValueError, EOFError, KeyError, UserError):
        return {}
    kept = {}
    for (key, digest), its_null in zip(digests.items(), nulls, strict=True):
        own = {
            name: table[table.pooling + ", " + table.metric == key]
            for name, table in tables.items()
        }
        kept[key] = digest, its_null, own
    return kept
