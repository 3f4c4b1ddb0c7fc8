"""Measures against depth: every network that looked at one dataset, side by side."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from ..manifest import few_groups
from ..readings import KEYS, METRICS, POOLINGS
from ..tables import read_table
from .style import COLUMN, GREY, INK, PAGE, RED, line_by_line, new_figure, save, shorten, styled

_NORMAL = 1.959964  # the 97.5th percentile: of a 95 % interval
_MEASURES = {  # the one that decides first
    "knn1": "1-NN accuracy,\nleave-one-out",
    "auc": "AUC (probability)\nP(between > within)",
    "goodness": "goodness (ratio)\nbetween / within",
    "robustness": "robustness index\nclass / nuisance",  # where there is a nuisance
}
_BLUE = "#0072B2"
_COLOURS = {"flat": "#DB8E00", "mean": _BLUE, "cls": INK}  # light, middle and dark, too
_DASHES = {"euclidean": (0, (3, 1.5)), "angle": "-"}
# Without colours: a shape a pooling, which is turned for angles.
_SHAPES = {"flat": "sD", "mean": "v^", "cls": "<>"}


def depths_figure(stem, goodness, verdict, *, dataset):
    """Call ``draw_depths`` for one dataset of goodness.csv and verdict.csv.

    Parameters
    ----------
    stem, goodness, verdict : path
    dataset : str
    """
    cells, advised = (
        table[table.dataset == dataset] for table in map(read_table, (goodness, verdict))
    )
    draw_depths(cells, advised, stem)


def draw_depths(cells, advised, stem):
    """Draw accuracy of the nearest neighbour, AUC and goodness at every depth of every network.

    Points are the best reading of each layer. Bars are 95 % intervals of each layer by itself,
    from the jackknife, for the accuracy Wilson's; there are none by too few groups (see
    ``few_groups``). Where there is a nuisance, its robustness index has a row, without intervals.
    A red ring is around the depth of the verdict;
    filled are the points of the depths that are not distinguishable from it. Of several readings
    each has a pale line. A layer of one pooling (a vector) is the same in any, so the lines of
    others lead to its point.

    Parameters
    ----------
    cells : DataFrame
        Rows of goodness.csv, of one dataset.
    advised : DataFrame
        Rows of verdict.csv, of the same.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    """
    table = _table(cells, advised)
    with styled():
        save(_figure(table, cells.iloc[0]), stem, table, _caption(cells))


def _caption(cells):
    first = cells.iloc[0]
    lines = "" if len(cells[KEYS].drop_duplicates()) == 1 else "thin lines: each reading; "
    bars = "" if few_groups(first.get("groups")) else "bars: 95 % intervals; "
    nuisance = ""
    if "robustness" in cells and cells.robustness.notna().any():
        nuisance = (
            " Robustness index: below a half, neighbours share the nuisance rather than the class."
        )
    return (
        f"How well the layers of each network tell the classes of {first.dataset} apart, against "
        "depth: how often the nearest image has an image's label (leave-one-out); AUC, the "
        "probability that two images of different labels are farther apart than two of one; and "
        "goodness, the mean distance between labels over that within. Points: the best reading of "
        f"each layer; {lines}{bars}red ring: the depth to use; filled: may be as good. "
        f"n = {first.images:,} images of {first.classes} classes.{nuisance}"
    )


def _table(cells, advised):
    """Return the values drawn: one row per cell and measure."""
    low, high = _wilson(cells.knn1, _independent(cells))
    if few_groups(cells.iloc[0].get("groups")):
        low = high = np.nan
    margin = _NORMAL * cells.auc_se
    ends = {
        "knn1": (low, high),
        "auc": (cells.auc - margin, cells.auc + margin),
        "goodness": (cells.goodness_low, cells.goodness_high),
    }
    if "robustness" in cells and cells.robustness.notna().any():
        ends["robustness"] = (np.nan, np.nan)
    names = cells[["dataset", "extractor", "layer", *KEYS, "depth"]]
    best = cells.best_reading.astype(str) == "True"
    verdict = {}
    for row in advised[advised.scope == "dataset"].itertuples():
        alike = row.not_distinguishable.split(";") if row.layer else []
        verdict |= dict.fromkeys(alike, "not distinguishable")
        verdict[f"{row.extractor}/{row.layer}.{row.pooling}.{row.metric}"] = "use"
    keys = cells.extractor + "/" + cells.layer + "." + cells.pooling + "." + cells.metric
    said = [verdict.get(key, "") for key in keys]
    return pd.concat(
        [
            names.assign(
                measure=measure,
                value=cells[measure],
                low=ends[0],
                high=ends[1],
                best_reading=best,
                verdict=said,
            )
            for measure, ends in ends.items()
        ],
        ignore_index=True,
    )


def _independent(cells):
    """Return by how many independent images the accuracy would be as sure as it is.

    With groups, those of which it would have the standard error that it has over groups (Kish's
    effective size), at least as many as there are groups.
    """
    if "knn1_se" not in cells or cells.groups.isna().all():
        return cells.images
    alone = cells.knn1 * (1 - cells.knn1) / cells.knn1_se.where(cells.knn1_se > 0) ** 2
    return alone.fillna(cells.groups).clip(cells.groups, cells.images)


def _wilson(share, n):
    """Return Wilson's 95 % interval of a share of n (1927, doi 10.1080/01621459.1927.10502953)."""
    z2 = _NORMAL**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return middle - half, middle + half


def _figure(table, cell):
    extractors = list(table.extractor.unique())
    layers = {
        name: list(table[table.extractor == name].sort_values("depth").layer.unique())
        for name in extractors
    }
    counts = [len(layers[name]) for name in extractors]
    looks = _looks(table)
    # A line of panels holds as many layers as can be told apart.
    width = float(np.clip(0.9 + 0.32 * (sum(counts) + len(counts)), COLUMN, PAGE))
    longest = max(map(len, table.layer.unique()))
    key_lines = -(-len(looks) // int(width / 1.15)) if len(looks) > 1 else 0
    measures = [measure for measure in _MEASURES if measure in set(table.measure)]
    figure = new_figure(width, 1.1 + len(measures) + 0.05 * min(longest, 22) + 0.15 * key_lines)
    grid = figure.subplots(
        len(measures),
        len(extractors),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=[count + 1 for count in counts],
    )
    for line, measure in zip(grid, measures, strict=True):
        line[0].set_ylabel(_MEASURES[measure])
        for axes, extractor in zip(line, extractors, strict=True):
            drawn = table[(table.extractor == extractor) & (table.measure == measure)]
            _panel(axes, drawn, layers[extractor], looks)
    inches = width / (sum(counts) + len(counts))
    for axes, extractor, count in zip(grid[0], extractors, counts, strict=True):
        axes.set_title(shorten(extractor, max(8, int(inches * (count + 1) / 0.06))))
    for axes, extractor in zip(grid[-1], extractors, strict=True):
        names = [shorten(name, 22) for name in layers[extractor]]
        axes.set_xticks(
            range(1, len(names) + 1),
            names,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            fontsize=min(6.5, 72 * inches * 0.8),
        )
        axes.set_xlim(0.4, len(names) + 0.6)
    few = few_groups(cell.get("groups"))
    whole = cell.get("population_images", np.nan)  # of which these are a sample
    of = "" if np.isnan(whole) else f" of {whole:,.0f}"
    note = f"Layers in order of depth; n = {cell.images:,}{of} images, {cell.classes} classes; "
    if key_lines:
        readings, columns = line_by_line(list(looks), int(width / 1.15))
        figure.legend(
            handles=[_key(reading, *looks[reading]) for reading in readings],
            title=cell.dataset,
            title_fontsize=8,
            loc="outside upper center",
            ncols=columns,
            handlelength=2.6,
        )
        note += "lines: readings, a pooling and a metric; points: the best reading of each layer"
        note += "." if few else ", with 95\u00a0% intervals."
    else:
        figure.suptitle(cell.dataset, color=INK)
        note += "no bars." if few else "bars: 95\u00a0% intervals."
    note += " Red ring: the depth to use"
    if few:
        note += f". There are no intervals, and whether other depths differ is not told: {few}."
    else:
        note += "; filled: may be as good, by the 1-NN accuracy "
        note += "expected in half of the images."
    figure.supxlabel(textwrap.fill(note, int(width / 0.055)), fontsize=6.5, color=GREY)
    return figure


def _looks(table):
    """Return the colour, shape and dashes of each reading that there is."""
    readings = set(table[KEYS].itertuples(False, None))
    if len(readings) == 1:
        return dict.fromkeys(readings, (_BLUE, "o", "-"))
    return {
        (pooling, metric): (_COLOURS[pooling], _SHAPES[pooling][place], _DASHES[metric])
        for pooling in POOLINGS
        for place, metric in enumerate(METRICS)
        if (pooling, metric) in readings
    }


def _panel(axes, drawn, layers, looks):
    drawn = drawn.assign(
        place=drawn.layer.map({layer: place for place, layer in enumerate(layers, 1)}),
        value=drawn.value.where(np.isfinite(drawn.value)),
    )
    for (pooling, metric), (colour, shape, dashes) in looks.items():
        cells = drawn[(drawn.pooling == pooling) & (drawn.metric == metric)].sort_values("place")
        line = _line(drawn, pooling, metric, len(layers))
        several = len(looks) > 1
        light = _pale(colour) if several else colour
        axes.plot(line.index, line, linestyle=dashes, color=light, linewidth=0.7, zorder=1)
        if several:
            axes.plot(cells.place, cells.value, shape, color=light, markersize=2.4, mew=0, zorder=1)
        best = cells[cells.best_reading]
        reach = np.maximum([best.value - best.low, best.high - best.value], 0)
        axes.errorbar(
            best.place, best.value, reach, fmt="none", ecolor=colour, elinewidth=0.8, zorder=2
        )
        filled = best.verdict.isin(["use", "not distinguishable"])
        axes.scatter(
            best.place,
            best.value,
            s=14,
            marker=shape,
            facecolor=np.where(filled, colour, "white"),
            edgecolor=colour,
            linewidth=0.8,
            zorder=3,
        )
    use = drawn[drawn.verdict == "use"]
    axes.scatter(
        use.place, use.value, s=55, facecolor="none", edgecolor=RED, linewidth=1.1, zorder=4
    )
    axes.margins(y=0.12)
    axes.yaxis.grid(True, color="#E6E6E6", linewidth=0.5)
    axes.set_axisbelow(True)


def _line(drawn, pooling, metric, count):
    """Return the values that a reading's line goes through, by place, NaN where it breaks off."""
    alike = drawn[drawn.metric == metric]
    own = alike[alike.pooling == pooling].set_index("place").value
    vector = alike.groupby("place").pooling.transform("nunique") == 1
    other = alike[vector & (alike.pooling != pooling)].set_index("place").value
    # Between vectors there is one line.
    beside = (other.index - 1).isin(own.index) | (other.index + 1).isin(own.index)
    return pd.concat([own, other[beside]]).reindex(range(1, count + 1))


def _pale(colour):
    return tuple(0.4 + 0.6 * part for part in to_rgb(colour))


def _key(reading, colour, shape, dashes):
    return Line2D(
        [],
        [],
        color=_pale(colour),
        linestyle=dashes,
        linewidth=0.9,
        marker=shape,
        markersize=3.6,
        markerfacecolor="white",
        markeredgecolor=colour,
        label=", ".join(reading),
    )
