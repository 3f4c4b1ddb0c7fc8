"""The numbers of a run, in the terminal."""

import textwrap
from pathlib import Path

import pandas as pd

from .belonging import shared_part
from .plan import read_plan
from .readings import KEYS
from .tables import read_table

_WHOLE = "of all images"
_WIDTH = 88  # of the terminal


def print_summary(results, *, table=False):
    """Print what a run found and where to look for more.

    For each dataset the verdict of verdict.csv, in words; with ``table`` a line for each layer of
    ``results``/goodness.csv, in its best reading, under it how many cells there are, if layers
    have several readings, and a line for each dataset of which a sample was measured, whose
    goodness estimated for all images stands in a column of its own; and where to look for more.
    Only what the plan names is told.

    Raises
    ------
    UserError
        If the folder has no plan, or if one of the two tables is planned and is missing.
    """
    results, parts = Path(results), []
    plan = read_plan(results / "plan.json")
    if plan.with_labels():
        goodness, verdict = (
            rows.loc[[plan.has(row, plan.with_labels()) for row in rows.to_dict("records")]]
            for rows in (read_table(results / f"{name}.csv") for name in ("goodness", "verdict"))
        )
        answers = verdict[verdict.scope == "dataset"].to_dict("records")
        counts = dict(zip(goodness.dataset, goodness.images, strict=True))
        if "population_images" in goodness:
            counts |= dict(goodness[["dataset", "population_images"]].dropna().itertuples(False))
        parts = [line for row in answers for line in (*_card(row, counts[row["dataset"]]), "")]
        if table:
            parts = [_numbers(goodness), "", *parts]
    print("\n".join([*parts, _where_to_look(results, plan)]))


def _card(row, images):
    """Return the lines of a dataset's verdict."""
    pictures = f"{row['dataset']}: {int(images):,} pictures"
    certainty = f"certainty of the choice: {row['certainty']}" if row["certainty"] else ""
    lines = [f"{pictures:<{_WIDTH - len(certainty)}}{certainty}".rstrip()]
    for text in (row["headline"], row["detail"]):
        lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    if row.get("groups_line"):
        share = shared_part(row["groups_line"])
        which = f"those do that share {share}" * bool(share) or "they do"
        lines.append(f"  If {which}, put this line into the config")
        lines.append("  (with `depthgauge run`: `--group`, and what stands between the quotes):")
        lines.append(f"      {row['groups_line']}")
    return lines


def _numbers(every):
    several = len(every[KEYS].drop_duplicates()) > 1
    sampled = "population_goodness" in every
    table = every[every.best_reading.astype(str) == "True"]
    shown = pd.DataFrame(
        {
            "dataset": table.dataset,
            "extractor": table.extractor,
            "layer": table.layer,
            **({"reading": table.pooling + ", " + table.metric} if several else {}),
            "dim": table.dim.map("{:,}".format),
            "images": table.images.map("{:,}".format),
            "1-NN accuracy": table.knn1.map("{:.3f}".format),
            "in half": table.knn1_half.map("{:.3f}".format),
            "goodness": table.goodness.map("{:.4f}".format),
            **({_WHOLE: table.apply(_whole, axis=1)} if sampled else {}),
            "p": table.p_value.map("{:.2g}".format),
        }
    )
    # A name that the line above already gives is left out.
    repeated = shown[["dataset", "extractor"]].eq(shown[["dataset", "extractor"]].shift())
    same_cell = repeated.all(axis=1)
    shown.loc[same_cell, ["dataset", "extractor"]] = ""
    lines = [shown.to_string(index=False)]
    if several:
        lines.append(
            f"\nEach layer in its best reading; goodness.csv has all {len(every):,} cells."
        )
    if sampled:
        for row in table.dropna(subset="population_images").drop_duplicates("dataset").itertuples():
            lines.append(
                f"\n{row.dataset}: {row.images:,} of its {row.population_images:,.0f} images were "
                f"measured (`pairs`), and all numbers and figures are of these alone; but "
                f"{_WHOLE!r} is the goodness of the whole dataset, estimated from them, with the "
                "standard error of that estimate."
            )
    return "\n".join(lines)


def _whole(cell):
    """Return the goodness estimated for all images of a cell's dataset, with its standard error."""
    if pd.isna(cell.population_goodness):
        return ""
    return f"{cell.population_goodness:.4f} ± {cell.population_standard_error:.2g}"


def _where_to_look(results, plan):
    """Return a line for each thing of the plan that a reader would open."""
    there = [
        ("report.html", "one page: the verdicts, the pictures, how it was done"),
        ("explorer.html", "the images themselves, at every depth"),
        ("figures", "every figure, for screen and print, and the values drawn"),
    ]
    if plan.with_labels():
        there.append(("goodness.csv", "every number"))
    advised = [Path(plan.advised(name)).parent for name in filter(plan.advised, plan.datasets)]
    advised = [folder for folder in advised if (results / folder / "features.npy").exists()]
    there += [(folder, "its features, to take along") for folder in advised]
    for dataset in plan.with_labels("some"):
        there.append((plan.labels(dataset), "labels proposed for the images that had none"))
    names = [f"  {results / name}" for name, _ in there]
    width = max(map(len, names))
    lines = [f"{name:<{width}}   {what}" for name, (_, what) in zip(names, there, strict=True)]
    commands = [f"  depthgauge apply {results / folder} PICTURES -o new.npy" for folder in advised]
    for_new = ["", "The same features of new pictures:", *commands] if commands else []
    return "\n".join(["Where to look:", *lines, *for_new])
