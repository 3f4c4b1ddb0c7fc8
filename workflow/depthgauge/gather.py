"""One table of the rows of many cells."""

import pandas as pd

from .files import whole


def gather(rows, output):
    """Write the CSV files ``rows`` under one header to ``output``, in the order given.

    Cells are copied as text, so that no figure is rounded on its way. A column that some
    of the files lack is left empty there.
    """
    tables = [pd.read_csv(row, dtype=str, keep_default_na=False) for row in rows]
    with whole(output) as beside:
        pd.concat(tables).fillna("").to_csv(beside, index=False, lineterminator="\n")
