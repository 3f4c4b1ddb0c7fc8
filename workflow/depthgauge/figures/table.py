"""Table I: the datasets, and what of them was found."""

from pathlib import Path

import pandas as pd

from ..errors import UserError
from ..files import atomic
from ..manifest import read_manifest
from ..tables import read_table, write_table


def table_one(stem, manifests, *, links=()):
    """Call ``write_table_one`` for DATASET/manifest.csv, with the notes.csv beside each.

    Parameters
    ----------
    stem : path
    manifests : sequence of path
    links : sequence of str
        DATASET=ADDRESS where it is described.
    """
    addresses = dict(link.split("=", 1) for link in links)
    folders = [Path(manifest).absolute().parent for manifest in manifests]
    write_table_one(
        [
            (folder.name, addresses.get(folder.name), manifest, folder / "notes.csv")
            for folder, manifest in zip(folders, manifests, strict=True)
        ],
        stem,
    )


def write_table_one(datasets, stem):
    """Write the table of the datasets really used, as ``stem``.csv and ``stem``.md.

    Parameters
    ----------
    datasets : list of (name, link, manifest, notes)
        For each dataset its name, the address where it is described (or an empty string), its
        manifest, and the notes made with it (or None): a CSV with the columns
        ``dataset,part,expected,found,note``.
    stem : path

    Raises
    ------
    UserError
        If a manifest or notes file is missing or has other columns.
    """
    rows = []
    for name, link, manifest, notes in datasets:
        table = read_manifest(manifest)
        rows.append(
            {
                "dataset": name,
                "link": link or "",
                "samples": len(table),
                "classes": len(set(table.label) - {""}),
                "note": "; ".join(_notes(notes)) if notes else "",
            }
        )
    table = pd.DataFrame(rows, columns=["dataset", "link", "samples", "classes", "note"])
    stem = Path(stem)
    write_table(table, stem.with_name(f"{stem.name}.csv"))
    with atomic(stem.with_name(f"{stem.name}.md")) as beside:
        beside.write_text(_markdown(table), encoding="utf-8")


def _notes(path):
    """Return the notes as phrases; a part of which less was found than expected says so."""
    notes = read_table(path)
    if not {"part", "expected", "found", "note"} <= set(notes.columns):
        raise UserError(
            f"{path}: notes have the columns dataset,part,expected,found,note; these have "
            f"{','.join(notes.columns)}."
        )
    phrases = []
    for note in notes.itertuples():
        if getattr(note, "image", ""):  # one file of those that another note counts
            continue
        count = (
            f"{note.found} of {note.expected}"
            if note.expected and note.found != note.expected
            else ""
        )
        said = ", ".join(filter(None, [count, note.note]))
        if said:
            phrases.append(f"{note.part}: {said}" if note.part else said)
    return phrases


def _markdown(table):
    def escaped(text):
        return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")

    lines = ["| Dataset | Samples | Classes | Note |", "| --- | ---: | ---: | --- |"]
    for row in table.itertuples():
        name = escaped(row.dataset)
        name = f"[{name}](<{row.link}>)" if row.link else name
        classes = row.classes or "not labelled"
        lines.append(f"| {name} | {row.samples:,} | {classes} | {escaped(row.note)} |")
    return "\n".join(lines) + "\n"
