"""The best reading of each layer, of all those that the goodness stage wrote to LAYER.csv."""

from pathlib import Path

import pandas as pd

from .readings import KEYS
from .tables import read_table


def read_rows(files):
    """Return the rows of goodness.csv in ``files``, one table.

    A layer without a name is called as its file.
    """
    tables = [read_table(file).replace({"layer": {"": Path(file).stem}}) for file in files]
    return pd.concat(tables, ignore_index=True)


def best_rows(rows):
    """Return the row of the best reading of each layer, with what to call the reading.

    Parameters
    ----------
    rows : DataFrame
        Rows of goodness.csv, of one dataset and extractor. Where nobody said which readings are
        the best (``best_reading``), there is one per layer.

    Returns
    -------
    DataFrame
        In the same order, with another column, ``reading``: such as ``mean, angle``; empty where
        all rows are read alike, and there is nothing to tell apart.
    """
    if "best_reading" not in rows:
        return rows.assign(reading="")
    several = len(rows[KEYS].drop_duplicates()) > 1
    best = rows[rows.best_reading.astype(str) == "True"]
    names = [", ".join(filter(None, reading)) for reading in best[KEYS].itertuples(False, None)]
    return best.assign(reading=names if several else "")


def of_reading(table, reading):
    """Return the rows of one reading (pooling, metric) of a table of several."""
    return table[(table[KEYS] == list(reading)).all(axis=1)].reset_index(drop=True)
