"""Datasets: from a line in the config to a folder of JPEGs and a manifest."""

import csv
import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..excerpt import excerpt
from ..files import atomic, scratch
from ..seeds import derive_seed
from . import affective, digits, folder, kylberg, mnist, synthetic
from .copies import find_copies, notes_on_copies
from .folder import check_folder
from .jpeg import write_jpegs
from .picture import Note, digest_of_times
from .sampling import stratified_sample

__all__ = [
    "KINDS",
    "about",
    "check_apart",
    "check_folder",
    "look",
    "make_dataset",
    "sources",
]

log = logging.getLogger(__name__)

KINDS = {
    "synthetic": synthetic,
    "digits": digits,
    "mnist": mnist,
    "folder": folder,
    "kylberg": kylberg,
    "affective": affective,
}

# Keys of any kind that name files or folders of the user's.
USER_PATHS = ("path", *affective.PATHS)


def make_dataset(
    name,
    spec,
    images,
    manifest,
    *,
    seed,
    quality=95,
    pairs=None,
    sources=(),
    notes=None,
    threads=1,
    progress=True,
):
    """Write the images of the dataset ``name`` as JPEGs, and their manifest.

    Parameters
    ----------
    name : str
    spec : dict
        What the config says under ``datasets: NAME``, as ``config.checked_spec`` returns it.
    images : path
        Folder to write, flat, ``*.jpg``.
    manifest : path
        CSV to write: columns ``image,label``; ``group``, ``collection``, ``nuisance`` and ``split``
        where there are any (see ``Picture``); ``source``, ``source_sha256``, ``sha256``; one row
        per image, by class and then by source. A sample has ``population``, too: how many images
        of the label the whole dataset has.
    seed : int
        The run's seed.
    quality : int
        Of the JPEGs, 1 to 100.
    pairs : int, optional
        Make a sample of the dataset that has so many pairs of images; it follows from
        ``seed`` and ``name``.
    sources : list of path
        The files that `sources` names, in its order.
    notes : path, optional
        CSV to write: columns ``dataset,part,expected,found,note,image``; what a reader must know
        of what was found. Rows with an ``image`` say each what became of one file.
    threads : int
    progress : bool

    Raises
    ------
    UserError
        If what the spec leads to is not as expected. Nothing is written then.
    """
    kind = KINDS[spec["kind"]]
    images, manifest = Path(images), Path(manifest)
    images.parent.mkdir(parents=True, exist_ok=True)
    with (
        scratch(images.with_name("sources")) as unpacked,
        atomic(manifest) as manifest_beside,
        atomic(images) as folder_beside,
    ):
        pictures, found = kind.pictures(name, spec, [Path(s) for s in sources], seed, unpacked)
        population = Counter(picture.label for picture in pictures) if pairs else None
        if pairs:
            rng = np.random.default_rng(derive_seed(seed, name, "pairs"))
            labels = [picture.label for picture in pictures]
            chosen = stratified_sample(labels, pairs, rng, source=f"datasets: {name}")
            said = "chosen at random, class by class (`pairs`)"
            found = [*found, Note("", len(pictures), len(chosen), said)]
            pictures = [pictures[i] for i in chosen]
        folder_beside.mkdir()
        written, notes_of_reading = write_jpegs(
            pictures,
            folder_beside,
            quality=quality,
            bits=spec.get("bits"),
            threads=threads,
            progress=progress,
            skip_unreadable=spec.get("skip_unreadable", False),
        )
        kept = [(p, d) for p, d in zip(pictures, written, strict=True) if d]
        if not kept:
            raise UserError(f"datasets: {name}: no image is left that can be read.")
        kept, notes_on_copies = _without_copies(name, spec, kept, folder_beside)
        found = [*found, *notes_of_reading, *notes_on_copies]
        _check_left(name, pictures, kept)
        _write_manifest(kept, manifest_beside, population)
        if notes is not None:
            with atomic(notes) as notes_beside:
                _write_csv(
                    notes_beside,
                    ["dataset", "part", "expected", "found", "note", "image"],
                    [(name, *note) for note in found],
                )
    classes = Counter(picture.label for picture, _ in kept)
    log.info(
        "%s: %d images, %s",
        name,
        len(kept),
        "unlabelled"
        if set(classes) == {""}
        else ", ".join(f"{label or 'no label'} {count}" for label, count in classes.items()),
    )


def sources(name, spec):
    """Return the files that the dataset needs fetched, each (path, urls, checks, optional).

    ``path`` is relative to the folder of downloads; ``checks`` are keyword arguments of
    `depthgauge.download.download`; of an ``optional`` one that cannot be had, an empty file
    may be given to `make_dataset`.
    """
    return KINDS[spec["kind"]].sources(name, spec)


def about(name, spec):
    """Return what the dataset is called and where it comes from.

    A dict of str: ``title``, ``citation`` and ``link``; of a folder of one's own its name
    and its path.
    """
    kind = KINDS[spec["kind"]]
    if kind is folder:
        return {"title": name, "citation": "", "link": str(spec["path"])}
    return {"title": kind.TITLE, "citation": kind.CITATION, "link": kind.LINK}


def check_apart(specs):
    """Raise if two of the datasets ``specs`` are one folder, read in one way.

    Raises
    ------
    UserError
        Naming both.
    """
    seen = {}
    for name, spec in specs.items():
        if spec["kind"] == "folder":
            place = Path(spec["path"]).expanduser().resolve()
            one = seen.setdefault(json.dumps({**spec, "path": str(place)}, sort_keys=True), name)
            if one != name:
                raise UserError(
                    f"datasets: {one} and {name} are one folder, {spec['path']}, read in one way: "
                    "they would be counted as two. Take one of them out, or give it another `path` "
                    "or other `labels`."
                )


def look(name, spec):
    """Return what can be told of a dataset before it is made.

    A folder is listed once for all of it, and each of its files costs one ``stat``.

    Returns
    -------
    dict
        ``images``, how many there will be; ``labelled``, which of them have a label, "all", "some"
        or "none"; ``fingerprint``, a short digest of the user's own files that it is made from. It
        changes when one of them is added, removed, renamed or rewritten, and is empty where there
        are none.
    """
    if spec["kind"] == "folder":
        return folder.look(name, spec)
    images = KINDS[spec["kind"]].count(name, spec)  # which says so where a place is not there
    places = [Path(spec[key]).expanduser() for key in USER_PATHS if spec.get(key)]
    times = [digest_of_times(place.parent, sorted([place, *place.rglob("*")])) for place in places]
    return {"images": images, "labelled": "all", "fingerprint": ":".join(times)}


def _without_copies(name, spec, kept, folder):
    """Return (``kept`` without copies, and without their JPEGs; notes on copies).

    A benchmark keeps its copies, for it is known by what was published: its numbers are compared
    with those of others. In a folder of one's own a copy would be counted as evidence.
    """
    pictures, jpegs = zip(*kept, strict=True)
    published = spec["kind"] != "folder"
    labels = [picture.label for picture in pictures]
    copies = find_copies(labels, [jpeg.pixels for jpeg in jpegs])
    notes = notes_on_copies(pictures, copies, published)
    for note in notes:
        if not note.image:
            log.warning("%s: %s", name, note.note)
    each = [f"{note.image}: {note.note}" for note in notes if note.image]
    if each:
        log.info("%s: copies are\n  %s", name, "\n  ".join(excerpt(each)))
    if published:
        return kept, notes
    for place in copies:
        (folder / f"{pictures[place].name}.jpg").unlink()
    return [one for place, one in enumerate(kept) if place not in copies], notes


def _check_left(name, pictures, kept):
    """Raise where what was left out has made another kind of dataset than was planned."""

    def labelling(pictures):
        labels = {picture.label for picture in pictures}
        return len(labels - {""}) > 1, "" in labels

    left = labelling(picture for picture, _ in kept)
    if left != labelling(pictures):
        lacks = "no image without label" if left[0] else "fewer than two classes"
        raise UserError(
            f"datasets: {name}: without the images that cannot be read, or are copies of others "
            f"pixel by pixel, {lacks} would be left ({len(kept)} of {len(pictures)} images). The "
            "log names them; add images, or leave the class out."
        )


def _write_manifest(kept, path, population):
    optional = ("group", "collection", "nuisance", "split")
    given = [name for name in optional if any(getattr(p, name) for p, _ in kept)]
    columns = ["image", "label", *given]
    columns += [*(["population"] if population else []), "source"]
    _write_csv(
        path,
        [*columns, "source_sha256", "sha256"],
        [
            (
                f"{picture.name}.jpg",
                picture.label,
                *(getattr(picture, name) for name in given),
                *([population[picture.label]] if population else []),
                picture.source,
                jpeg.source_sha256,
                jpeg.sha256,
            )
            for picture, jpeg in kept
        ],
    )


def _write_csv(path, columns, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
