"""Goodness of a large dataset, estimated from the distances among a sample of its images."""

import logging
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..distances.matrix import pairs
from ..distances.passes import class_sums
from ..distances.reading import open_distances
from ..errors import UserError
from ..manifest import class_codes, read_manifest
from ..readings import Reading
from ..tables import read_text_table, write_table

log = logging.getLogger(__name__)

NORMAL = 1.959964  # the 97.5th percentile: of a 95 % interval


class SampledGoodness(NamedTuple):
    """Estimates for all images: mean distances, and their ratio with its error and interval."""

    within: float
    between: float
    goodness: float
    standard_error: float
    low: float
    high: float


def sampled_goodness(condensed, labels, population, *, threads=1, progress=True):
    """Estimate the goodness that all images of a dataset have from a sample of each class.

    ``within`` and ``between`` are unbiased for the means over all pairs of the dataset. The
    standard error is that of choosing these images and not others: how far the matrix of all
    pairs may be off, and 0 where all images were chosen. It says nothing of other images than
    the dataset's.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (m(m-1)/2,)
        Of the sample.
    labels : sequence of str, length m
        Of the sample; within each class the images are a simple random sample.
    population : sequence of int, length m
        How many images the whole dataset has of the label of each.
    threads, progress
        As for ``passes.class_sums``.

    Returns
    -------
    SampledGoodness
        ``low`` and ``high`` are the ends of the 95 % interval, which is symmetric in log
        goodness. Where ``within`` is 0 goodness is infinite, and the latter three are NaN.

    Raises
    ------
    UserError
        If the classes' sizes contradict the sample, or a class of several images has but one
        in it; if no class has two images.

    Notes
    -----
    Let class c have n_c images, m_c of them in the sample; N_w and N_b count all pairs of the
    dataset within and between classes. With w_c the sample's mean distance within c and b_ce
    between c and e,

        within = sum_c n_c (n_c - 1) / 2 w_c / N_w,  between = sum_{c<e} n_c n_e b_ce / N_b.

    Each w_c and b_ce is a U-statistic of simple random samples, hence unbiased (Hoeffding 1948),
    and no mean over some of the pairs of the same images has less variance (Rao-Blackwell). Pairs
    that share an image are not independent. So the variance is that over images, by the delta
    method on log goodness: image i of class c moves it by z_i / m_c with

        z_i = sum_{e != c} n_c n_e d_ie / (N_b between) - n_c (n_c - 1) d_ic / (N_w within),

    d_ie its mean distance to the sample's images of e; and, the classes sampled without
    replacement (Cochran 1977, *Sampling Techniques*, ch. 5),

        SE^2 = goodness^2 sum_c (1 - m_c / n_c) var(z_i, i in c) / m_c.

    The d_ie are estimates themselves, for which var(z) is a little too large: as the jackknife,
    it errs on the safe side (Efron & Stein 1981, doi 10.1214/aos/1176345462).
    """
    codes, classes = class_codes(labels)
    m = np.bincount(codes)
    n = np.zeros(len(classes))
    population = np.asarray(population, dtype=np.float64)
    n[codes] = population
    wrong = np.flatnonzero((n[codes] != population) | (n < m)[codes] | ((m < 2) & (n > 1))[codes])
    if len(wrong):
        c = codes[wrong[0]]
        raise UserError(
            f"population: the class {str(classes[c])!r} is said to have {population[wrong[0]]:g} "
            f"images, and {m[c]} are in the sample; one size a class was expected, no less than "
            "that, and two images at least. Make the dataset anew."
        )
    within_pairs = (n * (n - 1)).sum() / 2
    between_pairs = pairs(n.sum()) - within_pairs
    if not within_pairs:
        raise UserError("labels: no two images have the same one; there is nothing within a class.")
    sums = class_sums(condensed, codes, threads=threads, progress=progress)
    own = sums[np.arange(len(codes)), codes] / np.maximum(m[codes] - 1, 1)
    # Each image's share in the weighted sums of pairs, an image's mean at a time.
    to_others = n * sums / m
    to_others[np.arange(len(codes)), codes] = 0
    between_share = n[codes] * to_others.sum(axis=1) / between_pairs
    within_share = n[codes] * (n[codes] - 1) * own / within_pairs
    # Every pair is seen from both its images.
    between = float((between_share / m[codes]).sum() / 2)
    within = float((within_share / m[codes]).sum() / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        goodness = np.divide(between, within)
        z = between_share / between - within_share / within
        mean = np.bincount(codes, z) / m
        variance = np.bincount(codes, (z - mean[codes]) ** 2) / np.maximum(m - 1, 1)
        error = np.sqrt(((1 - m / n) * variance / m).sum())  # of log goodness
        low, high = goodness * np.exp(NORMAL * error * np.array([-1, 1]))
    found = (within, between, goodness, goodness * error, low, high)
    return SampledGoodness(*map(float, found))


def write_sampled_goodness(row, distances, manifest, output, *, threads=1, progress=True):
    """Write the rows of a layer's sample, with the estimates for the whole dataset beside them.

    Parameters
    ----------
    row : path
        What ``goodness`` says of the sample: a CSV, one row per reading.
    distances : path
        Condensed Euclidean distances of the sample, ``.npy``, in any pooling of the layer; those
        of the others lie beside it.
    manifest : path
        The sample's manifest, with the column ``population``: how many images of that label
        the dataset has.
    output : path
        Takes the rows, all of the sample as they are, and further columns of the whole dataset:
        ``population_images``, how many it has, and what ``sampled_goodness`` estimates of it:
        ``population_within``, ``population_between``, ``population_goodness``, the
        ``population_standard_error`` of the latter, and the ends of its interval,
        ``population_low`` and ``population_high``.
    threads, progress
        As for ``sampled_goodness``.

    Raises
    ------
    UserError
        As ``sampled_goodness``, and if a file is not what it should be.
    """
    table = read_manifest(manifest)
    if "population" not in table:
        raise UserError(
            f"{manifest}: lacks the column population, the number of images of each label in the "
            "whole dataset, which a sample made by `pairs` has."
        )
    m = len(table)
    population = table.population.astype(np.int64)
    count = int(population[~table.label.duplicated()].sum())
    cells = read_text_table(row).to_dict("records")
    for cell in cells:
        reading = Reading(cell["pooling"], cell["metric"])
        with open_distances(
            distances, reading, expected=m, table=manifest, threads=threads
        ) as opened:
            found = sampled_goodness(
                opened.condensed, table.label, population, threads=threads, progress=progress
            )
        cell["population_images"] = count
        cell |= {f"population_{name}": value for name, value in found._asdict().items()}
        log.info(
            "%s: goodness of all %d images %.4f with a standard error of %.2g, from %d of them",
            *(reading, count, found.goodness, found.standard_error, m),
        )
    write_table(pd.DataFrame(cells), output)
