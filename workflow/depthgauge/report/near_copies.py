"""Near copies: images far nearer to each other than to others, point by point, too."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..distances.passes import bar
from ..errors import UserError
from ..manifest import read_manifest
from ..tables import read_table, write_table
from .agreement import agreement, details

LIMIT = 0.35
KINDS = ["conflict", "leak", "copy"]
_HELD = 4_000  # pictures that are held in memory: 0.2 GB


def near_copies(networks, agree=None, *, limit=LIMIT, threads=1):
    """Return the pairs of images that are far nearer to each other than to others.

    A pair is measured by its distance over that of a neighbour of either image, of the one that is
    nearer: both must stand out of what surrounds them. (A local scale as of Zelnik-Manor & Perona
    2004, *Self-tuning spectral clustering*, who take the seventh neighbour.) By the second
    neighbour a picture that was copied once stands out best, by the last one listed a picture of
    which there are several copies; the ratio is the geometric mean of both, in which the latter
    counts twice, and neither more than 1 (docs/statistics.md).

    Of the depths of a network the one counts at which a pair stands out most, since a picture that
    was saved again is nearly itself to shallow layers, and one that was mirrored to deep ones. Of
    several networks it is the geometric mean. A pair that is not among the nearest has 1. Labels
    are not asked.

    What looks alike to a network need not be a copy. So the ratio is multiplied by how far the
    pictures are from agreeing, sqrt(1 - r), r being the correlation of their details, over what
    is usual among the pairs that are listed, their median; to differ more than that does not
    count. The factor is 0 for one picture, and 1 for pictures that agree no better than others.

    Parameters
    ----------
    networks : list of list of (indices, distances)
        Of each network its depths, as from ``neighbours.nearest_neighbours``: (n, k) arrays,
        nearest first.
    agree : function of two ints, optional
        The correlation of the details of two pictures, by their places; asked of pairs whose
        ratio is below 1. Left out, it is 0.
    limit : float
        Pairs of which the product is below it are near copies.
    threads : int
        How many ask ``agree`` at once; they do not change the result.

    Returns
    -------
    pairs : (m, 2) int array
        The places of two images, the smaller first.
    apart : (m,) float array
        The products, in ascending order.
    agreed : (m,) float array
        The correlations.
    groups : (n,) int array
        Images that pairs link, be it by others, are of one group; all others stand alone.
    """
    n = len(networks[0][0][0])
    listed = [[_ratios(*table) for table in depths] for depths in networks]
    keys = np.unique(np.concatenate([keys for depths in listed for keys, _ in depths]))
    logs = np.zeros((len(networks), len(keys)))
    for row, depths in zip(logs, listed, strict=True):
        for of_depth, logarithms in depths:
            np.minimum.at(row, np.searchsorted(keys, of_depth), logarithms)
    apart, agreed = np.exp(logs.mean(axis=0)), np.zeros(len(keys))
    pairs = np.stack(np.divmod(keys, n), axis=1)
    if agree is not None:
        asked = np.flatnonzero(apart < 1)
        with ThreadPoolExecutor(threads) as pool:
            agreed[asked] = list(pool.map(agree, *pairs[asked].T.tolist()))
        differ = np.sqrt(1 - np.clip(agreed, 0, 1))
        usual = np.median(differ[asked]) if len(asked) else 0
        apart[asked] *= np.minimum(differ[asked] / (usual or 1), 1)
    order = np.argsort(apart, kind="stable")
    order = order[apart[order] < limit]
    pairs = pairs[order]
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n))
    return pairs, apart[order], agreed[order], connected_components(links, directed=False)[1]


def _ratios(indices, distances):
    """Return (keys, logarithms of the ratios) of the pairs i < j of a table; the key is i n + j."""
    n, k = indices.shape
    apart = np.asarray(distances, np.float64)
    own, other = np.repeat(np.arange(n), k), indices.ravel()
    logarithms = 0
    for rank, weight in ((min(2, k), 1 / 3), (k, 2 / 3)):
        scale = np.minimum(apart[own, rank - 1], apart[other, rank - 1])
        ratios = np.divide(apart.ravel(), scale, out=np.ones(n * k), where=scale > 0)
        ratios[apart.ravel() == 0] = 0  # among images that are all at no distance, too
        with np.errstate(divide="ignore"):
            logarithms = logarithms + weight * np.log(np.minimum(ratios, 1))
    return np.minimum(own, other) * n + np.maximum(own, other), logarithms


def near_copy_table(manifest, networks, agree=None, *, limit=LIMIT, threads=1):
    """Return the near copies of a dataset: contradicting ones first, then those across splits.

    Parameters
    ----------
    manifest : DataFrame
        Of n images: image, label; ``split`` and ``source`` where there are any.
    networks, agree, limit, threads
        As for ``near_copies``.

    Returns
    -------
    DataFrame
        One row per pair. ``group`` numbers the images that pairs link, from 1, in the order of
        the rows; ``kind`` is *conflict*, two labels, *leak*, one label or none and two splits, or
        *copy*; ``apart`` is what makes them near copies, ``agreement`` the correlation of their
        details; then comes what the manifest has of both images. The group with the worst kind
        comes first, of several that with the nearest pair.
    """
    pairs, measured, agreed, groups = near_copies(networks, agree, limit=limit, threads=threads)
    columns = [name for name in ("image", "label", "split", "source") if name in manifest]
    one, other = (manifest[columns].iloc[side].reset_index(drop=True) for side in pairs.T)
    differ = {name: (one[name] != other[name]).to_numpy() for name in columns}
    known = (one.label != "").to_numpy() & (other.label != "").to_numpy()
    kind = np.select(
        [differ["label"] & known, differ.get("split", np.zeros(len(pairs), bool))], [0, 1], 2
    )
    table = pd.concat(
        [one, other.add_prefix("other_").rename(columns={"other_image": "other"})], axis=1
    )
    table.insert(0, "group", groups[pairs[:, 0]])
    table.insert(1, "kind", kind)
    table.insert(2, "apart", measured)
    table.insert(3, "agreement", agreed)
    of_group = table.groupby("group")
    table["worst"], table["least"] = of_group.kind.transform("min"), of_group.apart.transform("min")
    table = table.sort_values(["worst", "least", "group", "kind", "apart"], kind="stable")
    table["group"] = pd.factorize(table.group)[0] + 1
    table["kind"] = np.array(KINDS)[table.kind]
    return table.drop(columns=["worst", "least"]).reset_index(drop=True)


def write_near_copies(
    manifest, images, neighbours, output, *, limit=LIMIT, threads=1, progress=True
):
    """Write the table of ``near_copy_table``, from what ``write_neighbours`` wrote.

    Parameters
    ----------
    manifest : path
    images : path
        The folder that its ``image`` column refers to.
    neighbours : sequence of path
        EXTRACTOR/LAYER.csv: those of one folder are of one network.
    output : path
    limit : float
    threads : int
    progress : bool

    Raises
    ------
    UserError
        If neighbours are not those of the images of the manifest, in its order, or an image is
        missing or cannot be read.
    """
    table = read_manifest(manifest)
    networks = {}
    for path in map(Path, neighbours):
        networks.setdefault(path.parent, []).append(_neighbours(path, table.image))

    @lru_cache(_HELD)
    def details_of(place):
        return details(Path(images, table.image[place]))

    with bar(progress=progress, unit=" pairs", desc="near copies") as done:

        def agree(one, other):
            done.update()
            return agreement(details_of(one), details_of(other))

        found = near_copy_table(table, list(networks.values()), agree, limit=limit, threads=threads)
    write_table(found, output)


def _neighbours(path, images):
    """Return (indices, distances) of a table of neighbours, as (n, k) arrays."""
    table = read_table(path)
    k = int(table["rank"].max()) if len(table) else 0
    places = pd.Index(images).get_indexer(table.neighbour)
    if list(table.image) != list(np.repeat(images.to_numpy(), k)) or (places < 0).any():
        raise UserError(
            f"{path}: is not of the {len(images)} images of the manifest, in their order. Remove "
            "it and run again."
        )
    return places.reshape(-1, k), table.distance.to_numpy().reshape(-1, k)
