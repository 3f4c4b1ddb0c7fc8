"""The report: one page, whole in itself, with what a run found and how."""

from collections import Counter
from pathlib import Path

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from ..datasets import about
from ..described import read_layers
from ..figures.kinds import SHOWN
from ..figures.style import in_reading_order
from ..files import atomic
from ..manifest import few_groups
from ..plan import read_plan
from ..readings import KEYS, pooled_name
from ..statistics.recipe import reading_words, recipe_code
from ..statistics.wording import of_100
from ..tables import read_benchmark, read_table, write_table
from .chart import accuracy_chart
from .checks import checks, labels_doubted
from .claims import NOT_TESTABLE
from .confusions import confusions
from .embedded import embedded_figure, embedded_thumbnail
from .near_copies_told import near_copies_told
from .other_groups import other_groups
from .run_record import run_record

_PAGE = Path(__file__).parent / "page"
_NETWORKS = {  # what an extractor of each kind is
    "keras_application": "the network {application} ({weights})",
    "frozen_graph": "the TensorFlow graph of {file}",
    "keras_file": "the Keras model of {file}",
    "onnx": "the ONNX network of {file}",
    "autoencoder": "the encoder of a convolutional autoencoder, {trained} on the images "
    "without their labels",
    "pca": "principal components of the images' pixels",
}
_TABLES = {  # what each of the tables about all datasets holds
    "goodness": "every number of every layer",
    "verdict": "what to use of each dataset, and of each network alone, in numbers and in words",
    "comparisons": "every pair of layers, and whether they differ",
    "ranking": "every layer beside the best, with intervals",
    "claims": "the claims held against this run",
    "clusters": "groups that form without labels, and how stable they are",
    "table_1": "the datasets",
}
_WORST = 12  # misplaced images that are shown
_SIDE = 96  # of their thumbnails, in pixels
_TIMED = 200  # images, of which the start of a network is no longer most of the time


def write_report(plan, output, record):
    """Write the report of a run.

    What the plan names is shown, and nothing else; what of it is missing is named in the page.
    The same results give the same bytes on the same machine.

    Parameters
    ----------
    plan : path
        The run's, plan.json in its folder of results.
    output : path
        The page to write (.html), in the folder of results, to which its links are relative.
    record : path
        CSV to write: what ``run_record`` returns, which the page shows.

    Raises
    ------
    UserError
        If there is no such plan, or if a table is none.
    """
    results, plan = Path(plan).parent, read_plan(plan)
    found = _Found(results, plan)
    planned = [name for name in plan.tables() if found.have(f"{name}.csv")]
    labelled = plan.with_labels()
    about_these = dict.fromkeys(("goodness", "verdict", "ranking"), labelled)
    about_these |= dict.fromkeys(("table_1", "clusters"), plan.datasets)
    tables = {
        name: [row for row in found.rows(f"{name}.csv") if plan.has(row, names)]
        for name, names in about_these.items()
        if name in planned
    }
    claims = found.rows("claims.csv") if "claims" in planned else []
    made_with = run_record(results, plan)
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
        "of_100": of_100,
        "bare": lambda text: text.rstrip("."),
        "path": _breakable,
    }
    parts = {
        "config": plan.config,
        "config_text": yaml.safe_dump(plan.config, sort_keys=False, allow_unicode=True),
        "tables": [(name, _TABLES[name]) for name in planned],
        "claims": [claim for claim in claims if _is_of_the_run(claim, plan)],
        "datasets": [_dataset(name, found, tables) for name in plan.datasets],
        "controls": plan.controls(),
        "networks": [_network(name, found, tables) for name in plan.layers],
        "not_fetched": _not_fetched(found),
        "explorer": found.have("explorer.html"),
        "run_folder": results.resolve().parent.name,
        "made_with": {part: _rows(rows) for part, rows in made_with.groupby("part", sort=False)},
        "versions": dict(made_with[made_with.part == "version"][["name", "value"]].to_numpy()),
    }
    page = environment.get_template("report.html").render(**parts, missing=found.missing)
    write_table(made_with, record)
    with atomic(output) as beside:
        beside.write_text(page, encoding="utf-8")


class _Found:
    """The planned files of a run, of which those that are not there are kept in mind."""

    def __init__(self, folder, plan):
        self.folder, self.plan, self.missing = Path(folder), plan, []

    def have(self, file):
        """Return whether a planned file is there."""
        there = (self.folder / file).exists()
        if not there and file not in self.missing:
            self.missing.append(file)
        return there

    def rows(self, file):
        """Return the rows of a planned table, or none where it is not there."""
        return _rows(read_table(self.folder / file)) if self.have(file) else []


def _rows(table):
    """Return the rows as dicts, without the values that are not there."""
    return [
        {name: value for name, value in row.items() if pd.notna(value) and value != ""}
        for row in table.to_dict("records")
    ]


def _is_of_the_run(claim, plan):
    """Return whether a row of claims.csv is; a claim may be of a dataset that the run lacks."""
    return plan.has(claim | {"dataset": ""} if claim["outcome"] == NOT_TESTABLE else claim)


def _dataset(name, found, tables):
    """Return what the page says of a dataset."""
    plan = found.plan
    cells, verdicts, counted, ranking, clusters = (
        [row for row in tables.get(table, []) if row["dataset"] == name]
        for table in ("goodness", "verdict", "table_1", "ranking", "clusters")
    )
    found.have(f"datasets/{name}/manifest.csv")
    asked, mislabelled = plan.ask(name), plan.mislabelled(name)
    if mislabelled:
        found.have(mislabelled)
    verdict = next((row for row in verdicts if row["scope"] == "dataset"), None)
    near = near_copies_told(name, verdict, found)
    figures = {kind: list(filter(found.have, files)) for kind, files in plan.figures(name).items()}
    if near and not near["pairs"]:
        del figures["near_copies"]  # it shows none
    about_it = {
        "name": name,
        **about(name, plan.config["datasets"][name]),
        "counted": counted[0] if counted else None,
        "left_out": _left_out(name, found),
        "labels": _labels(name, found),
        "near_copies": near,
        "verdict": verdict,
        "verdicts": [row for row in verdicts if row["scope"] == "depth"],
        "cells": cells,
        "few_groups": few_groups(cells[0].get("groups")) if cells else "",
        "several_readings": len({tuple(cell[key] for key in KEYS) for cell in cells}) > 1,
        "asked": asked if asked and found.have(asked) else None,
        "advised_figures": {},
        "labels_doubted": False,
        **dict.fromkeys(("best", "others", "misplaced", "means", "checks"), ()),
        **dict.fromkeys(("confusions", "code", "chart", "other_groups", "timed", "counted_all")),
        "advised": _advised(name, found),
        "lacking": _lacking(name, found),
        "more": [(SHOWN[kind], files) for kind, files in figures.items() if files],
    }
    own = [f"/{verdict['extractor']}.png" if verdict and verdict.get("extractor") else ".png"]
    shown = ("ask", "maps", "violins", "samples", "labelling", "contact_sheets")
    for kind in shown:
        ends = own if kind not in ("ask", "samples") else [".png"]
        files = [file for file in figures.get(kind, []) if file.endswith(tuple(ends))]
        if files:
            about_it["advised_figures"][kind] = _shown(files[0], found)
    if verdict and cells:
        about_it |= _advice(name, verdict, cells, ranking, clusters, near, found)
    return about_it


def _advice(name, verdict, cells, ranking, clusters, near, found):
    """Return what the page says of a dataset's verdict."""
    plan, key = found.plan, ("extractor", "layer", *KEYS)
    ranks = {tuple(row[k] for k in key): row for row in ranking if row["family"] == "all"}
    advised = tuple(verdict.get(k, "") for k in key)
    cells = [cell | ranks.get(tuple(cell[k] for k in key), {}) for cell in cells]
    cells.sort(key=lambda cell: (-cell.get("knn1_half", 0), -cell.get("auc", 0)))
    seconds = _seconds(name, found)
    for cell in cells:
        cell["advised"] = tuple(cell[k] for k in key) == advised
        cell["seconds"] = seconds.get(cell["extractor"])
    best = [cell for cell in cells if str(cell["best_reading"]) == "True" or cell["advised"]]
    misplaced = _misplaced(name, found)
    groups = other_groups([row for row in clusters if row["extractor"] == verdict.get("extractor")])
    return {
        "chart": accuracy_chart(best, verdict, plan.layers, plan.controls()),
        "checks": checks(verdict, cells[0], misplaced, near, groups, plan.controls()),
        "best": best,
        "others": [cell for cell in cells if cell not in best],
        "other_groups": groups,
        "timed": bool(seconds),
        "counted_all": next((cell.get("knn1") for cell in best if cell["advised"]), None),
        "misplaced": misplaced[:_WORST],
        "misplaced_count": len(misplaced),
        "labels_doubted": labels_doubted(misplaced, cells[0]),
        "confusions": _confusions(name, verdict, found),
        **_computed(verdict, found),
    }


def _seconds(name, found):
    """Return by extractor how many seconds 1,000 images took, through all of its layers."""
    taken = {}
    for extractor in found.plan.layers if found.plan.images[name] >= _TIMED else ():
        files = [f"benchmarks/features/{name}/{extractor}/{s}.tsv" for s in found.plan.shards(name)]
        files = [found.folder / file for file in files]
        if all(file.exists() for file in files):
            total = sum(read_benchmark(file).iloc[-1]["s"] for file in files)
            taken[extractor] = 1000 * total / found.plan.images[name]
    return taken


def _misplaced(name, found):
    """Return the images that another label fits better than their own, the worst first."""
    rows = [row for row in found.rows(found.plan.mislabelled(name)) if row["doubt"] > 0]
    for row in rows[:_WORST]:
        image = f"datasets/{name}/images/{row['image']}"
        if found.have(image):
            row["picture"] = embedded_thumbnail(found.folder / image, _SIDE)
    return rows


def _confusions(name, verdict, found):
    """Return which classes are mixed up in the reading that is advised, see ``confusions``."""
    if not verdict.get("extractor"):
        return None
    file = f"nulls/{name}/{verdict['extractor']}/{verdict['layer']}.images.csv"
    rows = [row for row in found.rows(file) if all(row[k] == verdict[k] for k in KEYS)]
    return confusions(rows) if rows else None


def _computed(verdict, found):
    """Return how to compute the cell that is advised: lines of Python, and files of means."""
    if "layer" not in verdict:
        return {}
    dataset, extractor = verdict["dataset"], verdict.get("extractor")
    layer, pooling, metric = (verdict[name] for name in ("layer", *KEYS))
    described = found.plan.network(dataset, extractor) + ".json"
    if not found.have(described):  # which tells the tokens that are none of patches
        return {}
    layers = read_layers(found.folder / described)
    before = next((d.get("prefix_tokens", 0) for d in layers if d["layer"] == layer), 0)
    folder = f"means/{dataset}/{extractor}/{pooled_name(layer, pooling)}"
    means = [f"{folder}/{shard}.npy" for shard in found.plan.shards(dataset)]
    return {
        "code": recipe_code(layer, pooling, metric, before),
        "means": [
            Path(found.folder.name, file).as_posix()
            for file in (means if metric == "angle" else [])
            if found.have(file)
        ],
    }


def _advised(name, found):
    """Return the folder of a dataset's advised features, or None where there are none."""
    readme = found.plan.advised(name)
    if readme is None or not found.have(readme):
        return None
    folder = Path(readme).parent
    there = (found.folder / folder / "features.npy").exists()  # where something is advised
    return Path(found.folder.name, folder).as_posix() if there else None


def _shown(file, found):
    """Return a figure that is there, with its caption and the files beside it."""
    stem, caption = file.removesuffix(".png"), ""
    if found.have(f"{stem}.txt"):
        caption = (found.folder / f"{stem}.txt").read_text(encoding="utf-8").strip()
    return {
        **embedded_figure(found.folder / file),
        "png": file,
        "pdf": f"{stem}.pdf",
        "csv": f"{stem}.csv",
        "caption": caption,
    }


def _left_out(name, found):
    """Return sentences: what of a dataset was left out, and why."""
    said, plan = [], found.plan
    for note in found.rows(f"datasets/{name}/notes.csv"):
        if note.get("image"):  # one file of those that another note counts
            continue
        expected, counted = note.get("expected", ""), note.get("found", "")
        count = f"{counted} of {expected} images" if expected and expected != counted else ""
        phrases = filter(None, [count, note.get("note")])
        said.append(": ".join(filter(None, [note.get("part"), ", ".join(phrases)])))
    if plan.labelled[name] == "none":
        said.append(
            "It has no labels: goodness and the verdict are left out, since they compare labels"
        )
    if plan.labelled[name] == "some":
        said.append(
            "Only some of its images have a label: goodness and the verdict are left out, since "
            "they ask for all, and labels are proposed for the others"
        )
    return [text for text in said if text]


def _lacking(name, found):
    """Return a sentence on the numbers of labels at which labelling curves have no points."""
    plan, lacking = found.plan, {}  # the networks whose curves lack the same points
    asked = plan.config["labels_per_class"] if plan.labelled[name] == "all" else []
    for extractor in plan.layers if asked else []:
        curves = f"labelling/{name}/{extractor}/curves.csv"
        drawn = {row["labels_per_class"] for row in found.rows(curves)}
        missed = [count for count in asked if count not in drawn]
        if missed and found.have(curves):
            lacking.setdefault(", ".join(map(str, missed)), []).append(extractor)
    return " ".join(
        f"The curves of {_listed(extractors)} have no points at {missed} labels per class, since a "
        "class has too few images."
        for missed, extractors in lacking.items()
    )


def _labels(name, found):
    """Return what the page says of the labels proposed for a dataset, where they are there."""
    file, accuracy = found.plan.labels(name), f"labels/{name}/accuracy.csv"
    if file is None:
        return None
    rows, tried = found.rows(file), filter(found.plan.has, found.rows(accuracy))
    # Of all that was tried, it is told of the one that was taken what to expect.
    chosen = next((row for row in tried if "expected_accuracy" in row), {})
    if chosen:
        chosen["reading"] = reading_words(*(chosen[key] for key in KEYS))
    origins = Counter((row.get("label", ""), row["origin"]) for row in rows)
    classes = sorted({label for label, _ in origins} - {""}, key=in_reading_order)
    return {
        "file": file if rows else None,
        "accuracy": accuracy,
        "chosen": chosen,
        "images": len(rows),
        "counts": Counter(row["origin"] for row in rows),
        "classes": [
            (label, origins[label, "given"], origins[label, "propagated"]) for label in classes
        ],
    }


def _chosen(name, found):
    """Return (layer, tensor) of the layers that were chosen by depth."""
    described = f"{found.plan.network(found.plan.datasets[0], name)}.json"
    if not found.have(described):
        return []
    layers = read_layers(found.folder / described)
    return [(layer["layer"], layer["chosen"]) for layer in layers if "chosen" in layer]


def _network(name, found, tables):
    """Return what the page says of an extractor: what it is, and its layers' dimensions."""
    spec, schematic = found.plan.config["extractors"][name], found.plan.schematic(name)
    source = spec.get("url") or spec.get("path") or ""
    facts = {
        "application": spec.get("application"),
        "weights": spec.get("weights") or "seeded random weights",
        "file": (source if isinstance(source, str) else source[0]).rsplit("/", 1)[-1],
        "trained": "trained" if spec.get("train", True) else "not trained",
    }
    dims = {}
    for cell in tables.get("goodness", []):
        if cell["extractor"] == name:
            dims.setdefault(cell["layer"], cell["dim"])
    return {
        "name": name,
        "what": _NETWORKS[spec["kind"]].format(**facts),
        "chosen": _chosen(name, found),
        "kind": spec["kind"],
        "application": spec.get("application"),
        "poolings": spec["poolings"],
        "layers": [
            {"layer": layer, "dim": dims[layer]}
            for layer in found.plan.layers[name]
            if layer in dims
        ],
        "figure": _shown(schematic, found) if found.have(schematic) else None,
    }


def _not_fetched(found):
    """Return the downloads that could not be had, and without which the run went on."""
    files = {place: found.folder / "downloads" / place for place in found.plan.downloads()}
    return [place for place, file in files.items() if file.exists() and not file.stat().st_size]


def _number(value, digits=4):
    """Return a number with its significant digits, thousands apart; no value is a dash."""
    if value is None or isinstance(value, jinja2.Undefined):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"


def _breakable(path):
    """Return a path that a line may be broken in after a folder."""
    return Markup("/<wbr>").join(path.split("/"))


def _listed(names):
    names = list(map(str, names))
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
