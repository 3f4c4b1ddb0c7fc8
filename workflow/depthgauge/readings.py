"""Readings: how the features of a layer become distances, a pooling and a metric.

A *pooling* says which values of a layer count: ``flat``, all of them in a row; ``mean``, the mean
over the positions of a map [height, width, channels] or over the patches of a sequence
[tokens, channels]; ``cls``, the class token of a sequence. A layer that is a vector has one
pooling, whatever it is called.

A *metric* says how two images are compared: ``euclidean``, or ``angle``, the Euclidean distance
of features from which the dataset's mean is subtracted and which are scaled to length one.
"""

from pathlib import Path
from typing import NamedTuple

from .errors import UserError

POOLINGS = ("flat", "mean", "cls")
METRICS = ("euclidean", "angle")
KEYS = ["pooling", "metric"]  # the columns of every table with one row per reading


class Reading(NamedTuple):
    """How a layer is read."""

    pooling: str = "flat"
    metric: str = "euclidean"

    def __str__(self):
        return f"{self.pooling}, {self.metric}"


def pooled_name(layer, pooling):
    """Return the name that the files of a layer have: LAYER read flat, else LAYER.POOLING.

    Anybody's distances have no pooling to name, and the file as it is.
    """
    return layer if pooling in ("", "flat") else f"{layer}.{pooling}"


def split_name(name):
    """Return (layer, pooling) of what ``pooled_name`` returned."""
    layer, _, pooling = name.partition(".")
    return layer, pooling or "flat"


def layer_poolings(layer, asked):
    """Return the poolings of a layer, of those that are asked for of a network.

    Parameters
    ----------
    layer : dict
        Its description, as ``networks.network.build_network`` writes it.
    asked : sequence of str

    Raises
    ------
    UserError
        If the layer has no class token, and ``cls`` is asked for.
    """
    asked = sorted(asked, key=POOLINGS.index)
    if list(layer["poolings"]) == ["flat"]:  # a vector
        return asked[:1]
    if "cls" in asked and "cls" not in layer["poolings"]:
        shape = " x ".join(map(str, layer["shape"]))
        raise UserError(
            f"layer {layer['layer']} ({shape}) has no class token to read: `cls` is for sequences "
            "[tokens, channels] that begin with one. Take cls out of `poolings`, or state "
            "`prefix_tokens`, how many tokens stand before those of the patches."
        )
    return asked


def pooled(layer, pooling):
    """Return {"tensor", "dim"} of a layer's pooling; a vector's is the same by any name."""
    return layer["poolings"].get(pooling, layer["poolings"]["flat"])


def choose(accuracy, auc):
    """Return the place of the cell to use: the highest accuracy, of equal ones the highest AUC.

    Equal are accuracies that are the same to a hundredth of a point: where hardly any image has a
    wrong neighbour, the thirtieth nearest is not to decide.

    The accuracy is that expected of the nearest neighbour in half of the images,
    ``statistics.accuracy.expected_in_half``, which was held against other rules
    (docs/statistics.md).
    """
    import numpy as np  # the names of readings are had without it

    return int(np.lexsort((auc, np.round(accuracy, 4)))[-1])


def best_of_layer(rows):
    """Return the reading to which the rows of one layer (LAYER.csv) give ``best_reading``."""
    best = rows[rows.best_reading.astype(str) == "True"].iloc[0]
    return Reading(best.pooling, best.metric)


def chosen(layer, rows=None, reading=None):
    """Return the one reading of a layer that maps, clusters and the like follow.

    Parameters
    ----------
    layer : str
    rows : path, optional
        The folder of LAYER.csv, see ``best_of_layer``.
    reading : Reading, optional
        Without ``rows``, the one to take.

    Returns
    -------
    Reading or None
        None, if neither is given: distances are taken as they are.
    """
    if rows is None:
        return reading
    from .tables import read_table  # pandas, which the plan of a run does without

    return best_of_layer(read_table(Path(rows, f"{layer}.csv")))


def usual(poolings, metrics):
    """Return the reading of a layer of which no labels say what is best: flat, by angle.

    Of the poolings and metrics that there are: without flat the first pooling, without angle the
    first metric. Of the fixed readings this one loses least on real images (docs/statistics.md).
    """
    return Reading(
        "flat" if "flat" in poolings else poolings[0],
        "angle" if "angle" in metrics else metrics[0],
    )


def parse_reading(text):
    """Return the Reading that is written as POOLING.METRIC.

    Raises
    ------
    UserError
        If it is none.
    """
    pooling, _, metric = text.partition(".")
    if pooling not in POOLINGS or metric not in METRICS:
        raise UserError(
            f"reading {text!r}: POOLING.METRIC was expected, of the poolings {', '.join(POOLINGS)} "
            f"and the metrics {', '.join(METRICS)}, such as mean.angle."
        )
    return Reading(pooling, metric)
