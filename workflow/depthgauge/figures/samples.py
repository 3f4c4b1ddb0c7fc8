"""Samples: what the images of a dataset look like."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..manifest import read_manifest
from ..report.thumbnails import thumbnail
from .page import new_page, put
from .style import COLUMN, PAGE, in_reading_order, save, shorten, styled

_ROWS = 12  # classes up to which each has a row of its own
_COLUMNS = 7  # of the grid otherwise
_LETTERS = 16  # of a class name
_TALLEST = 6.5  # inches that the pictures may take
_ABOVE, _GAP = 0.28, 0.04  # inches: above the pictures, and between them
_PIXELS = 300  # greatest side of a picture in the figure


def draw_samples(images, manifest, stem, *, title="", per_class=8):
    """Draw images of every class: one row per class, or one per class where there are many.

    The images of a class are taken at equal steps through the manifest, so that the choice
    is always the same and spans the class. Of unlabelled images two rows are drawn.

    Parameters
    ----------
    images : path
        The folder that the manifest's ``image`` column refers to.
    manifest : path
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str
    per_class : int
        Images per class; one beyond twelve classes.

    Raises
    ------
    UserError
        If an image is missing or cannot be read.
    """
    table = read_manifest(manifest)
    classes = sorted(set(table.label), key=in_reading_order)
    if classes == [""]:
        chosen = spread(table, 2 * per_class)
        places = [divmod(place, per_class) for place in range(len(chosen))]
    elif len(classes) <= _ROWS:
        parts = [spread(table[table.label == label], per_class) for label in classes]
        chosen = pd.concat(parts)
        places = [(row, column) for row, part in enumerate(parts) for column in range(len(part))]
    else:
        chosen = pd.concat([spread(table[table.label == label], 1) for label in classes])
        places = [divmod(place, _COLUMNS) for place in range(len(chosen))]
    drawn = chosen[["image", "label"]].reset_index(drop=True)
    drawn.insert(0, "row", [row for row, _ in places])
    drawn.insert(1, "column", [column for _, column in places])
    in_rows = len(classes) <= _ROWS
    with styled():
        figure = _figure(Path(images), drawn, title, len(table), len(classes), in_rows)
        save(figure, stem, drawn, _caption(drawn, title, len(table), classes))


def _caption(drawn, title, n, classes):
    name = f" of {title}" if title else ""
    what = "without labels" if classes == [""] else f"of {len(classes)} classes"
    return (
        f"{len(drawn)} of the {n:,} images{name}, {what}, taken at equal steps through each class."
    )


def spread(rows, count):
    """Return ``count`` rows, or all, in the middles of equal steps."""
    count = min(count, len(rows))
    return rows.iloc[(np.arange(count) * 2 + 1) * len(rows) // (2 * count)]


def _figure(images, drawn, title, n, classes, in_rows):
    labelled = bool(drawn.label.any())
    rows, columns = drawn.row.max() + 1, drawn.column.max() + 1
    longest = min(max(len(label) for label in drawn.label), _LETTERS)
    beside = 0.1 + 0.06 * longest if labelled and in_rows else 0.0  # room for the classes' names
    below = 0.18 if labelled and not in_rows else 0.0
    side = min((PAGE - beside) / columns, _TALLEST / rows, 1.1)
    width = max(side * columns + beside, COLUMN)
    what = f"{classes} classes" if labelled else "not labelled"
    figure, axes = new_page(
        width,
        _ABOVE + rows * (side + below) + 0.22,
        title=title,
        note=f"{len(drawn)} of {n:,} images, {what}",
    )
    middle = (width + beside - side * columns) / 2
    for sample in drawn.itertuples():
        left, top = middle + sample.column * side, _ABOVE + sample.row * (side + below)
        put(axes, thumbnail(images / sample.image, _PIXELS), left, top, side - _GAP)
        name = shorten(sample.label or "no label", _LETTERS)
        if labelled and not in_rows:
            at, align = (left + side / 2, top + side), {"ha": "center", "va": "top"}
        elif labelled and sample.column == 0:
            at, align = (left - 0.06, top + side / 2), {"ha": "right", "va": "center"}
        else:
            continue
        axes.text(*at, name, fontsize=6.5, **align)
    return figure
