"""The numbers of a run, in the terminal."""

import pandas as pd


def summary(goodness):
    """Return the table at ``goodness`` (goodness.csv) as text, a line a cell."""
    table = pd.read_csv(goodness)
    shown = pd.DataFrame(
        {
            "dataset": table.dataset,
            "extractor": table.extractor,
            "layer": table.layer,
            "dim": table.dim.map("{:,}".format),
            "images": table.images.map("{:,}".format),
            "goodness": table.goodness.map("{:.4f}".format),
            "p": table.p_value.map("{:.2g}".format),
        }
    )
    # A name that the line above already gives is left out.
    repeated = shown[["dataset", "extractor"]].eq(shown[["dataset", "extractor"]].shift())
    same_cell = repeated.all(axis=1)
    shown.loc[same_cell, ["dataset", "extractor"]] = ""
    return shown.to_string(index=False)
