"""A page of pictures: each has its place, in inches."""

import numpy as np

from .style import GREY, INK, new_figure

MARGIN = 0.06  # inches above the title, and below the note


def new_page(width, height, *, title="", note=""):
    """Return a figure, and axes over all of it, of which the coordinates are inches.

    They begin at the upper left. One axes for all pictures is drawn several times as fast as one
    for each.

    Parameters
    ----------
    width, height : float
        Inches.
    title, note : str
        Above and below the pictures.
    """
    figure = new_figure(width, height, layout=None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    figure.suptitle(title, color=INK, y=1 - MARGIN / height, va="top")
    figure.text(
        *(0.5, MARGIN / height, note),
        **{"ha": "center", "va": "bottom", "fontsize": 6, "color": GREY},
    )
    return figure, axes


def put(axes, picture, left, top, side, *, standing=False, **options):
    """Draw a picture into the square of ``side`` inches at ``left``, ``top``.

    Its proportions stay; it lies in the middle or, ``standing``, at the bottom of the square.
    ``options`` are those of ``imshow``.
    """
    pixels = np.asarray(picture)
    height, width = (side * length / max(pixels.shape[:2]) for length in pixels.shape[:2])
    left += (side - width) / 2
    top += (side - height) * (1 if standing else 0.5)
    axes.imshow(pixels, extent=(left, left + width, top + height, top), aspect="auto", **options)
