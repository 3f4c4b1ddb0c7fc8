"""Misplaced images: a contact sheet of those that lie among images of another label."""

from pathlib import Path

from ..readings import KEYS, Reading
from ..report.thumbnails import thumbnail
from ..tables import read_table
from .page import new_page, put
from .style import GREY, INK, PAGE, RED, save, shorten, styled

_COLUMNS, _LINES = 8, 3
_PIXELS = 220  # greatest side of a picture in the figure
_SIDE, _BELOW = 0.72, 0.62  # inches: a picture, and the text below it
_LETTERS = 11  # of a class name, so that texts do not meet


def draw_misplaced(images, table, stem, *, title=""):
    """Draw the worst misplaced images, each with its label and that of most of its neighbours.

    Where fewer are misplaced than fit, fewer are drawn; where none is, the figure says so.

    Parameters
    ----------
    images : path
        The folder of the images.
    table : DataFrame
        See ``misplaced.misplaced``: the worst first.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str

    Raises
    ------
    UserError
        If an image is missing or cannot be read.
    """
    drawn = table[table.misplaced].head(_COLUMNS * _LINES)
    with styled():
        caption = (
            f"Images of {title.replace('  ·  ', ', ')} that lie among images of other labels, the "
            f"worst first: {len(drawn):,} of {int(table.misplaced.sum()):,}, of {len(table):,} "
            "images. Below each its label, that of most of its nearest images, how many of these "
            "have another label than its own, and its goodness beside that of its class."
        )
        save(_figure(Path(images), table, drawn, title), stem, drawn, caption)


def draw_advised(images, tables, stem, *, verdict=None, dataset="", extractor=""):
    """Draw ``draw_misplaced`` at the depth that the verdict advises, or else at the deepest.

    Parameters
    ----------
    images, stem : path
    tables : sequence of path
        LAYER.csv of ``misplaced.write_misplaced``, in order of depth.
    verdict : path, optional
        verdict.csv. Where it knows of several readings the one advised is named.
    dataset, extractor : str
        Names in it, and above the figure.
    """
    layers = {Path(path).name.removesuffix(".csv"): path for path in tables}
    layer, reason = list(layers)[-1], "the deepest"
    if verdict is not None:
        advised = read_table(verdict)
        advised = advised[(advised.scope == "depth") & (advised.layer != "")]
        own = (advised.dataset == dataset) & (advised.extractor == extractor)
        for _, row in advised[own & advised.layer.isin(list(layers))].iterrows():
            reading = _reading(row, advised) if "pooling" in row else ""
            layer = row.layer
            reason = "; ".join(filter(None, [reading, "the depth advised for it"]))
    title = "  ·  ".join(filter(None, [dataset, extractor, f"{layer} ({reason})"]))
    draw_misplaced(images, read_table(layers[layer]), stem, title=title)


def _reading(row, advised):
    """Return what to call the reading advised, or nothing where the verdict knows of no other."""
    known = set(advised[KEYS].itertuples(False, None))
    for column in advised.filter(regex="^(not_distinguishable|by_.*)$"):
        cells = ";".join(advised[column]).split(";")
        known |= {tuple(cell.rsplit(".", 2)[1:]) for cell in cells if cell}
    return str(Reading(*row[KEYS])) if len(known) > 1 else ""


def _figure(images, table, drawn, title):
    lines = -(-len(drawn) // _COLUMNS)
    count = int(table.misplaced.sum())
    figure, axes = new_page(
        PAGE,
        0.55 + lines * (_SIDE + _BELOW),
        title=title,
        note=f"{f'the worst {len(drawn)} of {count:,}' if count else 'no image is'} misplaced, of "
        f"n = {len(table):,} images: most of the nearest neighbours have other labels, and "
        "goodness is below the median of the class",
    )
    for place, image in enumerate(drawn.itertuples()):
        line, column = divmod(place, _COLUMNS)
        middle, top = PAGE / _COLUMNS * (column + 0.5), 0.28 + line * (_SIDE + _BELOW)
        picture = thumbnail(images / image.image, _PIXELS)
        put(axes, picture, middle - _SIDE / 2, top, _SIDE, standing=True)
        # Where its own label has most neighbours, though fewer than half, no other one stands out.
        elected = image.neighbours_label != image.label
        near = f"“{shorten(image.neighbours_label, _LETTERS)}”" if elected else "several others"
        texts = [
            (f"is “{shorten(image.label, _LETTERS)}”", 6, INK),
            (f"near {near}", 6, RED),
            (f"{image.neighbours_other} of {image.neighbours} have others", 5, GREY),
            (f"goodness {image.goodness:.2f}", 5, GREY),
            (f"(its class {image.class_goodness:.2f})", 5, GREY),
        ]
        for row, (text, fontsize, colour) in enumerate(texts):
            axes.text(
                *(middle, top + _SIDE + 0.04 + 0.1 * row, text),
                **{"ha": "center", "va": "top", "fontsize": fontsize, "color": colour},
            )
    return figure
