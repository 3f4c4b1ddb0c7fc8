"""A folder of your own images: one sub-folder a class, or flat and unlabelled."""

import logging
import os
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..seeds import derive_seed
from .picture import (
    Note,
    Picture,
    digest_of_times,
    file_stems,
    natural_key,
    number,
    options,
    readable,
    stratified,
)

log = logging.getLogger(__name__)

DEFAULTS = {"path": None, "per_class": None, "skip_unreadable": False}

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)


def _given(name, spec):
    given = options(name, spec, DEFAULTS)
    if not given["path"]:
        raise UserError(f"datasets: {name}: path: give the folder that holds the images.")
    if given["per_class"] is not None:
        number(name, "per_class", given["per_class"])
    return Path(given["path"]).expanduser(), given["per_class"]


def count(name, spec):
    """Return the number of images."""
    path, limit = _given(name, spec)
    return sum(min(limit or len(files), len(files)) for files in check_folder(path).values())


def sources(name, spec):
    """Return what must be fetched: nothing."""
    return []


def pictures(name, spec, sources, seed, scratch):
    """Return the pictures of the folder and the notes.

    Keys of ``spec``: ``path``; ``per_class``, at most so many images a class (of the whole
    folder where it is flat), chosen at random by ``seed``, null for all.
    """
    path, limit = _given(name, spec)
    classes, empty, ignored = _scan(path)
    for entry in empty:
        log.warning("%s: holds no images; it does not count as a class.", entry)
    if ignored:
        log.info(
            "%s: ignored %d files that are no images (the first: %s).",
            path,
            len(ignored),
            readable(ignored[0].relative_to(path)),
        )
    chosen = []
    for label, files in classes.items():
        if len(files) == 1 and label:
            log.warning("%s: the class %r has one image: no pair within it.", path, label)
        if limit is not None and limit < len(files):
            rng = np.random.default_rng(derive_seed(seed, name, label))
            files = [files[i] for i in stratified([label] * len(files), limit, rng)]
        chosen += [(label, file) for file in files]
    # All files of a class under its name, those of its sub-folders too.
    plain = [
        f"{label}__{readable(file.stem)}" if label else readable(file.stem)
        for label, file in chosen
    ]
    made = [
        Picture(stem, label, readable(file.relative_to(path)), file)
        for stem, (label, file) in zip(file_stems(plain), chosen, strict=True)
    ]
    found = sum(map(len, classes.values()))
    note = "unlabelled" if "" in classes else f"{len(classes)} classes"
    if len(made) < found:
        note += f", {len(made)} of {found} images chosen at random"
    return made, [Note("", "", len(made), note)]


def check_folder(path):
    """Return the image files of each class in ``path``, in stable order.

    Parameters
    ----------
    path : folder with one sub-folder a class (images in sub-folders of that belong to the
        class too), or with images and no sub-folders that hold any: then they are unlabelled

    Returns
    -------
    dict of str to list of Path
        Classes and files in natural order; the one class "" where the images are unlabelled.

    Raises
    ------
    UserError
        If there is no such folder, no image, a single class, or images beside class folders.
    """
    return _scan(Path(path).expanduser())[0]


def _scan(path):
    """Return (what `check_folder` returns, folders without images, files that are none)."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise UserError(
            f"{path}: {what}; expected a folder of images, with one sub-folder for each class."
        )
    classes, loose, empty, ignored = {}, [], [], []
    for entry in sorted(path.iterdir(), key=_order):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            files, others = _walk(entry)
            ignored += others
            if files:
                classes[readable(entry.name)] = files
            else:
                empty.append(entry)
        elif entry.suffix.lower() in EXTENSIONS:
            loose.append(entry)
        else:
            ignored.append(entry)
    if not loose and not classes:
        raise UserError(
            f"{path}: holds no images. Expected one sub-folder for each class, with files that "
            f"end in one of {', '.join(EXTENSIONS)}."
        )
    if loose and classes:
        raise UserError(
            f"{path}: {len(loose)} images lie beside the class folders "
            f"({', '.join(readable(f.name) for f in loose[:10])}"
            f"{', ...' if len(loose) > 10 else ''}), so they have no label. Move each "
            f"into the folder of its class ({', '.join(list(classes)[:10])}) or out of {path}."
        )
    if len(classes) == 1:
        (only,) = classes
        raise UserError(
            f"{path}: all images lie in the one sub-folder {only!r}; goodness compares at least "
            f"two classes. Add a sub-folder for each class, or, if they are unlabelled, give "
            f"{path / only} as the path."
        )
    return classes or {"": loose}, empty, ignored


def folder_fingerprint(path):
    """Return a short digest of the names, sizes and times of the images in ``path``.

    It changes when an image is added, removed, renamed or rewritten, and costs one
    ``stat`` a file. Raises what `check_folder` raises.
    """
    path = Path(path).expanduser()
    return digest_of_times(path, [f for files in check_folder(path).values() for f in files])


def _walk(folder):
    """Return (images, other files) anywhere under ``folder``, each in natural order."""
    images, others, seen = [], [], set()
    for base, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(base)
        if real in seen:  # a link back to where we have been
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [f for f in folders if not f.startswith(".")]
        for file in files:
            if not file.startswith("."):
                found = Path(base, file)
                (images if found.suffix.lower() in EXTENSIONS else others).append(found)

    return sorted(images, key=_order), sorted(others, key=_order)


def _order(file):
    """Natural order by the path without its extension, then by all of it."""
    return natural_key(readable(file.with_suffix(""))), natural_key(readable(file))
