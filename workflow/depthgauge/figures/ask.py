"""The images to label first, on one sheet."""

from pathlib import Path

from ..report.thumbnails import thumbnail
from ..tables import read_table
from .style import GREY, PAGE, new_figure, save, shorten, styled

_COLUMNS = 5
_PIXELS = 300  # greatest side of a picture in the figure
_LETTERS = 24  # of a file name


def draw_ask(images, asked, stem, *, title=""):
    """Draw the images that are to be labelled first, the most telling one first.

    Parameters
    ----------
    images : path
        The folder that the table's ``image`` column refers to.
    asked : path
        See ``labelling.ask.write_ask``.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str

    Raises
    ------
    UserError
        If an image is missing or cannot be read.
    """
    table = read_table(asked)
    n = table.stands_for.sum()
    told = f"The {len(table)} images of {title or 'the dataset'} whose labels say most"
    caption = (
        f"{told} about all {n:,}, the most telling first. An image stands for those to which it "
        "is the nearest of these."
    )
    side = PAGE / _COLUMNS
    rows = -(-len(table) // _COLUMNS)
    with styled():
        figure = new_figure(PAGE, rows * (side + 0.3) + 0.3)
        grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        for axes, row in zip(grid, table.itertuples(), strict=False):
            axes.imshow(thumbnail(Path(images, row.image), _PIXELS))
            name = shorten(str(getattr(row, "source", row.image)), _LETTERS)
            text = f"{row.rank}. {name}\nstands for {row.stands_for:,}"
            axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=6)
        figure.suptitle("  ·  ".join(filter(None, [title, "to label first"])))
        figure.supxlabel(f"{len(table)} of {n:,} images", fontsize=6, color=GREY)
        save(figure, stem, table, caption)
