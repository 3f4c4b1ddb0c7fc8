"""What every kind of dataset is made of: pictures, notes, and the choice of some of many."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Picture(NamedTuple):
    """One image to be: its JPEG's stem, its label, and where its pixels come from."""

    name: str
    label: str
    source: str  # the original file's name, or a description
    content: Path | Callable  # a picture file, or a function that returns a PIL image
    # What the pictures of one group share makes them depend on one another: one photograph, one
    # person, one film. A collection is where a picture was taken from, and makes none depend. A
    # nuisance is what may be seen in a picture and is not to count: a camera, a hospital, a day.
    group: str = ""
    collection: str = ""
    nuisance: str = ""
    split: str = ""  # such as train or test


class Note(NamedTuple):
    """A count that was expected and what was found, or whatever else a reader must know.

    One with an ``image`` says what became of this file alone; another counts all such.
    """

    part: str
    expected: int | str
    found: int | str
    note: str
    image: str = ""


class Source(NamedTuple):
    """A file to fetch: path in the download folder, URLs in order, checks of the door."""

    path: str
    urls: list
    checks: dict
    optional: bool = False  # without it, an empty file takes its place and the rest is made


def known_by(urls, sha256=None):
    """Return eight digits that tell a file to fetch from another of the same name.

    They follow from its checksum, or else from where it comes from first.
    """
    return hashlib.sha256((sha256 or urls[0]).encode()).hexdigest()[:8]


def natural_key(text):
    """Sort key under which ``b2`` comes before ``b10``; a total order."""
    parts = re.split(r"(\d+)", text)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], text


def stratified(strata, count, rng):
    """Choose ``count`` items, spread over their ``strata`` in proportion to the sizes.

    Parameters
    ----------
    strata : sequence of str, the stratum of each item
    count : int, at most ``len(strata)``
    rng : numpy.random.Generator

    Returns
    -------
    list of int, increasing

    Notes
    -----
    Fractions are settled by the largest remainder, ties in the strata's sorted order.
    """
    names, codes = np.unique(np.asarray(strata, dtype=str), return_inverse=True)
    sizes = np.bincount(codes, minlength=len(names))
    quotas, remainders = np.divmod(count * sizes, len(codes))
    extra = np.argsort(-remainders, kind="stable")[: count - quotas.sum()]
    quotas[extra] += 1
    chosen = [
        rng.choice(np.flatnonzero(codes == code), quota, replace=False)
        for code, quota in enumerate(quotas)
    ]
    return sorted(np.concatenate(chosen).tolist())


def digest_of_times(base, files):
    """Return a short digest of the names under ``base``, sizes and times of ``files``."""
    digest = hashlib.sha256()
    for file in files:
        try:
            status = file.stat()
        except OSError:  # a link to nothing, or into a folder that is closed
            status = file.lstat()
        name = os.fsencode(file.relative_to(base))
        digest.update(b"%s\0%d\0%d\0" % (name, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()[:16]


def readable(name):
    """Return a file name as text that any UTF-8 file can hold (composed, a stray byte as \\xe9)."""
    plain = os.fspath(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", plain)


def file_stems(names):
    """Return for each name a stem that is safe as a file name everywhere.

    ASCII letters, digits, ``.``, ``_`` and ``-`` alone, accents taken off, at most
    120 characters, unique whether or not the file system tells capitals apart: what
    would be taken twice is numbered in the order given.
    """
    stems, taken, counters = [], set(), {}
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[:112] or "image"
        stem = plain
        while stem.casefold() in taken:
            counters[plain] = counters.get(plain, 1) + 1
            stem = f"{plain}-{counters[plain]}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems
