"""A folder of your own images: one sub-folder per class, or labels from a csv, for all or some."""

import logging
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..belonging import asked_by_names, groups_by_names, line_of
from ..errors import UserError
from ..excerpt import excerpt
from ..seeds import derive_seed
from ..suggestions import did_you_mean
from ..users_labels import NO_LABEL, read_users_labels
from .listing import EXTENSIONS, in_order, list_files
from .named import named_by
from .picture import Note, Picture, digest_of_times, file_stems, natural_key, readable, stratified

log = logging.getLogger(__name__)

# What the parts of a dataset are called that others have divided.
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval"}
SPLITS |= {"holdout", "trainval"}


class _Found(NamedTuple):
    """What a folder holds."""

    classes: dict  # of str to list of Path; last "", the images without label, if there are any
    columns: dict  # of Path to dict: what is known of an image besides its label
    notes: list  # of Note


def _how(name, spec):
    """Return the keys of ``spec`` that say which images have which labels, for `check_folder`."""
    if spec["labels"] and spec["unlabelled"]:
        raise UserError(
            f"datasets: {name}: `labels` (images without a line there have no label) and "
            "`unlabelled` (a sub-folder) exclude each other; take one of the two out."
        )
    return {key: spec[key] for key in ("path", "labels", "unlabelled", "split", "no_label")}


def look(name, spec):
    """Return what can be told of the folder beforehand, as `datasets.look` does.

    And, by ``grouped``, whether images are in groups.

    Errors are those of `check_folder`; and of `named_by`, where ``group`` or ``nuisance`` tells
    nothing of the images.
    """
    classes, columns, _ = _scan(**_how(name, spec))
    sizes = map(len, classes.values())
    path = Path(spec["path"]).expanduser()
    files = [file for files in classes.values() for file in files]
    told = {}
    if spec["group"] or spec["nuisance"] or columns:
        paths = [_inside(path, file) for file in files]
        told = _told(name, spec, paths, [columns.get(file, {}) for file in files])
    digest = digest_of_times(path, files)
    if spec["labels"]:
        table = Path(spec["labels"]).expanduser()
        digest += digest_of_times(table.parent, [table])
    return {
        "images": sum(min(spec["per_class"] or size, size) for size in sizes),
        "labelled": "all" if "" not in classes else "some" if len(classes) > 1 else "none",
        "fingerprint": digest,
        "grouped": "group" in told,
    }


def sources(name, spec):
    """Return what must be fetched: nothing."""
    return []


def pictures(name, spec, sources, seed, scratch):
    """Return the pictures of the folder and the notes.

    Keys of ``spec``: those of `check_folder`; ``per_class``, at most so many images per class, and
    as many without label, chosen at random by ``seed``, null for all; ``group`` and ``nuisance``,
    see ``named.named_by``: without the former, a column ``group`` of the csv counts.
    """
    path, limit = Path(spec["path"]).expanduser(), spec["per_class"]
    classes, columns, notes = _scan(**_how(name, spec))
    for note in notes:
        if not note.image:
            log.warning("%s: %s", path, note.note)
    _say_which(path, [note.image for note in notes if note.image])
    chosen = []
    for label, files in classes.items():
        if len(files) == 1 and label:
            log.warning("%s: the class %r has one image: no pair within it.", path, label)
        if limit is not None and limit < len(files):
            rng = np.random.default_rng(derive_seed(seed, name, label))
            files = [files[i] for i in stratified([label] * len(files), limit, rng)]
        chosen += [(label, file) for file in files]
    if spec["labels"]:
        # Names and order are those of the files: another label changes neither.
        chosen.sort(key=lambda item: in_order(item[1]))
        plain = ["__".join(_inside(path, file.with_suffix("")).split("/")) for _, file in chosen]
    else:
        # All files of a class under its name, those of its sub-folders too.
        plain = [
            f"{label}__{readable(file.stem)}" if label else readable(file.stem)
            for label, file in chosen
        ]
    paths = [_inside(path, file) for _, file in chosen]
    of_images = [columns.get(file, {}) for _, file in chosen]
    told = _told(name, spec, paths, of_images)
    made = [
        Picture(stem, label, image, file, split=of_image.get("split", ""))._replace(
            **{key: values[place] for key, values in told.items()}
        )
        for place, (stem, image, of_image, (label, file)) in enumerate(
            zip(file_stems(plain), paths, of_images, chosen, strict=True)
        )
    ]
    found = sum(map(len, classes.values()))
    said = []
    if "" in classes:
        without = f"{sum(label == '' for label, _ in chosen)} images without label"
        said.append(without if len(classes) > 1 else "unlabelled")
    if len(made) < found:
        said.append(f"{len(made)} of {found} images chosen at random")
    said += [_say_told(key, values) for key, values in told.items()]
    splits = Counter(picture.split for picture in made if picture.split)
    if splits:
        said.append(f"of the splits {', '.join(f'{part} {n}' for part, n in splits.items())}")
    asked = _about_groups(name, told.get("group"), [label for label, _ in chosen], paths)
    notes = [*(Note("", "", "", question) for question in asked), *notes]
    if said:
        notes.insert(0, Note("", "", len(made), ", ".join(said)))
    return made, notes


def _told(name, spec, paths, of_images):
    """Return the group and the nuisance of each image, as far as they are told, by key."""
    columns = {}
    for path, of_image in zip(paths, of_images, strict=True):
        for key, value in of_image.items():
            columns.setdefault(key, {})[path] = value
    said = {"group": spec["group"], "nuisance": spec["nuisance"]}
    if said["group"] is None and any(columns.get("group", {}).values()):
        said["group"] = "group"
    return {
        key: named_by(f"datasets.{name}.{key}", value, paths, columns)
        for key, value in said.items()
        if value is not None
    }


def _about_groups(name, groups, labels, paths):
    """Warn of a class of one group; where no groups are told, ask, and return the questions."""
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
        return []
    classes = np.unique(labels, return_inverse=True)[1]
    pattern = asked_by_names(groups_by_names(paths), classes)
    if not pattern:
        return []
    question = (
        "do images belong together whose names share a part (one film, one person, one slide)? "
        f"Then add the line `{line_of(pattern)}` to the dataset in the config"
    )
    log.warning("datasets: %s: %s.", name, question)
    return [question]


def _say_told(key, values):
    """Say how many groups or values of a nuisance there are, and of how many images not."""
    without = values.count("")
    count = len(set(values)) - (without > 0)
    said = f"{count} groups" if key == "group" else f"{count} values of the nuisance"
    return said + (f" ({without} images have none)" if without else "")


def check_folder(path, labels=None, unlabelled=None, *, split=None, no_label=NO_LABEL):
    """Return the image files of each class in ``path``, in stable order.

    Parameters
    ----------
    path : folder with one sub-folder per class (images in sub-folders of that belong to the
        class too), or with images and no sub-folders that hold any: then they are unlabelled
    labels : path of a csv with the columns ``image,label``, optional
        Images are named by their paths within the folder. Then sub-folders are no classes;
        images that are not named, or with an empty label, have no label. See
        ``users_labels.read_users_labels``.
    unlabelled : str, optional
        The sub-folder whose images have no label, or ``.`` for the images that lie beside
        the class folders.
    split : str, optional
        ``folder``: the sub-folders are parts of the dataset, such as train and test, and in each
        lie the folders of the classes, which are put together. ``none``: they are the classes,
        even where all of them hold the same sub-folders.
    no_label : sequence of str
        What in ``labels`` stands for no label.

    Returns
    -------
    dict of str to list of Path
        Classes and files in natural order; last "", the images without label, if there are any.

    Raises
    ------
    UserError
        If there is no such folder, no image, a single class, or images beside class folders
        that were not said to be unlabelled; if all sub-folders hold the same sub-folders, and
        ``split`` does not say which are the classes; if the csv names an image that does not
        exist, or gives one image two labels.
    """
    return _scan(path, labels, unlabelled, split, no_label).classes


def _scan(path, labels=None, unlabelled=None, split=None, no_label=NO_LABEL):
    """Return the _Found of a folder; parameters are those of `check_folder`."""
    path = Path(path).expanduser()
    if not path.is_dir():
        what = "is a file." if path.exists() else f"does not exist{_beside(path)}"
        raise UserError(
            f"{path}: {what} Expected a folder of images, with one sub-folder for each class."
        )
    try:
        listing = list_files(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from error
    notes = _notes(path, listing, labels)
    if not listing.images:
        raise UserError(
            f"{path}: holds no images. Expected "
            f"{'' if labels else 'one sub-folder for each class, with '}files that end in one of "
            f"{', '.join(EXTENSIONS)}."
            + "".join(f" {note.note}." for note in notes if not note.image)
        )
    read = _by_csv if labels else _by_folder
    given = (labels, no_label) if labels else (unlabelled, split)
    found = read(path, listing, *given)
    return found._replace(notes=[*found.notes, *notes])


def _beside(path):
    """Return the end of a sentence on ``path``, which is not there: a folder of nearly its name."""
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    return did_you_mean(
        readable(path.name), [readable(one.name) for one in there if one.is_dir()], "."
    )


def _notes(path, listing, labels):
    """Return the notes on what of a folder is not taken: one for all such, and one for each."""
    notes, own = [], Path(labels).expanduser().resolve() if labels else None
    left_out = [(readable(file.relative_to(path)), why) for file, why in listing.left_out]
    if left_out:
        counts = _counted(why for _, why in left_out)
        notes.append(Note("", "", "", f"{len(left_out)} left out: {counts}"))
        notes += [Note("", "", "", f"left out: {why}", image) for image, why in left_out]
    others = [f for f in listing.others if not own or f.name != own.name or f.resolve() != own]
    if others:
        counts = _counted(file.suffix.lower() or "without ending" for file in others)
        many = f"{len(others)} files that are no images"
        what = many if len(others) > 1 else "1 file that is no image"
        notes.append(Note("", "", "", f"ignored {what}: {counts}"))
    return notes


def _say_which(path, left_out):
    if left_out:
        log.warning("%s: left out are\n  %s", path, "\n  ".join(excerpt(left_out)))


def _counted(words, most=6):
    """Return how often there is which word, the most frequent first."""
    counts = sorted(Counter(words).items(), key=lambda one: (-one[1], one[0]))
    more = sum(count for _, count in counts[most:])
    said = [f"{count} {word}" for word, count in counts[:most]]
    return ", ".join(said + [f"{more} others"] * bool(more))


def _by_folder(path, listing, unlabelled, split):
    """Return the _Found where sub-folders are classes, or hold those of the classes."""
    loose, tops, inside = [], {}, {}
    for folder in listing.folders:
        tops.setdefault(readable(folder.name), [])
    for file in listing.images:
        inside[file] = [readable(part) for part in file.relative_to(path).parts]
        if len(inside[file]) == 1:
            loose.append(file)
        else:
            tops[inside[file][0]].append(file)
    notes = []
    closed = {readable(file.name) for file, _ in listing.left_out}
    empty = [top for top, files in tops.items() if not files and top not in closed]
    if empty:
        said = f"folders that hold no images, and are no classes: {_first(empty, 5)}"
        notes.append(Note("", "", "", said))
    classes = {top: files for top, files in tops.items() if files}
    one_name = Counter(readable(folder.name) for folder in listing.folders)
    for top in (top for top in classes if one_name[top] > 1):
        said = f"{one_name[top]} folders of one name, written in other Unicode forms: {top!r}"
        notes.append(Note("", "", "", said))
    if unlabelled:
        loose = _unlabelled(path, classes, loose, unlabelled)
    elif loose and classes:
        raise UserError(
            f"{path}: {len(loose)} images lie beside the class folders "
            f"({_first(readable(file.name) for file in loose)}), so they have no label. Move each "
            f"into the folder of its class ({_first(classes)}) or out of {path}; or "
            "say `unlabelled: .` in the config, if they are to be labelled from the others."
        )
    columns = {}
    if split == "folder":
        columns = {file: {"split": parts[0]} for file, parts in inside.items() if parts[1:]}
        classes, lacking = _merged(path, classes, inside)
        notes += lacking
    elif split is None:
        _ask_for_split(path, classes, inside, unlabelled)
    if len(classes) == 1:
        (only,) = classes
        raise UserError(
            f"{path}: all images lie in the one sub-folder {only!r}; goodness compares at least "
            f"two classes. Add a sub-folder for each class, or, if they are unlabelled, give "
            f"{path / only} as the path."
        )
    return _Found({**classes, **({"": loose} if loose else {})}, columns, notes)


def _ask_for_split(path, tops, inside, unlabelled):
    """Raise where the sub-folders look like parts of a dataset, and not like its classes."""
    held = {top: {inside[f][1] if inside[f][2:] else "" for f in tops[top]} for top in tops}
    classes = set().union(*held.values()) - {""}
    same = len(held) > 1 and all(found == classes for found in held.values())
    named = (len(held) > 1 or unlabelled) and all(top.lower() in SPLITS for top in held)
    if len(classes) < 2 or not (same or named):
        return
    names, these = ", ".join(list(tops)[:6]), ", ".join(sorted(classes, key=natural_key)[:6])
    flat = [top for top, found in held.items() if found == {""}]
    raise UserError(
        f"{path}: its folders ({names}) hold {'the same ' if same else ''}sub-folders ({these}), "
        "as if they were parts of one dataset, and the sub-folders its classes. If so, say "
        "`split: folder` under the dataset in the config, or `depthgauge run ... --split folder`: "
        "the classes are put together, and the manifest keeps the part that an image is of"
        + (f" (and `unlabelled: {flat[0]}`, whose images lie in no class)" if flat else "")
        + f". If {names} are the classes, say none in place of folder."
    )


def _merged(path, tops, inside):
    """Return (classes put together from the parts ``tops`` of a dataset, notes)."""
    classes, found, notes = {}, {}, []
    for top, files in tops.items():
        direct = [file for file in files if not inside[file][2:]]
        if direct:
            raise UserError(
                f"{path / top}: `split: folder` expects a folder for each class here, and "
                f"{len(direct)} images lie beside them (the first: {readable(direct[0].name)}). "
                "Move them into the folder of their class; or, if none of these has a label, say "
                f"`unlabelled: {top}`."
            )
        found[top] = {inside[file][1] for file in files}
        for file in files:
            classes.setdefault(inside[file][1], []).append(file)
    for top, its in found.items():
        if lacking := sorted(classes.keys() - its, key=natural_key):
            said = f"the split {top} has no images of {_first(lacking)}"
            notes.append(Note("", "", "", said))
    return {label: classes[label] for label in sorted(classes, key=natural_key)}, notes


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
            f"those without label (there are {_first(classes)}), or `.` where they "
            "lie beside the class folders."
        )
    if not classes:
        raise UserError(
            f"{path}: no class folder beside {name!r}. Add one with some images for each of at "
            "least two classes, or take `unlabelled` out of the config: a flat folder has no "
            "labels."
        )
    return found


def _first(names, most=10):
    names = list(names)
    return ", ".join(names[:most]) + ", ..." * (len(names) > most) or "none"


def _by_csv(path, listing, table, no_label):
    """Return the _Found where the csv ``table`` gives labels."""
    table = Path(table).expanduser()
    remedy = "`no_label: []` in the config takes it for the name of a class"
    rows, said = read_users_labels(table, no_label, remedy=remedy)
    files = {}
    for file in listing.images:
        files.setdefault(_inside(path, file), []).append(file)
    row_of = {}
    for row in rows:
        image = row["image"].removeprefix("./")
        if image not in files:
            image = image.replace("\\", "/").removeprefix("./")  # as Windows writes paths
        before = row_of.setdefault(image, row)
        if before["label"] != row["label"]:
            raise UserError(
                f"{table}: line {row['line_number']} gives {image!r} the label {row['label']!r}, "
                f"an earlier one {before['label']!r}. Leave one of the two."
            )
    left_out = {_inside(path, file) for file, _ in listing.left_out}
    unknown = [image for image in row_of if image not in files and image not in left_out]
    if unknown:
        raise UserError(
            f"{table}: {len(unknown)} of its {len(row_of)} images do not exist in {path}: "
            f"{_first(unknown, 5)}. Name each by its "
            "path within that folder"
            + did_you_mean(unknown[0], files, f", such as {next(iter(files))!r}.")
        )
    names = sorted({row["label"] for row in row_of.values()} - {""}, key=natural_key)
    if len(names) < 2:
        raise UserError(
            f"{table}: {f'the only label is {names[0]!r}' if names else 'gives no label'}; label "
            "some images of each of at least two classes, or take `labels` out of the config."
            + "".join(f" {sentence}." for sentence in said)
        )
    classes, columns = {name: [] for name in [*names, ""]}, {}
    for image, same in files.items():
        row = row_of.get(image, {"label": ""})
        for file in same:  # several where names differ in their Unicode form alone
            classes[row["label"]].append(file)
            known = ("line_number", "image", "label")
            columns[file] = {key: row[key] for key in row if key not in known}
    found = {name: files for name, files in classes.items() if files}
    return _Found(found, columns, [Note("", "", "", sentence) for sentence in said])


def _inside(path, file):
    return readable(file.relative_to(path).as_posix())
