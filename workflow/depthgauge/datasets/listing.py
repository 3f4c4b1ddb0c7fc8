"""The files under a folder: pictures that are read, those that are not and why, and others."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .picture import natural_key, readable

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
HEIF = (".heic", ".heif")
# Pictures and films all the same: of cameras, scanners, microscopes, drawing programs.
NOT_READ = (
    *(".3fr", ".ai", ".arw", ".avi", ".cr2", ".cr3", ".czi", ".dcm", ".dng", ".eps", ".exr"),
    *(".jxl", ".lif", ".m4v", ".mkv", ".mov", ".mp4", ".mrxs", ".nd2", ".ndpi", ".nef", ".nii"),
    *(".orf", ".pef", ".psb", ".psd", ".raf", ".rw2", ".srw", ".svg", ".svs", ".vsi", ".webm"),
    ".xcf",
)


class Listing(NamedTuple):
    """What is found under a folder, each in natural order."""

    images: list  # of Path
    left_out: list  # of (Path, why): pictures in formats not read, what cannot be got at
    others: list  # of Path: files of other kinds
    folders: list  # of Path: the sub-folders that lie in it


def list_files(folder):
    """Return the Listing of all files under ``folder``, hidden ones aside; links are followed.

    Files cost no call of the system's, but for links, which are looked at.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    OSError
        If the folder itself cannot be read.
    """
    read = {*EXTENSIONS, *(HEIF if find_spec("pillow_heif") else ())}
    found, todo = Listing([], [], [], []), [(folder, ())]
    while todo:
        base, above = todo.pop()
        real = os.path.realpath(base)
        if real in above:  # a link back to where we come from
            continue
        try:
            with os.scandir(base) as entries:
                entries = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if not above:
                raise
            found.left_out.append((base, f"folder that cannot be read ({error.strerror})"))
            continue
        for entry in entries:
            kind, why = _kind(entry, read)
            if kind == "folder":
                todo.append((Path(entry.path), (*above, real)))
                if not above:
                    found.folders.append(Path(entry.path))
            elif why:
                found.left_out.append((Path(entry.path), why))
            else:
                getattr(found, kind).append(Path(entry.path))
    found.left_out.sort(key=lambda one: in_order(one[0]))
    for files in (found.images, found.others, found.folders):
        files.sort(key=in_order)
    return found


def in_order(file):
    """Natural order by the path without its extension, then by all of it."""
    whole = readable(file)
    return natural_key(whole.removesuffix(file.suffix)), whole, os.fsencode(file)


def _kind(entry, read):
    """Return (what a directory entry is, and why it is left out)."""
    ending = os.path.splitext(entry.name)[1].lower()
    try:
        if entry.is_dir():
            return "folder", ""
        regular = entry.is_file()
    except OSError as error:  # a link in a circle, or into a folder that is closed
        return "left_out", f"link that cannot be followed ({error.strerror})"
    if ending not in (*EXTENSIONS, *HEIF, *NOT_READ):
        return "others", ""
    if not regular:
        return "left_out", "link to nothing" if entry.is_symlink() else "no regular file"
    if ending in read:
        return "images", ""
    return "left_out", f"{ending} (not read{' without pillow-heif' if ending in HEIF else ''})"
