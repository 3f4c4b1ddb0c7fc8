"""Who lies next to whom: a table of every image's nearest neighbours."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..distances.neighbours import nearest_neighbours
from ..distances.reading import open_distances
from ..manifest import groups_of, read_manifest
from ..readings import chosen, split_name
from ..tables import write_table


def write_neighbours(
    manifest, distances, folder, *, rows=None, reading=None, k=8, threads=1, progress=True
):
    """Write the ``k`` nearest other images of each image, nearest first.

    With groups in the manifest, images of other groups only: that a patch lies next to one of
    the same photograph says nothing. Fewer than ``k`` where there are not so many.

    Parameters
    ----------
    manifest : path
    distances : sequence of path
        Condensed, of each layer LAYER.npy, or LAYER.POOLING.npy in any pooling.
    folder : path
        For LAYER.csv, k rows per image in the manifest's order: image,rank (from
        1),neighbour,distance.
    rows, reading
        How each layer is read, see ``readings.chosen``.
    k, threads : int
    progress : bool

    Raises
    ------
    UserError
        If a file is not what it should be, or one group has all images.
    """
    table = read_manifest(manifest)
    groups = groups_of(table)
    if groups is not None:
        groups = np.unique(groups, return_inverse=True)[1]
    others = len(table) - (1 if groups is None else np.bincount(groups).max())
    k = max(1, min(k, others))
    images = table.image.to_numpy()
    for path in map(Path, distances):
        layer, _ = split_name(path.stem)
        followed = chosen(layer, rows, reading)
        with open_distances(
            path, followed, expected=len(table), table=manifest, threads=threads
        ) as opened:
            found, apart = nearest_neighbours(
                opened, k, groups=groups, threads=threads, progress=progress
            )
        written = pd.DataFrame(
            {
                "image": np.repeat(images, found.shape[1]),
                "rank": np.tile(np.arange(1, found.shape[1] + 1), len(images)),
                "neighbour": images[found.ravel()],
                "distance": apart.ravel(),
            }
        )
        write_table(written, Path(folder, f"{layer}.csv"))
