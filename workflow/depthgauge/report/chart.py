"""Accuracy against depth as a small drawing in the page (SVG), sharp in print and in the dark."""

from html import escape

from markupsafe import Markup

from ..figures.style import shorten
from ..statistics.wording import of_100

_WIDTH, _HEIGHT = 400, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 118, 22, 26
_MARKS, _HOLLOW = "●■▲◆▼", "○□△◇▽"
_LINE = 13  # the height of a label


def accuracy_chart(cells, advised, networks, controls=()):
    """Return an SVG of the accuracy by which layers are chosen, ``knn1_half``, by depth.

    A line for each network, from its shallowest layer at the left to its deepest at the right; for
    one of a single layer a level line. Colours are those of the page (``--c0`` to ``--c4``), and
    each network has a mark of its own, which is hollow at a layer that is certain not to be the
    best one.

    Parameters
    ----------
    cells : list of dict
        Rows of goodness.csv, of one dataset, in the best reading of each layer, and the cell that
        is advised, if that is another; with ``may_be_best`` of ranking.csv, where that is told.
    advised : dict
        The dataset's row of verdict.csv.
    networks : sequence of str
        All extractors of the run: each has its colour and mark in every drawing.
    controls : sequence of str
        Extractors that are controls; their lines are dashed.

    Returns
    -------
    Markup
    """
    by_network = {}
    for cell in sorted(cells, key=lambda cell: float(cell["depth"])):
        by_network.setdefault(cell["extractor"], {})[cell["layer"]] = cell["knn1_half"]
    worse = {(c["extractor"], c["layer"]) for c in cells if c.get("may_be_best") == 0}
    guessing = advised["guessing"]

    def y(share):
        return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)

    def x(place, count):
        width = _WIDTH - _LEFT - _RIGHT
        return _LEFT + width * (place / (count - 1) if count > 1 else 0.5)

    end = _WIDTH - _RIGHT
    parts = [_rule(y(tick / 100), tick) for tick in range(0, 101, 20)]
    parts.append(_level(y(guessing), "guess"))
    labels = [(y(guessing), "guessing", "quiet")]
    for network, layers in by_network.items():
        place = list(networks).index(network)
        look = f"c{place % 5}"
        shares = list(layers.values())
        dashed = " dashed" if network in controls else ""
        if len(shares) == 1:
            parts.append(_level(y(shares[0]), look + dashed))
        else:
            points = " ".join(
                f"{x(i, len(shares)):.1f},{y(share):.1f}" for i, share in enumerate(shares)
            )
            parts.append(f'<polyline class="line {look}{dashed}" points="{points}"/>')
        for i, (layer, share) in enumerate(layers.items()):
            told = f"{network}, {layer}: {of_100(share)} of 100"
            at = f'x="{x(i, len(shares)):.1f}" y="{y(share) + 3.5:.1f}"'
            mark = (_HOLLOW if (network, layer) in worse else _MARKS)[place % len(_MARKS)]
            parts.append(
                f'<text class="mark {look}" {at}>{mark}<title>{escape(told)}</title></text>'
            )
            if (network, layer) == (advised.get("extractor"), advised.get("layer")):
                centre = f'cx="{x(i, len(shares)):.1f}" cy="{y(share):.1f}"'
                parts.append(f'<circle class="advised" {centre} r="8"/>')
        labels.append((y(shares[-1]), f"{_MARKS[place % len(_MARKS)]} {network}", look))
    for height, text, look in _apart(labels):
        short = escape(shorten(text, 17))
        parts.append(
            f'<text class="label {look}" x="{end + 8}" y="{height + 4:.1f}">{short}</text>'
        )
    told = "same class, of 100 pictures" + ("; hollow: worse" if worse else "")
    parts.append(f'<text class="axis" x="2" y="12">{told}</text>')
    several = [list(layers) for layers in by_network.values() if len(layers) > 1]
    ends = "shallow", "deep"
    if len(several) == 1:  # whose layers can be named
        ends = f"shallow: {several[0][0]}", f"deep: {several[0][-1]}"
    places = (_LEFT, "start"), (end, "end")
    for text, (at, anchor) in zip(ends, places, strict=True):
        short = escape(shorten(text, 22))
        parts.append(
            f'<text class="axis" x="{at}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{short}</text>'
        )
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    label = escape(_told(by_network, advised))
    return Markup(
        f'<svg class="chart" role="img" aria-label="{label}" {box}>{"".join(parts)}</svg>'
    )


def _rule(height, tick):
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" '
        f'y2="{height:.1f}"/>'
        f'<text class="axis" x="{_LEFT - 5}" y="{height + 4:.1f}" text-anchor="end">{tick}</text>'
    )


def _level(height, look):
    return (
        f'<line class="line {look}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{height:.1f}" '
        f'y2="{height:.1f}"/>'
    )


def _apart(labels):
    """Return the labels from top to bottom, moved so that none stands on another."""
    labels, placed = sorted(labels), []
    for height, text, look in labels:
        lowest = placed[-1][0] + _LINE if placed else 0
        placed.append((max(height, lowest), text, look))
    over = placed[-1][0] - (_HEIGHT - _LINE)
    return [(height - max(over, 0), text, look) for height, text, look in placed]


def _told(by_network, advised):
    """Return in words what the drawing shows."""
    lines = [
        f"{network}: {', '.join(f'{layer} {of_100(share)}' for layer, share in layers.items())}"
        for network, layers in by_network.items()
    ]
    text = "Of 100 pictures, for how many the most similar one is of the same class, by depth. "
    text += "; ".join(lines) + f"; guessing gets {round(100 * advised['guessing'])}."
    if "layer" in advised:
        text += f" Advised: {advised['extractor']}, {advised['layer']}."
    return text
