"""The numbers of a run, in the terminal."""

from pathlib import Path

import pandas as pd

from .readings import KEYS
from .tables import read_table


def summary(results, plan):
    """Return what a run found, as text.

    A line for each layer of ``results``/goodness.csv, in its best reading; under it how many cells
    there are, if layers have several readings; a line for each dataset of which goodness was
    estimated from a sample; the sentences of verdict.csv; and where to look for more. Only what
    the plan names is told.

    Raises
    ------
    UserError
        If one of the two tables is planned, and is missing.
    """
    results, parts = Path(results), []
    if plan.with_labels():
        goodness, verdict = (
            table.loc[[plan.has(row, plan.with_labels()) for row in table.to_dict("records")]]
            for table in (read_table(results / f"{name}.csv") for name in ("goodness", "verdict"))
        )
        parts = [_numbers(goodness), "", *verdict.sentence]
    return "\n".join([*parts, "", _where_to_look(results, plan)])


def _numbers(every):
    several = len(every[KEYS].drop_duplicates()) > 1
    table = every[every.best_reading.astype(str) == "True"]
    shown = pd.DataFrame(
        {
            "dataset": table.dataset,
            "extractor": table.extractor,
            "layer": table.layer,
            **({"reading": table.pooling + ", " + table.metric} if several else {}),
            "dim": table.dim.map("{:,}".format),
            "images": table.images.map("{:,}".format),
            "goodness": table.goodness.map("{:.4f}".format),
            **(
                {"±": table.standard_error.map("{:.2g}".format, na_action="ignore").fillna("")}
                if "pairs" in table
                else {}
            ),
            "p": table.p_value.map("{:.2g}".format),
            "1-NN accuracy": table.knn1.map("{:.3f}".format),
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
    if "pairs" in table:
        for row in table.dropna(subset="pairs").drop_duplicates("dataset").itertuples():
            lines.append(
                f"\n{row.dataset}: estimated from {row.pairs:,.0f} pairs (`pairs`), those of "
                f"{row.sampled_images:,.0f} of its {row.images:,} images; `standard_error` in the "
                "table says how well. The figures and p are of these images alone."
            )
    return "\n".join(lines)


def _where_to_look(results, plan):
    """Return a line for each thing of the plan that a reader would open."""
    there = [
        ("report.html", "one page: the verdicts, the pictures, how it was done"),
        ("explorer.html", "the images themselves, at every depth"),
        ("figures", "every figure, for screen and print, and the values drawn"),
    ]
    if plan.with_labels():
        there.append(("goodness.csv", "every number"))
    for dataset in plan.with_labels("some"):
        there.append((plan.labels(dataset), "labels proposed for the images that had none"))
    names = [f"  {results / name}" for name, _ in there]
    width = max(map(len, names))
    lines = [f"{name:<{width}}   {what}" for name, (_, what) in zip(names, there, strict=True)]
    return "\n".join(["Where to look:", *lines])
