"""Pictures inside the page: as data, and small."""

import base64
from io import BytesIO

from PIL import Image

from .thumbnails import thumbnail

_SHOWN = 900  # pixels that a figure is wide, at most: twice what a narrow screen shows


def embedded_figure(path):
    """Return a figure (PNG) for the page: {"data", "width", "height"}, data as an address.

    It is made smaller, and drawn in 64 colours, or as JPEG where it is full of photographs; the
    page links to the figure itself.
    """
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
    picture.thumbnail((_SHOWN, 4 * _SHOWN), Image.Resampling.LANCZOS)
    few, full = BytesIO(), BytesIO()
    palette = picture.quantize(64, dither=Image.Dither.NONE)
    palette.save(few, "PNG", optimize=True)
    picture.save(full, "JPEG", quality=75, optimize=True)
    # Colours of photographs do not fit in 64, and then the PNG is the larger one, too.
    kind, content = min(("png", few.getvalue()), ("jpeg", full.getvalue()), key=lambda p: len(p[1]))
    return {"data": _address(kind, content), "width": picture.width, "height": picture.height}


def embedded_thumbnail(path, side):
    """Return an image as an address of data, ``side`` pixels wide and high at most.

    Raises
    ------
    UserError
        As ``thumbnails.thumbnail``.
    """
    content = BytesIO()
    thumbnail(path, side).save(content, "JPEG", quality=75, optimize=True)
    return _address("jpeg", content.getvalue())


def _address(kind, content):
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
