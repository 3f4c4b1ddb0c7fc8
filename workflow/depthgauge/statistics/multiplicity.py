"""p-values corrected for the number of cells that were tested."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..fingerprint import read_null
from ..tables import gathered, write_table


def holm(p):
    """Return p-values adjusted so that any false positive among all has the given probability.

    Holm 1979, Scand. J. Statist. 6, 65-70: whatever the dependence of the tests. NaN, where
    there was no test, stays NaN and is not counted.

    Parameters
    ----------
    p : array of float, shape (cells,)
    """
    p = np.asarray(p, float)
    adjusted = np.full_like(p, np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def max_t(truths, nulls):
    """Return p-values adjusted by the maximum over cells that met the same permutations.

    p = (1 + #{max over cells of t* >= t}) / (1 + m), t the statistic less its mean, over the
    standard deviation, both of the null (Westfall & Young 1993, *Resampling-Based Multiple
    Testing*, single step). Less strict than Holm's where cells say the same.

    Parameters
    ----------
    truths : array of float64, shape (cells,)
        A statistic that is large where the hypothesis is false.
    nulls : array of float64, shape (cells, m)
        The statistic under the same permutations in each cell.

    Returns
    -------
    array of float64, shape (cells,)
        NaN for a cell whose null is not finite, or of one value; the others go without it.
    """
    truths, nulls = np.asarray(truths, float), np.asarray(nulls, float)
    adjusted = np.full(len(truths), np.nan)
    with np.errstate(invalid="ignore"):
        mean, sd = nulls.mean(axis=1), nulls.std(axis=1)
    sound = np.isfinite(mean) & (sd > 1e-12 * np.abs(mean))
    if sound.any():
        mean, sd = mean[sound], sd[sound]
        greatest = ((nulls[sound] - mean[:, None]) / sd[:, None]).max(axis=0)
        t = (truths[sound] - mean) / sd
        beaten = np.count_nonzero(greatest >= t[:, None], axis=1)
        adjusted[sound] = (1 + beaten) / (1 + nulls.shape[1])
    return adjusted


def write_goodness_table(rows, output, *, nulls):
    """Write goodness.csv: the rows of all cells, and their p-values corrected for their number.

    Three columns are added: ``p_holm`` and ``p_pearson_holm``, Holm over all rows, and
    ``p_max_t``, over all cells of a dataset, which meet the same permutations. Of a sampled
    dataset all three are the sample's, as is its ``goodness``.

    Parameters
    ----------
    rows : list of path
        LAYER.csv of each layer, one row per reading.
    output : path
    nulls : path
        Folder that holds, as DATASET/EXTRACTOR/LAYER.npy, the nulls of each layer's readings, in
        the order of its rows [readings, permutations].
    """
    table = gathered(rows)
    table["p_holm"] = _text(holm(pd.to_numeric(table.p_value)))
    table["p_pearson_holm"] = _text(holm(pd.to_numeric(table.p_pearson)))
    layers = table[["dataset", "extractor", "layer"]].drop_duplicates()
    drawn = []
    for names in layers.to_dict("records"):
        path = Path(nulls, names["dataset"], names["extractor"], f"{names['layer']}.npy")
        drawn += list(read_null(path, names))
    truths = pd.to_numeric(table.goodness).to_numpy(float)
    adjusted = np.empty(len(table))
    # Within over between, the lower the better: finite where copies make goodness infinite.
    with np.errstate(divide="ignore"):
        for cells in table.groupby("dataset").indices.values():
            adjusted[cells] = max_t(-1 / truths[cells], [-1 / drawn[cell] for cell in cells])
    table["p_max_t"] = _text(adjusted)
    write_table(table, output)


def _text(values):
    return ["" if np.isnan(value) else repr(float(value)) for value in values]
