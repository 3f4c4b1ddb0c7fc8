"""Rules that choose a cell of a network, a layer and how it is read, and how good their cells are.

The images are halved, class by class. Each half chooses and the other judges: there the
leave-one-out accuracy of the nearest neighbour is measured at the cell that was chosen, and that
of a linear classifier of the layer, which learned from the half that chose.
"""

import numpy as np
import pandas as pd
from depthgauge.distances.matrix import Distances
from depthgauge.readings import METRICS, choose
from depthgauge.statistics.accuracy import expected_in_half, halve
from scores import by_metric, h_score, linear_accuracy, log_me, measures

POINT = 0.01
JUDGED = ["accuracy", "loss", "hit", "linear"]
BEST = "(best on average)"
VERDICT, ALONE = "the verdict's rule", "best depth, flat euclidean"


def cells_of(layers):
    """Return the cells of a network, a row each: layer (its place), pooling, metric, vector."""
    return pd.DataFrame(
        [
            {"layer": place, "pooling": pooling, "metric": metric, "vector": len(poolings) == 1}
            for place, (poolings, _) in enumerate(layers)
            for pooling in poolings
            for metric in METRICS
        ]
    )


def halves(codes, layers, splits, seeds):
    """Return what is measured in each half, and of each layer from half to half.

    Parameters
    ----------
    codes : (n,) array of int
    layers : list of (dict from pooling to condensed distances, features [n, channels])
    splits : int
    seeds : list of int

    Returns
    -------
    list of pairs of dicts, an item a split
        Each half's: what ``measures`` returns and ``log_me`` and ``h_score``, an array each with
        a place a cell; ``linear``, the accuracy in the other half.
    """
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for _ in range(splits):
            half = halve(codes, rng)
            parts = [np.flatnonzero(half == part) for part in (0, 1)]
            found.append(tuple(_half(codes, layers, parts[p], parts[1 - p]) for p in (0, 1)))
    return found


def _half(codes, layers, seen, unseen):
    rows = []
    for poolings, features in layers:
        inner = features[seen].astype(np.float64)
        inner = inner @ inner.T
        of_layer = {
            "log_me": log_me(inner, codes[seen], features.shape[1]),
            "h_score": h_score(inner, codes[seen], features.shape[1]),
            "linear": linear_accuracy(features, codes, seen, unseen),
        }
        for condensed in poolings.values():
            own = Distances(condensed).among(seen).condensed
            rows += [measures(by_metric(own, m), codes[seen]) | of_layer for m in METRICS]
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def rules(cells):
    """Return the rules: a dict from name to a function of a half's measures to a cell's place."""
    deepest = cells.layer == cells.layer.max()
    euclidean, angle = (cells.metric == metric for metric in METRICS)
    flat = (cells.pooling == "flat") | cells.vector
    mean = (cells.pooling == "mean") | cells.vector

    def among(mask, key="knn1"):
        places = np.flatnonzero(mask)
        return lambda seen: places[choose(seen[key][places], seen["auc"][places])]

    def fixed(mask):
        place = np.flatnonzero(mask)[0]
        return lambda seen: place

    every = np.ones(len(cells), bool)
    usual = np.flatnonzero(flat & angle)
    return {
        VERDICT: among(every, "knn1_half"),
        ALONE: among(flat & euclidean),
        "deepest, flat euclidean": fixed(deepest & flat & euclidean),
        "deepest, flat angle": fixed(deepest & flat & angle),
        "deepest, mean angle": fixed(deepest & mean & angle),
        "best depth, flat angle": among(flat & angle),
        "best depth, mean angle": among(mean & angle),
        "highest AUC": among(every, "auc"),
        "highest goodness": among(every, "goodness"),
        "LogME, then mean angle": among(mean & angle, "log_me"),
        "H-score, then mean angle": among(mean & angle, "h_score"),
        "mean of 1-NN and 5-NN": lambda seen: choose(seen["knn1"] + seen["knn5"], seen["auc"]),
        "1-NN accuracy": among(every),
        "AUC within a standard error": _within_error,
        "the verdict's, by angle": among(angle, "knn1_half"),
        "the verdict's, flat angle within an error": lambda seen: _within_usual(seen, usual),
    }


def _within_error(seen):
    """Return the highest AUC of the cells within a standard error of the best accuracy."""
    right = seen["right"][:, :, 0]
    best = choose(seen["knn1"], seen["auc"])
    alike = seen["knn1"] >= seen["knn1"][best] - _error(right, best)
    return int(np.argmax(np.where(alike, seen["auc"], -np.inf)))


def _within_usual(seen, usual):
    """Return the best of the cells ``usual`` unless the best of all is a standard error above."""
    score = seen["knn1_half"]
    best = choose(score, seen["auc"])
    at = usual[choose(score[usual], seen["auc"][usual])]
    above = score[best] - score[at] > _error(expected_in_half(seen["right"]), best)[at]
    return best if above else at


def _error(by_image, place):
    """Return the standard error of each cell's mean less that of the cell at ``place``."""
    difference = by_image.astype(float) - by_image[place]
    return difference.std(axis=1) / np.sqrt(difference.shape[1])


def judge(cells, found):
    """Return a row a rule and half: rule, place, accuracy, loss, hit, linear.

    ``loss`` is what the accuracy lacks to that of the best cell in the half that judges; a
    ``hit`` lacks a point at most. Of many cells the best in one half is best by luck, too. So
    there are rows of the cell that is best on average over all halves, those that judge
    included: no rule that sees one half can be expected to do better. The random cell has the
    means of all cells.
    """
    average = np.mean([half["knn1"] for split in found for half in split], axis=0)
    rows = []
    for split in found:
        for seen, unseen in (split, split[::-1]):
            accuracy, linear = unseen["knn1"], seen["linear"]
            loss = accuracy.max() - accuracy
            hit = (loss <= POINT + 1e-12).astype(float)
            places = {rule: pick(seen) for rule, pick in rules(cells).items()}
            places |= {BEST: average.argmax(), "(best in the half)": loss.argmin()}
            measured = (accuracy, loss, hit, linear)
            rows += [
                (rule, at, *(float(values[at]) for values in measured))
                for rule, at in places.items()
            ]
            rows.append(("random cell", -1, *(float(values.mean()) for values in measured)))
    return pd.DataFrame(rows, columns=["rule", "place", *JUDGED])
