"""The images to label first, on one sheet."""

from pathlib import Path

from ..report.thumbnails import thumbnail
from ..tables import read_table
from .page import new_page, put
from .style import PAGE, save, shorten, styled

_COLUMNS = 5
_ABOVE, _BELOW, _GAP = 0.3, 0.3, 0.1  # inches: for texts, and between pictures
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
        figure, axes = new_page(
            PAGE,
            _ABOVE + rows * (side + _BELOW) + 0.1,
            title="  ·  ".join(filter(None, [title, "to label first"])),
            note=f"{len(table)} of {n:,} images",
        )
        for place, row in enumerate(table.itertuples()):
            line, column = divmod(place, _COLUMNS)
            left, top = column * side, _ABOVE + line * (side + _BELOW)
            picture = thumbnail(Path(images, row.image), _PIXELS)
            put(axes, picture, left + _GAP / 2, top, side - _GAP)
            name = shorten(str(getattr(row, "source", row.image)), _LETTERS)
            text = f"{row.rank}. {name}\nstands for {row.stands_for:,}"
            axes.text(left + side / 2, top + side, text, ha="center", va="top", fontsize=6)
        save(figure, stem, table, caption)
