"""What the log of a job says: how far it is, what it warns of, and why it failed."""

import re
from pathlib import Path

from ..quiet import PROGRESS

_LINE = re.compile(r"^\d\d:\d\d:\d\d ([A-Z]+) ", re.MULTILINE)
# What TensorFlow writes between the lines of others.
_NOISE = re.compile(r"^(WARNING: All log messages before absl::.*|[IWEF]\d{4} .*)\n?", re.MULTILINE)
# tqdm's: "lite0:  67%|######7   | 340/510 [00:14<00:07, 24.1image/s]"
_BAR = re.compile(r"([\d.]+[kMG]?)/([\d.]+[kMG]?) \[[^<]*<[^,]*, +([^\]]*)\]")
_THOUSANDS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}


def progress(log):
    """Return (done, all, rate) of the bar of a job that writes to ``log``, or None without one."""
    try:
        found = _BAR.search(Path(log).with_suffix(PROGRESS).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    if not found or not _number(found[2]):
        return None
    return _number(found[1]), _number(found[2]), found[3]


def warnings(log):
    """Return what a log warns of, each text once, in order."""
    return list(dict.fromkeys(text for level, text in _said(log) if level == "WARNING"))


def last_error(log):
    """Return the last error in a log; of a log that breaks off, that it does."""
    errors = [text for level, text in _said(log) if level in ("ERROR", "CRITICAL")]
    if errors:
        first, *trace = errors[-1].splitlines()
        # Of what was not foreseen the end of the trace tells most.
        return (
            f"{first}\n{trace[-1]}" if "Traceback (most recent call last):" in trace else errors[-1]
        )
    return (
        "Its log breaks off without an error: the job was killed, as it is when memory or time "
        "runs out."
    )


def _said(log):
    """Return (level, text) of all that is said in a log, texts of several lines whole."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    _, *parts = _LINE.split(_NOISE.sub("", text))
    return [(level, said.strip()) for level, said in zip(parts[::2], parts[1::2], strict=True)]


def _number(text):
    unit = text[-1] if text[-1] in "kMG" else ""
    return float(text.removesuffix(unit)) * _THOUSANDS[unit]
