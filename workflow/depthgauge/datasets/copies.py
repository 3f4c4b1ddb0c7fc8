"""Images that are copies of one another, pixel by pixel: one of them stands for all."""

from ..excerpt import excerpt
from .picture import Note


def find_copies(labels, pixels):
    """Return which images are copies of which.

    Parameters
    ----------
    labels : sequence of str
        Of each image, ``""`` where it has none.
    pixels : sequence of str
        A digest of each image's pixels.

    Returns
    -------
    dict of int to int
        By the place of each copy that of the image that stands for it: of the same pixels the
        first with a label, or the first where none has one.
    """
    stands = {}
    for place, (label, digest) in enumerate(zip(labels, pixels, strict=True)):
        before = stands.setdefault(digest, place)
        if label and not labels[before]:
            stands[digest] = place
    found = ((place, stands[digest]) for place, digest in enumerate(pixels))
    return {place: first for place, first in found if place != first}


def notes_on_copies(pictures, copies, kept):
    """Return the notes on copies: how many, which contradict one another, and each by its name.

    Parameters
    ----------
    pictures : sequence of Picture
    copies : dict of int to int
        As from ``find_copies``.
    kept : bool
        Whether copies stay in the dataset.
    """
    if not copies:
        return []
    one = "1 image is an exact copy of another"
    said = one if len(copies) == 1 else f"{len(copies)} images are exact copies of others"
    if kept:
        notes = [Note("", "", "", f"{said}; kept, as published")]
    else:
        left = len(pictures) - len(copies)
        notes = [Note("", len(pictures), left, f"{said}, pixel by pixel, and left out")]
    pairs = [(pictures[copy], pictures[first]) for copy, first in copies.items()]
    apart = sum(copy.split != first.split for copy, first in pairs)
    if apart:
        notes.append(Note("", "", "", f"{apart} of these copies lie in another split"))
    against = [pair for pair in pairs if _contradict(*pair)]
    if against:
        listed = [
            f"{copy.source} ({copy.label}) is {first.source} ({first.label})"
            for copy, first in against
        ]
        said = f"labels of copies that contradict one another: {', '.join(excerpt(listed, 5))}"
        taken = "both stay" if kept else "the latter is taken"
        notes.append(Note("", "", "", f"{said}; {taken}"))
    for copy, first in pairs:
        said = f"copy of {first.source}"
        if _contradict(copy, first):
            said += f", which has the label {first.label!r}, and this one {copy.label!r}"
        notes.append(Note("", "", "", said, copy.source))
    return notes


def _contradict(copy, first):
    return bool(copy.label) and copy.label != first.label
