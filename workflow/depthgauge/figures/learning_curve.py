"""The learning curve of an autoencoder: its errors after each pass over the images."""

import math

from ..tables import read_table
from .style import COLUMN, GREY, INK, PALE, RED, in_words, new_figure, save, styled


def learning_curve_figure(stem, history, *, title="", seed=0):
    """Call ``draw_learning_curve`` for the table in the file ``history``."""
    draw_learning_curve(read_table(history), stem, title=title, seed=seed)


def draw_learning_curve(history, stem, *, title="", seed):
    """Draw the training and validation errors against the epoch, and mark the one that was kept.

    Parameters
    ----------
    history : DataFrame
        What :func:`depthgauge.networks.autoencoder.train_autoencoder` writes.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str
    seed : int
        The run's seed, which the figure names.
    """
    with styled():
        save(_figure(history, title, seed), stem, history, _caption(history, title, seed))


def _caption(history, title, seed):
    first, kept = history.iloc[0], history[history.kept].iloc[0]
    return (
        f"Mean squared error of the pixels (0-1) of {in_words(title)} after each pass "
        f"over the images: of the {int(first.train_images):,} trained on and of the "
        f"{int(first.validation_images):,} held out. Kept is epoch {int(kept.epoch)}, where the "
        f"latter is least; the dotted line is the error of the mean image. Seed {seed}."
    )


def _figure(history, title, seed):
    figure = new_figure(COLUMN, 2.5)
    axes = figure.subplots()
    first, kept = history.iloc[0], history[history.kept].iloc[0]
    axes.axhline(first.mean_image, color=GREY, linestyle=":", label="the mean image")
    axes.plot(history.epoch, history.training, color=PALE, linewidth=1.6, label="trained on")
    axes.plot(history.epoch, history.validation, color=INK, label="held out")
    axes.plot(kept.epoch, kept.validation, "o", color=RED, markersize=4, label="kept", zorder=3)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:.2g}" if _leads(value) else "")
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean squared error of the pixels, 0-1")
    axes.set_title(title)
    axes.legend()
    last = history.iloc[-1]
    if not math.isfinite(last.validation + last.training):
        note = f"diverged in epoch {int(last.epoch)}"
        axes.text(0.98, 0.5, note, color=RED, ha="right", transform=axes.transAxes)
    figure.supxlabel(
        f"n = {int(first.train_images):,} trained on, {int(first.validation_images):,} held out; "
        f"seed {seed}",
        fontsize=6.5,
        color=GREY,
    )
    return figure


def _leads(value):
    """Whether the first digit of ``value`` is 2 or 5: between the powers of ten."""
    return f"{value:e}"[0] in "25"
