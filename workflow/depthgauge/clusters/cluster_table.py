"""One table of the clusters of all cells, beside goodness where that is known."""

import pandas as pd

from ..tables import gathered, read_text_table, write_table

_CELL = ["dataset", "extractor", "layer", "pooling", "metric"]


def write_cluster_table(summaries, output, *, goodness=None):
    """Write the rows of all cells under one header.

    Parameters
    ----------
    summaries : sequence of path
        As ``clusters.write_clusters`` writes them.
    output : path
        CSV of their columns; ``goodness`` stands after ``ami``, empty where it is not known.
    goodness : path, optional
        goodness.csv.
    """
    table = gathered(summaries)
    known = pd.DataFrame(columns=[*_CELL, "goodness"], dtype=str)
    if goodness is not None:
        known = read_text_table(goodness)[known.columns]
    table = table.merge(known, on=_CELL, how="left").fillna("")
    table.insert(table.columns.get_loc("ami") + 1, "goodness", table.pop("goodness"))
    write_table(table, output)
