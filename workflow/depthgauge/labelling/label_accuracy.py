"""How well few labels label the rest: every layer, every method, many trials."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..distances.passes import bar
from ..distances.reading import open_distances
from ..manifest import class_codes, groups_of, read_manifest
from ..readings import chosen, split_name
from ..seeds import derive_seed
from ..tables import write_table
from . import nearest_labelled, propagation
from .label_splits import COLUMNS, hidden_images, label_splits
from .neighbour_graph import neighbour_graph

log = logging.getLogger(__name__)


def label_accuracy(distances, codes, counts, draws, *, groups=None, threads=1, progress=True):
    """Return how often the hidden images get their own label, one row per method and trial.

    Methods are 1-NN, 5-NN, label spreading and Poisson learning, from the distances alone.
    Nothing is chosen by the hidden labels; they are compared at the end. A hidden image that
    the labels do not reach (no labelled image in its connected component of the graph)
    counts as wrong.

    Parameters
    ----------
    distances : Distances
    codes : (n,) int array
        The class of each image, from 0.
    counts, draws
        As from ``label_splits``.
    groups : (n,) array, optional
        No hidden image is of the group of a labelled one.
    threads : int
    progress : bool

    Returns
    -------
    DataFrame
        ``method,labels_per_class,split,hidden,coverage,accuracy``: the number of hidden images,
        the share of them that got a label, and the share that got theirs.
    """
    n, classes = len(codes), codes.max() + 1
    graph = neighbour_graph(distances, threads=threads, progress=progress)

    def trial(split):
        found = []
        drawn = draws[split]
        reach = distances.rows(drawn.ravel()).reshape(*drawn.shape, n)
        for count in counts:
            labelled = drawn[:, :count].ravel()
            given = np.repeat(np.arange(classes), count)
            near = reach[:, :count].reshape(-1, n)
            hidden = hidden_images(n, labelled, drawn, groups)
            for name, method in nearest_labelled.METHODS.items():
                found.append((name, count, split, *_score(method(near, given, classes), hidden)))
            for name, method in propagation.METHODS.items():
                scores = method(graph, labelled, given, classes)
                found.append((name, count, split, *_score(scores, hidden)))
        return found

    def _score(scores, hidden):
        reached = np.isfinite(scores).any(axis=1)[hidden]
        right = reached & (scores.argmax(axis=1) == codes)[hidden]
        return len(right), reached.mean(), right.mean()

    # One thread a trial: sums within a trial then have one order.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        done = pool.map(trial, range(len(draws)))
        trials = bar(done, total=len(draws), desc="trials", unit="trial", progress=progress)
        return pd.DataFrame([row for found in trials for row in found], columns=COLUMNS[1:])


def write_label_accuracy(
    manifest,
    distances,
    output,
    *,
    dataset="",
    labels_per_class=(),
    rows=None,
    reading=None,
    splits=20,
    seed=0,
    threads=1,
    progress=True,
):
    """Write ``label_accuracy`` of all layers of an extractor, for trials shared by all.

    Parameters
    ----------
    manifest : path
        Labelled throughout.
    distances : list of path
        Condensed distances, LAYER.npy, in order of depth.
    output : path
        CSV with the columns ``layer,method,labels_per_class,split,hidden,coverage,accuracy``.
    dataset : str
        Its name: the trials are those of (``seed``, ``dataset``).
    labels_per_class : sequence of int
    rows, reading
        How each layer is read, see ``readings.chosen``.
    splits, seed, threads, progress
        ``seed`` is the run's.
    """
    images = read_manifest(manifest)
    codes, _ = class_codes(images.label, source=manifest)
    groups = groups_of(images)
    counts, draws = label_splits(
        codes, labels_per_class, splits, derive_seed(seed, dataset, "labels"), groups
    )
    tables = [pd.DataFrame(columns=COLUMNS)] if not counts else []
    for path in map(Path, distances if counts else ()):
        layer, _ = split_name(path.stem)
        followed = chosen(layer, rows, reading)
        with open_distances(
            path, followed, expected=len(codes), table=manifest, threads=threads
        ) as opened:
            table = label_accuracy(
                *(opened, codes, counts, draws),
                groups=groups,
                threads=threads,
                progress=progress,
            )
        tables.append(table.assign(layer=layer)[COLUMNS])
        log.info(
            "%s: at %d labels per class %s",
            layer,
            counts[0],
            ", ".join(
                f"{method} {accuracy:.3f}"
                for method, accuracy in table[table.labels_per_class == counts[0]]
                .groupby("method", sort=False)
                .accuracy.mean()
                .items()
            ),
        )
    write_table(pd.concat(tables), output)
