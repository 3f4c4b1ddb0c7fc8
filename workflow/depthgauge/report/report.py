"""The report: one page, whole in itself, with what a run found and how."""

import base64
import json
from pathlib import Path

import jinja2
import pandas as pd
import yaml

from ..datasets import about
from ..errors import UserError
from ..figures.style import DPI
from ..files import whole
from ..readings import KEYS, pooled_name
from ..statistics.recipe import recipe_code
from ..tables import read_table, write_table
from .run_record import run_record

_PAGE = Path(__file__).parent / "page"
_EMBEDDED = {  # kinds of figures shown in the page, and what they are called
    "depths": "Every depth of every network",
    "maps": "Maps",
    "violins": "Goodness against depth, and under permuted labels",
    "samples": "The images",
}
_TABLES = ("goodness", "verdict", "comparisons", "claims", "clusters", "table_1")


def write_report(results, config, output, record):
    """Write the report of a folder of results.

    Parts that are missing are named in the page. The same results give the same bytes on the
    same machine.

    Parameters
    ----------
    results : path
        The folder of results.
    config : dict
        The run's, checked.
    output : path
        The page to write (.html), in the folder of results, to which its links are relative.
    record : path
        CSV to write: what ``run_record`` returns, which the page shows.

    Raises
    ------
    UserError
        If there is no such folder, or if a table in it is none.
    """
    results = Path(results)
    if not results.is_dir():
        raise UserError(f"{results}: there is no such folder of results.")
    tables = {name: _table(results / f"{name}.csv") for name in _TABLES}
    made_with = run_record(results, config)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "listed": _listed,
        "bare": lambda text: text.rstrip("."),
    }
    page = environment.get_template("report.html").render(
        config=config,
        config_text=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        tables=[name for name in _TABLES if tables[name] is not None],
        claims=_rows(tables["claims"]),
        datasets=[
            _dataset(name, spec, results, config, tables)
            for name, spec in config["datasets"].items()
        ],
        networks=[
            _network(name, spec, results, tables) for name, spec in config["extractors"].items()
        ],
        missing=_missing(results, config, tables),
        not_fetched=_not_fetched(results / "downloads"),
        explorer=(results / "explorer.html").exists(),
        made_with={part: _rows(rows) for part, rows in made_with.groupby("part", sort=False)},
        versions=dict(made_with[made_with.part == "version"][["name", "value"]].to_numpy()),
    )
    write_table(made_with, record)
    with whole(output) as beside:
        beside.write_text(page, encoding="utf-8")


def _table(path):
    return read_table(path) if path.exists() else None


def _rows(table):
    """Return the rows as dicts, without the values that are not there."""
    if table is None:
        return []
    return [
        {name: value for name, value in row.items() if pd.notna(value) and value != ""}
        for row in table.to_dict("records")
    ]


def _of(table, dataset):
    return _rows(None if table is None else table[table.dataset == dataset])


def _dataset(name, spec, results, config, tables):
    """Return what the page says of a dataset."""
    counted = _of(tables["table_1"], name)
    figures = _figures(results / "figures", name)
    cells = _of(tables["goodness"], name)
    best = [str(cell["best_reading"]) == "True" for cell in cells]
    return {
        "name": name,
        **about(name, spec),
        "counted": counted[0] if counted else None,
        "left_out": _left_out(name, results, config, counted),
        "verdict": [
            verdict | _computed(verdict, results) for verdict in _of(tables["verdict"], name)
        ],
        "cells": cells,
        "several_readings": len({tuple(cell[key] for key in KEYS) for cell in cells}) > 1,
        "best": [cell for cell, is_best in zip(cells, best, strict=True) if is_best],
        "others": [cell for cell, is_best in zip(cells, best, strict=True) if not is_best],
        "embedded": [
            (title, [_shown(path, results) for path in figures.pop(kind, [])])
            for kind, title in _EMBEDDED.items()
        ],
        "more": {
            kind: [path.relative_to(results).as_posix() for path in paths]
            for kind, paths in figures.items()
        },
    }


def _computed(verdict, results):
    """Return how to compute the cell that is advised: lines of Python, and files of means."""
    if verdict["scope"] != "depth" or "layer" not in verdict:
        return {}
    layer, pooling, metric = (verdict[name] for name in ("layer", *KEYS))
    described, before = results / "networks" / f"{verdict['extractor']}.json", 0
    if described.exists():  # learned networks, which lie elsewhere, have no tokens
        layers = json.loads(described.read_text(encoding="utf-8"))["layers"]
        before = next((d.get("prefix_tokens", 0) for d in layers if d["layer"] == layer), 0)
    folder = Path("means", verdict["dataset"], verdict["extractor"], pooled_name(layer, pooling))
    means = sorted(results.glob(f"{folder.as_posix()}/*.npy")) if metric == "angle" else []
    return {
        "code": recipe_code(layer, pooling, metric, before),
        "means": [path.relative_to(results.parent).as_posix() for path in means],
    }


def _figures(folder, dataset):
    """Return the PNGs of a dataset, by kind: KIND/DATASET.png, or KIND/DATASET/EXTRACTOR.png."""
    found = {}
    for path in sorted(folder.glob(f"*/{dataset}.png")) + sorted(
        folder.glob(f"*/{dataset}/**/*.png")
    ):
        found.setdefault(path.relative_to(folder).parts[0], []).append(path)
    found.pop("networks", None)
    return found


def _shown(path, results):
    caption, picture = path.with_suffix(".txt"), path.read_bytes()
    return {
        "name": path.stem,
        "data": base64.b64encode(picture).decode("ascii"),
        # A PNG's bytes 16 to 19: shown somewhat larger than in print.
        "width": int.from_bytes(picture[16:20], "big") * 120 // DPI,
        "pdf": path.with_suffix(".pdf").relative_to(results).as_posix(),
        "csv": path.with_suffix(".csv").relative_to(results).as_posix(),
        "caption": caption.read_text(encoding="utf-8").strip() if caption.exists() else "",
    }


def _left_out(name, results, config, counted):
    """Return sentences: what of a dataset was left out, and why."""
    said = []
    notes = _table(results / "datasets" / name / "notes.csv")
    for note in _rows(notes):
        expected, found = note.get("expected", ""), note.get("found", "")
        count = f"{found} of {expected} images" if expected and expected != found else ""
        said.append(
            ": ".join(
                filter(None, [note.get("part"), ", ".join(filter(None, [count, note.get("note")]))])
            )
        )
    if counted and not counted[0].get("classes"):
        said.append("It has no labels: goodness and the verdict are left out.")
    for curves in sorted((results / "labelling" / name).glob("*/curves.csv")):
        drawn = set(read_table(curves).labels_per_class)
        missed = [count for count in config.get("labels_per_class", []) if count not in drawn]
        if missed:
            said.append(
                f"Labelling curves of {curves.parent.name}: no points at "
                f"{', '.join(map(str, missed))} labels a class, since a class has too few images."
            )
    return [text for text in said if text]


def _network(name, spec, results, tables):
    """Return what the page says of an extractor: what it is, and its layers' dimensions."""
    described = {
        "keras_application": "{application} of keras.applications ({weights})",
        "frozen_graph": "the TensorFlow graph of {file}",
        "keras_file": "the Keras model of {file}",
        "autoencoder": "the encoder of a convolutional autoencoder, {trained} on the images "
        "without their labels",
        "pca": "principal components of the images' pixels",
    }[spec["kind"]]
    source = spec.get("url") or spec.get("path") or ""
    facts = {
        "application": spec.get("application"),
        "weights": spec.get("weights") or "seeded random weights",
        "file": (source if isinstance(source, str) else source[0]).rsplit("/", 1)[-1],
        "trained": "trained" if spec.get("train", True) else "not trained",
    }
    cells = tables["goodness"]
    layers = []
    if cells is not None:
        layers = _rows(cells[cells.extractor == name].drop_duplicates("layer")[["layer", "dim"]])
    figure = results / "figures" / "networks" / f"{name}.png"
    return {
        "name": name,
        "what": described.format(**facts),
        "application": spec.get("application"),
        "poolings": spec["poolings"],
        "layers": layers,
        "figure": _shown(figure, results) if figure.exists() else None,
    }


def _missing(results, config, tables):
    """Return the files that the page should have been made from, and that are not there."""
    counted = {row["dataset"]: row for row in _rows(tables["table_1"])}
    labelled = [name for name in config["datasets"] if counted.get(name, {}).get("classes", 1)]
    expected = ["table_1.csv"]
    if labelled:
        expected += ["goodness.csv", "comparisons.csv", "verdict.csv"]
        expected += ["claims.csv"] if config.get("claims") else []
    for dataset in config["datasets"]:
        expected += [f"datasets/{dataset}/manifest.csv", f"figures/samples/{dataset}.png"]
        expected += [f"figures/depths/{dataset}.png"] if dataset in labelled else []
        for kind in ["maps", "violins"] if dataset in labelled else ["maps"]:
            expected += [
                f"figures/{kind}/{dataset}/{network}.png" for network in config["extractors"]
            ]
    return [file for file in expected if not (results / file).exists()]


def _not_fetched(downloads):
    """Return the downloads that could not be had, and without which the run went on."""
    return [
        file.relative_to(downloads).as_posix()
        for file in sorted(downloads.rglob("*"))
        if file.is_file() and not file.stat().st_size
    ]


def _number(value, digits=4):
    """Return a number with its significant digits, thousands apart; no value is a dash."""
    if value is None or isinstance(value, jinja2.Undefined):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"


def _listed(names):
    names = list(map(str, names))
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
