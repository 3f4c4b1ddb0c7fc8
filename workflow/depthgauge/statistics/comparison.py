"""Cells of one dataset against one another, in pairs, with intervals that hold all at once."""

from itertools import combinations

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..errors import UserError
from ..manifest import groups_of
from ..readings import KEYS
from ..seeds import derive_seed
from ..tables import read_table, write_table
from .jackknife import covariance, drawn, errors_of_differences
from .ranking import rank

# Draws of the largest difference under no difference; p is at least 1 / (1 + DRAWS).
DRAWS = 100_000
# Draws that are compared at once: those of all cells stay in the cache.
_BLOCK = 8192
LEVEL = 0.95
_CELL = ["extractor", "layer", *KEYS]
COLUMNS = ("a", "b", "difference", "se", "low", "high", "p_adjusted")


def compare(values, without, *, groups=None, seed=0):
    """Return the differences of cells that were measured on the same images, in all pairs.

    A difference has the paired jackknife's standard error: that of the delete-one values of one
    cell less those of the other, so that what moves both cells alike does not count. Where
    images come in groups, groups are the independent units (see ``goodness.standard_error``).
    The intervals hold for all pairs at once, and the p-values are adjusted for all pairs, by
    the largest |t| of multivariate normal differences that have the jackknife's covariance and
    no mean (Hothorn, Bretz & Westfall 2008, doi 10.1002/bimj.200810425, single step; the tail
    by simulation).

    Parameters
    ----------
    values : array of float64, shape (cells,)
        A statistic of each cell, of all images.
    without : array of float64, shape (n, cells)
        The same without each image in turn.
    groups : array, shape (n,), optional
        What images belong to; fewer than ``manifest.LEAST_GROUPS`` give no interval.
    seed : int
        The simulation follows from it.

    Returns
    -------
    DataFrame
        One row per pair: a and b, the cells' places; difference, the value of a less that of b; se;
        low and high, the ends of the simultaneous 95 % interval; p_adjusted. Pairs with a cell
        that is not finite, and all pairs where groups are too few, have NaN in the latter four.
    """
    pairs = np.array(list(combinations(range(len(values)), 2)), np.int64).reshape(-1, 2)
    first, second = pairs.T
    with threadpool_limits(1, user_api="blas"), np.errstate(invalid="ignore"):
        known = covariance(without, groups)
        difference = values[first] - values[second]
        se = errors_of_differences(known)[first, second]
        t = np.abs(difference) / se  # of two copies 0/0: nothing to tell apart
        largest = _largest(known, first, second, se, seed)
    critical = np.quantile(largest, LEVEL)
    p = (1 + len(largest) - np.searchsorted(np.sort(largest), t)) / (1 + len(largest))
    p[np.isnan(t)] = np.nan
    p[(se == 0) & (difference == 0)] = 1
    low, high = difference - critical * se, difference + critical * se
    found = (first, second, difference, se, low, high, p)
    return pd.DataFrame(dict(zip(COLUMNS, found, strict=True)))


def _largest(known, first, second, se, seed):
    """Return draws of the largest |t| over all pairs where cells do not differ."""
    draws = drawn(known, DRAWS, seed)
    largest = np.zeros(DRAWS)
    told = se > 0  # neither NaN nor copies
    pairs = list(zip(first[told], second[told], se[told], strict=True))
    for start in range(0, DRAWS, _BLOCK):
        block, top = draws[:, start : start + _BLOCK].copy(), largest[start : start + _BLOCK]
        t = np.empty(len(top))
        for a, b, scale in pairs:
            np.subtract(block[a], block[b], out=t)
            np.divide(np.abs(t, out=t), scale, out=t)
            np.maximum(top, t, out=top)
    return largest


def write_comparisons(rows, output, *, ranking=None, seed=0):
    """Write comparisons.csv, all pairs of cells of each dataset by four measures; and ranking.csv.

    Log goodness, AUC, the accuracy of the nearest neighbour and that expected in half of the images
    (their delete-one values leave the neighbours of the others as they are). All pairs of cells of
    a dataset, whatever their layer, reading and extractor, are one family for each measure.

    Parameters
    ----------
    rows : list of path
        Rows of goodness.csv (LAYER.csv), each with LAYER.images.csv beside it.
    output : path
        Takes a CSV: dataset, measure, extractor_a, layer_a, pooling_a, metric_a, the same of b,
        difference (that of a less that of b), se, low, high, p_adjusted.
    ranking : path, optional
        Takes a CSV with what ``ranking.rank`` returns, by the accuracy expected in half of the
        images: dataset, family, extractor, layer, pooling, metric, knn1_half, worse_by, worse_low,
        worse_high, may_be_best. The family of cells that are ranked together is ``all`` of the
        dataset, or those of each ``extractor`` by themselves.
    seed : int
        The run's.

    Raises
    ------
    UserError
        If cells of one dataset are not of the same images.
    """
    cells = pd.concat([read_table(row).assign(row=row) for row in rows], ignore_index=True)
    tables, ranks = [], []
    for dataset, members in cells.groupby("dataset", sort=False):
        images = [
            table
            for row, of_layer in members.groupby("row", sort=False)
            for table in _images(row, of_layer)
        ]
        for row, table in zip(members.row, images, strict=True):
            if not table.image.equals(images[0].image):
                raise UserError(
                    f"{row}: its images are not those of {members.row.iloc[0]}, of the same "
                    "dataset. Make both anew from one manifest."
                )
        groups = groups_of(images[0])
        measured = _measures(members, images)
        if ranking is not None:
            ranks += _ranked(dataset, members, *measured["knn1_half"], groups, seed)
        for measure, (values, without) in measured.items():
            pairs = compare(
                values,
                without,
                groups=groups,
                seed=derive_seed(seed, dataset, "comparisons", measure),
            )
            for end in ("b", "a"):
                cell = members.iloc[pairs.pop(end)]
                for name in reversed(_CELL):
                    pairs.insert(0, f"{name}_{end}", cell[name].to_numpy())
            pairs.insert(0, "measure", measure)
            pairs.insert(0, "dataset", dataset)
            tables.append(pairs)
    write_table(pd.concat(tables), output)
    if ranking is not None:
        write_table(pd.concat(ranks), ranking)


def _ranked(dataset, cells, values, without, groups, seed):
    """Return the ranks of all cells of a dataset, and of those of each extractor."""
    families = {("all", ""): np.arange(len(cells))}
    for extractor in cells.extractor.unique():
        families["extractor", extractor] = np.flatnonzero(cells.extractor == extractor)
    return [
        pd.concat(
            [
                pd.DataFrame({"dataset": dataset, "family": family}, index=range(len(places))),
                cells.iloc[places][_CELL].assign(knn1_half=values[places]).reset_index(drop=True),
                rank(
                    values[places],
                    without[:, places],
                    groups=groups,
                    seed=derive_seed(seed, dataset, "ranking", extractor),
                ),
            ],
            axis=1,
        )
        for (family, extractor), places in families.items()
    ]


def _images(row, cells):
    """Return the images of each reading of a layer, in the order of its ``cells``."""
    table = read_table(row.with_name(f"{row.stem}.images.csv"))
    return [
        table[(table.pooling == pooling) & (table.metric == metric)].reset_index(drop=True)
        for pooling, metric in cells[KEYS].itertuples(index=False)
    ]


def _measures(cells, images):
    """Return, for each measure, its value in each cell and its delete-one values."""
    correct, expected = (
        np.stack([table[name].to_numpy(float) for table in images], axis=1)
        for name in ("nearest_correct", "nearest_expected")
    )
    n = len(correct)
    with np.errstate(divide="ignore"):
        log_goodness = np.log(cells.goodness.to_numpy(float))
    return {
        "log_goodness": (log_goodness, np.stack([table.theta for table in images], axis=1)),
        "auc": (
            cells.auc.to_numpy(float),
            np.stack([table.auc_theta for table in images], axis=1),
        ),
        "knn1": (correct.mean(axis=0), (correct.sum(axis=0) - correct) / (n - 1)),
        "knn1_half": (expected.mean(axis=0), (expected.sum(axis=0) - expected) / (n - 1)),
    }
