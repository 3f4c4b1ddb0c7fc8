"""A folder of your own images: one sub-folder per class, or labels from a csv, for all or some."""

import csv
import logging
import os
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ..belonging import asked_by_names, groups_by_names, line_of
from ..errors import UserError
from ..seeds import derive_seed
from .named import named_by
from .picture import Note, Picture, digest_of_times, file_stems, natural_key, readable, stratified

log = logging.getLogger(__name__)

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)


def _where(name, spec):
    """Return the path, the labels and the unlabelled of ``spec``, for `check_folder`."""
    if spec["labels"] and spec["unlabelled"]:
        raise UserError(
            f"datasets: {name}: `labels` (images without a line there have no label) and "
            "`unlabelled` (a sub-folder) exclude each other; take one of the two out."
        )
    return Path(spec["path"]).expanduser(), spec["labels"], spec["unlabelled"]


def count(name, spec):
    """Return the number of images."""
    sizes = map(len, check_folder(*_where(name, spec)).values())
    return sum(min(spec["per_class"] or size, size) for size in sizes)


def sources(name, spec):
    """Return what must be fetched: nothing."""
    return []


def pictures(name, spec, sources, seed, scratch):
    """Return the pictures of the folder and the notes.

    Keys of ``spec``: ``path``, ``labels`` and ``unlabelled`` as for `check_folder`;
    ``per_class``, at most so many images per class, and as many without label, chosen at random
    by ``seed``, null for all; ``group`` and ``nuisance``, see ``named.named_by``: without the
    former, a column ``group`` of the csv counts.
    """
    path, labels, unlabelled = _where(name, spec)
    limit = spec["per_class"]
    classes, empty, ignored = _scan(path, labels, unlabelled)
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
    if labels:
        # Names and order are those of the files: another label changes neither.
        chosen.sort(key=lambda item: _order(item[1]))
        plain = ["__".join(_inside(path, file.with_suffix("")).split("/")) for _, file in chosen]
    else:
        # All files of a class under its name, those of its sub-folders too.
        plain = [
            f"{label}__{readable(file.stem)}" if label else readable(file.stem)
            for label, file in chosen
        ]
    paths = [_inside(path, file) for _, file in chosen]
    told = _told(name, spec, paths, labels)
    made = [
        Picture(stem, label, readable(file.relative_to(path)), file)._replace(
            **{key: values[place] for key, values in told.items()}
        )
        for place, (stem, (label, file)) in enumerate(zip(file_stems(plain), chosen, strict=True))
    ]
    found = sum(map(len, classes.values()))
    note = f"{len(classes) - ('' in classes)} classes" if classes.keys() - {""} else "unlabelled"
    if "" in classes and len(classes) > 1:
        note += f", {sum(label == '' for label, _ in chosen)} images without label"
    if len(made) < found:
        note += f", {len(made)} of {found} images chosen at random"
    for key, values in told.items():
        note += f", {_counted(key, values)}"
    note += _about_groups(name, told.get("group"), [label for label, _ in chosen], paths)
    return made, [Note("", "", len(made), note)]


def _told(name, spec, paths, labels):
    """Return the group and the nuisance of each image, as far as they are told, by key."""
    rows = _rows(Path(labels).expanduser())[1] if labels else []
    columns = {key: {} for key in (rows[0] if rows else ()) if key not in ("image", "label", None)}
    for row in rows:
        for key, values in columns.items():
            values[_image(row)] = readable((row[key] or "").strip())
    said = {"group": spec["group"], "nuisance": spec["nuisance"]}
    if said["group"] is None and any(columns.get("group", {}).values()):
        said["group"] = "group"
    return {
        key: named_by(f"datasets: {name}: {key}", value, paths, columns)
        for key, value in said.items()
        if value is not None
    }


def _about_groups(name, groups, labels, paths):
    """Warn of a class of one group; where no groups are told, ask, and return the question."""
    if groups is not None:
        of_class = {}  # an image without a group is one by itself
        for place, label in enumerate(labels):
            of_class.setdefault(label, set()).add(groups[place] or place)
        alone = [label for label, found in of_class.items() if label and len(found) == 1]
        if alone:
            log.warning(
                "datasets: %s: group: all images of %s are of one group each, so none has a "
                "neighbour of its class in another group, and all count as wrong.",
                name,
                ", ".join(alone),
            )
        return ""
    classes = np.unique(labels, return_inverse=True)[1]
    pattern = asked_by_names(groups_by_names(paths), classes)
    if not pattern:
        return ""
    question = (
        "do images belong together whose names share a part (one film, one person, one slide)? "
        f"Then add the line `{line_of(pattern)}` to the dataset in the config"
    )
    log.warning("datasets: %s: %s.", name, question)
    return f"; {question}"


def _counted(key, values):
    """Say how many groups or values of a nuisance there are, and of how many images not."""
    without = values.count("")
    count = len(set(values)) - (without > 0)
    said = f"{count} groups" if key == "group" else f"{count} values of the nuisance"
    return said + (f" ({without} images have none)" if without else "")


def check_folder(path, labels=None, unlabelled=None):
    """Return the image files of each class in ``path``, in stable order.

    Parameters
    ----------
    path : folder with one sub-folder per class (images in sub-folders of that belong to the
        class too), or with images and no sub-folders that hold any: then they are unlabelled
    labels : path of a csv with the columns ``image,label``, optional
        Images are named by their paths within the folder. Then sub-folders are no classes;
        images that are not named, or with an empty label, have no label.
    unlabelled : str, optional
        The sub-folder whose images have no label, or ``.`` for the images that lie beside
        the class folders.

    Returns
    -------
    dict of str to list of Path
        Classes and files in natural order; last "", the images without label, if there are any.

    Raises
    ------
    UserError
        If there is no such folder, no image, a single class, or images beside class folders
        that were not said to be unlabelled; if the csv names an image that does not exist, or
        gives one image two labels.
    """
    return _scan(Path(path).expanduser(), labels, unlabelled)[0]


def _scan(path, labels=None, unlabelled=None):
    """Return (what `check_folder` returns, folders without images, files that are none)."""
    if not path.is_dir():
        what = "is a file." if path.exists() else f"does not exist{_beside(path)}"
        raise UserError(
            f"{path}: {what} Expected a folder of images, with one sub-folder for each class."
        )
    if labels:
        files, ignored = _walk(path)
        if not files:
            raise UserError(
                f"{path}: holds no images. Expected files that end in one of "
                f"{', '.join(EXTENSIONS)}."
            )
        return _by_csv(path, files, Path(labels).expanduser()), [], ignored
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
    if unlabelled:
        loose = _unlabelled(path, classes, loose, unlabelled)
    elif loose and classes:
        raise UserError(
            f"{path}: {len(loose)} images lie beside the class folders "
            f"({', '.join(readable(f.name) for f in loose[:10])}"
            f"{', ...' if len(loose) > 10 else ''}), so they have no label. Move each "
            f"into the folder of its class ({', '.join(list(classes)[:10])}) or out of {path}; or "
            "say `unlabelled: .` in the config, if they are to be labelled from the others."
        )
    if len(classes) == 1:
        (only,) = classes
        raise UserError(
            f"{path}: all images lie in the one sub-folder {only!r}; goodness compares at least "
            f"two classes. Add a sub-folder for each class, or, if they are unlabelled, give "
            f"{path / only} as the path."
        )
    return {**classes, **({"": loose} if loose else {})}, empty, ignored


def _beside(path):
    """Return the end of a sentence on ``path``, which is not there: a folder of nearly its name."""
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    close = get_close_matches(path.name, [one.name for one in there if one.is_dir()], 1)
    return f"; did you mean {readable(path.with_name(close[0]))!r}?" if close else "."


def _unlabelled(path, classes, loose, name):
    """Return the images that the key ``unlabelled`` names, taken out of ``classes``."""
    if name == ".":
        found = loose
    elif loose:
        raise UserError(
            f"{path}: {len(loose)} images lie beside the folders (the first: "
            f"{readable(loose[0].name)}). Move them into {name!r}, which `unlabelled` names, or "
            "into the folder of their class."
        )
    else:
        found = classes.pop(readable(name.strip("/")), None)
    if not found:
        raise UserError(
            f"{path}: `unlabelled: {name}` names no images. Give the sub-folder that holds "
            f"those without label (there are {', '.join(classes) or 'none'}), or `.` where they "
            "lie beside the class folders."
        )
    if not classes:
        raise UserError(
            f"{path}: no class folder beside {name!r}. Add one with some images for each of at "
            "least two classes, or take `unlabelled` out of the config: a flat folder has no "
            "labels."
        )
    return found


def _by_csv(path, files, table):
    """Return the ``files`` of each class by the csv ``table``, "" for those without label."""
    files = {_inside(path, file): file for file in files}
    label_of = _read_labels(table)
    unknown = [image for image in label_of if image not in files]
    if unknown:
        close = get_close_matches(unknown[0], files, 1)
        raise UserError(
            f"{table}: {len(unknown)} of its {len(label_of)} images do not exist in {path}: "
            f"{', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}. Name each by its "
            "path within that folder"
            + (f"; did you mean {close[0]!r}?" if close else f", such as {next(iter(files))!r}.")
        )
    names = sorted(set(label_of.values()) - {""}, key=natural_key)
    if len(names) < 2:
        raise UserError(
            f"{table}: {f'the only label is {names[0]!r}' if names else 'gives no label'}; label "
            "some images of each of at least two classes, or take `labels` out of the config."
        )
    classes = {name: [] for name in [*names, ""]}
    for image, file in files.items():
        classes[label_of.get(image, "")].append(file)
    return {name: found for name, found in classes.items() if found}


def _rows(table):
    """Return the names of the columns of the csv ``table``, and its lines by these names."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            return list(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{table}: cannot be read as a csv in UTF-8 ({error}); `labels` names a file with the "
            "columns image,label."
        ) from error


def _read_labels(table):
    """Return the label of each image of the csv ``table``."""
    columns, lines = _rows(table)
    if not {"image", "label"} <= set(columns):
        raise UserError(
            f"{table}: expected the columns image,label, found {','.join(columns) or 'nothing'}."
        )
    label_of = {}
    for number_, line in enumerate(lines, start=2):
        image, label = _image(line), readable((line["label"] or "").strip())
        if label_of.setdefault(image, label) != label:
            raise UserError(
                f"{table}: line {number_} gives {image!r} the label {label!r}, an earlier one "
                f"{label_of[image]!r}. Leave one of the two."
            )
    return label_of


def _image(line):
    return readable((line["image"] or "").strip()).removeprefix("./")


def _inside(path, file):
    return readable(file.relative_to(path).as_posix())


def folder_fingerprint(path, labels=None, unlabelled=None):
    """Return a short digest of the names, sizes and times of the images in ``path``.

    It changes when an image is added, removed, renamed or rewritten, or the csv of ``labels``
    is, and costs one ``stat`` a file. Parameters and errors are those of `check_folder`.
    """
    path = Path(path).expanduser()
    classes = check_folder(path, labels, unlabelled)
    digest = digest_of_times(path, [f for files in classes.values() for f in files])
    if labels:
        table = Path(labels).expanduser()
        digest += digest_of_times(table.parent, [table])
    return digest


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
