"""What no value of a config can be, whatever its key: looked at before the schema is."""

import math
import unicodedata
from datetime import date
from pathlib import Path

# What file systems take of a path, and of one of its parts, in bytes.
LONGEST_PATH, LONGEST_PART = 4000, 255
# Controls such as a line break, halves of characters, ends of lines and of paragraphs.
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
MOST_BITS = 1000  # Python writes no integer of more than 4,300 digits
DEEPEST = 20  # lists and mappings within one another; a list may hold itself in YAML


def odd_values(value, where=""):
    """Return what is wrong with the keys and values of a config, a sentence each.

    Keys are text; numbers are finite; text has no line breaks and nothing else that cannot stand
    in the name of a file, nor is it longer than one; ``~NAME`` is somebody's home.

    Parameters
    ----------
    value : object
        The config, as it was read from YAML, or a part of it.
    where : str
        The keys that lead to it, with dots.
    """
    return [f"{where or 'config'}: {problem}" for where, problem in _odd(value, where, 0)]


def _odd(value, where, depth):
    if depth > DEEPEST:
        yield where, "lists and mappings lie too deep within one another"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield where, _odd_key(key)
            else:
                for problem in _odd_text(key, f"the key {short(key)}"):
                    yield where, problem
                yield from _odd(inner, f"{where}.{_shown(key)}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _odd(inner, f"{where}.{place}".lstrip("."), depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield where, f"{value} is not a finite number"
    elif isinstance(value, int) and value.bit_length() > MOST_BITS:
        yield where, "the number has hundreds of digits"
    elif isinstance(value, str):
        for problem in _odd_text(value, short(value)):
            yield where, problem
    elif isinstance(value, (date, bytes, set)):
        yield where, f"{short(value)} is {type(value).__name__} in YAML; put it in quotes"


def _odd_key(key):
    spelt = {True: "yes, on or true", False: "no, off or false", None: "null, ~ or nothing"}
    read = spelt[key] if isinstance(key, bool) or key is None else short(key)
    return f"the key {read} is not text; if it is a name, put it in quotes"


def _odd_text(text, what):
    bad = sorted(one for one in set(text) if unicodedata.category(one) in _NO_TEXT)
    if bad:
        yield f"{what} holds the character {bad[0]!r}, which has no place in a name or a path"
    elif len(text.encode()) > LONGEST_PATH:
        yield f"{what} has {len(text):,} characters; a path has {LONGEST_PATH:,} at most"
    elif any(len(part.encode()) > LONGEST_PART for part in text.split("/")):
        yield f"{what} holds a name of more than the {LONGEST_PART} characters that a file can have"
    elif text.startswith("~"):
        try:
            Path(text).expanduser()
        except RuntimeError:
            yield f"{what}: there is no home of a user {text.partition('/')[0]}"


def short(value):
    """Return a value as it is shown in a message: its beginning, where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}...{text[-5:]}"


def _shown(key):
    return short(key)[1:-1]
