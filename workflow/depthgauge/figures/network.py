"""The network: a schematic of its graph, with the selected layers marked."""

import logging
import math
import re
from typing import NamedTuple

import pandas as pd
from matplotlib.patches import Ellipse, FancyBboxPatch, Patch

from ..described import read_layers
from ..tables import read_table
from .style import GREY, INK, PAGE, RED, new_figure, save, shorten, styled

log = logging.getLogger(__name__)

_KINDS = {  # colour, letter, meaning
    "input": ("#FFFFFF", "", "input"),
    "convolution": ("#A6CBE8", "", "convolution"),
    "max": ("#E69F00", "M", "max pooling"),
    "average": ("#009E73", "A", "average pooling"),
    "join": ("#4D4D4D", "", "concatenation"),
    "sum": ("#4D4D4D", "+", "sum"),
    "product": ("#4D4D4D", "×", "product"),
    "dense": ("#CC79A7", "D", "fully connected"),
    "softmax": ("#D55E00", "S", "softmax"),
}
_OPS = {
    **dict.fromkeys(["Placeholder", "DecodeJpeg"], "input"),
    **dict.fromkeys(
        ["Conv2D", "DepthwiseConv2dNative", "_FusedConv2D", "Conv", "ConvTranspose"], "convolution"
    ),
    **dict.fromkeys(["MaxPool", "MaxPoolV2", "Max"], "max"),
    **dict.fromkeys(
        ["AvgPool", "Mean", "AveragePool", "GlobalAveragePool", "ReduceMean"], "average"
    ),
    **dict.fromkeys(["MatMul", "_FusedMatMul", "Gemm"], "dense"),
    "Softmax": "softmax",
}
# Of two inputs; else a concatenation.
_JOINS = {
    **dict.fromkeys(["Add", "AddV2", "AddN"], "sum"),
    **dict.fromkeys(["Mul", "BatchMatMul", "BatchMatMulV2", "Einsum", "MatMul"], "product"),
}
_OF_WEIGHTS = {"BatchMatMul", "BatchMatMulV2", "Einsum"}  # of one input: fully connected
# What a shape is made of says nothing of the network.
_OF_SHAPES = {"Shape", "ShapeN", "Size", "Rank"}

_CELL, _TRACK = 0.3, 0.17  # width of a column and height of a track, inches
_MARGIN = 0.22
_LABEL = 0.3  # height of the name and dimension of a selected layer
_LETTER = 0.03  # half the width of a letter of it


class Box(NamedTuple):
    """What is drawn as one box: an operation and the small ones that follow it."""

    name: str
    kind: str
    inputs: tuple  # names of boxes
    shape: str
    merged: tuple  # names of the nodes


def schematic_figure(stem, nodes, layers, *, title=""):
    """Call ``draw_network`` for the files of a network.

    Parameters
    ----------
    stem : path
    nodes, layers : path
        The table of its nodes and the description of its layers, as
        :func:`depthgauge.networks.network.build_network` writes them.
    title : str
    """
    described = read_layers(layers)
    marked = {layer["layer"]: layer["tensor"] for layer in described}
    before = {layer["layer"]: layer.get("prefix_tokens", 0) for layer in described}
    draw_network(read_table(nodes), marked, stem, title=title, prefix_tokens=before)


def draw_network(nodes, layers, stem, *, title="", prefix_tokens=None):
    """Draw a network from its graph and circle the layers that features are read from.

    Data flow from left to right, line by line. An operation and the biases, normalisations
    and activations after it are one box; parallel branches between two boxes that every path
    passes are stacked.

    Parameters
    ----------
    nodes : DataFrame
        In topological order, the columns ``name``, ``op`` (TensorFlow's), ``inputs`` (names
        joined by ``;``, with or without ``:0``) and ``shape`` (such as ``73x73x64``; dimensions
        that are not known are ignored). Constants may be left out.
    layers : dict of str to str
        For each selected layer, in order of depth, the node or tensor that it is.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str
    prefix_tokens : dict of str to int, optional
        For each selected layer that is a sequence, the tokens before those of the patches.

    Raises
    ------
    KeyError
        If a selected layer is no node of the graph.
    """
    boxes, home = _contract(nodes)
    shapes = dict(zip(nodes.name, nodes["shape"], strict=True))
    selected, labels = {}, {}
    for layer, tensor in layers.items():
        box = home[_node(tensor)]
        selected.setdefault(box, []).append(layer)
        before = (prefix_tokens or {}).get(layer, 0)
        labels[box] = f"{' = '.join(selected[box])}\n{_dimension(shapes[_node(tensor)], before)}"
    schematic = _place(*_lines(_units(boxes)), labels)
    table = pd.DataFrame(
        [
            {
                "box": box.name,
                "kind": box.kind,
                "inputs": ";".join(box.inputs),
                "nodes": ";".join(box.merged),
                "shape": box.shape,
                "layer": ";".join(selected.get(box.name, [])),
                "x_inches": round(schematic.places[box.name][0], 4),
                "y_inches": round(schematic.places[box.name][1], 4),
            }
            for box in boxes.values()
        ]
    )
    with styled():
        save(_figure(boxes, schematic, labels, title), stem, table, _caption(labels, title))


def _caption(labels, title):
    layers = "; ".join(label.replace("\n", ", ") for label in labels.values())
    return (
        " ".join(filter(None, ["The network", title]))
        + f", input first, with the layers marked that features are read from: {layers}."
    )


def _node(tensor):
    return tensor.removeprefix("^").split(":")[0]


def _contract(nodes):
    """Return (boxes by name, the box of each node); what depends on no input is constant."""
    boxes, home = {}, {}
    shapes = dict(zip(nodes.name, nodes["shape"], strict=True))
    for node in nodes.itertuples():
        given = [_node(name) for name in node.inputs.split(";")]
        inputs = tuple(dict.fromkeys(home[name] for name in given if name in home))
        kind = _OPS.get(node.op)
        if node.op in _OF_SHAPES:
            continue
        if node.op in _OF_WEIGHTS and len(inputs) == 1:
            kind = "dense"
        if len(inputs) > 1 and kind == "dense":
            kind = "product"
        if kind == "average" and _is_of_channels(node, shapes.get(given[0], "")):
            kind = None  # the mean that a layer norm subtracts
        if not inputs and kind != "input":
            continue
        if inputs and kind == "input":
            kind = None
        if kind is None and len(inputs) > 1:
            kind = _JOINS.get(node.op, "join")
        if kind is None:  # a small operation: part of the box before it
            box = boxes[inputs[0]]
            boxes[box.name] = box._replace(merged=(*box.merged, node.name), shape=node.shape)
            home[node.name] = box.name
        else:
            boxes[node.name] = Box(node.name, kind, inputs, node.shape, (node.name,))
            home[node.name] = node.name
    return boxes, home


def _is_of_channels(node, before):
    """Return whether a mean is one over the channels: ``257x1`` of ``257x384``."""
    mean, values = str(node.shape).split("x"), str(before).split("x")
    return len(mean) == len(values) > 1 and mean[:-1] == values[:-1] and mean[-1] == "1"


def _units(boxes):
    """Cut the graph where every path passes one box.

    Returns a list of units, each a dict of box name (or, for a line that passes by, of a
    pair of names) to (column, track): the branches since the last such box, and that box.
    """
    order = {name: place for place, name in enumerate(boxes)}
    reach, trunk = 0, []
    for name, place in order.items():
        if reach <= place:  # no edge leaps over it
            trunk.append(name)
        consumers = [order[box.name] for box in boxes.values() if name in box.inputs]
        reach = max([reach, *consumers])
    units, before, inside = [], None, []
    for name in boxes:
        if name in trunk:
            units.append(_unit(boxes, before, inside, name))
            before, inside = name, []
        else:
            inside.append(name)
    if inside:
        units.append(_unit(boxes, before, inside, None))
    return units


def _unit(boxes, before, inside, after):
    """Give every box of a unit a column, and a track from the uppermost, 0, down."""
    consumers = {name: [] for name in [before, *inside] if name is not None}
    for name in [*inside, *([after] if after else [])]:
        for source in boxes[name].inputs:
            if source in consumers:
                consumers[source].append(name)
    column, tracks = {}, {}
    for name in [*inside, *([after] if after else [])]:
        column[name] = 1 + max(
            (column.get(source, -1) for source in boxes[name].inputs), default=-1
        )

    def follow(name, track):
        """Continue on ``track``; return the first track that is still free below."""
        free = track
        for consumer in consumers.get(name, []):
            bypass = consumer in tracks or consumer == after
            if bypass and len(consumers[name]) > 1:
                tracks[name, consumer] = free  # a line alone
                free += 1
            elif not bypass:
                tracks[consumer] = free
                free = follow(consumer, free)
        return max(free, track + 1)

    if before is not None and inside:
        follow(before, 0)
    for name in inside:  # sources of their own
        if name not in tracks:
            tracks[name] = 1 + max(tracks.values(), default=-1)
            follow(name, tracks[name])
    count = 1 + max(tracks.values(), default=0)
    unit = {name: (column.get(name, 0), track - (count - 1) / 2) for name, track in tracks.items()}
    if after:
        unit[after] = (column[after], 0)
    return unit


def _columns(unit):
    return 1 + max(column for column, _ in unit.values())


def _lines(units):
    """Break the units into lines; cells shrink until a line holds the widest unit."""
    width = PAGE - 2 * _MARGIN
    widest = max(_columns(unit) for unit in units)
    cell = min(_CELL, width / widest)
    if cell < _CELL / 3:
        log.warning("the network has %d operations side by side; its boxes are tiny", widest)
    room, lines, used = int(width / cell + 1e-9), [[]], 0
    for unit in units:
        if used + _columns(unit) > room and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(unit)
        used += _columns(unit)
    return lines, cell


def _place(lines, cell, labels):
    """Lay the lines one below the other, with room for the labels under each."""
    places, label_places, line_of, middles, bottoms, names = {}, {}, {}, [], [], []
    scale = cell / _CELL
    top, track_height = 0.45, _TRACK * scale
    for number, line in enumerate(lines):
        reach = max(abs(track) for unit in line for _, track in unit.values()) * track_height
        middle, x = top + 0.32 + reach, _MARGIN
        for unit in line:
            for name, (column, track) in unit.items():
                places[name] = (x + (column + 0.5) * cell, middle + track * track_height)
                line_of[name] = number
            width = _columns(unit) * cell
            if len(unit) > 3:
                own = max(abs(track) for _, track in unit.values()) * track_height
                names.append((x + width / 2, middle - own - 0.1 * scale, _module(unit), width))
            x += width
        marked = [name for unit in line for name in unit if name in labels]
        ends = []  # where the labels of each row of labels end
        for name in sorted(marked, key=lambda name: places[name][0]):
            half = _LETTER * max(len(part) for part in labels[name].split("\n"))
            at = min(max(places[name][0], half + 0.05), PAGE - half - 0.05)
            level = next((i for i, end in enumerate(ends) if at - half > end), len(ends))
            ends[level : level + 1] = [at + half]
            label_places[name] = (at, middle + reach + 0.16 + _LABEL * level)
        top = middle + reach + 0.2 + _LABEL * len(ends)
        middles.append(middle)
        bottoms.append(top)
    return _Schematic(places, label_places, line_of, middles, bottoms, names, cell)


class _Schematic(NamedTuple):
    """Where everything is, in inches from the upper left corner."""

    places: dict  # of boxes, and of lines that pass by, which are pairs of boxes
    label_places: dict
    line_of: dict
    middles: list  # of the lines
    bottoms: list
    names: list  # of modules: x, y, name, width
    cell: float


def _module(unit):
    """Return the name of a unit: what its last box, which joins it, is called in front."""
    last = [name for name in unit if isinstance(name, str)][-1]
    parts = last.split("/")
    return parts[-2] if len(parts) > 1 else last


def _figure(boxes, schematic, labels, title):
    places, cell = schematic.places, schematic.cell
    scale = cell / _CELL
    height = schematic.bottoms[-1] + 0.05
    kinds = [kind for kind in _KINDS if any(box.kind == kind for box in boxes.values())]
    width, left = _width(schematic, labels, len(kinds))
    figure = new_figure(width, height, layout=None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-left, width - left), ylim=(height, 0))
    axes.set_axis_off()
    half_width, half_height = 0.32 * cell, 0.3 * _TRACK * scale

    for box in boxes.values():
        for source in box.inputs:
            path = _path(source, box.name, schematic, half_width)
            axes.plot(*zip(*path, strict=True), color=GREY, linewidth=0.6 * scale, zorder=1)
    for box in boxes.values():
        x, y = places[box.name]
        colour, letter, _ = _KINDS[box.kind]
        axes.add_patch(
            FancyBboxPatch(
                (x - half_width, y - half_height),
                2 * half_width,
                2 * half_height,
                boxstyle=f"round,pad=0,rounding_size={0.02 * scale}",
                facecolor=colour,
                edgecolor=INK,
                linewidth=0.4 * scale,
                zorder=2,
            )
        )
        axes.text(
            x,
            y,
            letter,
            ha="center",
            va="center_baseline",
            fontsize=5 * scale,
            color="white" if box.kind in ("sum", "product") else INK,
            zorder=3,
        )
    for name, label in labels.items():
        x, y = places[name]
        at, below = schematic.label_places[name]
        axes.add_patch(
            Ellipse(
                (x, y),
                3.2 * half_width,
                4.2 * half_height,
                facecolor="none",
                edgecolor=RED,
                linewidth=1.2,
                zorder=4,
            )
        )
        axes.plot([x, at], [y + 2.1 * half_height, below], color=RED, linewidth=0.6, zorder=4)
        axes.text(at, below, label, ha="center", va="top", fontsize=6, color=RED, zorder=5)
    for x, y, name, width in schematic.names:
        name = shorten(name, max(4, int(width / 0.045)))
        axes.text(x, y, name, ha="center", va="bottom", fontsize=5, color=GREY)
    figure.legend(
        handles=[
            Patch(facecolor=_KINDS[kind][0], edgecolor=INK, linewidth=0.4, label=_meaning(kind))
            for kind in kinds
        ],
        title=title,
        title_fontsize=8,
        loc="upper center",
        ncols=len(kinds),
        columnspacing=1,
        handlelength=1.2,
        borderaxespad=0.2,
    )
    return figure


def _width(schematic, labels, kinds):
    """Return how wide the figure is, and how far from its left edge the drawing begins."""
    if len(schematic.middles) > 1:
        return PAGE, 0
    right = max(x for x, _ in schematic.places.values()) + schematic.cell / 2 + _MARGIN
    for name, (at, _) in schematic.label_places.items():
        right = max(right, at + _LETTER * max(map(len, labels[name].split("\n"))) + 0.05)
    width = min(max(right, 0.4 + kinds), PAGE)  # an inch for each entry of the legend
    return width, (width - right) / 2


def _path(source, target, schematic, half_width):
    """Return the corners of the line between two boxes."""
    (x, y), (to_x, to_y) = schematic.places[source], schematic.places[target]
    x, to_x = x + half_width, to_x - half_width
    gap = schematic.cell - 2 * half_width
    line = schematic.line_of[source]
    start = [(x, y)]
    if schematic.line_of[target] > line:  # back to the margin, like a typewriter
        bottom = schematic.bottoms[line] + 0.05
        back = _MARGIN - gap / 2
        start += [(PAGE - back, y), (PAGE - back, bottom), (back, bottom)]
        start += [(back, schematic.middles[line + 1])]
    bypass = schematic.places.get((source, target))
    turn = (to_x - gap, bypass[1] if bypass else start[-1][1])
    if bypass:
        start.append((start[-1][0] + gap, bypass[1]))
    if turn[0] > start[-1][0]:
        start.append(turn)
    return [*start, (to_x, to_y)]


def _meaning(kind):
    _, letter, meaning = _KINDS[kind]
    return f"{letter}  {meaning}" if letter else meaning


def _dimension(shape, before=0):
    """Return ``73×73×64 = 341,056`` for ``73x73x64``; ``(1+256)×384`` with a token in front."""
    sizes = [int(size) for size in re.findall(r"\d+", shape)]
    if not sizes:
        return ""
    product = f"{math.prod(sizes):,}"
    if len(sizes) < 2:
        return product
    if before:
        sizes[0] = f"({before}+{sizes[0] - before})"
    return f"{'×'.join(map(str, sizes))} = {product}"
