"""Clusters of images, without labels and without a number asked for."""

import logging
from math import isqrt, nan
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from tqdm import tqdm

from ..distances.reading import open_distances
from ..errors import UserError
from ..manifest import groups_of, read_manifest
from ..maps.embedding import embed
from ..readings import Reading, chosen, split_name
from ..seeds import derive_seed
from ..tables import read_table, write_table
from .cluster_agreement import cluster_agreement

log = logging.getLogger(__name__)

FEWEST = 10  # images to look for clusters among
NEIGHBOURHOOD = 5  # images, itself among them, by which HDBSCAN tells how dense it is about one
RESAMPLES = 5
SHARE, LARGEST = 0.8, 2_000  # of the images in a resample; so many at most
# In 11 clouds without structure, of 150 and 300 images, stability was 0.54 at most; with four
# classes planted in 20 dimensions it was from 0.94 on.
STABLE = 0.6


def map_clusters(points):
    """Return the clusters of images on a map, and how surely each image belongs to its own.

    HDBSCAN (Campello, Moulavi & Sander 2013, doi 10.1007/978-3-642-37456-2_14; McInnes & Healy
    2017, arXiv:1705.07321), scikit-learn's, with its "excess of mass": clusters are where images
    lie densest and longest so as the scale of distances grows. A cluster has at least
    sqrt(n) images, and five at least.

    On the map, since the distances themselves say too little of density where features have
    many dimensions: of 3,000 MNIST digits through a trained network (GoogLeNet's pool4), HDBSCAN
    gave an adjusted Rand index of 0.18 on the distances, 0.32 and 0.44 on their first 50 and 10
    principal coordinates, and 0.94 on the t-SNE map.

    Parameters
    ----------
    points : (n, 2) float64 array
        Coordinates, as ``embedding.embed`` has them.

    Returns
    -------
    clusters : (n,) int64 array
        From 1, the largest first; 0 for an image of no cluster. All are 0 where there are fewer
        than ten images, or no two groups of them apart.
    probabilities : (n,) float64 array
        From 0, of no cluster, to 1, in the densest part of it.
    """
    points = np.asarray(points, np.float64)
    n = len(points)
    if n < FEWEST or not np.ptp(points, axis=0).any():
        return np.zeros(n, np.int64), np.zeros(n)
    found = HDBSCAN(
        min_cluster_size=max(NEIGHBOURHOOD, isqrt(n)), min_samples=NEIGHBOURHOOD, copy=True
    ).fit(points)
    sizes = np.bincount(found.labels_ + 1)[1:]
    numbers = np.zeros(len(sizes) + 1, np.int64)  # its last is that of scikit-learn's -1, noise
    numbers[np.argsort(-sizes, kind="stable")] = np.arange(1, len(sizes) + 1)
    return numbers[found.labels_], found.probabilities_


def stability(distances, clusters, *, groups=None, perplexity=30, seed=0, threads=1, progress=True):
    """Return how alike the clusters are that parts of the images give by themselves.

    Five times 80 % of the images are drawn without replacement, mapped anew and clustered anew
    (by subsets, as in Hennig 2007, doi 10.1016/j.csda.2006.11.025). At most 2,000 are drawn:
    where there are more than 2,500, a smaller share. Of images in groups whole groups are drawn,
    as many as have no more images than that: a cluster of one film would come again with any
    part of its frames.

    Parameters
    ----------
    distances : Distances
    clusters : (n,) int array
        As from ``map_clusters``.
    groups : (n,) array, optional
    perplexity, threads, progress
        As in ``embedding.embed``; ``threads`` does not change a bit.
    seed : int

    Returns
    -------
    (5,) float64 array
        For each draw the adjusted Rand index between its clusters and ``clusters``, of the same
        images, those of no cluster being a group of their own: 1 where they are the same, about
        0 where they are unrelated. NaN where there are no clusters, or too few images to draw.
    """
    n = distances.n
    size = min(LARGEST, int(SHARE * n))
    if size < FEWEST or not clusters.any():
        return np.full(RESAMPLES, nan)
    agreements = []
    for draw in tqdm(
        range(RESAMPLES), desc="resamples", unit="map", mininterval=1, disable=not progress
    ):
        drawn = _drawn(n, size, groups, np.random.default_rng(derive_seed(seed, draw)))
        if len(drawn) < FEWEST:
            return np.full(RESAMPLES, nan)
        points = embed(
            distances.among(drawn),
            perplexity=perplexity,
            seed=derive_seed(seed, draw, "embedding"),
            threads=threads,
            progress=False,
        )
        agreements.append(adjusted_rand_score(clusters[drawn], map_clusters(points)[0]))
    return np.array(agreements)


def _drawn(n, size, groups, rng):
    """Return ``size`` of ``n`` images, ascending; of whole groups so many at most."""
    if groups is None:
        return np.sort(rng.permutation(n)[:size])
    units, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    order = rng.permutation(len(sizes))
    return np.flatnonzero(np.isin(units, order[np.cumsum(sizes[order]) <= size]))


def write_clusters(
    embeddings,
    distances,
    folder,
    summary,
    agreement,
    *,
    manifest=None,
    dataset="",
    extractor="",
    rows=None,
    reading=None,
    perplexity=30,
    seed=0,
    threads=1,
    progress=True,
):
    """Write the clusters of all layers of an extractor, and what there is to say of them.

    Parameters
    ----------
    embeddings, distances : sequences of path
        Of each layer, in order of depth, its map LAYER.csv (image,label,x,y) and its condensed
        distances LAYER.npy, of the same images in the same order.
    folder : path
        For LAYER.csv, a CSV with the columns ``image,cluster,probability``; ``cluster`` is empty
        for an image of no cluster.
    summary : path
        CSV of one row per layer: ``dataset,extractor,layer,pooling,metric,depth,clusters,
        noise_share,stability,stability_sd,ari,ami,images,labelled,note``. ``noise_share`` is the
        share of the images in no cluster; stability is the mean of `stability`, beside its
        standard deviation.
        ``ari`` and ``ami``, the adjusted Rand index and the adjusted mutual information (Vinh,
        Epps & Bailey 2010), compare clusters and labels over the ``labelled`` images, those of
        no cluster being a group of their own; they are empty where fewer than two labels are.
    agreement : path
        CSV ``layer,other,ari,ami``, a row for each two layers: how alike their clusters are.
        Both are empty where neither has clusters.
    manifest : path, optional
        Of the images. With groups, the summary has another column, ``group_ami``: the adjusted
        mutual information of clusters and groups, over all images.
    dataset, extractor : str
        Names for the rows, from which, with ``seed``, the draws derive.
    rows, reading
        How each layer is read, see ``readings.chosen``.
    perplexity : float
        That of the maps.
    seed, threads, progress
        As in `stability`.

    Raises
    ------
    UserError
        If maps and distances are not of the same layers and images, or a map lacks a column.
    """
    layers = [Path(path).name.removesuffix(".csv") for path in embeddings]
    if layers != [split_name(Path(path).stem)[0] for path in distances]:
        raise UserError(
            f"maps are given of the layers {', '.join(layers)}; distances of the same layers, "
            "LAYER.npy, were expected in the same order."
        )
    groups = None if manifest is None else groups_of(read_manifest(manifest))
    written, found = [], {}
    followed = [chosen(layer, rows, reading) for layer in layers]
    for depth, (layer, its_reading, *files) in enumerate(
        zip(layers, followed, embeddings, distances, strict=True), 1
    ):
        cell = {"dataset": dataset, "extractor": extractor, "layer": layer}
        table, row = _of_layer(
            *files,
            its_reading,
            groups,
            perplexity=perplexity,
            seed=derive_seed(seed, *cell.values(), "clusters"),
            threads=threads,
            progress=progress,
        )
        row = {**cell, **(its_reading or Reading())._asdict(), "depth": depth, **row}
        log.info(
            "%s: %d clusters, stability %.3f. %s",
            *(layer, row["clusters"], row["stability"], row["note"]),
        )
        written.append(row)
        found[layer] = table
    for layer, table in found.items():
        write_table(table, Path(folder) / f"{layer}.csv")
    write_table(cluster_agreement(found), agreement)
    write_table(pd.DataFrame(written), summary)


def _of_layer(embedding, distances, reading, groups, *, perplexity, seed, threads, progress):
    """Return the table of one layer's clusters, and its row of the summary."""
    table = _read_map(embedding)
    n = len(table)
    points = table[["x", "y"]].to_numpy(np.float64)
    with open_distances(distances, reading, expected=n, table=embedding, threads=threads) as opened:
        # What a map shows of such images is the order of their names.
        alike = np.ptp(opened.condensed) == 0
        clusters, probabilities = map_clusters(np.zeros_like(points) if alike else points)
        agreements = stability(
            opened,
            clusters,
            groups=groups,
            perplexity=perplexity,
            seed=seed,
            threads=threads,
            progress=progress,
        )
    stable = float(agreements.mean())
    count = int(clusters.max())
    labels = table.label.to_numpy(str)
    labelled = labels != ""
    compared = (labels[labelled], clusters[labelled])
    comparable = len(np.unique(labels[labelled])) > 1
    row = {
        "clusters": count,
        "noise_share": float(np.mean(clusters == 0)),
        "stability": stable,
        "stability_sd": float(agreements.std(ddof=1)),
        "ari": adjusted_rand_score(*compared) if comparable else nan,
        "ami": adjusted_mutual_info_score(*compared) if comparable else nan,
        "images": n,
        "labelled": int(labelled.sum()),
        "note": _note(n, count, stable, alike),
    }
    if groups is not None:
        row["group_ami"] = adjusted_mutual_info_score(groups, clusters)
    numbers = np.where(clusters > 0, clusters.astype(str), "")
    found = {"image": table.image, "cluster": numbers, "probability": probabilities.round(6)}
    return pd.DataFrame(found), row


def _read_map(path):
    table = read_table(path)
    try:
        points = table[["image", "label", "x", "y"]][["x", "y"]].to_numpy(np.float64)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path}: not a map, a CSV with the columns image,label,x,y ({error}). "
            "`depthgauge embedding` makes one."
        ) from error
    if not np.isfinite(points).all():
        raise UserError(f"{path}: has coordinates that are not numbers. Make the map again.")
    return table


def _note(n, count, stable, alike):
    if n < FEWEST:
        return f"fewer than {FEWEST} images: not looked for clusters"
    if alike:
        return "all images are equally far apart: no clusters"
    if not count:
        return "no two groups lie apart: one cluster, or none"
    if np.isnan(stable):
        return "too few images to try how stable the clusters are"
    if stable < STABLE:
        return "not stable, parts of the images give others: maybe one cluster, or none"
    return ""
