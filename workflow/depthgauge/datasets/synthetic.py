"""Four simple objects in the middle of the image, turned and scaled at random.

All four cover the same area at the same size, in the same ink on the same paper, so
that neither brightness nor colour tells them apart: form alone does.
"""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from ..seeds import derive_seed
from .picture import Note, Picture

TITLE = "Synthetic"
CITATION = "drawn by depthgauge"
LINK = ""

INK, PAPER = (31, 58, 95), (247, 245, 239)
SUPERSAMPLING = 8
# Side of the square of equal area as a share of the image's; all objects stay inside.
SMALLEST, LARGEST = 0.16, 0.54


def count(name, spec):
    """Return the number of images: ``per_class`` of each of the four objects."""
    return len(SHAPES) * spec["per_class"]


def sources(name, spec):
    """Return what must be fetched: nothing."""
    return []


def pictures(name, spec, sources, seed, scratch):
    """Return the pictures of the four objects and the notes.

    Keys of ``spec``: ``per_class`` images of each object, ``size`` of the square images
    in pixels. Each image has a seed of its own, from ``seed`` and its names.
    """
    per_class, size = spec["per_class"], spec["size"]
    made = [
        Picture(
            f"{shape}__{i:04d}",
            shape,
            f"synthetic {shape} {i}",
            partial(draw, shape, size, derive_seed(seed, name, shape, i)),
        )
        for shape in SHAPES
        for i in range(per_class)
    ]
    return made, [Note("", len(made), len(made), f"drawn, {size}x{size}")]


def draw(shape, size, seed):
    """Return the RGB image of ``shape`` (a key of SHAPES) that ``seed`` decides."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    scale = size * rng.uniform(SMALLEST, LARGEST)
    outline = scale * SHAPES[shape] @ _rotation(angle)
    outline += (size - outline.min(axis=0) - outline.max(axis=0)) / 2

    mask = Image.new("L", (size * SUPERSAMPLING,) * 2)
    # Pillow paints pixel centres at integers: half a pixel puts the outline where it belongs.
    points = outline * SUPERSAMPLING - 0.5
    ImageDraw.Draw(mask).polygon(list(map(tuple, points)), fill=255)
    mask = mask.reduce(SUPERSAMPLING)
    image = Image.new("RGB", mask.size, PAPER)
    image.paste(INK, mask=mask)
    return image


def _rotation(angle):
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _ray(radius, turns):
    angle = 2 * np.pi * np.asarray(turns)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def _crescent(bite=0.8, shift=0.5, steps=120):
    """A unit disc less a disc of radius ``bite`` that is shifted by ``shift``."""
    x = (1 - bite**2 + shift**2) / (2 * shift)  # where the circles cross
    outer = np.arccos(x) / (2 * np.pi)
    inner = np.arctan2(np.sqrt(1 - x**2), x - shift) / (2 * np.pi)
    return np.concatenate(
        [
            _ray(1, np.linspace(outer, 1 - outer, steps)),
            _ray(bite, np.linspace(1 - inner, inner, steps)[1:-1]) + np.array([shift, 0]),
        ]
    )


def _cross(width=1 / 3):
    a, b = width / 2, 0.5
    quarter = np.array([[b, -a], [b, a], [a, a]])
    return np.concatenate([quarter @ _rotation(k * np.pi / 2) for k in range(4)])


def _star(waist=0.42):
    return _ray(np.where(np.arange(10) % 2, waist, 1), np.arange(10) / 10)


def _unit_area(outline):
    x, y = outline.T
    area = (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return (outline - outline.mean(axis=0)) / np.sqrt(area)


SHAPES = {
    "crescent": _unit_area(_crescent()),
    "cross": _unit_area(_cross()),
    "star": _unit_area(_star()),
    "triangle": _unit_area(_ray(1, np.arange(3) / 3)),
}
