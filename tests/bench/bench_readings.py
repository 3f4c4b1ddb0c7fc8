"""What all readings of a layer cost beside one: time, and peak memory of the largest job.

    python tests/bench/bench_readings.py [--per-class 100] [--rounds 1] [--cores 2]

The run is that of bench_row.py, scikit-learn's handwritten digits through an untrained Inception-v3
and its four layers, from images to figures: with flat values and Euclidean distances alone, as in
the paper, and with both poolings and both metrics.
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bench_row import benchmarks, row_config, run
from side_by_side import report, row

READINGS = {
    "flat, euclidean": {},
    "all readings": {"poolings": ("flat", "mean"), "metrics": ("euclidean", "angle")},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-class", type=int, default=100, help="digits of each of ten classes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()
    seconds, memory, jobs = ({name: [] for name in READINGS} for _ in range(3))
    for _ in range(args.rounds):
        for name, readings in READINGS.items():
            with TemporaryDirectory() as folder:
                config = row_config(args.per_class, **readings)
                seconds[name].append(run(Path(folder), config, args.cores))
                found = benchmarks(Path(folder, "results/benchmarks"))
            memory[name].append(found.max_rss.max())
            jobs[name].append(len(found))
    one, all_ = READINGS
    rows = []
    for unit, values, target in (
        ("s", seconds, "<= 1.35"),
        ("MB", memory, "<= 1.1"),
        ("jobs", jobs, "<= 1"),
    ):
        rows.append(row(one, unit, values[one]))
        rows.append(
            row(all_, unit, values[all_], f"all / one, {unit}", (values[all_], values[one]), target)
        )
    report(f"All readings of {10 * args.per_class:,} images beside one", rows, args.output)


if __name__ == "__main__":
    main()
