"""What the report says of near copies: how many, the first of them, and what they are worth."""

import numpy as np
import pandas as pd

from .embedded import embedded_thumbnail
from .near_copies import LIMIT

_SHOWN, _SIDE = 6, 96  # pairs; pixels of a picture


def near_copies_told(name, verdict, found):
    """Return what the page says of a dataset's near copies, or None where their table is not there.

    Parameters
    ----------
    name : str
    verdict : dict or None
        The dataset's, with the cell advised.
    found : report._Found
        The files of the run.

    Returns
    -------
    dict
        ``file``; ``limit``, below which a pair is listed by default; ``pairs``, ``conflicts``,
        ``leaks``, ``groups`` and ``images``, how many; ``shown``, the first row of each of the
        first groups, with ``pictures``; ``accuracy``, (with, without) near copies at the cell
        advised, of the listed neighbours, or None.
    """
    file = found.plan.near_copies(name)
    if not found.have(file):
        return None
    rows = found.rows(file)
    kinds = [row["kind"] for row in rows]
    firsts = {}
    for row in rows:
        firsts.setdefault(row["group"], row)
    groups = {row[side]: row["group"] for row in rows for side in ("image", "other")}
    told = {
        "file": file,
        "limit": LIMIT,
        "pairs": len(rows),
        "conflicts": kinds.count("conflict"),
        "leaks": sum(row.get("split") != row.get("other_split") for row in rows),
        "groups": len(set(groups.values())),
        "images": len(groups),
        "shown": list(firsts.values())[:_SHOWN],
        "accuracy": None,
    }
    for row in told["shown"]:
        places = [f"datasets/{name}/images/{row[side]}" for side in ("image", "other")]
        row["pictures"] = [
            embedded_thumbnail(found.folder / place, _SIDE) for place in filter(found.have, places)
        ]
    if rows and verdict and verdict.get("extractor"):
        near = found.rows(f"neighbours/{name}/{verdict['extractor']}/{verdict['layer']}.csv")
        labels = {row["image"]: row["label"] for row in found.rows(f"datasets/{name}/manifest.csv")}
        if near:
            told["accuracy"] = accuracies(pd.DataFrame(near), labels, groups)
    return told


def accuracies(neighbours, labels, groups):
    """Return how probably the nearest in a half is of the class: with near copies, and without.

    Of the listed neighbours, see ``statistics.accuracy.expected_in_half``; without near copies
    those of an image's own group are passed over, as if a group were one image. An image of which
    none is left then is no part of either; where that is all of them, return None.

    Parameters
    ----------
    neighbours : DataFrame
        As ``neighbour_table.write_neighbours`` writes it.
    labels, groups : dict of str to str
        By image. An image that is not in ``groups`` stands alone.
    """
    shape = (-1, int(neighbours["rank"].max()))
    image, other = (neighbours[side].to_numpy().reshape(shape) for side in ("image", "neighbour"))
    label, group = np.vectorize(labels.get), np.vectorize(lambda one: groups.get(one, ""))
    right = label(image) == label(other)
    apart = (group(image) != group(other)) | (group(image) == "")
    counted = apart.any(axis=1)
    if not counted.any():
        return None
    expected = []
    for listed in (np.ones_like(apart), apart):
        weights = listed * 0.5 ** np.cumsum(listed, axis=1)
        shares = (weights * right).sum(axis=1)[counted] / weights.sum(axis=1)[counted]
        expected.append(float(shares.mean()))
    return tuple(expected)
