"""The explorer: one page, without a network, in which to see the images at every depth.

What it shows stands in its address, so that another page can link to it::

    explorer.html#DATASET/EXTRACTOR/LAYER/READING/WORD/WORD...

READING is ``POOLING.METRIC``, such as ``mean.angle``, or ``-`` for whichever the layer's map is
of. All from the right may be left out: without a layer the page opens at the depth advised. Each
part is percent-encoded by itself (``urllib.parse.quote(part, safe="")``). The words, in any order:

==========================  =======================================================================
``doubted``                 the images whose label is doubted, those of the report
``misplaced``               the images among another class at this depth (``misplaced=no``: others)
``marked``                  the images whose label the reader has corrected
``label=A``, ``cluster=A``  only the images of that label, of that cluster
``select=NAME,NAME``        these images are selected; NAME is that of the manifest, without commas
``only``                    and no others are shown
``image=NAME``              this image is chosen: its neighbours are shown
``find=TEXT``               every image is selected that has the text in its name or label
``colour=NAME``             label, cluster, goodness, misplaced or predicted label
``points=KIND``             pictures or dots; else dots, and pictures where the map is zoomed in
``beside=EXTRACTOR/LAYER``  a second map beside the first; its slash is encoded as ``%2F``
==========================  =======================================================================

So ``#birds/googlenet/pool5/mean.angle/misplaced`` shows what is misplaced at pool5, and
``#birds////image=stork__7.jpg`` one image at the depth advised. What the page does not know it
leaves aside, and says so.
"""

import base64
import hashlib
import logging
import os
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from ..best_reading import best_rows, of_reading, read_rows
from ..datasets.sampling import stratified_sample
from ..distances.matrix import pairs
from ..errors import UserError
from ..figures.style import in_reading_order, symbols
from ..files import REMEDY, atomic
from ..manifest import read_manifest
from ..plan import read_plan
from ..readings import KEYS, Reading
from ..seeds import derive_seed
from ..tables import read_table
from .explorer_page import explorer_page
from .procrustes import align, standardise
from .sprites import TILES, columns, sprite_sheets

log = logging.getLogger(__name__)

_NONE = "#7A7F86"  # the colour of what has no label or no value, which is an open ring
# Of two greys among the colours of classes the page makes the darker one nearly black.
_APART = {"#717581": "#2f3340"}
_LARGEST = 60_000_000  # bytes of a page that still opens at once
_UNSTABLE = "not stable"  # so begins the note of such clusters
_FEW = 2_000  # images of which the page has larger pictures


def write_explorer(plan, output, *, images=10_000, progress=True):
    """Write the explorer of a run, a single HTML file.

    Of each of the plan's cells it shows the map, embeddings/D/E/LAYER.csv, aligned to that of
    the layer before, see ``procrustes.align``; the neighbours, neighbours/D/E/LAYER.csv; the
    clusters, clusters/D/E/LAYER.csv (image,cluster); of a dataset with all labels goodness and
    what is misplaced, by the best reading, nulls/D/E/LAYER.csv and .images.csv and
    misplaced/D/E/LAYER.csv, and whose label is doubted, misplaced/D.csv, as the report lists it;
    of one with some the labels proposed, labels/D/labels.csv. Where
    layers are read in several ways, the page names the one of each map; without labels
    clusters/D/E.csv tells it, which says of all where clusters are not stable. The page opens at
    what verdict.csv advises; where it advises nothing, at the depth of the highest accuracy, and
    without labels at the last. It links to the report and to the JPEGs beside it.

    Parameters
    ----------
    plan : path
        The run's, plan.json in its folder of results.
    output : path
    images : int
        Of a dataset with more, a sample by class takes the place of all.
    progress : bool

    Raises
    ------
    UserError
        If a file is missing, or is of other images than the map.
    """
    results, plan = Path(plan).parent, read_plan(plan)
    # Pictures of twice the size, where there are few.
    tile = TILES[sum(min(plan.images[name], images) for name in plan.datasets) > _FEW]
    data = {
        "tile": tile,
        "columns": columns(tile),
        "results": Path(os.path.relpath(results, Path(output).parent)).as_posix(),
        "datasets": [
            _dataset(name, results, plan, images, tile, progress) for name in plan.datasets
        ],
    }
    page = explorer_page(data)
    if len(page) > _LARGEST:
        log.warning(
            "%s is %d MB large, and slow to open. Show fewer images of a dataset, or give fewer "
            "datasets or networks at once.",
            output,
            len(page) // 10**6,
        )
    with atomic(output) as beside:
        beside.write_bytes(page)


def _dataset(name, results, plan, images, tile, progress):
    seed = plan.config["seed"]
    first = results / f"embeddings/{'/'.join(plan.cells([name])[0])}.csv"
    table = _read(first)
    n = len(table)
    chosen = np.arange(n)
    if n > images:
        rng = np.random.default_rng(derive_seed(seed, name, "explorer"))
        chosen = stratified_sample(table.label, pairs(images), rng, source=first)
    # Those not shown come last: as neighbours they are named, at least.
    order = np.concatenate([chosen, np.setdiff1d(np.arange(n), chosen)])
    labels = {"label": table.label}
    if predicted := plan.labels(name):
        labels["predicted label"] = _read(results / predicted, table).label
    classes = sorted({label for column in labels.values() for label in column if label})
    classes = sorted(classes, key=in_reading_order)
    numbers = {label: place for place, label in enumerate([*classes, ""])}
    keys = _keys(classes, "no label")
    count = f"{len(chosen):,} of {n:,} pictures, drawn by class with seed {seed}"
    manifest = read_manifest(results / "datasets" / name / "manifest.csv")
    spec = plan.config["datasets"][name]
    advised, first = _advised(results / "verdict.csv", plan, name)
    return {
        "name": name,
        # Marks of the reader's are kept for these images with these labels.
        "id": hashlib.sha256("\n".join([*table.image, *table.label]).encode()).hexdigest()[:12],
        "shown": len(chosen),
        "note": f"Shown: {count if len(chosen) < n else f'all {n:,} pictures'}.",
        "grouped": "group" in manifest,
        "folder": spec["kind"] == "folder",
        "drawn": spec.get("per_class") is not None or name in plan.sampled,
        "advised": first,
        "images": table.image.iloc[order].tolist(),
        "sources": _sources(manifest, table).iloc[order].tolist(),
        "classes": [*classes, ""],
        "labels": table.label.map(numbers).iloc[order].tolist(),
        "sheets": [
            _base64(sheet)
            for sheet in sprite_sheets(
                results / "datasets" / name / "images",
                table.image.iloc[chosen],
                tile,
                progress=progress,
            )
        ],
        "colourings": [
            {"name": kind, "keys": keys, "codes": [_codes(column.map(numbers).iloc[chosen])]}
            for kind, column in labels.items()
        ],
        "suggested": _codes(labels["predicted label"].map(numbers).iloc[chosen])
        if predicted
        else None,
        **_doubted(name, results, plan, table.image.iloc[order], numbers),
        "extractors": [
            _extractor(
                *(name, extractor, results, plan, table, order, len(chosen), numbers),
                advised.get(extractor),
            )
            for extractor in plan.layers
        ],
    }


def _sources(manifest, table):
    """Return the files that the images were made from, as the dataset's folder names them."""
    if "source" not in manifest:
        return table.image
    return manifest.set_index("image").source.reindex(table.image).fillna("")


def _doubted(name, results, plan, images, numbers):
    """Return the places of the images that another label fits better, and which one it is.

    They are those of the report, the worst first; images that are not shown are among them.
    """
    if not (file := plan.mislabelled(name)):
        return {}
    found = read_table(results / file)
    found = found[found.doubt > 0]
    at = pd.Index(images).get_indexer(found.image)
    if (at < 0).any():
        raise UserError(
            f"{results / file}: is not of the images of the maps of its dataset. Remove it and run "
            "again to have it made anew."
        )
    return {"doubted": _array(at, "<u4"), "likely": _codes(found.likely.map(numbers))}


def _advised(path, plan, dataset):
    """Return the layer advised of each extractor, and extractor and layer of the dataset."""
    if plan.labelled[dataset] != "all":
        return {}, None
    rows = read_table(path)
    rows = rows[(rows.dataset == dataset) & (rows.layer != "")]
    rows = [row for row in rows.to_dict("records") if plan.has(row)]
    advised = {row["extractor"]: row["layer"] for row in rows if row["scope"] == "depth"}
    overall = (row for row in rows if row["scope"] == "dataset")
    return advised, next(([row["extractor"], row["layer"]] for row in overall), None)


def _extractor(dataset, name, results, plan, table, order, shown, numbers, advised):
    def files(folder, suffix=".csv"):
        folder = results / folder / dataset / name
        return [folder / f"{layer}{suffix}" for layer in plan.layers[name]]

    labelled = plan.labelled[dataset] == "all"
    groups = read_rows([results / "clusters" / dataset / f"{name}.csv"])
    unstable = set(groups.layer[groups.note.str.startswith(_UNSTABLE)])
    if labelled:
        best = {row.layer: row for row in best_rows(read_rows(files("nulls"))).itertuples()}
        read = {layer: row.reading for layer, row in best.items()}
    else:
        best, read = {}, _followed(groups)
    rows = [best.get(layer) for layer in plan.layers[name]]
    layers, before = [], None
    for layer, row, path, near in zip(
        plan.layers[name], rows, files("embeddings"), files("neighbours"), strict=True
    ):
        points = _read(path, table)[["x", "y"]].to_numpy(float)
        before = standardise(points) if before is None else align(points, before)
        layers.append(
            {
                "name": layer,
                "xy": _array(before[order[:shown]].T, "<f4"),
                "advised": layer == advised,
                "reading": read.get(layer, ""),
                "unstable": layer in unstable,
                **_facts(row),
                **_neighbours(near, table, order, shown),
            }
        )

    def columns(folder, column, suffix=".csv"):
        found = zip(files(folder, suffix), rows, strict=True)
        return [_read(file, table, row)[column].iloc[order[:shown]] for file, row in found]

    def worst_first(file):
        found = read_table(file)
        places = pd.Index(table.image.iloc[order[:shown]]).get_indexer(found.image)
        return places[found.misplaced.to_numpy(bool) & (places >= 0)]

    colourings = [_categories("cluster", columns("clusters", "cluster"))]
    if labelled:
        goodness = columns("nulls", "goodness", ".images.csv")
        for layer, column in zip(layers, goodness, strict=True):
            layer["goodness"] = _array(column, "<f4")
        colourings.append(_bins("goodness", goodness))
        words = {True: "among another class", False: "not among another"}
        misplaced = [column.map(words) for column in columns("misplaced", "misplaced")]
        suggested = columns("misplaced", "neighbours_label")
        for layer, column, file in zip(layers, suggested, files("misplaced"), strict=True):
            layer["suggested"] = _codes(column.map(numbers))
            layer["worst"] = _array(worst_first(file), "<u4")
        colourings.append(_categories("misplaced", misplaced))
    return {"name": name, "layers": layers, "colourings": colourings}


def _followed(rows):
    """Return by layer what the reading that the clusters follow is called, if it needs a name."""
    if "pooling" not in rows or set(rows[KEYS].itertuples(False, None)) == {Reading()}:
        return {}
    return {row.layer: str(Reading(row.pooling, row.metric)) for row in rows.itertuples()}


def _read(path, table=None, best=None):
    """Return the table at ``path``, its rows in the order of the images of ``table``.

    Of a table of several readings those of the row ``best``.
    """
    found = read_table(path)
    if "x" in found and not np.isfinite(found[["x", "y"]].to_numpy(float)).all():
        raise UserError(f"{path}: has coordinates that are not numbers. {REMEDY}")
    if best is not None and "pooling" in found:
        found = of_reading(found, (best.pooling, best.metric))
    if table is None:
        return found
    place = pd.Index(found.image).get_indexer(table.image)
    if len(found) != len(table) or (place < 0).any():
        raise UserError(
            f"{path}: is not of the images of the first map of its dataset. Remove it and run "
            "again to have it made anew."
        )
    return found.iloc[place].reset_index(drop=True)


def _neighbours(path, table, order, shown):
    found = _read(path)
    k = int(found["rank"].max())
    images = table.image.to_numpy()
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    at = pd.Index(images).get_indexer(found.neighbour)
    if list(found.image) != list(np.repeat(images, k)) or (at < 0).any():
        raise UserError(
            f"{path}: is not of the images of the maps of its dataset. Remove it and run again "
            "to have it made anew."
        )
    rows = order[:shown]
    return {
        "k": k,
        "neighbours": _array(place[at].reshape(-1, k)[rows], "<u4"),
        "distances": _array(found.distance.to_numpy().reshape(-1, k)[rows], "<f4"),
    }


def _facts(row):
    """Return what the page says of a row of goodness.csv, or of none."""
    values = {name: float(getattr(row, name, np.nan)) for name in ("knn1_half", "goodness")}
    return {
        "accuracy" if name == "knn1_half" else "mean_goodness": value
        if np.isfinite(value)
        else None
        for name, value in values.items()
    }


def _keys(names, empty):
    keys = [
        {"name": name, "colour": _APART.get(colour, colour), "symbol": marker}
        for name, (colour, marker) in zip(names, symbols(len(names)), strict=True)
    ]
    return [*keys, {"name": empty, "colour": _NONE, "symbol": "ring"}]


def _categories(name, columns):
    values = sorted(set(pd.concat(columns)) - {""}, key=in_reading_order)
    numbers = {value: place for place, value in enumerate([*values, ""])}
    return {
        "name": name,
        "keys": _keys(values, f"no {name}"),
        "codes": [_codes(column.map(numbers)) for column in columns],
    }


def _bins(name, columns):
    """Return a colouring by value: eighths of all depths together, and a border at one."""
    values = pd.concat(columns)
    values = values[np.isfinite(values)]
    borders = np.quantile(values, np.arange(1, 8) / 8) if len(values) else []
    edges = sorted({1.0, *(float(f"{border:.3g}") for border in borders)})
    names = [f"below {edges[0]:g}"]
    names += [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    names += [f"{edges[-1]:g} and above"]
    # Cividis was made to be read alike with and without colour blindness.
    colours = matplotlib.colormaps["cividis"](np.linspace(0, 1, len(names)))
    keys = [
        {"name": text, "colour": to_hex(colour), "symbol": "o"}
        for text, colour in zip(names, colours, strict=True)
    ]
    keys.append({"name": f"no {name}", "colour": _NONE, "symbol": "ring"})
    codes = [np.where(column.isna(), len(names), np.digitize(column, edges)) for column in columns]
    return {"name": name, "keys": keys, "codes": [_codes(column) for column in codes]}


def _base64(raw):
    return base64.b64encode(raw).decode("ascii")


def _array(values, kind):
    return _base64(np.ascontiguousarray(values, kind).tobytes())


def _codes(values):
    return _array(values, "<u2")
