"""An image file as the array that a network takes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from ..image_file import image_file

PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def height_and_width(size):
    """Return (height, width) of a ``size`` of the config: one number, or [height, width]."""
    return (size, size) if isinstance(size, int) else tuple(size)


def size_of(height, width):
    """Return the ``size`` that means ``height`` and ``width``: one number for a square."""
    return height if height == width else [height, width]


def load_pixels(path, size, resample="bilinear", shortest_edge=None):
    """Return the image at ``path`` as float32 RGB 0-255 of shape [height, width, 3].

    Parameters
    ----------
    path : path or file
        A picture that Pillow reads; an open file is taken as it is.
    size : int or (int, int)
        Height and width in pixels, one number for both.
    resample : str
        ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``: Pillow's filters, which
        average over the source pixels when they shrink a picture. ``tf1_bilinear``: the
        ``ResizeBilinear`` of TensorFlow 1 (pixel i of m comes from i * n / m of n, neither
        half-pixel centres nor averaging), which the Inception-v3 of 2015 was used with.
    shortest_edge : int, optional
        The shorter side becomes so many pixels, at the picture's own aspect ratio, and the middle
        of it is cut out. Without it the aspect ratio is not kept.

    Raises
    ------
    UserError
        If the file is missing or cannot be decoded.
    """
    try:
        with Image.open(path if hasattr(path, "read") else image_file(path)) as picture:
            picture = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as a picture ({error}). Delete the folder that it is in, "
            "and the workflow makes it again."
        ) from error
    if shortest_edge:
        return _middle(picture, size, PILLOW[resample], shortest_edge)
    if resample == "tf1_bilinear":
        return _tf1_bilinear(np.asarray(picture, np.float32), size)
    height, width = height_and_width(size)
    if picture.size != (width, height):
        picture = picture.resize((width, height), PILLOW[resample])
    return np.asarray(picture, np.float32)


def probe_images(size):
    """Return two images to try a network on, float32 [2, height, width, 3] of 0-255.

    Noise, and smooth gradients of the three colours.
    """
    height, width = height_and_width(size)
    noise = np.random.default_rng(0).uniform(0, 255, (height, width, 3))
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    gradients = np.stack([across, down, (across + down) / 2], axis=-1)
    return np.stack([noise, gradients]).astype(np.float32)


def load_stack(folder, names, size, *, threads=1):
    """Return the images ``names`` of ``folder`` as uint8 RGB of shape [N, size, size, 3]."""
    stack = np.empty((len(names), size, size, 3), np.uint8)
    with ThreadPoolExecutor(threads) as pool:
        loaded = pool.map(lambda name: load_pixels(Path(folder) / name, size), names)
        for row, pixels in zip(stack, loaded, strict=True):
            row[:] = pixels
    return stack


def _middle(picture, size, filter_, shortest_edge):
    shorter = min(picture.size)
    sides = tuple(side * shortest_edge // shorter for side in picture.size)
    height, width = height_and_width(size)
    left, top = (sides[0] - width) // 2, (sides[1] - height) // 2
    picture = picture.resize(sides, filter_).crop((left, top, left + width, top + height))
    return np.asarray(picture, np.float32)


def _tf1_bilinear(pixels, size):
    for axis, length in enumerate(height_and_width(size)):
        pixels = _tf1_linear(pixels, length, axis)
    return pixels


def _tf1_linear(pixels, size, axis):
    length = pixels.shape[axis]
    position = np.arange(size, dtype=np.float32) * np.float32(length / size)
    lower = np.floor(position).astype(np.int64)
    upper = np.minimum(lower + 1, length - 1)
    weight = (position - lower).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    below, above = pixels.take(lower, axis), pixels.take(upper, axis)
    return below + (above - below) * weight
