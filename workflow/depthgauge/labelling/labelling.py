"""Labels for all images from the labels of some: by which depth, and how sure."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from ..distances.neighbours import nearest_neighbours
from ..distances.reading import open_distances
from ..errors import UserError
from ..manifest import groups_of, read_manifest
from ..readings import Reading, choose, split_name
from ..seeds import derive_seed
from ..statistics.accuracy import REACH, expected_in_half
from ..statistics.auc import rank_auc
from ..tables import write_table
from . import nearest_labelled, propagation
from .calibration import calibration, cautious_targets
from .neighbour_graph import neighbour_graph

log = logging.getLogger(__name__)

EVALUATED = 1000  # labelled images that are left out in turn, at most
_COLUMNS = 50  # of them in one solve
_RESAMPLES = 1000


@dataclass(frozen=True)
class Candidate:
    """Labels by one method at one depth.

    ``right`` and ``margins`` (e,) are of the labelled images left out in turn; ``codes``
    (n,) and ``sure`` (n,), the class and the margin, of all images, the class -1 where no
    label reaches.
    """

    right: np.ndarray
    margins: np.ndarray
    codes: np.ndarray
    sure: np.ndarray


def candidates(distances, codes, evaluated, *, groups=None, threads=1, progress=True):
    """Return a Candidate for each method, by name, at one depth.

    The methods come in the order in which they label better from few labels (docs/statistics.md).

    Parameters
    ----------
    distances : Distances
    codes : (n,) int array
        The class of each image from 0, -1 where it has no label.
    evaluated : (e,) int array
        Places among the labelled images of those that are left out in turn.
    groups : (n,) array, optional
        Images of the group of the one that is left out are left out with it.
    threads : int
    progress : bool
    """
    classes = codes.max() + 1
    labelled = np.flatnonzero(codes >= 0)
    given = codes[labelled]
    of_labelled = None if groups is None else groups[labelled]
    graph = neighbour_graph(distances, threads=threads, progress=progress)
    found = {}
    near = distances.rows(labelled)
    others = near[:, labelled[evaluated]].astype(np.float64)
    others[evaluated, np.arange(len(evaluated))] = np.inf
    if groups is not None:
        others[of_labelled[:, None] == of_labelled[evaluated]] = np.inf
    for name, method in nearest_labelled.METHODS.items():
        found[name] = method(others, given, classes), method(near, given, classes)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for name, method in propagation.METHODS.items():
            parts = pool.map(
                lambda part, name=name: propagation.leave_one_out(
                    name, graph, labelled, given, classes, part, of_labelled
                ),
                [evaluated[i : i + _COLUMNS] for i in range(0, len(evaluated), _COLUMNS)],
            )
            found[name] = np.concatenate(list(parts)), method(graph, labelled, given, classes)
    made = {}
    for name, (by_others, scores) in found.items():
        proposed, margins = _decided(by_others)
        made[name] = Candidate(proposed == given[evaluated], margins, *_decided(scores))
    return made


def _decided(scores):
    """Return the classes of the highest scores, -1 for none, and by how much they are higher.

    The margin is the root of the difference to the second, infinite where there is no second.
    """
    ranked = np.sort(scores, axis=1)
    with np.errstate(invalid="ignore"):
        margins = ranked[:, -1] - ranked[:, -2]
    codes = np.where(np.isfinite(ranked[:, -1]), scores.argmax(axis=1), -1)
    return codes, np.sqrt(np.where(codes >= 0, margins, 0))


def best(right, rng, groups=None):
    """Return which candidate is the best, and by how much that choice flatters it.

    The best has most images right, the last of several that have. Its optimism is that of the
    choice: images are drawn anew, and what the best of a draw has right there is held to what it
    has right of all images (Efron 1983, doi 10.1080/01621459.1983.10477973).

    Parameters
    ----------
    right : (candidates, e) bool array
    rng : numpy.random.Generator
    groups : (e,) array, optional
        Whole groups are resampled.

    Returns
    -------
    chosen : int
    optimism : float, not negative
    """
    right = right[::-1].astype(np.float64)  # argmax takes the first of equals
    e = right.shape[1]
    units = np.arange(e) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = units.max() + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES).T[units]
    shares = right @ drawn / drawn.sum(axis=0)
    flattered = shares.max(axis=0) - right.mean(axis=1)[shares.argmax(axis=0)]
    return len(right) - 1 - right.sum(axis=1).argmax(), max(flattered.mean(), 0.0)


def write_labels(
    manifest,
    distances,
    output,
    accuracy,
    *,
    dataset="",
    metrics=("euclidean",),
    confidence=0.5,
    seed=0,
    threads=1,
    progress=True,
):
    """Write a label for every image of a partly labelled dataset, and how right they will be.

    Of each layer one reading is taken, by the labelled images alone (``readings.choose``).
    Every method (1-NN, 5-NN, label spreading, Poisson learning) at every depth labels each
    labelled image from all others (at most 1,000 of them, chosen by ``seed``); the one that
    has most of them right labels the rest; of several that have, the one of the last network, at
    its deepest layer, by the last of these methods. With groups, those of its group are left out
    with an image. Its probabilities are calibrated on the same
    images left out (``calibration``), and their mean over the images without label, less what
    the choice of the best flatters it by (``best``), is the accuracy that is expected of them
    (``expected_accuracy``).

    Parameters
    ----------
    manifest : path
        With empty labels where there is none.
    distances : list of path
        Condensed Euclidean distances, EXTRACTOR/LAYER.npy, and EXTRACTOR/LAYER.POOLING.npy.
    output : path
        CSV: ``image,label,probability,origin`` (and ``source`` as the manifest has it);
        ``origin`` is "given", "propagated", or "unlabelled" with an empty label where the
        probability is below ``confidence`` or no label reaches.
    accuracy : path
        CSV, one row per depth and method, the chosen one first:
        ``extractor,layer,pooling,metric,method,labelled,classes,left_out,left_out_accuracy`` and,
        for the chosen one, ``expected_accuracy,low,high,unlabelled,propagated,
        propagated_accuracy``: if all images without label took the one proposed, with a 95 %
        interval (by the numbers of labelled images left out and of those without label, or of
        their groups); and of those that do take it.
    dataset : str
        For the seed.
    metrics : sequence of str
        The metrics to choose readings among.
    confidence : float
    seed : int
        The run's.
    threads : int
    progress : bool

    Raises
    ------
    UserError
        If there are fewer than two classes among the labels, or no class with two images.
    """
    images = read_manifest(manifest)
    classes, codes = _codes(images.label, manifest)
    labelled = np.flatnonzero(codes >= 0)
    rng = np.random.default_rng(derive_seed(seed, dataset, "left out"))
    evaluated = np.arange(len(labelled))
    groups = groups_of(images)
    if groups is not None and len(np.unique(groups[labelled])) < 2:
        raise UserError(
            f"{manifest}: all labelled images are of the one group {groups[labelled[0]]!r}, so "
            "none can be labelled from another. Label images of more groups."
        )
    if len(evaluated) > EVALUATED:
        evaluated = np.sort(rng.choice(evaluated, EVALUATED, replace=False))
    names, tried = [], []
    layers = {}
    for path in map(Path, distances):
        layer, pooling = split_name(path.stem)
        layers.setdefault((path.absolute().parent.name, layer), {})[pooling] = path
    for (extractor, layer), files in layers.items():
        path, of = next(iter(files.values())), {"expected": len(codes), "table": manifest}
        reading = _best_reading(files, metrics, codes, groups, of, threads)
        with open_distances(path, reading, **of, threads=threads) as distances:
            made = candidates(
                *(distances, codes, evaluated),
                groups=groups,
                threads=threads,
                progress=progress,
            )
        for method, candidate in made.items():
            names.append((extractor, layer, *reading, method))
            tried.append(candidate)
    right = np.array([candidate.right for candidate in tried])
    left_out = None if groups is None else groups[labelled[evaluated]]
    chosen, optimism = best(right, rng, left_out)
    independent = unseen = None
    if groups is not None:
        independent, unseen = len(np.unique(left_out)), len(np.unique(groups[codes < 0]))
    probability, label = decided_labels(tried[chosen], codes, classes, confidence, independent)
    expected = expected_accuracy(
        *(probability, label, codes, right[chosen], optimism), independent, unseen
    )
    _write_accuracy(accuracy, names, right, chosen, expected, codes)
    origin = np.where(label != "", "propagated", "unlabelled")
    origin[labelled], label[labelled] = "given", images.label.to_numpy()[labelled]
    table = pd.DataFrame({"image": images.image, "label": label})
    table["probability"] = [f"{p:.4f}" for p in probability]
    table["origin"] = origin
    if "source" in images:
        table["source"] = images.source
    write_table(table, output)


def _best_reading(files, metrics, codes, groups, of, threads):
    """Return the reading of a layer that suits the labelled images, of its poolings' files."""
    labelled = np.flatnonzero(codes >= 0)
    given = codes[labelled]
    work = {"threads": threads, "progress": False}
    first = next(iter(files.values()))
    # A vector has one file, by several names.
    poolings = [name for name, path in files.items() if path == first or not path.samefile(first)]
    readings = [Reading(pooling, metric) for pooling in poolings for metric in metrics]
    if len(readings) == 1:
        return readings[0]
    scores = []
    near_by = min(REACH, len(labelled) - 1)
    if groups is not None:
        groups = np.unique(groups[labelled], return_inverse=True)[1]
        near_by = min(REACH, len(labelled) - np.bincount(groups).max())
    for reading in readings:
        with open_distances(first, reading, **of, threads=threads) as distances:
            among = distances.among(labelled)
        near, _ = nearest_neighbours(among, near_by, groups=groups, **work)
        right = given[near] == given[:, None]
        scores.append((expected_in_half(right).mean(), rank_auc(among.condensed, given, **work)[0]))
    return readings[choose(*np.transpose(scores))]


def _codes(labels, path):
    classes, codes = np.unique(labels, return_inverse=True)
    if classes[0] == "":
        classes, codes = classes[1:], codes - 1
    sizes = np.bincount(codes[codes >= 0])
    if len(classes) < 2:
        raise UserError(
            f"{path}: {f'the only label is {classes[0]!r}' if len(classes) else 'no labels'}; "
            "label some images of each of at least two classes."
        )
    if sizes.max() < 2:
        raise UserError(
            f"{path}: no two images have the same label, so nothing tells how right labels "
            "would be. Label two images at least of some class, better five of each."
        )
    if sizes.min() < 2:
        log.warning(
            "classes with one labelled image, which counts as wrong when it is left out: %s",
            ", ".join(classes[sizes == 1]),
        )
    return classes, codes


def decided_labels(candidate, codes, classes, confidence, independent=None):
    """Return the probability of each image's proposed label, and the label where it suffices.

    Over the images without label that a label reaches, the mean probability is not below the
    lower end of Wilson's 95 % interval of the accuracy of those left out, of which so many are
    ``independent``: all of them, or their groups.
    """
    probability = calibration(candidate.margins, candidate.right)(candidate.sure)
    rest = (codes < 0) & (candidate.codes >= 0)
    floor, _ = wilson(candidate.right.mean(), independent or len(candidate.right))
    if rest.any() and probability[rest].mean() < floor:
        logits = logit(probability)
        more = brentq(lambda more: expit(logits[rest] + more).mean() - floor, 0, 50)
        probability = expit(logits + more)
    probability[candidate.codes < 0] = 0  # no label reaches it, whatever confidence is asked for
    taken = (candidate.codes >= 0) & (probability >= confidence)
    label = np.where(taken, classes[candidate.codes], "").astype(object)
    probability[codes >= 0] = 1
    return probability, label


def expected_accuracy(probability, label, codes, right, optimism, independent=None, unseen=None):
    """Return how right labels are expected to be: what ``write_labels`` says of the chosen one.

    The interval is Wilson's (1927) of two shares that differ by chance, that of the e images
    left out and that of the u without label, or of their groups: of 1 / (1/e + 1/u). It stands
    around the expectation of which the calibration's caution is taken back, so that it holds 1
    where all of those left out are right.

    Parameters
    ----------
    probability, label
        As ``decided_labels`` returns them.
    codes : (n,) int array
    right : (e,) bool array
        Of the candidate, see ``Candidate``.
    optimism : float
        Of its choice, see ``best``.
    independent, unseen : int, optional
        How many groups those left out, and those without label, come in; each image by itself if
        not given.

    Returns
    -------
    (expected, low, high, unlabelled, propagated, propagated_accuracy)
        As in the columns of ``write_labels``' ``accuracy``.
    """
    rest = codes < 0
    taken = rest & (label != "")
    expected, of_taken = (
        max(probability[images].mean() - optimism, 0) if images.any() else np.nan
        for images in (rest, taken)
    )
    cautious = cautious_targets(right).mean()
    centre = np.clip(expected + right.mean() - cautious, 0, 1)
    e, u = independent or len(right), unseen or max(rest.sum(), 1)
    low, high = wilson(centre, 1 / (1 / e + 1 / u))
    return expected, low, high, rest.sum(), taken.sum(), of_taken


def _write_accuracy(path, names, right, chosen, found, codes):
    expected, low, high, unlabelled, propagated, propagated_accuracy = found
    table = pd.DataFrame(names, columns=["extractor", "layer", "pooling", "metric", "method"])
    table["labelled"] = int((codes >= 0).sum())
    table["classes"] = int(codes.max() + 1)
    table["left_out"] = right.shape[1]
    table["left_out_accuracy"] = right.mean(axis=1)
    for name, value in {
        "expected_accuracy": expected,
        "low": low,
        "high": high,
        "unlabelled": unlabelled,
        "propagated": propagated,
        "propagated_accuracy": propagated_accuracy,
    }.items():
        table[name] = pd.Series([value], index=[chosen], dtype=object)
    order = sorted(table.index, key=lambda i: (i != chosen, -right[i].mean(), i))
    write_table(table.loc[order], path)
    log.info(
        "%s/%s (%s, %s), %s: %d of %d images without label take one; %.1f %% of all %d proposals "
        "are expected to be right (95 %% interval %.1f to %.1f)",
        *names[chosen],
        *(propagated, unlabelled, 100 * expected, unlabelled, 100 * low, 100 * high),
    )


def wilson(share, count, z=1.959964):
    """Return Wilson's 95 % interval of a share seen in ``count`` (Wilson 1927)."""
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(middle - half, 0.0), 1.0 if share == 1 else min(middle + half, 1.0)
