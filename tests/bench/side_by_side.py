"""Time several ways of doing one thing, in turn, so that each meets the same machine."""

import csv
import statistics
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

# Seconds after each way: BLAS threads wait for more work in a loop, and keep a core busy so long.
PAUSE = 0.3
COLUMNS = ["way", "unit", "median", "least", "most"]
COLUMNS += ["ratio_of", "ratio", "ratio_least", "ratio_most", "target"]


def side_by_side(ways, repeats):
    """Return {name: [seconds, ...]} of the functions in ``ways``, called in turn."""
    seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            seconds[name].append(timed(way))
            time.sleep(PAUSE)
    return seconds


def timed(function, *args, **options):
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function(*args, **options)
    return time.perf_counter() - start


def sgemm(threads, side=4096):
    """Return a function that multiplies two matrices, and how many operations that is."""
    rng = np.random.default_rng(0)
    a, b, c = rng.standard_normal((3, side, side), dtype=np.float32)

    def multiply():
        with threadpool_limits(threads, user_api="blas"):
            np.matmul(a, b, out=c)

    multiply()
    return multiply, 2 * side**3


def row(way, unit, values, ratio_of="", pairs=(), target=""):
    """Return a line of a table: the spread of ``values``, and a ratio taken round by round.

    Parameters
    ----------
    way, unit : str
        What was measured, and in what.
    values : list of float
        One a round.
    ratio_of : str, optional
        What the ratio is of.
    pairs : (list, list), optional
        Its numerators and denominators, one a round.
    target : str, optional
        ``>= 1.6`` or ``<= 1.3``.
    """
    ratios = [above / below for above, below in zip(*pairs, strict=True)] if pairs else []
    return dict(
        zip(
            COLUMNS,
            [way, unit, *_spread(values), ratio_of, *_spread(ratios), target],
            strict=True,
        )
    )


def _spread(values):
    if not len(values):
        return ["", "", ""]
    return [statistics.median(values), min(values), max(values)]


def met(ratio, target):
    """Return whether a ratio is what the target (``>= 1.6``, ``<= 1.3``) asks for."""
    sign, bound = target.split()
    return ratio >= float(bound) if sign == ">=" else ratio <= float(bound)


def report(title, rows, output=None):
    """Print dictionaries of equal keys as a table; write them to ``output`` as CSV as well."""
    names = list(rows[0])
    cells = [names] + [
        [f"{v:.4g}" if isinstance(v, float) else str(v) for v in line.values()] for line in rows
    ]
    widths = [max(len(line[c]) for line in cells) for c in range(len(names))]
    print(f"\n{title}")
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip(), flush=True)
    if output:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        with open(output, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
