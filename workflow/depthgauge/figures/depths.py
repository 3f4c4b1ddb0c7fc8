"""Measures against depth: every network that looked at one dataset, side by side."""

import textwrap

import numpy as np
import pandas as pd

from .style import COLUMN, GREY, INK, PAGE, RED, new_figure, save, shorten, styled

_NORMAL = 1.959964  # the 97.5th percentile: of a 95 % interval
_BLUE = "#0072B2"
_MEASURES = {
    "goodness": "goodness (ratio)\nbetween / within",
    "auc": "AUC (probability)\nP(between > within)",
    "knn1": "1-NN accuracy,\nleave-one-out",
}


def draw_depths(cells, advised, stem):
    """Draw goodness, AUC and accuracy of the nearest neighbour at every depth of every network.

    Bars are 95 % intervals of each layer by itself, from the jackknife, for the accuracy
    Wilson's. A red ring is around the depth of the verdict; filled are the points of the depths
    that are not distinguishable from it.

    Parameters
    ----------
    cells : DataFrame
        Rows of goodness.csv, of one dataset.
    advised : DataFrame
        Rows of verdict.csv, of the same.
    stem : path
        Of the .png, .pdf and .csv that are written.
    """
    table = _table(cells, advised)
    with styled():
        save(_figure(table, cells.iloc[0]), stem, table)


def _table(cells, advised):
    """Return the values drawn: a row a cell and measure."""
    low, high = _wilson(cells.knn1, cells.images)
    margin = _NORMAL * cells.auc_se
    ends = {
        "goodness": (cells.goodness_low, cells.goodness_high),
        "auc": (cells.auc - margin, cells.auc + margin),
        "knn1": (low, high),
    }
    names = cells[["dataset", "extractor", "layer", "depth"]]
    table = pd.concat(
        [
            names.assign(measure=measure, value=cells[measure], low=ends[0], high=ends[1])
            for measure, ends in ends.items()
        ],
        ignore_index=True,
    )
    verdict = {}
    for row in advised[advised.scope == "depth"].itertuples():
        alike = str(row.not_distinguishable).split(";") if pd.notna(row.layer) else []
        verdict |= {(row.extractor, layer): "not distinguishable" for layer in alike}
        verdict[row.extractor, row.layer] = "use"
    keys = zip(table.extractor, table.layer, strict=True)
    return table.assign(verdict=[verdict.get(key, "") for key in keys])


def _wilson(share, n):
    """Return Wilson's 95 % interval of a share of n (1927, doi 10.1080/01621459.1927.10502953)."""
    z2 = _NORMAL**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return middle - half, middle + half


def _figure(table, cell):
    extractors = list(table.extractor.unique())
    counts = [table[table.extractor == name].layer.nunique() for name in extractors]
    # A line of panels holds as many layers as can be told apart.
    width = float(np.clip(0.9 + 0.32 * (sum(counts) + len(counts)), COLUMN, PAGE))
    longest = max(map(len, table.layer.unique()))
    figure = new_figure(width, 4.1 + 0.05 * min(longest, 22))
    grid = figure.subplots(
        len(_MEASURES),
        len(extractors),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=[count + 1 for count in counts],
    )
    for line, measure in zip(grid, _MEASURES, strict=True):
        line[0].set_ylabel(_MEASURES[measure])
        for axes, extractor in zip(line, extractors, strict=True):
            drawn = table[(table.extractor == extractor) & (table.measure == measure)]
            _panel(axes, drawn.sort_values("depth"))
    inches = width / (sum(counts) + len(counts))
    for axes, extractor, count in zip(grid[0], extractors, counts, strict=True):
        axes.set_title(shorten(extractor, max(8, int(inches * (count + 1) / 0.06))))
    for axes, extractor in zip(grid[-1], extractors, strict=True):
        layers = table[(table.extractor == extractor) & (table.measure == "auc")]
        layers = [shorten(name, 22) for name in layers.sort_values("depth").layer]
        axes.set_xticks(
            range(1, len(layers) + 1),
            layers,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            fontsize=min(6.5, 72 * inches * 0.8),
        )
        axes.set_xlim(0.4, len(layers) + 0.6)
    figure.suptitle(cell.dataset, color=INK)
    note = (
        f"Layers in order of depth; n = {cell.images:,} images, {cell.classes} classes; bars: 95 % "
        "intervals. Red ring: the depth to use; filled: not distinguishable from it at 5 % by "
        "1-NN accuracy."
    )
    figure.supxlabel(textwrap.fill(note, int(width / 0.055)), fontsize=6.5, color=GREY)
    return figure


def _panel(axes, drawn):
    places = np.arange(1, len(drawn) + 1)
    value = drawn.value.where(np.isfinite(drawn.value))
    axes.plot(places, value, "-", color=_BLUE, linewidth=0.7, zorder=1)
    reach = np.maximum([value - drawn.low, drawn.high - value], 0)
    axes.errorbar(places, value, reach, fmt="none", ecolor=_BLUE, elinewidth=0.8, zorder=1)
    filled = drawn.verdict.isin(["use", "not distinguishable"])
    axes.scatter(
        places,
        value,
        s=14,
        facecolor=np.where(filled, _BLUE, "white"),
        edgecolor=_BLUE,
        linewidth=0.8,
        zorder=2,
    )
    use = (drawn.verdict == "use").to_numpy()
    axes.scatter(
        places[use], value[use], s=55, facecolor="none", edgecolor=RED, linewidth=1.1, zorder=3
    )
    axes.margins(y=0.12)
    axes.yaxis.grid(True, color="#E6E6E6", linewidth=0.5)
    axes.set_axisbelow(True)
