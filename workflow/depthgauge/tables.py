"""The tables that stages hand on to one another: CSV in which a name stays the name that it is.

A dataset may be called ``01``, a layer ``1e3``, a class ``NA``, ``null`` or ``nan``. So it is the
column that says what is text, and not what stands in it.
"""

import os

import pandas as pd

from .errors import UserError
from .files import atomic, check_whole

_CELL = ("extractor", "layer", "pooling", "metric")
# The columns that hold text, of every table that a stage writes.
TEXT = {"dataset", *_CELL, *(f"{name}_{end}" for name in _CELL for end in "ab")}
TEXT |= {
    "image",
    "label",
    "group",
    "collection",
    "split",
    "class",
    "other",
    "cluster",
    "origin",
    "source",
}
TEXT |= {"sha256", "source_sha256", "neighbour", "neighbours_label", "nearest", "nearest_label"}
TEXT |= {"permuted", "measure", "method", "other_layer", "other_method", "reading", "series"}
TEXT |= {"scope", "not_distinguishable", "by_auc", "by_goodness", "by_goodness_pca50"}
TEXT |= {"family", "answer", "certainty", "quality", "most_accurate", "next", "control"}
TEXT |= {"beats_control", "headline", "detail"}
TEXT |= {"recipe", "sentence", "verdict", "part", "expected", "found", "note", "link", "name"}
TEXT |= {"id", "claim", "outcome", "certain", "numbers", "intervals", "reason"}
TEXT |= {"nuisance", "likely", "groups_suspected", "groups_line"}
TEXT |= {"other_label", "other_split", "other_source"}
TEXT |= {"op", "inputs", "shape", "box", "kind", "nodes"}
# Columns that are text in one table, which has the other column, and a value elsewhere.
_TEXT_BESIDE = {"scope": "spread_warning", "part": "value", "source_sha256": "split"}


def read_table(path):
    """Return the table at ``path`` (CSV) as a data frame.

    Columns of text (``TEXT``) are strings as they stand, ``""`` where a cell is empty. All others
    are numbers, to the last bit, or booleans; of those an empty cell, and no other, is missing.

    Raises
    ------
    UserError
        If there is no such file, or if it is no CSV in UTF-8.
    """
    columns = set(_read(path, nrows=0).columns)
    text = TEXT | {_TEXT_BESIDE[name] for name in columns & _TEXT_BESIDE.keys()}
    return _read(
        path,
        dtype=dict.fromkeys(text, str),
        na_values=dict.fromkeys(columns - text, ""),
        float_precision="round_trip",
    )


def read_text_table(path):
    """Return the table at ``path`` as it stands, every cell a string, to be handed on.

    Raises
    ------
    UserError
        As ``read_table``.
    """
    return _read(path, dtype=str)


def gathered(rows):
    """Return the CSV files ``rows`` under one header, in the order given.

    Cells stay text, so that no figure is rounded on its way. A column that some of the
    files lack is left empty there.
    """
    return pd.concat(map(read_text_table, rows), ignore_index=True).fillna("")


def read_users_table(path, what="table"):
    """Return a table that a user may have written, every cell a string.

    Parameters
    ----------
    path : path
    what : str
        What to call it where there is none.

    Raises
    ------
    UserError
        As ``read_table``; it does not advise to remove the file.
    """
    return _read(path, missing=f"there is no such {what}.", damaged="", dtype=str)


def read_benchmark(path):
    """Return what Snakemake measured of a job; ``-`` and ``NA``, as it writes, are missing.

    Raises
    ------
    UserError
        As ``read_table``.
    """
    return _read(path, sep="\t", na_values=["-", "NA", ""])


def write_table(table, path):
    """Write a data frame to ``path``, CSV in UTF-8; what is missing becomes an empty cell."""
    with atomic(path) as beside:
        table.to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")


def _read(path, missing=None, damaged=" Remove it and run again.", **options):
    check_whole(path)
    if damaged:
        _refuse_cut(path)
    try:
        return pd.read_csv(path, keep_default_na=False, encoding="utf-8", **options)
    except FileNotFoundError as error:
        missing = missing or f"there is no such table. Ask for it: snakemake --cores all {path}"
        raise UserError(f"{path}: {missing}") from error
    except (OSError, ValueError) as error:  # as which pandas and decoding say it
        raise UserError(
            f"{path}: not a CSV file in UTF-8 ({str(error).strip()}).{damaged}"
        ) from error


def _refuse_cut(path):
    """Raise UserError where a table does not end as all end that are written here."""
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            whole = file.read() == b"\n"
    except FileNotFoundError:
        return
    except OSError:  # it is empty, which is said elsewhere
        return
    if not whole:
        raise UserError(f"{path}: cut short; its last line has no end. Remove it and run again.")
