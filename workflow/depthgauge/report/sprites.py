"""Sprite sheets: many thumbnails in few JPEGs."""

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps
from tqdm import tqdm

from .thumbnails import thumbnail

TILE = 48  # pixels; a multiple of 16, the block of a JPEG, so that no tile bleeds into the next
COLUMNS = 50
_QUALITY = 75
_GROUND = (232, 232, 232)


def sprite_sheets(folder, names, *, progress=True):
    """Return JPEGs in which the images ``names`` of ``folder`` stand as thumbnails.

    The thumbnails fill the sheets row by row, ``COLUMNS`` x ``COLUMNS`` on each, whole and
    centred on a grey ground.

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
        for first in range(0, len(names), COLUMNS**2):
            part = names[first : first + COLUMNS**2]
            rows = -(-len(part) // COLUMNS)
            sheet = Image.new("RGB", (COLUMNS * TILE, rows * TILE), _GROUND)
            for place, name in enumerate(part):
                row, column = divmod(place, COLUMNS)
                tile = ImageOps.pad(
                    thumbnail(Path(folder) / name, TILE), (TILE, TILE), color=_GROUND
                )
                sheet.paste(tile, (column * TILE, row * TILE))
                bar.update()
            written = BytesIO()
            sheet.save(written, "JPEG", quality=_QUALITY, optimize=True)
            sheets.append(written.getvalue())
    return sheets
