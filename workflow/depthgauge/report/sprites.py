"""Sprite sheets: many thumbnails in few JPEGs."""

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps
from tqdm import tqdm

from .thumbnails import thumbnail

# Pixels of a thumbnail: multiples of 16, the block of a JPEG, so that none bleeds into the next.
TILES = (96, 48)
_SIDE = 2400  # pixels of a sheet, which any browser can hold
_QUALITY = 75
_GROUND = (232, 232, 232)


def columns(tile):
    """Return how many thumbnails of ``tile`` pixels a sheet has side by side, and rows of them."""
    return _SIDE // tile


def sprite_sheets(folder, names, tile, *, progress=True):
    """Return JPEGs in which the images ``names`` of ``folder`` stand as thumbnails.

    The thumbnails, ``tile`` pixels wide and high, fill the sheets row by row, ``columns(tile)``
    squared on each, whole and centred on a grey ground.

    Returns
    -------
    list of bytes

    Raises
    ------
    UserError
        If an image is missing or cannot be read.
    """
    names = list(names)
    sheets = []
    bar = tqdm(
        total=len(names),
        desc="thumbnails",
        unit="image",
        mininterval=1,
        delay=1,
        disable=not progress,
    )
    with bar:
        across = columns(tile)
        for first in range(0, len(names), across**2):
            part = names[first : first + across**2]
            rows = -(-len(part) // across)
            sheet = Image.new("RGB", (_SIDE, rows * tile), _GROUND)
            for place, name in enumerate(part):
                row, column = divmod(place, across)
                small = thumbnail(Path(folder) / name, tile)
                small = ImageOps.pad(small, (tile, tile), color=_GROUND)
                sheet.paste(small, (column * tile, row * tile))
                bar.update()
            written = BytesIO()
            sheet.save(written, "JPEG", quality=_QUALITY, optimize=True)
            sheets.append(written.getvalue())
    return sheets
