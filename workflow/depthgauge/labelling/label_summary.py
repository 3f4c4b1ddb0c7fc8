"""Means, intervals and paired differences over the trials of few labels."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # scipy.stats takes half a second to import

CURVE = ["layer", "method", "labels_per_class"]


def label_summary(trials):
    """Return the mean accuracy of each curve's points, and the differences between curves.

    Intervals are 95 % intervals of the mean over the trials, by Student's t: they are of the
    choice of the labelled images, of this dataset. Differences are paired, trial by trial:
    every method against 1-NN of the same layer, every layer against every other by the same
    method. Each interval stands for itself.

    Parameters
    ----------
    trials : DataFrame
        ``layer,method,labels_per_class,split,hidden,coverage,accuracy``.

    Returns
    -------
    curves : DataFrame
        ``layer,method,labels_per_class,splits,hidden,coverage,accuracy,low,high,least,greatest``.
    differences : DataFrame
        ``layer,method,other_layer,other_method,labels_per_class,splits,difference,low,high``:
        accuracy of (layer, method) less that of the other.
    """
    curves = []
    for point, table in trials.groupby(CURVE, sort=False):
        mean, low, high = _interval(table.accuracy)
        curves.append(
            (
                *point,
                *(len(table), table.hidden.iloc[0], table.coverage.mean(), mean),
                *(max(low, 0), min(high, 1), table.accuracy.min(), table.accuracy.max()),
            )
        )
    accuracy = {
        cell: table.set_index(["labels_per_class", "split"]).accuracy
        for cell, table in trials.groupby(CURVE[:2], sort=False)
    }
    cells = list(accuracy)
    compared = [
        (cell, other)
        for cell in cells
        for other in [(cell[0], "1-NN")]
        if cell != other and other in cells
    ]
    compared += [(b, a) for a, b in combinations(cells, 2) if a[1] == b[1]]
    differences = []
    for cell, other in compared:
        paired = (accuracy[cell] - accuracy[other]).dropna()
        for count, table in paired.groupby("labels_per_class"):
            differences.append((*cell, *other, count, len(table), *_interval(table)))
    return (
        pd.DataFrame(
            curves,
            columns=[
                *CURVE,
                *("splits", "hidden", "coverage", "accuracy", "low", "high", "least", "greatest"),
            ],
        ),
        pd.DataFrame(
            differences,
            columns=[
                *("layer", "method", "other_layer", "other_method", "labels_per_class"),
                *("splits", "difference", "low", "high"),
            ],
        ),
    )


def _interval(values):
    mean = values.mean()
    if len(values) < 2:
        return mean, np.nan, np.nan
    half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values))
    return mean, mean - half, mean + half
