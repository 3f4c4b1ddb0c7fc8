"""Labels that may be wrong: all images of a dataset, ranked by how well another label fits."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from ..distances.matrix import Distances
from ..distances.reading import open_distances
from ..manifest import class_codes, groups_of, read_manifest
from ..readings import Reading, pooled_name
from ..tables import read_table, write_table

log = logging.getLogger(__name__)

RIDGE = 0.3  # of the mean squared length of an image's features
BLOCK = 4000  # images that are fitted together


def left_out_fit(inner, codes, classes, groups=None):
    """Return how well each class fits each image by all other images: kernel ridge regression.

    Of every class the indicator, 1 or 0, is fitted by the inner products K, with the mean over
    the images as intercept: F = K (K + r I)^-1 Y. Each image is then fitted as if it had been left
    out, with all of its group, for which no second fit is needed: with M = (K + r I)^-1, the
    residuals of the images g that are left out are (M_gg)^-1 (M Y)_g (Cook & Weisberg 1982,
    *Residuals and influence in regression*, section 2.2; of one image this is Allen's PRESS).

    Parameters
    ----------
    inner : (n, n) float64 array
        Inner products of the features, of which the mean diagonal is 1.
    codes : (n,) int array
        The class of each image, from 0.
    classes : int
    groups : (n,) array, optional
        Images of one group are left out together.

    Returns
    -------
    (n, classes) float64 array
        About 1 for the class that fits and 0 for the others.
    """
    n = len(codes)
    targets = np.eye(classes)[codes]
    mean = targets.mean(axis=0)
    inverse = cho_solve(cho_factor(inner + RIDGE * np.eye(n)), np.eye(n))
    residuals = inverse @ (targets - mean)
    _, groups = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        own = inverse[np.ix_(members, members)]
        residuals[members] = np.linalg.solve(own, residuals[members])
    return targets - residuals


def inner_products(condensed):
    """Return the (n, n) inner products of features seen from their mean, mean diagonal 1.

    From Euclidean distances, or chords of angles (Torgerson 1952). Zero where all coincide.
    """
    distances = Distances(np.asarray(condensed, np.float64))
    squares = distances.rows(range(distances.n)) ** 2
    means = squares.mean(axis=0)
    inner = (means + means[:, None] - squares - means.mean()) / 2
    return inner / (np.trace(inner) / len(inner) or 1.0)


def write_mislabelled(manifest, verdict, distances, output, *, dataset="", threads=1):
    """Write all images of a dataset, ranked by how much better another label than theirs fits.

    The inner products of all readings that the verdict advises, one a network, are averaged, and
    each image is fitted by all others (``left_out_fit``). More than 4,000 images are cut into
    parts, each of which has images of the whole manifest.

    Parameters
    ----------
    manifest : path
        Labelled throughout.
    verdict : path
        verdict.csv.
    distances : list of path
        Condensed Euclidean distances, EXTRACTOR/LAYER.npy or EXTRACTOR/LAYER.POOLING.npy, those
        that are advised among them.
    output : path
        CSV, one row per image, the most doubtful label first: ``rank,image,label,likely,doubt``
        (and ``source`` as the manifest has it). ``likely`` is the other class that fits best, and
        ``doubt`` how much better than its own it fits, positive where it does. Without rows
        where no depth is advised.
    dataset : str
    threads : int
        They do not change a bit.
    """
    images = read_manifest(manifest)
    codes, classes = class_codes(images.label, source=manifest)
    groups = groups_of(images)
    table = read_table(verdict)
    advised = table[(table.scope == "depth") & (table.dataset == dataset) & (table.layer != "")]
    files = {(path.absolute().parent.name, path.name): path for path in map(Path, distances)}
    fit = np.full((len(codes), len(classes)), np.nan)
    parts = -(-len(codes) // BLOCK) if len(advised) else 0
    for part in range(parts):
        # Consecutive groups go to different parts, so that the parts are alike.
        apart = np.unique(np.arange(len(codes)) if groups is None else groups, return_inverse=True)
        members = np.flatnonzero(apart[1] % parts == part)
        inner = np.zeros((len(members), len(members)))
        for row in advised.itertuples():
            reading = Reading(row.pooling, row.metric)
            path = files[row.extractor, f"{pooled_name(row.layer, row.pooling)}.npy"]
            with open_distances(path, reading, expected=len(codes), threads=threads) as opened:
                among = opened if parts == 1 else opened.among(members)
                inner += inner_products(among.condensed) / len(advised)
        own = None if groups is None else groups[members]
        # One thread: its sums have one order.
        with threadpool_limits(1, user_api="blas"):
            fit[members] = left_out_fit(inner, codes[members], len(classes), own)
    if not parts:
        log.warning("%s: no depth is advised, so no label can be doubted by one.", dataset)
    write_table(_ranked(images, codes, classes, fit)[: len(codes) if parts else 0], output)


def _ranked(images, codes, classes, fit):
    places = np.arange(len(codes))
    own, others = fit[places, codes], fit.copy()
    others[places, codes] = -np.inf
    table = pd.DataFrame(
        {
            "image": images.image,
            "label": images.label,
            "likely": np.asarray(classes)[others.argmax(axis=1)],
            "doubt": np.round(others.max(axis=1) - own, 6),
        }
    )
    if "source" in images:
        table["source"] = images.source
    table = table.sort_values("doubt", ascending=False, kind="stable", ignore_index=True)
    table.insert(0, "rank", places + 1)
    return table
