"""The paper's Affective dataset: abstract paintings, art photographs and IAPS.

Machajdik & Hanbury 2010 (doi 10.1145/1873951.1873965); labels of IAPS after Mikels et
al. 2005 (doi 10.3758/BF03192732). IAPS is given out on request by the University of Florida
and must not be passed on: it is read from a folder of the user's own.
"""

import csv
import logging
from pathlib import Path

from ..archives import unpack
from ..errors import UserError
from .listing import EXTENSIONS
from .picture import Note, Picture, Source, file_stems, natural_key, readable

log = logging.getLogger(__name__)

TITLE = "Affective"
CITATION = "Machajdik & Hanbury 2010; IAPS: Lang et al. 2008, labels of Mikels et al. 2005"
LINK = "https://www.imageemotion.org/"

# The one spelling of each emotion, and the others that the sub-collections use.
EMOTIONS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
SPELLINGS = {emotion: emotion for emotion in EMOTIONS} | {
    "content": "contentment",
    "sad": "sadness",
}

PARTS = {"abstract": 228, "artphoto": 807, "iaps": 394}  # images, as the paper counts them
ARTPHOTO_PUBLISHED = 806

PATHS = ("abstract", "artphoto", "iaps", "iaps_labels")
URL = "https://www.imageemotion.org/testImages_{part}.zip"


def _given(name, spec):
    given = {**spec, "parts": [part for part in PARTS if part in spec["parts"]]}
    for key in PATHS:
        if given[key]:
            given[key] = Path(given[key]).expanduser()
            if not given[key].exists():
                raise UserError(f"datasets: {name}: {key}: there is no such path, {given[key]}.")
    if bool(given["iaps"]) != bool(given["iaps_labels"]):
        there, lacking = sorted(("iaps", "iaps_labels"), key=lambda key: not given[key])
        raise UserError(
            f"datasets: {name}: {there} is given, but not {lacking}. IAPS needs both: `iaps`, the "
            "folder of its images, and `iaps_labels`, a csv with the columns image_id,label."
        )
    return given


def count(name, spec):
    """Return the number of images, if all parts are there."""
    given = _given(name, spec)
    return sum(PARTS[part] for part in given["parts"] if part != "iaps" or given["iaps"])


def sources(name, spec):
    """Return the zips of those parts that are fetched and not given as a path."""
    given = _given(name, spec)
    return [
        Source(f"affective/testImages_{part}.zip", [URL.format(part=part)], {}, optional=True)
        for part in given["parts"]
        if part != "iaps" and not given[part]
    ]


def pictures(name, spec, sources, seed, scratch):
    """Return the pictures and the notes; ``collection`` is the part.

    Keys of ``spec``: ``parts``, some of abstract, artphoto, iaps; ``abstract``, ``artphoto``:
    a zip or a folder on disk, null to fetch the published zip; ``iaps``, a folder, with
    ``iaps_labels``, a csv ``image_id,label``. A part that is not there, or of which the zip
    is empty, is left out, with a warning and a note.
    """
    given = _given(name, spec)
    fetched = {path.stem.removeprefix("testImages_"): path for path in sources}
    made, notes = [], []
    for part in given["parts"]:
        place = given[part] or fetched.get(part)
        if not place or (place == fetched.get(part) and not _has_content(place)):
            remedy = "give its folder as `iaps` and its labels as `iaps_labels`"
            if part != "iaps":
                again = f"`snakemake --force {place}` tries again to fetch it; or " if place else ""
                remedy = f"{again}give its zip or folder as `{part}`"
            log.warning("%s: the part %s is missing and LEFT OUT; %s.", name, part, remedy)
            notes.append(Note(part, PARTS[part], 0, "missing, left out"))
            continue
        folder = place if place.is_dir() else unpack(place, scratch / part)
        try:
            if part == "iaps":
                labelled, note = read_iaps(folder, given["iaps_labels"])
            else:
                read = {"abstract": read_abstract, "artphoto": read_artphoto}[part]
                labelled, note = read(folder)
        except UserError as error:  # name the archive, not where it was unpacked
            raise UserError(str(error).replace(str(folder), str(place))) from None
        if not labelled:
            raise UserError(f"{place}: holds no images of the part {part}.")
        if len(labelled) != PARTS[part]:
            log.warning(
                "%s: %s: %d images, where the paper counts %d%s",
                *(name, part, len(labelled), PARTS[part], f" ({note})" if note else ""),
            )
        notes.append(Note(part, PARTS[part], len(labelled), note))
        made += [(label, part, file) for file, label in labelled.items()]
    if not made:
        raise UserError(
            f"datasets: {name}: none of the parts {', '.join(given['parts'])} is there. Give the "
            "folder of one, or name under `parts` those that can be fetched (abstract, artphoto)."
        )
    made.sort(key=lambda m: (m[0], list(PARTS).index(m[1]), natural_key(m[2].name)))
    stems = file_stems([f"{label}__{part}_{readable(f.stem)}" for label, part, f in made])
    return [
        Picture(stem, label, f"{part}/{readable(file.name)}", file, collection=part)
        for stem, (label, part, file) in zip(stems, made, strict=True)
    ], notes


def _has_content(file):
    return file.is_file() and file.stat().st_size > 0


def emotion(word):
    """Return the one spelling of the emotion that ``word`` names; None if it names none."""
    return SPELLINGS.get(word.strip().strip("'\"").strip().lower())


def most_voted(votes):
    """Return the emotion with the most votes; None where several share that number.

    ``votes`` is a dict of emotion to int.
    """
    most = max(votes.values())
    winners = [emotion for emotion, count in votes.items() if count == most]
    return winners[0] if len(winners) == 1 else None


def read_abstract(folder):
    """Return ({file: emotion}, note) of the abstract paintings under ``folder``.

    ``ABSTRACT_groundTruth.csv`` there gives each painting's votes; the label is the emotion
    with the most, and paintings without a single one are dropped.

    Raises
    ------
    UserError
        If the csv is missing, lacks an emotion or names one twice, has a vote that is none,
        names a painting twice, or one that is not there.
    """
    tables = [f for f in _files(folder, (".csv",)) if "groundtruth" in f.name.lower()]
    if len(tables) != 1:
        raise UserError(
            f"{folder}: expected one ABSTRACT_groundTruth.csv with the votes, found "
            f"{', '.join(f.name for f in tables) or 'none'}."
        )
    rows = _quoted_rows(tables[0], "'")
    head = [emotion(word) for word in rows[0][1][1:]]
    if sorted(filter(None, head)) != sorted(EMOTIONS) or None in head:
        raise UserError(
            f"{tables[0]}: expected the columns '', {', '.join(EMOTIONS)} (in any order), found "
            f"{', '.join(rows[0][1])}."
        )
    files, labelled, ties = _by_name(_images(folder)), {}, 0
    seen = set()
    for line, (image, *cells) in rows[1:]:
        where = f"{tables[0]}, line {line}"
        if len(cells) != len(head) or not all(c.strip().isdecimal() for c in cells):
            raise UserError(
                f"{where}: expected {len(head)} votes, whole numbers from 0, found {cells}."
            )
        file = _find(files, image, where)
        if file in seen:
            raise UserError(f"{where}: {image!r} is named a second time; remove one of the rows.")
        seen.add(file)
        label = most_voted(dict(zip(head, map(int, cells), strict=True)))
        if label:
            labelled[file] = label
        else:
            ties += 1
    return (
        labelled,
        f"{len(seen)} paintings, {ties} dropped for want of a single most-voted emotion",
    )


def read_artphoto(folder):
    """Return ({file: emotion}, note) of the art photographs under ``folder``.

    The label is the file's name before ``_``. Raises UserError on a name without one.
    """
    labelled = {file: emotion(file.name.partition("_")[0]) for file in _images(folder)}
    bad = [file.name for file, label in labelled.items() if not label]
    if bad:
        raise UserError(
            f"{folder}: {len(bad)} images whose name does not begin with an emotion and `_` "
            f"({', '.join(map(readable, bad[:10]))}); expected one of {', '.join(SPELLINGS)}."
        )
    note = ""
    if len(labelled) == ARTPHOTO_PUBLISHED:
        note = "the published archive holds 806; the paper counts 807"
    return labelled, note


def read_iaps(folder, labels):
    """Return ({file: emotion}, note) of the images that the csv ``labels`` names.

    Its columns are ``image_id`` (the file's name, with or without its extension) and
    ``label``. Raises UserError if a column, a file or an emotion is not there, or an image
    is named twice.
    """
    rows = _quoted_rows(labels, '"')
    head = [cell.strip().lower() for cell in rows[0][1]]
    if head.count("image_id") != 1 or head.count("label") != 1:
        raise UserError(
            f"{labels}: expected the columns image_id,label; found {', '.join(rows[0][1])}."
        )
    files, labelled = _by_name(_images(folder)), {}
    for line, cells in rows[1:]:
        where = f"{labels}, line {line}"
        if len(cells) != len(head):
            raise UserError(f"{where}: expected {len(head)} cells, found {len(cells)}.")
        row = dict(zip(head, cells, strict=True))
        file, label = _find(files, row["image_id"], where), emotion(row["label"])
        if not label:
            raise UserError(
                f"{where}: unknown emotion {row['label']!r}; expected one of "
                f"{', '.join(SPELLINGS)}."
            )
        if file in labelled:
            raise UserError(
                f"{where}: {row['image_id']!r} is named a second time; remove one of the rows."
            )
        labelled[file] = label
    others = len(set(files.values())) - len(labelled)
    return labelled, f"{others} images without a label left out" if others else ""


def _files(folder, extensions):
    """Return the files under ``folder`` with one of the extensions, without hidden ones."""
    found = (
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in extensions
        and file.is_file()
        and not any(p.startswith((".", "__MACOSX")) for p in file.relative_to(folder).parts)
    )
    return sorted(found, key=lambda file: natural_key(file.relative_to(folder).as_posix()))


def _images(folder):
    return _files(folder, EXTENSIONS)


def _by_name(files):
    """Return {name and stem in lower case: file}; UserError if two files have one name."""
    names = {}
    for file in files:
        for name in {readable(file.name).lower(), readable(file.stem).lower()}:
            if name in names:
                raise UserError(
                    f"{names[name]} and {file} have the same name; rename or remove one of them."
                )
            names[name] = file
    return names


def _find(files, image, where):
    name = readable(image.strip().strip("'\"").strip())
    if name.lower() not in files:
        raise UserError(f"{where}: there is no image {name!r} in the folder.")
    return files[name.lower()]


def _quoted_rows(path, quote):
    """Return [(line number, cells)] of the rows that are not empty, the head first."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, quotechar=quote, skipinitialspace=True, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a csv in UTF-8 ({error}).") from error
    if len(rows) < 2:
        raise UserError(f"{path}: holds no rows.")
    return rows
