"""One table of the rows of many cells."""

import pandas as pd


def gathered(rows):
    """Return the CSV files ``rows`` under one header, in the order given.

    Cells stay text, so that no figure is rounded on its way. A column that some of the
    files lack is left empty there.
    """
    tables = [pd.read_csv(row, dtype=str, keep_default_na=False) for row in rows]
    return pd.concat(tables, ignore_index=True).fillna("")
