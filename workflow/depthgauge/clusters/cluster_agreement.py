"""How alike the clusters of all depths are."""

from itertools import combinations
from math import nan

import pandas as pd
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from ..errors import UserError


def cluster_agreement(tables):
    """Return how alike the clusters of each two layers are.

    Parameters
    ----------
    tables : dict of str to DataFrame
        For each layer, in order of depth, the columns ``image,cluster``; ``cluster`` is empty
        for an image of none.

    Returns
    -------
    DataFrame
        ``layer,other,ari,ami``, a row for each two layers: the adjusted Rand index and the
        adjusted mutual information, images of no cluster being a group of their own. NaN where
        neither has clusters.

    Raises
    ------
    UserError
        If two tables are not of the same images.
    """
    rows = []
    for (layer, table), (other, beside) in combinations(tables.items(), 2):
        if list(table.image) != list(beside.image):
            raise UserError(
                f"the clusters of {layer} and of {other} are of different images. Remove the maps "
                "and distances of both, and run again."
            )
        pair = (table.cluster, beside.cluster)
        comparable = any((clusters != "").any() for clusters in pair)
        ari, ami = (
            measure(*pair) if comparable else nan
            for measure in (adjusted_rand_score, adjusted_mutual_info_score)
        )
        rows.append({"layer": layer, "other": other, "ari": ari, "ami": ami})
    return pd.DataFrame(rows, columns=["layer", "other", "ari", "ami"])
