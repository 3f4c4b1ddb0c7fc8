"""The numbers of a run, in the terminal."""

import pandas as pd

from .readings import KEYS
from .tables import read_table

_TO_LOOK_AT = (
    ("report.html", "one page: the verdicts, the pictures, how it was done"),
    ("explorer.html", "the images themselves, at every depth"),
    ("figures", "every figure, for screen and print, and the values drawn"),
    ("goodness.csv", "every number"),
    ("labels", "labels proposed for the images that had none"),
)


def summary(goodness, verdict=None):
    """Return the table at ``goodness`` (goodness.csv) as text, a line a layer: its best reading.

    Under it how many cells there are, if layers have several readings; a line for each dataset of
    which goodness was estimated from a sample; and the sentences of ``verdict`` (verdict.csv).
    """
    every = read_table(goodness)
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
    if verdict is not None:
        lines += ["", *read_table(verdict).sentence]
    return "\n".join(lines)


def where_to_look(results):
    """Return a line for each thing in the folder ``results`` that a reader would open."""
    there = [
        (f"  {results / name}", what) for name, what in _TO_LOOK_AT if (results / name).exists()
    ]
    width = max((len(name) for name, _ in there), default=0)
    lines = [f"{name:<{width}}   {what}" for name, what in there]
    return "\n".join(["\nWhere to look:", *lines]) if lines else ""
