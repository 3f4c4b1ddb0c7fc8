"""A job of a run whose terminal is another's: all that it says goes to its log.

Snakemake's logger plugin `depthgauge` draws the terminal and asks for this by the environment
variable DEPTHGAUGE_TERMINAL, which its jobs inherit.
"""

import contextlib
import io
import os
import sys
from pathlib import Path

VARIABLE = "DEPTHGAUGE_TERMINAL"
# Beside the log of a job, while it runs: the bar that it would show.
PROGRESS = ".progress"


def is_quiet():
    """Return whether jobs are to leave the terminal alone."""
    return os.environ.get(VARIABLE) == "quiet"


@contextlib.contextmanager
def into(log):
    """Send all of stderr, that of libraries in C as well, to the file ``log``.

    Bars of tqdm, which would fill it, go to a file beside it, which holds the last one alone and
    is removed at the end.
    """
    bar, kept, stream = Path(log).with_suffix(PROGRESS), os.dup(2), sys.stderr
    with open(log, "w", encoding="utf-8", buffering=1) as file:
        sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        sys.stderr = _BarsAside(file, bar)
        try:
            yield
        finally:
            sys.stderr = stream
            os.dup2(kept, 2)
            os.close(kept)
            bar.unlink(missing_ok=True)


class _BarsAside(io.TextIOBase):
    """Text for the log, less what tqdm writes: a carriage return, a bar; a newline at its end."""

    encoding = "utf-8"

    def __init__(self, file, bar):
        self.file, self.bar, self.after_bar = file, bar, False

    def fileno(self):
        return self.file.fileno()

    def write(self, text):
        if text.startswith("\r"):
            self.after_bar = True
            self.bar.write_text(text.strip(), encoding="utf-8")
        elif not (self.after_bar and text == "\n"):
            self.after_bar = False
            self.file.write(text)
        return len(text)

    def flush(self):
        self.file.flush()
