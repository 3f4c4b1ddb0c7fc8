"""Maps: the t-SNE embeddings of all layers, side by side, coloured by label."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ..best_reading import best_rows, read_rows
from ..described import read_layers
from ..maps.perplexity import usable_perplexity
from ..readings import Reading, pooled
from ..seeds import derive_seed
from ..tables import read_table
from .style import (
    COLUMN,
    GREY,
    INK,
    PAGE,
    RASTERISE_FROM,
    in_reading_order,
    in_words,
    line_by_line,
    new_figure,
    save,
    shorten,
    styled,
    symbols,
)

_IN_A_ROW = 5
_BY_COLOUR = 10  # classes up to which colour alone tells them apart
_LETTERS = 24  # of a class name in the legend


def maps_figure(
    stem, embeddings, *, layers=None, rows=(), reading=None, title="", perplexity=30, seed=0
):
    """Call ``draw_maps`` for maps in files.

    Parameters
    ----------
    stem : path
    embeddings : sequence of path
        LAYER.csv of the layers, in order of depth.
    layers : path, optional
        The network's description, which knows the dimension of each layer.
    rows : sequence of path
        Rows of goodness.csv of each layer, whose best reading the map is of.
    reading, title, perplexity, seed
        As of ``layer_facts`` and ``draw_maps``.
    """
    facts = layer_facts(
        [Path(file).stem for file in embeddings],
        described=() if layers is None else read_layers(layers),
        rows=read_rows(rows) if rows else None,
        reading=reading,
    )
    tables = {Path(file).stem: read_table(file) for file in embeddings}
    draw_maps(tables, stem, title=title, perplexity=perplexity, seed=seed, **facts)


def draw_maps(
    embeddings,
    stem,
    *,
    title,
    perplexity,
    seed,
    readings=None,
    dims=None,
    goodness=None,
    knn1_half=None,
):
    """Draw one t-SNE panel a layer, in order of depth, with one legend.

    Labels are told apart by colour, and beyond ten also by shape, in larger panels then.
    Images without a label are grey; where none has one there is no legend.

    Parameters
    ----------
    embeddings : dict of str to DataFrame
        For each layer, in order of depth, the columns ``image,label,x,y``.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str
    perplexity : float
        As it was asked for; the figure states what the number of images allowed.
    seed : int
        The run's seed, stated in the figure.
    readings : dict of str to str, optional
        How each layer is read, for the panels' titles.
    dims, goodness, knn1_half : dict of str to number, optional
        Dimension, goodness and the accuracy that decides of each layer, for the same; see
        ``layer_facts``.
    """
    facts = {"reading": readings, "dim": dims, "goodness": goodness, "knn1_half": knn1_half}
    facts = {name: [(of or {}).get(layer) for layer in embeddings] for name, of in facts.items()}
    facts = pd.DataFrame({"layer": list(embeddings), **facts}, dtype=object)
    facts["reading"] = facts.reading.fillna("")
    table = pd.concat(
        [embedding.assign(layer=layer) for layer, embedding in embeddings.items()],
        ignore_index=True,
    ).merge(facts, on="layer", how="left")
    table = table[[*facts, "image", "label", "x", "y"]]
    with styled():
        caption = _caption(table, title, perplexity, seed)
        save(_figure(table, title, perplexity, seed), stem, table, caption)


def layer_facts(layers, *, described=(), rows=None, reading=None):
    """Return what ``draw_maps`` has to say of each layer.

    Parameters
    ----------
    layers : sequence of str
    described : sequence of dict
        The network's layers, as ``networks.network.build_network`` describes them.
    rows : DataFrame, optional
        Rows of goodness.csv of the layers: the maps are of the best reading of each, see
        ``best_reading.best_rows``.
    reading : Reading, optional
        Without ``rows``, that of all maps. All values by Euclidean distance need not be named.

    Returns
    -------
    dict of str to dict
        readings, dims, goodness and knn1_half, as far as they are known.
    """
    facts = {}
    poolings = dict.fromkeys(layers, "flat" if reading is None else reading.pooling)
    if rows is not None:
        best = best_rows(rows).set_index("layer")
        poolings |= best.pooling.to_dict()
        for name, column in (("readings", "reading"), ("goodness",) * 2, ("knn1_half",) * 2):
            facts[name] = best[column].to_dict()
    elif reading not in (None, Reading()):
        facts["readings"] = dict.fromkeys(layers, str(reading))
    facts["dims"] = {
        layer["layer"]: pooled(layer, poolings[layer["layer"]])["dim"]
        if "poolings" in layer
        else layer["dim"]
        for layer in described
        if layer["layer"] in poolings
    }
    return facts


def _caption(table, title, perplexity, seed):
    panels = table.drop_duplicates("layer")
    n = len(table) // len(panels)
    classes = len(set(table.label) - {""})
    layers = "; ".join(
        ", ".join([panel.layer + f" ({panel.reading})" * bool(panel.reading), *_facts(panel)])
        for _, panel in panels.iterrows()
    )
    same = ""
    if table.knn1_half.notna().any():
        same = " “Same class” is how often the nearest image is, expected in half of the images."
    coloured = f"coloured by label, {classes} classes" if classes else "without labels"
    return (
        f"t-SNE maps of {in_words(title)}, one panel per layer in order of depth, "
        f"{coloured}. The axes have no unit. n = {n:,} images; perplexity "
        f"{usable_perplexity(perplexity, n):.3g}; seed {seed}. Layers: {layers}.{same}"
    )


def _facts(panel):
    facts = [f"{panel['dim']:,} dimensions"] if pd.notna(panel["dim"]) else []
    facts += [f"same class {panel.knn1_half:.1%}"] if pd.notna(panel.knn1_half) else []
    return facts + ([f"goodness {panel.goodness:.3f}"] if pd.notna(panel.goodness) else [])


def _figure(table, title, perplexity, seed):
    classes = sorted(set(table.label) - {""}, key=in_reading_order)
    symbol = dict(zip(classes, symbols(len(classes)), strict=True))
    symbol[""] = ("#A9ADB3" if classes else "#5B7C99", "o")
    layers = table.layer.unique()
    n = len(table) // len(layers)

    # Shapes need room to be seen.
    widest = _IN_A_ROW if len(classes) <= _BY_COLOUR else 2
    columns = -(-len(layers) // -(-len(layers) // widest))
    side = min(PAGE / columns, COLUMN)
    lines = -(-len(layers) // columns)
    width = max(side * columns, COLUMN)
    longest = min(max((len(name) for name in classes), default=0), _LETTERS)
    legend_columns = max(1, int(width / (0.3 + 0.058 * longest)))
    legend_lines = -(-len(classes) // legend_columns)
    above = 0.35 + 0.1 * int(table.knn1_half.notna().any()) + 0.1 * int((table.reading != "").any())
    figure = new_figure(width, lines * (side + above) + 0.55 + 0.14 * legend_lines)
    figure.get_layout_engine().set(h_pad=0.06)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(layers) :]:
        axes.set_visible(False)

    # A sixth of a panel's area is ink, whatever the number of images.
    area = float(np.clip((72 * side) ** 2 / 6 / n, 0.4, 14))
    order = np.random.default_rng(derive_seed(seed, "order of drawing")).permutation(n)
    for axes, layer in zip(grid, layers, strict=False):
        panel = table[table.layer == layer].iloc[order]
        _panel(axes, panel, symbol, area)
    figure.suptitle(title, color=INK)
    names = [name for name in [*classes, ""] if classes and name in set(table.label)]
    names, legend_columns = line_by_line(names, legend_columns)
    legend = figure.legend(
        handles=[_key(name, *symbol[name]) for name in names],
        title=f"t-SNE; the axes have no unit. n = {n:,} images; "
        f"perplexity {usable_perplexity(perplexity, n):.3g}; seed {seed}",
        title_fontsize=6.5,
        loc="outside lower center",
        ncols=legend_columns,
        handletextpad=0.1,
        columnspacing=0.8,
    )
    legend.get_title().set_color(GREY)
    return figure


def _panel(axes, panel, symbol, area):
    """Draw one layer's map. The images come shuffled, so that no class hides another."""
    symbols_drawn = panel.label.map(symbol)
    markers = symbols_drawn.str[1]
    for marker in sorted(set(markers)):
        chosen = panel[markers == marker]
        axes.scatter(
            chosen.x,
            chosen.y,
            s=area,
            c=list(symbols_drawn[markers == marker].str[0]),
            marker=marker,
            linewidths=0,
            rasterized=len(panel) > RASTERISE_FROM,
        )
    middle = (panel[["x", "y"]].max() + panel[["x", "y"]].min()) / 2
    reach = 0.54 * (panel[["x", "y"]].max() - panel[["x", "y"]].min()).max() or 1
    axes.set(
        xlim=(middle.x - reach, middle.x + reach),
        ylim=(middle.y - reach, middle.y + reach),
        xticks=[],
        yticks=[],
        aspect="equal",
        anchor="S",
    )
    axes.spines[:].set(visible=True, color=GREY, linewidth=0.4)
    first = panel.iloc[0]
    axes.set_title("\n".join(filter(None, [first.layer, first.reading, *_facts(first)])))


def _key(name, colour, marker):
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        linestyle="none",
        markersize=4,
        markeredgewidth=0,
        label=shorten(name, _LETTERS) or "no label",
    )
