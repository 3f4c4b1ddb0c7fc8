"""Violins: goodness against depth, and its distribution under permuted labels."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..best_reading import best_rows, read_rows
from ..fingerprint import read_null
from .style import COLUMN, GREY, INK, PAGE, PALE, RED, new_figure, save, shorten, styled

_QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
_GRID = 200  # points at which a density is drawn
_FEW = 50  # up to so many permutations each is drawn as a tick
_NEAR = 0.75  # a truth is drawn among the nulls up to so many of their ranges away
_HALF = 0.36  # half the width of a violin, in layers


def violins_figure(stem, rows, *, seed=0):
    """Call ``draw_violins`` for tables in files.

    Parameters
    ----------
    stem : path
    rows : sequence of path
        LAYER.csv, rows of goodness.csv, one file per layer; beside each lies its null, LAYER.npy.
    seed : int
    """
    table = read_rows(rows)
    nulls = {
        layer: read_null(Path(row).with_suffix(".npy"), {"layer": layer})
        for layer, row in zip(table.layer.unique(), rows, strict=True)
    }
    draw_violins(table, nulls, stem, seed=seed)


def draw_violins(rows, nulls, stem, *, seed):
    """Draw the goodness of every layer of one extractor on one dataset.

    Above, the true goodness against depth, with the null at the same scale. Below, the
    null alone, at its scale: violins of the goodness under permuted labels (Gaussian kernel
    density, Scott's bandwidth, from the least to the greatest value; bars from the 2.5th
    to the 97.5th percentile and between the quartiles, a dot at the median), each with p
    and the distance of the truth from the null's mean in the null's standard deviations.
    Where the truth lies off that scale an arrow points to it. Of a layer's readings the best is
    drawn, see ``best_reading.best_rows``.

    Parameters
    ----------
    rows : DataFrame
        Rows of ``goodness.csv`` of one dataset and one extractor.
    nulls : dict of str to (readings, m) or (m,) float64 array
        Goodness under each of the m permutations, for each layer: a line for each of its
        ``rows``, in their order.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    seed : int
        The run's seed, stated in the figure.
    """
    rows = best_rows(rows.assign(line=rows.groupby("layer").cumcount())).sort_values("depth")
    nulls = {row.layer: np.atleast_2d(nulls[row.layer])[row.line] for row in rows.itertuples()}
    table = pd.concat(
        [_layer_table(row, nulls[row.layer]) for row in rows.itertuples()], ignore_index=True
    )
    with styled():
        save(_figure(rows, nulls, table, seed), stem, table, _caption(rows, seed))


def _caption(rows, seed):
    first = rows.iloc[0]
    layers = "; ".join(
        f"{row.layer} ({row.reading}{', ' * bool(row.reading)}{row.dim:,} dimensions), "
        f"{_goodness_text(row.goodness)}, p = {_p_text(row.p_value)}"
        for row in rows.itertuples()
    )
    return (
        f"Clustering goodness of {first.dataset} at {len(rows)} layers of {first.extractor}: the "
        "mean distance of images of different labels over that of images of one label. Above, "
        "with the true labels (red), in order of depth; below, at their scale, under permuted "
        "labels: density, middle 50 and 95 per cent and median, and the distance of the true "
        f"value in their standard deviations. n = {first.images:,} images in {first.classes} "
        f"classes; {first.permutations:,} permutations; seed {seed}. Goodness and p"
        f"{', each layer in its best reading, p not corrected for that' * any(rows.reading)}: "
        f"{layers}."
    )


def _layer_table(row, null):
    """Return the values drawn for one layer: the truth, and the null's density and quantiles."""
    null = null[np.isfinite(null)]
    grid = density = quantiles = np.array([])
    if len(null):
        quantiles = np.quantile(null, _QUANTILES)
        # Values that differ by round-off alone have no density to speak of.
        if np.ptp(null) > 1e-12 * np.abs(null).max():
            grid = np.linspace(null.min(), null.max(), _GRID)
            density = _density(null, grid)
    spread = row.null_sd if row.null_sd > 0 else np.nan
    table = pd.DataFrame(
        {
            "series": ["true"]
            + [f"null quantile {q}" for q in _QUANTILES[: len(quantiles)]]
            + ["null density"] * len(grid),
            "goodness": np.concatenate([[row.goodness], quantiles, grid]),
            "density": np.concatenate([np.full(1 + len(quantiles), np.nan), density]),
        }
    )
    table.loc[0, "p_value"] = row.p_value
    table.loc[0, "null_sds"] = (row.goodness - row.null_mean) / spread
    names = ["dataset", "extractor", "layer", "reading", "depth", "dim"]
    for place, name in enumerate(names):
        table.insert(place, name, getattr(row, name))
    return table


def _density(values, grid):
    """Return the Gaussian kernel density of ``values`` (Scott 1992) at the points of ``grid``."""
    # scipy.stats has it, too, and takes a second to import.
    width = values.std(ddof=1) * len(values) ** -0.2
    kernels = [np.exp(-(((point - values) / width) ** 2) / 2).mean() for point in grid]
    return np.array(kernels) / (width * np.sqrt(2 * np.pi))


def _figure(rows, nulls, table, seed):
    count = len(rows)
    figure = new_figure(float(np.clip(1.1 + 0.85 * count, COLUMN, PAGE)), 4.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.15])
    places = np.arange(1, count + 1)
    layers = [table[table.layer == layer].set_index("series") for layer in rows.layer]

    inches = figure.get_figwidth() / (count + 1.3)  # a layer's share of the width

    for axes in (above, below):
        axes.axhline(1, color=GREY, linestyle=(0, (4, 3)), linewidth=0.7, zorder=0)
        for place, layer in zip(places, layers, strict=True):
            _violin(axes, place, layer)
    _truth(above, places, rows)
    _at_their_scale(below, places, rows, layers, nulls, fontsize=6 if inches > 0.6 else 4.8)

    first = rows.iloc[0]
    above.set_ylabel("goodness (ratio)\nbetween / within classes")
    below.set_ylabel("goodness (ratio)\nunder permuted labels")
    below.set_xlim(0.4, count + 0.6)
    _name_layers(below, places, rows, inches)
    read = ", its best reading," * any(rows.reading)
    below.set_xlabel(f"layer{read} and its dimension, in order of depth")
    figure.legend(
        handles=[
            Line2D([], [], color=RED, marker="o", markersize=4, label="true labels"),
            Patch(facecolor=PALE, edgecolor=GREY, linewidth=0.6, label="permuted labels"),
            Line2D(
                [], [], color=GREY, linestyle=(0, (4, 3)), linewidth=0.7, label="1: no clusters"
            ),
        ],
        title=f"{first.dataset}  ·  {first.extractor}",
        title_fontsize=8,
        loc="outside upper center",
        ncols=3,
    )
    figure.supxlabel(
        f"n = {first.images:,} images, {first.classes} classes; "
        f"{first.permutations:,} permutations; seed {seed}",
        fontsize=6.5,
        color=GREY,
    )
    return figure


def _violin(axes, place, layer):
    """Draw the density of one null on both sides of ``place``."""
    if "null density" in layer.index:
        drawn = layer.loc[["null density"]]
        half = _HALF * drawn.density / drawn.density.max()
        axes.fill_betweenx(
            drawn.goodness,
            place - half,
            place + half,
            facecolor=PALE,
            edgecolor=GREY,
            linewidth=0.5,
            zorder=1,
        )


def _quartiles(axes, place, layer):
    """Draw the middle 95 and 50 per cent and the median of one null."""
    low, first, median, third, high = (layer.goodness[f"null quantile {q}"] for q in _QUANTILES)
    axes.plot([place, place], [low, high], color=INK, linewidth=0.6, zorder=2)
    axes.plot(
        [place, place], [first, third], color=INK, linewidth=2.2, solid_capstyle="butt", zorder=2
    )
    axes.plot(place, median, "o", color="white", markersize=1.6, markeredgewidth=0, zorder=3)


def _truth(axes, places, rows):
    """Draw the true goodness of every layer at its own scale."""
    goodness = rows.goodness.to_numpy()
    finite = np.isfinite(goodness)
    axes.plot(
        places, np.where(finite, goodness, np.nan), "o-", color=RED, linewidth=0.6, markersize=4
    )
    axes.margins(y=0.2)
    sideways = axes.get_xaxis_transform()
    for place, value in zip(places, goodness, strict=True):
        if not np.isfinite(value):
            axes.plot(place, 0.9, "^", color=RED, markersize=4, transform=sideways)
        axes.annotate(
            _goodness_text(value),
            (place, value if np.isfinite(value) else 0.9),
            (0, 5),
            xycoords="data" if np.isfinite(value) else sideways,
            textcoords="offset points",
            ha="center",
            fontsize=6,
            color=RED,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
            zorder=6,
        )


def _at_their_scale(axes, places, rows, layers, nulls, fontsize):
    """Scale the axis to the nulls; show the truth in it, or the way to it."""
    values = np.concatenate([nulls[layer] for layer in rows.layer] + [[1.0]])
    values = values[np.isfinite(values)]
    low, high = values.min(), values.max()
    reach = max(high - low, 1e-9)
    near = rows.goodness[
        (rows.goodness > low - _NEAR * reach) & (rows.goodness < high + _NEAR * reach)
    ]
    low, high = min(low, *near, low), max(high, *near, high)
    reach = max(high - low, 1e-9)
    # Room below for arrows down, above for arrows up and two lines of text.
    axes.set_ylim(low - 0.2 * reach, high + 0.65 * reach)
    ticks = axes.get_yticks()
    axes.set_yticks(ticks[(ticks >= low - 0.05 * reach) & (ticks <= high + 0.05 * reach)])
    axes.ticklabel_format(axis="y", useOffset=False)  # no "+1" to be added in the head
    axes.spines.left.set_bounds(low - 0.05 * reach, high + 0.05 * reach)
    sideways = axes.get_xaxis_transform()
    for place, row, layer in zip(places, rows.itertuples(), layers, strict=True):
        null = nulls[row.layer]
        if len(null) <= _FEW:
            axes.plot(np.full(len(null), place), null, "_", color=INK, markersize=7, mew=0.6)
        elif "null quantile 0.5" in layer.index:
            _quartiles(axes, place, layer)
        sds = layer.loc["true", "null_sds"]
        if row.goodness in near.to_numpy():
            axes.plot(place, row.goodness, "o", color=RED, markersize=4, zorder=5)
        else:
            foot, tip = (0.7, 0.81) if row.goodness > high else (0.12, 0.0)
            axes.annotate(
                "",
                (place, tip),
                (place, foot),
                xycoords=sideways,
                textcoords=sideways,
                arrowprops={"arrowstyle": "-|>", "color": RED, "linewidth": 0.9},
                zorder=5,
            )
        text = f"p = {_p_text(row.p_value)}"
        if np.isfinite(sds):
            text += f"\n{_sds_text(sds)} sd"
        axes.text(place, 0.98, text, transform=sideways, ha="center", va="top", fontsize=fontsize)


def _goodness_text(value):
    if not np.isfinite(value):
        return "∞"
    return f"{value:.3f}" if value < 10 else f"{value:.4g}"


def _p_text(p):
    return re.sub(r"e-0*", "e−", f"{p:.2g}")


def _sds_text(sds):
    text = f"{sds:+,.0f}" if abs(sds) >= 10 else f"{sds:+.1f}"
    return text.replace("-", "−")


def _name_layers(axes, places, rows, inches):
    """Write each layer's name, reading and dimension; fold long names, then turn them."""
    letters = max(4, int(inches / 0.054))
    names = [_fold(layer, letters) for layer in rows.layer]
    readings = [textwrap.fill(reading, letters) for reading in rows.reading]
    labels = [
        "\n".join(filter(None, [name, reading, f"{dim:,}"]))
        for name, reading, dim in zip(names, readings, rows.dim, strict=True)
    ]
    if max(name.count("\n") for name in names) < 3 and letters >= _longest_word(rows.reading):
        axes.set_xticks(places, labels)
    else:
        names = [
            shorten(layer, 22) + f" ({reading})" * bool(reading)
            for layer, reading in zip(rows.layer, rows.reading, strict=True)
        ]
        labels = [f"{name}  {dim:,}" for name, dim in zip(names, rows.dim, strict=True)]
        axes.set_xticks(places, labels, rotation=35, ha="right", rotation_mode="anchor")
        axes.figure.set_figheight(axes.figure.get_figheight() + 0.8)


def _longest_word(texts):
    return max((len(word) for text in texts for word in text.split()), default=0)


def _fold(name, letters):
    """Break a name into lines of about ``letters``, after the separators that names have."""
    spaced = re.sub(r"([_/:.\-])", "\\1 ", name)
    lines = textwrap.wrap(spaced, letters, break_long_words=True, break_on_hyphens=False)
    return "\n".join(line.replace(" ", "") for line in lines) or name
