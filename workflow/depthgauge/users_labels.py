"""Labels as people have them: a csv by hand, from a spreadsheet, from R or pandas.

It is read without pandas, for the plan of a run reads it.
"""

import csv
import io
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from .errors import UserError

# What R, pandas, Python, databases and spreadsheets write where there is nothing.
NO_LABEL = ("NA", "N/A", "#N/A", "<NA>", "nan", "NaN", "None", "null", "NULL")
# The headings, in any case, by which a column is known; its own name counts before the others.
HEADINGS = {"image": ("image", "filename", "file"), "label": ("label", "class")}
# Columns that are known besides, where they are there; of all others the heading is the name.
HEADINGS |= {name: (name,) for name in ("group", "collection", "split")}


class UsersLabels(NamedTuple):
    """A table of labels: its rows, and sentences on how it was read, for a log and for notes."""

    rows: list  # of dict: `line_number` in the file, `image`, `label`, and its other columns
    said: list  # of str


def read_users_labels(path, no_label=NO_LABEL, *, named=True, remedy=""):
    """Return the labels in the csv at ``path``, in UTF-8, by commas, semicolons or tabs.

    Blanks around a cell do not count, nor do rows in which all cells are empty.

    Parameters
    ----------
    path : path
    no_label : sequence of str
        What stands for nothing, in place of an empty cell.
    named : bool
        Whether images have names. Without, a file may have one column, with the heading ``label``
        or none, in which a blank line is an image without label; images that have no name are
        called by their number, from 1.
    remedy : str
        What to do where a word of ``no_label`` was meant as the name of a class.

    Returns
    -------
    UsersLabels

    Raises
    ------
    UserError
        If the file cannot be read so, naming the line.
    """
    table, places = _table(path, named)
    heading = table[0][1] if places else []
    alone = len(heading) < 2 and not named
    while alone and table and not table[-1][1]:
        table.pop()
    rows, missing, empty = [], Counter(), 0
    for line, cells in table[bool(places) :]:
        width = len(heading) or 1
        if any(cells[width:]):
            raise UserError(
                f"{path}: line {line} has {len(cells)} cells where {width} were expected. Put "
                "quotes round a name that holds a comma."
            )
        if not any(cells) and not alone:
            empty += 1
            continue
        cells += [""] * (width - len(cells))
        row = {name: cells[place] for name, place in (places or {"label": 0}).items()}
        missing.update([row["label"]] if row["label"] in no_label else [])
        row |= {key: "" for key, cell in row.items() if key != "image" and cell in no_label}
        if "image" not in row:
            row["image"] = str(len(rows) + 1)
        elif not row["image"]:
            raise UserError(f"{path}: line {line} names no image.")
        rows.append({**row, "line_number": line})
    said = [
        f"{count} {'image has' if count == 1 else 'images have'} {word!r} for a label, which "
        f"counts as none{remedy and f' ({remedy})'}"
        for word, count in missing.items()
    ]
    said += [f"{empty} empty {'row' if empty == 1 else 'rows'} passed over"] if empty else []
    return UsersLabels(rows, [f"{Path(path).name}: {sentence}" for sentence in said])


def _table(path, named):
    """Return ([(line, cells)], places): the place of each column known by its heading.

    Without a heading, of a bare column of labels, places are empty.
    """
    text = _text(path)
    for delimiter in ",;\t":
        table = _cells(path, text, delimiter)
        places = _places(path, table[0][1]) if table else {}
        if "label" in places and ("image" in places or not named):
            return table, places
    table = _cells(path, text, ",")
    if named or not table or len(table[0][1]) > 1:
        found = ",".join(table[0][1]) if table else "nothing"
        raise UserError(f"{path}: expected the columns image,label, found {found}.")
    return table, {}


def _places(path, heading):
    lower, places = [cell.lower() for cell in heading], {}
    for column, names in HEADINGS.items():
        found = [name for name in names if name in lower]
        if found and lower.count(found[0]) > 1:
            raise UserError(f"{path}: has the column {found[0]} twice; leave one of the two.")
        if found:
            places[column] = lower.index(found[0])
    others = [name for name in heading if name and name.lower() not in places]
    others = [name for name in others if heading.index(name) not in places.values()]
    return places | {name: heading.index(name) for name in others if heading.count(name) == 1}


def _cells(path, text, delimiter):
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: no csv ({error}).") from error


def _text(path):
    try:
        raw = Path(path).read_bytes()
        # What spreadsheets call Unicode text is UTF-16, and begins with a mark that says so.
        coding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        return unicodedata.normalize("NFC", raw.decode(coding))
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file of labels.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot be read as a csv in UTF-8 ({error}); expected the columns "
            "image,label. A spreadsheet saves it as `CSV UTF-8`."
        ) from error
