"""Reconstructions: images that an autoencoder was not trained on, and what it makes of them."""

import numpy as np
import pandas as pd

from ..files import check_whole
from .page import new_page, put
from .style import PAGE, in_words, save, styled

_ROWS = ("original", "reconstruction")
_BESIDE = 0.8  # inches for their names


def reconstructions_figure(stem, examples, *, title="", latent):
    """Call ``draw_reconstructions`` for the images in the file ``examples`` (.npz)."""
    check_whole(examples)
    draw_reconstructions(np.load(examples, allow_pickle=False), stem, title=title, latent=latent)


def draw_reconstructions(examples, stem, *, title="", latent):
    """Draw originals above their reconstructions.

    Parameters
    ----------
    examples : mapping
        ``image`` (names), ``original`` and ``reconstruction``, uint8 [n, size, size, 3]: what
        :func:`depthgauge.networks.autoencoder.train_autoencoder` writes.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written; the csv has ``image`` and
        the ``error``, the mean squared difference of the pixels (0-1) as drawn.
    title : str
    latent : int
        Values of the code, which the figure names.
    """
    original, decoded = (np.asarray(examples[row]) for row in _ROWS)
    difference = original / 255 - decoded / 255
    table = pd.DataFrame(
        {"image": examples["image"], "error": (difference**2).mean(axis=(1, 2, 3)).round(6)}
    )
    with styled():
        caption = (
            f"Images that the autoencoder of {in_words(title)} was not trained on, and below each "
            f"what it makes of the {latent:,} values of its code. Mean squared error of the pixels "
            f"(0-1) {table.error.mean():.4f}; n = {len(table)} of the images held out."
        )
        save(_figure(original, decoded, title, latent, table.error), stem, table, caption)


def _figure(original, decoded, title, latent, errors):
    n = len(original)
    side = min((PAGE - _BESIDE) / n, 0.9)
    width = max(side * n + _BESIDE, PAGE / 2)
    figure, axes = new_page(
        width,
        2 * side + 0.5,
        title=title,
        note=f"{n} of the images held out; {latent:,} values each, mean squared error "
        f"{errors.mean():.4f}",
    )
    left = (width + _BESIDE - side * n) / 2
    for row, (name, pictures) in enumerate(zip(_ROWS, (original, decoded), strict=True)):
        top = 0.28 + side * row
        for place, pixels in enumerate(pictures):
            at = (left + side * place + 0.02, top + 0.02)
            put(axes, pixels, *at, side - 0.04, interpolation="nearest")
        axes.text(left - 0.04, top + side / 2, name, ha="right", va="center", fontsize=6.5)
    return figure
