"""Curves: accuracy against the number of labels, one panel per layer, one line per method."""

import numpy as np
import pandas as pd
from matplotlib.ticker import NullLocator

from ..labelling.label_summary import label_summary
from ..tables import read_table, write_table
from .style import (
    COLUMN,
    GREY,
    PAGE,
    in_words,
    line_by_line,
    new_figure,
    save,
    shorten,
    styled,
    symbols,
)

_IN_A_ROW = 4
_NAMES = {
    "label_spreading": "label spreading",
    "poisson_learning": "Poisson learning",
    "linear_probe": "linear probe (features, supervised)",
}
_METHODS = ["1-NN", "5-NN", "label_spreading", "poisson_learning", "linear_probe"]


def label_curves_figure(stem, trials, curves, differences, *, title="", seed=0):
    """Sum up trials with few labels, and draw them.

    Parameters
    ----------
    stem : path
        As of ``draw_label_curves``.
    trials : sequence of path
        CSVs as :func:`depthgauge.labelling.label_accuracy.write_label_accuracy` writes them.
    curves, differences : path
        CSVs to write, the tables of :func:`depthgauge.labelling.label_summary.label_summary`.
    title, seed
        As of ``draw_label_curves``.
    """
    found = label_summary(pd.concat(map(read_table, trials), ignore_index=True))
    for table, path in zip(found, (curves, differences), strict=True):
        write_table(table, path)
    draw_label_curves(found[0], stem, title=title, seed=seed)


def draw_label_curves(curves, stem, *, title, seed):
    """Draw accuracy on the hidden images against labels per class, with 95 % bands.

    One panel per layer, in the order given; on one logarithmic axis of labels and one axis of
    accuracy, so that layers can be compared.

    Parameters
    ----------
    curves : DataFrame
        As ``label_summary`` returns them; without rows, the figure says that there are none.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str
    seed : int
        The run's seed, stated in the figure.
    """
    with styled():
        save(_figure(curves, title, seed), stem, curves, _caption(curves, title, seed))


def _caption(curves, title, seed):
    named = in_words(title)
    if curves.empty:
        return f"Labelling of {named}: too few images per class."
    first = curves.iloc[0]
    return (
        f"How many of the other images of {named} get the right label from so many labelled images "
        "per class, one panel per layer in order of depth and one line per method: the mean over "
        f"{first.splits} random choices of the labelled images, with its 95 % interval. "
        f"{int(first.hidden):,} images hidden at {first.labels_per_class} per class; seed {seed}."
    )


def _figure(curves, title, seed):
    layers = curves.layer.unique()
    columns = max(1, min(len(layers), _IN_A_ROW))
    lines = max(1, -(-len(layers) // _IN_A_ROW))
    columns = max(1, -(-len(layers) // lines))
    figure = new_figure(max(COLUMN, min(PAGE, 1.8 * columns + 0.5)), 1.75 * lines + 1.0)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    if curves.empty:
        figure.suptitle(title)
        grid[0].set_axis_off()
        grid[0].text(0.5, 0.5, "too few images per class", ha="center", transform=grid[0].transAxes)
        return figure
    look = dict(zip(_METHODS, zip(symbols(5), "os^Dv", strict=True), strict=True))
    for axes, layer in zip(grid, layers, strict=False):
        for method in _METHODS:
            curve = curves[(curves.layer == layer) & (curves.method == method)]
            (colour, _), marker = look[method]
            axes.fill_between(
                curve.labels_per_class, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0
            )
            axes.plot(
                *(curve.labels_per_class, curve.accuracy),
                color=colour,
                marker=marker,
                markersize=2.8,
                linestyle="--" if method == "linear_probe" else "-",
                label=_NAMES.get(method, method) if len(curve) else None,
            )
        axes.set_title(shorten(layer, 28))
        axes.grid(axis="y", color="#E4E4E4", linewidth=0.5)
        axes.set_axisbelow(True)
    for axes in grid[len(layers) :]:
        axes.set_visible(False)
    counts = np.unique(curves.labels_per_class)
    grid[0].set_xscale("log")
    grid[0].set_xticks(counts, [str(count) for count in counts])
    grid[0].xaxis.set_minor_locator(NullLocator())
    grid[0].set_ylim(max(0, curves.low.min() - 0.03), min(1.005, curves.high.max() + 0.03))
    for axes in grid[::columns]:
        axes.set_ylabel("accuracy on hidden images")
    for axes in grid[max(0, len(layers) - columns) : len(layers)]:
        axes.set_xlabel("labels per class")
        axes.tick_params(labelbottom=True)
    handles = {}
    for axes in grid[: len(layers)]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    n = int(curves.hidden.iloc[0])
    first = curves.iloc[0]
    narrow = figure.get_figwidth() < 5
    named, columns = line_by_line(list(handles), 3 if narrow else 5)
    figure.legend(
        [handles[name] for name in named],
        named,
        loc="outside upper center",
        ncols=columns,
        title=title,
        title_fontsize=8,
    )
    figure.supxlabel(
        f"mean and its 95 % interval over {first.splits} choices of the labelled images;"
        + ("\n" if narrow else " ")
        + f"{n:,} hidden at {first.labels_per_class} a class; seed {seed}",
        fontsize=6.5,
        color=GREY,
    )
    return figure
