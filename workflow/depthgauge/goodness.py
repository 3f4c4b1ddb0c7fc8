"""Clustering goodness of one distance matrix, and its null under permutation of the labels."""

import csv
import logging
from dataclasses import dataclass

import numpy as np

from .condensed import images, open_condensed, pair_at, pairs
from .errors import UserError
from .files import whole
from .manifest import class_codes, read_manifest
from .permutations import within_sums
from .seeds import derive_seed

log = logging.getLogger(__name__)

# Entries of the matrix that are looked at in one go: 16 MB of float32.
STRETCH = 1 << 22


@dataclass(frozen=True)
class Goodness:
    """What ``goodness`` found; distances are in the units of the matrix.

    ``within`` and ``between`` are the mean distances of the pairs with the same and with
    different labels, ``goodness`` is between / within, ``null`` the goodness under each of the
    ``permutations`` permutations, in the order in which they were drawn.
    """

    images: int
    classes: int
    within: float
    between: float
    goodness: float
    permutations: int
    null: np.ndarray
    null_mean: float
    null_sd: float
    p_value: float


def goodness(condensed, labels, *, permutations=9999, seed=0, threads=1, progress=True):
    """Return how much farther apart the images of different labels are than those of the same.

    Goodness is the mean distance of pairs with different labels over the mean distance of
    pairs with the same label, pairs i < j. Its p-value is (1 + b) / (1 + m), b of the m
    permutations of the labels having at least the goodness of the labels themselves (Phipson &
    Smyth 2010, doi 10.2202/1544-6115.1585).

    Where all images of each class are copies of one another, ``within`` is 0 and the goodness
    infinite; permutations that part the images in the same way are then infinite too, and
    count. ``null_mean`` and ``null_sd`` (with m - 1) are infinite and NaN if any of them is.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        The distances of the pairs i < j in SciPy's condensed order; a memory map is welcome.
    labels : sequence of str, length n
        At least two different ones, at least one of them on two images. The only image of a
        class is in pairs with different labels alone.
    permutations : int
        m, at least 1.
    seed, threads, progress
        As for ``permutations.within_sums``.

    Returns
    -------
    Goodness

    Raises
    ------
    UserError
        If the labels are not as said above, or of another number of images than the matrix;
        if a distance is negative or not finite, or all are zero; if ``permutations`` < 1.
    """
    if permutations < 1:
        raise UserError(f"permutations: {permutations}; at least 1 is needed, 9999 is usual.")
    n = images(len(condensed))
    if n != len(labels):
        raise UserError(
            f"labels: {len(labels)} of them for a matrix of {len(condensed)} distances, which is "
            + (f"of {n} images." if n else "not the number of pairs of any number of images.")
            + " Labels and distances must be of the same images in the same order."
        )
    codes, classes = class_codes(labels)
    sizes = np.bincount(codes)
    if sizes.max() < 2:
        raise UserError(
            "labels: no two images have the same one, so there is no within-class distance. "
            "Give at least one class two images or more."
        )
    if sizes.min() < 2:
        log.warning(
            "classes of one image, which have no within-class distances: %s",
            ", ".join(classes[sizes == 1]),
        )
    total = _total(condensed, n)
    within_pairs = int(pairs(sizes).sum())
    sums = within_sums(
        condensed,
        codes,
        permutations=permutations,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    within = sums / within_pairs
    # Round-off may leave a hair below zero where all distances between classes are zero.
    between = np.maximum(total - sums, 0) / (pairs(n) - within_pairs)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = between / within
        null = ratio[1:]
        mean, sd = null.mean(), null.std(ddof=1) if permutations > 1 else 0.0
    return Goodness(
        images=n,
        classes=len(classes),
        within=float(within[0]),
        between=float(between[0]),
        goodness=float(ratio[0]),
        permutations=permutations,
        null=null,
        null_mean=float(mean),
        null_sd=float(sd),
        p_value=(1 + int(np.count_nonzero(null >= ratio[0]))) / (1 + permutations),
    )


def write_goodness(
    distances_path,
    manifest_path,
    output_null,
    output_row,
    *,
    dataset,
    extractor,
    layer,
    depth,
    dim,
    permutations=9999,
    seed=0,
    threads=1,
    progress=True,
):
    """Write the goodness of one cell (dataset, extractor, layer) and its null.

    The permutations are those of (``seed``, ``dataset``): every layer of a dataset meets
    the same ones.

    Parameters
    ----------
    distances_path : path
        Condensed distances, ``.npy``.
    manifest_path : path
        The manifest of their images, labelled.
    output_null : path
        Takes the goodness under each permutation, ``.npy``, float64.
    output_row : path
        Takes a CSV of one row: dataset,extractor,layer,depth,dim,images,classes,within,between,
        goodness,permutations,null_mean,null_sd,p_value.
    dataset, extractor, layer : str
        The names of the cell.
    depth : int
        Of the layer, from 1.
    dim : int
        Of the layer's features.
    permutations, seed, threads, progress
        As for ``goodness``, but ``seed`` is the run's.

    Raises
    ------
    UserError
        As ``goodness``, and if a file is not what it should be.
    """
    labels = read_manifest(manifest_path).label
    class_codes(labels, source=manifest_path)
    found = goodness(
        open_condensed(distances_path, expected=len(labels)),
        labels,
        permutations=permutations,
        seed=derive_seed(seed, dataset, "permutations"),
        threads=threads,
        progress=progress,
    )
    log.info(
        "%s, %s, %s: goodness %.4f, p = %.4g",
        dataset,
        extractor,
        layer,
        found.goodness,
        found.p_value,
    )
    names = ("images", "classes", "within", "between", "goodness")
    names += ("permutations", "null_mean", "null_sd", "p_value")
    row = {"dataset": dataset, "extractor": extractor, "layer": layer, "depth": depth, "dim": dim}
    row |= {name: getattr(found, name) for name in names}
    with whole(output_null) as beside:
        np.save(beside, found.null)
    with whole(output_row) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


def _total(condensed, n):
    """Return the sum of all distances, having looked at each."""
    total = 0.0
    for start in range(0, len(condensed), STRETCH):
        stretch = np.asarray(condensed[start : start + STRETCH])
        good = (stretch >= 0) & (stretch < np.inf)
        if not good.all():
            at = start + int(np.argmin(good))
            i, j = pair_at(at, n)
            raise UserError(
                f"distances: that of images {i + 1} and {j + 1} is {condensed[at]}; expected a "
                "finite number, not negative. Make the distances anew from checked features."
            )
        total += stretch.sum(dtype=np.float64)
    if total == 0:
        raise UserError(
            "distances: all are zero, for all images have the same features; there is nothing "
            "to compare. Leave this layer out, or look at what the extractor makes."
        )
    return total
