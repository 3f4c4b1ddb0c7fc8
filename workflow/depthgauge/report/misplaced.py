"""Misplaced images: those that lie among images of another label."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..best_reading import of_reading, read_rows
from ..errors import UserError
from ..readings import best_of_layer
from ..statistics.accuracy import vote
from ..tables import read_table, write_table

NEIGHBOURS = 5


def misplaced(images, neighbours):
    """Return every image with what speaks for its being misplaced, the worst first.

    An image is misplaced if most of its five nearest neighbours have another label and its
    goodness is below its class's, the median. (Below 1 would be too much to ask: of 24 wrong
    labels among 800 of scikit-learn's digits that missed 4 or more, this none.)

    Parameters
    ----------
    images : DataFrame
        The columns image, label, goodness and silhouette, one row per image: LAYER.images.csv.
    neighbours : DataFrame
        The columns image, rank, neighbour and distance, by image in the same order and by rank.

    Returns
    -------
    DataFrame
        One row per image. ``neighbours_label`` is the one that most of its neighbours have,
        ``neighbours_other`` how many of the ``neighbours`` have another than its own;
        ``relative`` is goodness over ``class_goodness``. Misplaced ones come first; within both
        parts those with the most neighbours of other labels, then with the least silhouette.

    Raises
    ------
    UserError
        If the two tables are not of the same images.
    """
    near = neighbours[neighbours["rank"] <= NEIGHBOURS]
    count = near["rank"].max()
    if list(near.image) != list(np.repeat(images.image.to_numpy(), count)):
        raise UserError(
            "the neighbours are not of the images whose goodness is given, in that order; both "
            "tables come from one distance matrix. Remove them and run again."
        )
    classes, codes = np.unique(images.label.to_numpy(str), return_inverse=True)
    place = pd.Index(images.image).get_indexer(near.neighbour).reshape(-1, count)
    other = (codes[place] != codes[:, None]).sum(axis=1)
    elected = vote(codes, place, near.distance.to_numpy().reshape(-1, count))

    # Among copies of itself alone, an image has an infinite goodness, which is no one's measure.
    usual = images.goodness.replace(np.inf, np.nan).groupby(codes).transform("median")
    table = pd.DataFrame(
        {
            "image": images.image,
            "label": images.label,
            "misplaced": (images.goodness < usual) & (2 * other > count),
            "goodness": images.goodness,
            "class_goodness": usual,
            "relative": images.goodness / usual,
            "silhouette": images.silhouette,
            "nearest": images.image.to_numpy()[place[:, 0]],
            "nearest_label": images.label.to_numpy()[place[:, 0]],
            "neighbours": count,
            "neighbours_other": other,
            "neighbours_label": classes[elected],
        }
    )
    return table.sort_values(
        ["misplaced", "neighbours_other", "silhouette"],
        ascending=[False, False, True],
        kind="stable",
        ignore_index=True,
    )


def write_all_misplaced(images, neighbours, folder):
    """Call ``write_misplaced`` for each layer.

    Parameters
    ----------
    images : sequence of path
        LAYER.images.csv of each layer.
    neighbours, folder : path
        The folders of the tables of neighbours, and of those to write: LAYER.csv.
    """
    for layer in map(Path, images):
        name = f"{layer.name.removesuffix('.images.csv')}.csv"
        write_misplaced(layer, Path(neighbours, name), Path(folder, name))


def write_misplaced(images, neighbours, output):
    """Write the table of ``misplaced`` from LAYER.images.csv and the table of neighbours.

    Of several readings that count which LAYER.csv, beside LAYER.images.csv, says is the best; the
    neighbours are by the same.
    """
    found = read_table(images)
    row = Path(f"{str(images).removesuffix('.images.csv')}.csv")
    if "pooling" in found and row.exists():
        found = of_reading(found, best_of_layer(read_rows([row])))
    write_table(misplaced(found, read_table(neighbours)), output)
