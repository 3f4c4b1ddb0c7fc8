"""The 1,797 handwritten digits that scikit-learn carries: 8x8 pixels, 17 shades of grey."""

from functools import partial

import numpy as np
from PIL import Image

from ..seeds import derive_seed
from .picture import Note, Picture, stratified

TITLE = "Optical Recognition of Handwritten Digits (test set)"
CITATION = "Alpaydin & Kaynak 1998"
LINK = "https://archive.ics.uci.edu/dataset/80/"

IMAGES, CLASSES = 1797, 10


def count(name, spec):
    """Return the number of images."""
    return CLASSES * spec["per_class"] if spec["per_class"] else IMAGES


def sources(name, spec):
    """Return what must be fetched: nothing."""
    return []


def pictures(name, spec, sources, seed, scratch):
    """Return the digits and the notes.

    Key of ``spec``: ``per_class``, so many of each digit, chosen at random by ``seed``;
    null for all. Source: E. Alpaydin, C. Kaynak, UCI Optical Recognition of Handwritten
    Digits, test set.
    """
    from sklearn.datasets import load_digits  # here, for it takes a second to import

    per_class = spec["per_class"]
    digits = load_digits()
    grey = np.rint(digits.images * 255 / 16).astype(np.uint8)
    made = []
    for digit in range(CLASSES):
        found = np.flatnonzero(digits.target == digit)
        if per_class is not None:
            rng = np.random.default_rng(derive_seed(seed, name, digit))
            found = found[stratified([digit] * len(found), per_class, rng)]
        made += [
            Picture(
                f"{digit}__{i:04d}",
                str(digit),
                f"scikit-learn digits {i}",
                partial(Image.fromarray, grey[i]),
            )
            for i in found
        ]
    note = "all digits" if per_class is None else f"{per_class} of each digit, at random"
    return made, [Note("", count(name, spec), len(made), note)]
