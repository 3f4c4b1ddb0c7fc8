"""One table of the rows of many cells."""

import pandas as pd

from .tables import read_text_table


def gathered(rows):
    """Return the CSV files ``rows`` under one header, in the order given.

    Cells stay text, so that no figure is rounded on its way. A column that some of the
    files lack is left empty there.
    """
    return pd.concat(map(read_text_table, rows), ignore_index=True).fillna("")
