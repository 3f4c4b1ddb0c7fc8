"""A look at a folder of pictures before anything is computed: what is there, and what is odd.

Each function of ``ODD`` takes the images of each class and returns sentences; one more look is one
more function there.
"""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ..belonging import asked_by_names, groups_by_names
from ..datasets.copies import find_copies
from ..datasets.folder import SPLITS, check_folder
from ..datasets.jpeg import register_heif
from ..datasets.picture import readable
from ..errors import UserError
from ..fingerprint import sha256

# Fewer images than this say little of their class, and a class of half of all says much by itself.
_FEW, _SHARE = 20, 0.5


class Looks(NamedTuple):
    """What a folder holds: its path, the images of each class ("" has none) and what is odd."""

    path: Path
    classes: dict
    odd: list

    @property
    def images(self):
        """How many images there are."""
        return sum(map(len, self.classes.values()))

    def lines(self):
        """Return what is to be said of it, the numbers first."""
        named = {label: len(files) for label, files in self.classes.items() if label}
        said = f"{self.images:,} pictures"
        if named:
            least, most = min(named.values()), max(named.values())
            each = f"{least} each" if least == most else f"{least} to {most} each"
            said += f" in {len(named)} classes ({each})"
        if "" in self.classes:
            said += f", {len(self.classes['']):,} of them unlabelled" if named else ", unlabelled"
        good = "" if self.odd else "; all can be opened, no copies"
        return [f"{self.path}: {said}{good}", *(f"  ! {line}" for line in self.odd)]


def look(path, labels=None, split=None):
    """Return what a folder of pictures holds and what is odd about it.

    Parameters
    ----------
    path : path
        A folder as the config's ``kind: folder`` takes it.
    labels : path, optional
        A CSV with the columns image,label.
    split : str, optional
        ``folder`` or ``none``, see ``datasets.folder.check_folder``.

    Returns
    -------
    Looks

    Raises
    ------
    UserError
        As ``datasets.check_folder``; or if the classes are the parts of a split.
    """
    path = Path(path)
    classes = check_folder(path, labels, split=split)
    if not labels and split is None and {label.lower() for label in classes} <= SPLITS:
        raise UserError(
            f"{path}: its sub-folders {', '.join(classes)} are the parts of a split and no "
            f"classes. Give one of them as the folder, such as {path / next(iter(classes))}."
        )
    return Looks(path, classes, [line for odd in ODD for line in odd(path, classes)])


def print_looks(pictures, *, labels=None, split=None):
    """Print what ``look`` finds in the folder ``pictures``."""
    print("\n".join(look(pictures, labels, split).lines()))


def _unreadable(path, classes):
    """Pictures that cannot be opened; a file that is cut short may show only when it is read."""
    register_heif()
    broken = []
    for file in _files(classes):
        try:
            with Image.open(file) as image:
                image.verify()
        except Exception:  # Pillow raises what its plugins raise
            broken.append(file)
    return _named(path, broken, "what cannot be opened is left out")


def _copies(path, classes):
    """Files that are copies of another, byte for byte."""
    files = _files(classes)
    sizes = [file.stat().st_size for file in files]
    shared = Counter(sizes)
    contents = [str(file) for file in files]
    for place, (file, size) in enumerate(zip(files, sizes, strict=True)):
        if shared[size] > 1:
            with suppress(OSError):  # of a file that cannot be opened it is said above
                contents[place] = sha256(file)
    copies = [files[place] for place in find_copies(_labels(classes), contents)]
    return _named(path, copies, "exact copies count once")


def _few(path, classes):
    """Classes of few images, and one that outweighs all others."""
    sizes = {label: len(files) for label, files in classes.items() if label}
    few = sorted(label for label, size in sizes.items() if size < _FEW)
    said = []
    if few:
        size = sizes[few[0]]
        one = f"class {few[0]!r} has {size} {'picture' if size == 1 else 'pictures'}"
        several = f"{len(few)} of {len(sizes)} classes have fewer than {_FEW} pictures"
        said = [f"{one if len(few) == 1 else several}: little can be said of so few"]
    largest = max(sizes, key=sizes.get, default=None)
    if len(sizes) > 2 and sizes[largest] > _SHARE * sum(sizes.values()):
        share = round(100 * sizes[largest] / sum(sizes.values()))
        said.append(f"class {largest!r} has {share} of 100 pictures: guessing it is right as often")
    return said


def _belonging(path, classes):
    """Names by which pictures may be of one film, one person or one slide."""
    paths = [readable(file.relative_to(path).as_posix()) for file in _files(classes)]
    codes = np.unique(_labels(classes), return_inverse=True)[1]
    pattern = asked_by_names(groups_by_names(paths), codes)
    if not pattern:
        return []
    return [
        "by their names pictures may belong together (one film, one person, one slide), and then "
        f"accuracy flatters; if so, say --group '{pattern}'"
    ]


ODD = (_unreadable, _copies, _few, _belonging)


def _files(classes):
    return [file for files in classes.values() for file in files]


def _labels(classes):
    return [label for label, files in classes.items() for _ in files]


def _named(path, files, what):
    """Return a sentence on ``files``, three of them by name; none where there are none."""
    if not files:
        return []
    names = ", ".join(readable(file.relative_to(path).as_posix()) for file in files[:3])
    return [f"{what}: {len(files):,} ({names}{', ...' if len(files) > 3 else ''})"]
