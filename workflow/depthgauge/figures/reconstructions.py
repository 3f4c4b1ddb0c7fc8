"""Reconstructions: images that an autoencoder was not trained on, and what it makes of them."""

import numpy as np
import pandas as pd

from ..files import check_whole
from .style import GREY, PAGE, in_words, new_figure, save, styled

_ROWS = ("original", "reconstruction")


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
    side = min((PAGE - 0.8) / n, 0.9)
    figure = new_figure(max(side * n + 0.8, PAGE / 2), 2 * side + 0.6)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    grid = figure.subplots(2, n, squeeze=False)
    for axes, pixels in zip(grid.ravel(), [*original, *decoded], strict=True):
        axes.imshow(pixels, interpolation="nearest")
        axes.set_axis_off()
    for axes, row in zip(grid[:, 0], _ROWS, strict=True):
        axes.text(-0.08, 0.5, row, ha="right", va="center", fontsize=6.5, transform=axes.transAxes)
    figure.suptitle(title)
    figure.supxlabel(
        f"{n} of the images held out; {latent:,} values each, mean squared error "
        f"{errors.mean():.4f}",
        fontsize=6.5,
        color=GREY,
    )
    return figure
