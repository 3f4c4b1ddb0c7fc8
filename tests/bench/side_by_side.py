"""Time several ways of doing one thing, in turn, so that each meets the same machine."""

import csv
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits


def side_by_side(ways, repeats):
    """Return {name: [seconds, ...]} of the functions in ``ways``, called in turn."""
    seconds = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def sgemm(threads, side=4096):
    """Return a function that multiplies two matrices, and how many operations that is."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, side, side), dtype=np.float32)

    def multiply():
        with threadpool_limits(threads, user_api="blas"):
            a @ b

    return multiply, 2 * side**3


def report(rows, output=None):
    """Print dictionaries of equal keys as a table; write them to ``output`` as CSV as well."""
    names = list(rows[0])
    cells = [names] + [
        [f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows
    ]
    widths = [max(len(line[c]) for line in cells) for c in range(len(names))]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    if output:
        with open(output, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def spread(seconds):
    """Return the columns that tell of repeated timings."""
    return {
        "median_s": statistics.median(seconds),
        "least_s": min(seconds),
        "most_s": max(seconds),
    }
