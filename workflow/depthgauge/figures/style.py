"""What all figures share: sizes, colours, fonts, and how they are written."""

import logging
import re
import warnings
from itertools import product
from pathlib import Path

import matplotlib
from fontTools.subset import Options
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..files import atomic
from ..tables import write_table
from .fonts import OWN, fonts_for

log = logging.getLogger(__name__)

COLUMN, PAGE = 3.5, 7.2  # widths of a column and of a page, inches
DPI = 250
RASTERISE_FROM = 5_000  # points from which the PDF carries a picture of them
RED, INK, GREY, PALE = "#D0021B", "#222222", "#7A7A7A", "#B8C4D6"

# Okabe & Ito (2008), yellow and black last.
_EIGHT = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442"]
# Petroff, arXiv:2107.02270.
_TEN = [
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
]
_MARKERS = ["o", "^", "s", "v", "D", "P", "X", "<", ">", "*"]

_STYLE = {
    "font.family": OWN,
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # `$` in the name of a class is a dollar
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 0.8,
    "figure.titlesize": 8,
    "image.composite_image": False,  # pictures of a page stay as they are
    "pdf.fonttype": 42,
    "path.simplify": False,
}


# A PDF says where each letter stands. What a font knows of placing letters is of no use in it, and
# to cut that down to the letters of a figure took a fifth of the time in which figures are drawn.
_dropped = getattr(Options, "_drop_tables_default", [])
Options._drop_tables_default = [*_dropped, "GSUB", "GPOS", "GDEF"]


def styled():
    """Return a context in which figures are built and saved in the house's style."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "agg", **_STYLE})


def new_figure(width, height, layout="constrained"):
    """Return an empty figure of ``width`` x ``height`` inches, laid out by constraints or not."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def symbols(count):
    """Return ``count`` (colour, marker) pairs, all different up to a hundred.

    Up to eight, and up to ten, classes differ by colour alone; beyond that, by colour
    and shape. Both palettes were made to be told apart by colour-blind readers.
    """
    if count <= len(_EIGHT):
        return [(colour, "o") for colour in _EIGHT[:count]]
    pairs = [(colour, marker) for marker, colour in product(_MARKERS, _TEN)]
    return [pairs[i % len(pairs)] for i in range(count)]


def in_reading_order(name):
    """Sort key that puts stone2 before stone10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def shorten(name, letters):
    """Leave out the middle of a long name; what tells names apart is often their end."""
    return name if len(name) <= letters else f"{name[: letters // 3]}…{name[-(letters * 2 // 3) :]}"


def line_by_line(entries, most):
    """Return the entries of a legend in the order in which it reads by lines, and its columns.

    Matplotlib fills a legend column by column. Lines hold ``most`` entries at most, and are of
    about one length.
    """
    columns = -(-len(entries) // -(-len(entries) // most)) if entries else 1
    return [one for column in range(columns) for one in entries[column::columns]], columns


def in_words(title):
    """Return the title of a figure, DATASET · EXTRACTOR, as part of a sentence."""
    return title.replace("  ·  ", " by ")


def save(figure, stem, table, caption):
    """Write ``stem``.png, .pdf and .csv, and the caption to ``stem``.txt.

    The same figure gives the same bytes. Letters that the figure's font lacks are of others that
    are installed; if none has them, a warning says so.
    """
    stem = Path(stem)
    _use_fonts(figure, stem)
    undated = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    for kind, metadata in undated.items():
        with (
            atomic(stem.with_name(f"{stem.name}.{kind}")) as beside,
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # said already
            figure.savefig(beside, format=kind, dpi=DPI, metadata=metadata)
        figure.set_layout_engine(None)  # all has its place now, and is not drawn twice
    write_table(table, stem.with_name(f"{stem.name}.csv"))
    with atomic(stem.with_name(f"{stem.name}.txt")) as beside:
        beside.write_text(f"{caption}\n", encoding="utf-8")


def _use_fonts(figure, stem):
    """Let a figure's texts have the fonts that they need."""
    texts = figure.findobj(Text)
    families, missing = fonts_for("".join(text.get_text() for text in texts))
    for text in texts if len(families) > 1 else ():
        text.set_fontfamily(families)
    if missing:
        log.warning(
            "%s: no font that is installed has %s; boxes stand for them. Install one, such as "
            "those of Debian's fonts-noto-cjk, fonts-noto-core or fonts-symbola, and have the "
            "figure drawn again.",
            *(stem, ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in missing[:10])),
        )
