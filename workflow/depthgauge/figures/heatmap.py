"""Heat maps: how far apart classes are, within and between, at every depth."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import CenteredNorm

from ..best_reading import best_rows, of_reading, read_rows
from ..errors import UserError
from ..readings import KEYS
from ..tables import read_table
from .style import (
    COLUMN,
    GREY,
    INK,
    PAGE,
    in_reading_order,
    in_words,
    new_figure,
    save,
    shorten,
    styled,
)

_LETTERS = 14
_WRITTEN = 10  # up to so many classes the values stand in the cells


def heatmap_figure(stem, classes, *, title=""):
    """Call ``draw_heatmap`` for tables in files.

    Parameters
    ----------
    stem : path
    classes : sequence of path
        LAYER.classes.csv of the layers, in order of depth. If LAYER.csv lies beside each, these
        tell the best reading.
    title : str
    """
    layers = {Path(file).name.removesuffix(".classes.csv"): file for file in classes}
    rows = [Path(file).with_name(f"{layer}.csv") for layer, file in layers.items()]
    draw_heatmap(
        {layer: read_table(file) for layer, file in layers.items()},
        stem,
        rows=read_rows(rows) if all(row.exists() for row in rows) else None,
        title=title,
    )


def draw_heatmap(tables, stem, *, rows=None, title=""):
    """Draw the mean distances between and, on the diagonal, within classes, one panel per layer.

    Distances are divided by the layer's mean over all pairs of images: at 1 two classes are as
    far apart as any two images. All panels have one scale of colours.

    Parameters
    ----------
    tables : dict of str to DataFrame
        For each layer, in order of depth, the columns class, other, pairs, distance and goodness:
        LAYER.classes.csv. Of several readings (pooling, metric) that of ``rows`` is drawn.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    rows : DataFrame, optional
        Rows of goodness.csv of the same layers, to tell the best reading of each, see
        ``best_reading.best_rows``.
    title : str
        Above the panels.

    Raises
    ------
    UserError
        If a table has several readings, and nothing tells which is the best.
    """
    readings = dict.fromkeys(tables, "")
    if rows is not None:
        best = best_rows(rows).set_index("layer")
        readings |= best.reading.to_dict()
        tables = {
            layer: of_reading(table, best.loc[layer, KEYS]) for layer, table in tables.items()
        }
    elif several := [layer for layer, table in tables.items() if _readings(table) > 1]:
        raise UserError(
            f"{several[0]}.classes.csv: is of several readings. {several[0]}.csv was expected "
            "beside it, to tell which is the best."
        )
    table = pd.concat([_relative(layer, table) for layer, table in tables.items()])
    with styled():
        caption = (
            f"How far the classes of {in_words(title)} are apart, one panel per layer in order of "
            "depth: the mean distance of the images of two classes, on the diagonal of one, over "
            "the mean of all pairs. Below 1, in purple, they are nearer than usual; above, in "
            "orange, farther."
        )
        save(_figure(table, readings, title), stem, table, caption)


def _readings(table):
    return len(table[KEYS].drop_duplicates()) if "pooling" in table else 1


def _relative(layer, table):
    once = table["class"] <= table.other
    mean = np.average(table.distance[once].fillna(0), weights=table.pairs[once])
    table = table.assign(relative=table.distance / mean)
    table.insert(0, "layer", layer)
    return table


def _figure(table, readings, title):
    layers = table.layer.unique()
    classes = sorted(table["class"].unique(), key=in_reading_order)
    names = [shorten(name, _LETTERS) for name in classes]
    margin = 0.25 + 0.055 * max(map(len, names))
    inch = float(np.clip(COLUMN - 0.4 - margin, 0, 0.42 * len(classes)))  # a panel's side
    fits = max(1, int((PAGE - 0.7) / (inch + margin + 0.1)))
    columns = -(-len(layers) // -(-len(layers) // fits))
    lines = -(-len(layers) // columns)
    above = 0.35 + 0.1 * any(readings.values())
    figure = new_figure(
        max(columns * (inch + margin + 0.1) + 0.7, COLUMN), lines * (inch + margin + above) + 0.45
    )
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(layers) :]:
        axes.set_visible(False)
    # A few pairs of classes do not set the scale of all.
    far = np.nanmax(np.abs(table.relative - 1))
    reach = min(1.3 * np.nanquantile(np.abs(table.relative - 1), 0.98), far) or 1
    norm = CenteredNorm(1, reach)
    fontsize = float(np.clip(72 * inch / len(classes) * 0.85, 2.5, 6.5))
    for axes, layer in zip(grid, layers, strict=False):
        drawn = table[table.layer == layer]
        square = drawn.pivot(index="class", columns="other", values="relative")
        square = square.loc[classes, classes].to_numpy()
        shown = axes.imshow(square, cmap="PuOr_r", norm=norm)
        axes.set_title("\n".join(filter(None, [layer, readings[layer]])))
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=fontsize)
        axes.set_yticks(range(len(names)), names, fontsize=fontsize)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(classes) <= _WRITTEN:
            for (row, column), value in np.ndenumerate(square):
                if np.isfinite(value):
                    dark = abs(value - 1) > 0.6 * reach
                    axes.text(
                        *(column, row, f"{value:.2f}"),
                        ha="center",
                        va="center",
                        fontsize=min(5.5, 30 * inch / len(classes)),
                        color="white" if dark else INK,
                    )
    figure.colorbar(
        shown,
        ax=list(grid),
        label="mean distance / mean of all pairs",
        shrink=0.8 if lines > 1 else 0.9,
        pad=0.02,
        extend="both" if reach < far else "neither",
    )
    figure.suptitle(title, color=INK)
    n = int((1 + np.sqrt(1 + 8 * _pairs(table, layers[0]))) / 2)
    figure.supxlabel(
        f"n = {n:,} images, {len(classes)} classes; on the diagonal, distances within a class",
        fontsize=6.5,
        color=GREY,
    )
    return figure


def _pairs(table, layer):
    drawn = table[(table.layer == layer) & (table["class"] <= table.other)]
    return int(drawn.pairs.sum())
