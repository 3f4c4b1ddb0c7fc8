"""Near copies: pairs of images beside each other, contradicting labels first."""

from pathlib import Path

from ..report.thumbnails import thumbnail
from ..tables import read_table
from .page import new_page, put
from .style import GREY, INK, PAGE, RED, save, shorten, styled

_PAIRS, _LINES = 4, 3
_PIXELS = 220  # greatest side of a picture in the figure
_SIDE, _BELOW = 0.78, 0.5  # inches: a picture, and the text below a pair
_LETTERS = 13  # of a label, a split or a file name
_SAID = {
    "conflict": "two labels",
    "leak": "in two splits",
    "copy": "near copies",
}


def draw_near_copies(images, table, stem, *, title=""):
    """Draw the first pairs of near copies, in the order of their table.

    Parameters
    ----------
    images : path
        The folder that the table's ``image`` and ``other`` refer to.
    table : path
        See ``report.near_copies.near_copy_table``.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title : str

    Raises
    ------
    UserError
        If an image is missing or cannot be read.
    """
    found = read_table(table)
    drawn = found.head(_PAIRS * _LINES)
    count = f"{len(found):,} pair{'s' * (len(found) != 1)}"
    if len(found) > len(drawn):
        count = f"The first {len(drawn)} of {count}"
    whose = title or "the dataset"
    caption = (
        f"{count} of images of {whose} that are far nearer to each other than to "
        "others: two labels first, then two splits. A picture is 0 apart from itself."
        if len(found)
        else f"No two images of {whose} are far nearer to each other than to others."
    )
    lines = -(-len(drawn) // _PAIRS)
    below = f"{len(drawn)} of {count}" if len(found) == len(drawn) else count.lower()
    with styled():
        figure, axes = new_page(
            PAGE,
            0.5 + lines * (_SIDE + _BELOW),
            title="  ·  ".join(filter(None, [title, "near copies"])),
            note=below if len(found) else "none found",
        )
        for place, pair in enumerate(drawn.itertuples()):
            line, column = divmod(place, _PAIRS)
            middle, top = PAGE / _PAIRS * (column + 0.5), 0.28 + line * (_SIDE + _BELOW)
            for name, left in ((pair.image, middle - _SIDE - 0.01), (pair.other, middle + 0.01)):
                put(axes, thumbnail(Path(images, name), _PIXELS), left, top, _SIDE, standing=True)
            for row, (text, colour) in enumerate(_texts(pair)):
                axes.text(
                    *(middle, top + _SIDE + 0.04 + 0.1 * row, text),
                    **{"ha": "center", "va": "top", "fontsize": 6 - (row > 0), "color": colour},
                )
        save(figure, stem, drawn, caption)


def _texts(pair):
    """Return (text, colour) of each line below a pair."""
    one, other = pair.label, pair.other_label
    labels = shorten(one or other, 2 * _LETTERS)
    if pair.kind == "conflict":
        labels = f"“{shorten(one, _LETTERS)}” and “{shorten(other, _LETTERS)}”"
    said = [_SAID[pair.kind]]
    if hasattr(pair, "split") and pair.split != pair.other_split:
        said = [f"{shorten(pair.split, _LETTERS)} and {shorten(pair.other_split, _LETTERS)}"]
    names = (getattr(pair, "source", pair.image), getattr(pair, "other_source", pair.other))
    return [
        (labels, RED if pair.kind == "conflict" else INK),
        (", ".join([*said, f"{pair.apart:.2f} apart"]), RED if pair.kind == "leak" else GREY),
        (" · ".join(shorten(Path(name).name, _LETTERS) for name in names), GREY),
    ]
