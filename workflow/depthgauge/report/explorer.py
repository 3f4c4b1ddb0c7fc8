"""The explorer: one page, without a network, in which to see the images at every depth."""

import base64
import logging
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from ..best_reading import best_rows, of_reading, read_rows
from ..condensed import pairs
from ..datasets.sampling import stratified_sample
from ..errors import UserError
from ..figures.style import in_reading_order, symbols
from ..files import whole
from ..manifest import read_manifest
from ..readings import KEYS, Reading
from ..seeds import derive_seed
from ..tables import read_table
from .explorer_page import explorer_page
from .procrustes import align, standardise
from .sprites import COLUMNS, sprite_sheets

log = logging.getLogger(__name__)

_NONE = "#A9ADB3"  # the colour of what has no label or no value
_PLOTLY = {  # what matplotlib's markers are called there
    **{"o": "circle", "^": "triangle-up", "s": "square", "v": "triangle-down", "D": "diamond"},
    **{"P": "cross", "X": "x", "<": "triangle-left", ">": "triangle-right", "*": "star"},
}
_LARGEST = 60_000_000  # bytes of a page that still opens at once


def write_explorer(embeddings, output, *, images=10_000, seed=0, progress=True):
    """Write the explorer, a single HTML file.

    Of each map's cell, what else there is in the same folder of results is shown:
    neighbours/D/E/LAYER.csv and datasets/D/images, which there must be; nulls/D/E/LAYER.csv and
    .images.csv, of the best reading, misplaced/D/E/LAYER.csv, clusters/D/E/LAYER.csv
    (image,cluster) and labels/D/labels.csv (image,label), if they are there. Where layers are
    read in several ways, the page names the one of each map; without labels clusters/D/E.csv
    tells it.

    Parameters
    ----------
    embeddings : sequence of path
        RESULTS/embeddings/DATASET/EXTRACTOR/LAYER.csv, the layers of an extractor in order of
        depth. Each map is aligned to the one before, see ``procrustes.align``.
    output : path
    images : int
        Of a dataset with more, a sample by class takes the place of all.
    seed : int
        The run's.
    progress : bool

    Raises
    ------
    UserError
        If a file is missing, or is of other images than the map.
    """
    cells = {}
    for path in map(Path, embeddings):
        cells.setdefault(path.parts[-3], {}).setdefault(path.parts[-2], []).append(path)
    data = {
        "columns": COLUMNS,
        "datasets": [
            _dataset(name, extractors, images, seed, progress) for name, extractors in cells.items()
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
    with whole(output) as beside:
        beside.write_bytes(page)


def _dataset(name, extractors, images, seed, progress):
    first = next(iter(extractors.values()))[0]
    results = first.parents[3]
    table = _read(first)
    n = len(table)
    chosen = np.arange(n)
    if n > images:
        rng = np.random.default_rng(derive_seed(seed, name, "explorer"))
        chosen = stratified_sample(table.label, pairs(images), rng, source=first)
    # Those not shown come last: as neighbours they are named, at least.
    order = np.concatenate([chosen, np.setdiff1d(np.arange(n), chosen)])
    predicted = results / "labels" / name / "labels.csv"
    columns = {"label": table.label}
    if predicted.exists():
        columns["predicted label"] = _read(predicted, table).label
    classes = sorted({label for column in columns.values() for label in column if label})
    classes = sorted(classes, key=in_reading_order)
    numbers = {label: place for place, label in enumerate([*classes, ""])}
    keys = _keys(classes, "no label")
    count = f"{len(chosen):,} of {n:,} images, drawn by class with seed {seed}"
    return {
        "name": name,
        "shown": len(chosen),
        "note": f"Shown: {count if len(chosen) < n else f'all {n:,} images'}.",
        "grouped": _grouped(results / "datasets" / name / "manifest.csv"),
        "images": table.image.iloc[order].tolist(),
        "classes": [*classes, ""],
        "labels": table.label.map(numbers).iloc[order].tolist(),
        "sheets": [
            _base64(sheet)
            for sheet in sprite_sheets(
                results / "datasets" / name / "images", table.image.iloc[chosen], progress=progress
            )
        ],
        "colourings": [
            {"name": kind, "keys": keys, "codes": [_codes(column.map(numbers).iloc[chosen])]}
            for kind, column in columns.items()
        ],
        "extractors": [
            _extractor(extractor, paths, table, order, len(chosen))
            for extractor, paths in extractors.items()
        ],
    }


def _grouped(manifest):
    return manifest.exists() and "group" in read_manifest(manifest)


def _extractor(name, paths, table, order, shown):
    layers, reach, before = [], 0.0, None
    best = _best(paths)
    read = {layer: row.reading for layer, row in best.items()} or _followed(paths[0])
    for path in paths:
        points = _read(path, table)[["x", "y"]].to_numpy(float)
        before = standardise(points) if before is None else align(points, before)
        seen = before[order[:shown]]
        reach = max(reach, float(np.abs(seen).max()))
        layers.append(
            {
                "name": _layer(path),
                "xy": _array(seen.T, "<f4"),
                "reading": read.get(_layer(path), ""),
                "facts": _facts(best.get(_layer(path))),
                **_neighbours(_beside(path, "neighbours"), table, order, shown),
            }
        )

    def columns(folder, column, suffix=".csv"):
        files = [_beside(path, folder, suffix) for path in paths]
        if all(file.exists() for file in files):
            rows = [best.get(_layer(path)) for path in paths]
            found = [_read(file, table, row) for file, row in zip(files, rows, strict=True)]
            return [one[column].iloc[order[:shown]] for one in found]
        return None

    colourings = []
    if clusters := columns("clusters", "cluster"):
        colourings.append(_categories("cluster", clusters))
    if goodness := columns("nulls", "goodness", ".images.csv"):
        for layer, column in zip(layers, goodness, strict=True):
            layer["goodness"] = _array(column, "<f4")
        colourings.append(_bins("goodness", goodness))
    if misplaced := columns("misplaced", "misplaced"):
        words = {True: "misplaced", False: "in place"}
        colourings.append(_categories("misplaced", [column.map(words) for column in misplaced]))
    # One window for all depths, so that only the images move.
    return {"name": name, "layers": layers, "colourings": colourings, "reach": 1.05 * reach}


def _beside(path, folder, suffix=".csv"):
    """Return the file of the same cell in another folder of the results."""
    return path.parents[3].joinpath(folder, *path.parts[-3:-1], _layer(path) + suffix)


def _layer(path):
    return path.name.removesuffix(".csv")


def _best(paths):
    """Return by layer the row of its best reading, of the layers of which there is one."""
    files = [file for path in paths if (file := _beside(path, "nulls")).exists()]
    best = best_rows(read_rows(files)) if files else pd.DataFrame(columns=["layer"])
    return {row.layer: row for row in best.itertuples()}


def _followed(path):
    """Return by layer what the reading that the clusters follow is called, if it needs a name."""
    summary = path.parents[3].joinpath("clusters", path.parts[-3], f"{path.parts[-2]}.csv")
    rows = read_rows([summary]) if summary.exists() else pd.DataFrame()
    if "pooling" not in rows or set(rows[KEYS].itertuples(False, None)) == {Reading()}:
        return {}
    return {row.layer: str(Reading(row.pooling, row.metric)) for row in rows.itertuples()}


def _read(path, table=None, best=None):
    """Return the table at ``path``, its rows in the order of the images of ``table``.

    Of a table of several readings those of the row ``best``.
    """
    found = read_table(path)
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
    """Return what a row of goodness.csv says in short, or nothing."""
    if row is None:
        return ""
    return f"goodness {row.goodness:.3f}, nearest neighbour right {row.knn1:.1%}"


def _keys(names, empty):
    keys = [
        {"name": name, "colour": colour, "symbol": _PLOTLY[marker]}
        for name, (colour, marker) in zip(names, symbols(len(names)), strict=True)
    ]
    return [*keys, {"name": empty, "colour": _NONE, "symbol": "circle"}]


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
        {"name": f"{name} {text}", "colour": to_hex(colour), "symbol": "circle"}
        for text, colour in zip(names, colours, strict=True)
    ]
    keys.append({"name": f"no {name}", "colour": _NONE, "symbol": "circle"})
    codes = [np.where(column.isna(), len(names), np.digitize(column, edges)) for column in columns]
    return {"name": name, "keys": keys, "codes": [_codes(column) for column in codes]}


def _base64(raw):
    return base64.b64encode(raw).decode("ascii")


def _array(values, kind):
    return _base64(np.ascontiguousarray(values, kind).tobytes())


def _codes(values):
    return _array(values, "<u2")
