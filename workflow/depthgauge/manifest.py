"""The manifest: which images a dataset has, in which order, with which labels."""

import logging
from contextlib import suppress

import numpy as np
import pandas as pd

from .errors import UserError
from .tables import read_users_table
from .users_labels import NO_LABEL, read_users_labels

log = logging.getLogger(__name__)

# In simulation 95 % intervals by two groups cover the truth in 75 %, by ten in 92.5 %, by twenty in
# 94 %: docs/statistics.md, tests/validation/few_groups.py.
LEAST_GROUPS = 10


def read_manifest(path):
    """Return the manifest at ``path`` as a data frame of strings, one row per image.

    Columns ``image`` (file name, unique) and ``label`` (empty where unlabelled),
    then whatever else the file has. Its order is the order of every feature row
    and of every distance.

    Raises
    ------
    UserError
        If the file is missing, lacks a column, or names an image twice or none.
    """
    manifest = read_users_table(path, "manifest")
    missing = {"image", "label"} - set(manifest.columns)
    if missing:
        raise UserError(
            f"{path}: lacks the column {', '.join(sorted(missing))}; a manifest has the "
            f"columns image,label, this one has {','.join(manifest.columns)}."
        )
    _check_images(path, manifest)
    return manifest


def groups_of(table):
    """Return the group of each row of a manifest: images of one group depend on one another.

    They show one photograph, one person, one film. An image without a group stands alone. None
    where the manifest has no groups.
    """
    if "group" not in table:
        return None
    return table.group.where(table.group != "", table.image).to_numpy(str)


def few_groups(count):
    """Return in words why there is no interval by ``count`` groups; ``""`` where there is one.

    Parameters
    ----------
    count : float or None
        None or NaN where images come in no groups.
    """
    if count is None or not count < LEAST_GROUPS:
        return ""
    return (
        f"the images come in {count:.0f} groups, and by fewer than {LEAST_GROUPS} no interval can "
        "be trusted"
    )


def read_labels(path, no_label=NO_LABEL):
    """Return the labels at ``path`` as a manifest: image, label, maybe group and the like.

    Parameters
    ----------
    path : path
        A manifest that the workflow wrote, in which every label is the name of a class, ``NA``
        too; or a table of the user's, see ``users_labels.read_users_labels``: ``image,label``, or
        a bare column of labels.
    no_label : sequence of str
        What stands for no label in a table of the user's.

    Raises
    ------
    UserError
        As ``read_manifest`` and ``read_users_labels``.
    """
    if _is_of_a_run(path):
        return read_manifest(path)
    remedy = "with `--no-label ''` it is a class"
    rows, said = read_users_labels(path, no_label, named=False, remedy=remedy)
    for sentence in said:
        log.info("%s", sentence)
    table = pd.DataFrame(rows)
    _check_images(path, table)
    return table.drop(columns="line_number")


def _check_images(path, table):
    if table.empty:
        raise UserError(f"{path}: names no images.")
    twice = table.image[table.image.duplicated()]
    if len(twice):
        raise UserError(f"{path}: names {twice.iloc[0]!r} twice; image names must be unique.")


def _is_of_a_run(path):
    with suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
        return {"image", "label", "source_sha256"} <= set(file.readline().strip().split(","))
    return False


def class_codes(labels, source="labels"):
    """Return (codes, classes): one int64 code per image, and the sorted class names.

    Raises
    ------
    UserError
        If some labels but not all are empty, or if there are fewer than two classes.
        ``source`` names the file in the message.
    """
    labels = np.asarray(labels, dtype=str)
    empty = np.flatnonzero(labels == "")
    if len(empty) == len(labels):
        raise UserError(f"{source}: no image has a label; goodness compares labelled images.")
    if len(empty):
        raise UserError(
            f"{source}: {len(empty)} of {len(labels)} images have no label (the first is row "
            f"{empty[0] + 1}). Label them, or leave them out."
        )
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserError(
            f"{source}: all images have the one label {classes[0]!r}; goodness compares "
            "images of different labels, so at least two classes are needed."
        )
    return codes.astype(np.int64), classes
