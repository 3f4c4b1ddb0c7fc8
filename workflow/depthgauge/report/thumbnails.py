"""Small pictures of images."""

from PIL import Image

from ..errors import UserError
from ..image_file import image_file


def thumbnail(path, side):
    """Return the image at ``path`` in RGB, ``side`` pixels wide and high at most.

    Raises
    ------
    UserError
        If the image is missing or cannot be read.
    """
    try:
        with Image.open(image_file(path)) as image:
            # Decoded at a fraction of its size, where the format can: many times as fast.
            image.draft("RGB", (2 * side, 2 * side))
            image = image.convert("RGB")
    except OSError as error:
        raise UserError(f"{path}: not a readable image ({error}).") from error
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image
