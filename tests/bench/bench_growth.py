"""How the time of a stage grows with the number of images: exponents, a table and a plot.

    python tests/bench/bench_growth.py [--extraction 32 64 128] [--pairs 1000 2000 4000] --folder F

An exponent is the slope of the least-squares line through log seconds against log n, the least
of the repeats at each n; what a stage takes to start, the same at each n, is included. It writes
growth.csv, growth_exponents.csv and growth.png.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from bench_distances import features
from bench_extraction import extract, prepare
from bench_null import problem
from side_by_side import report, row, timed

# Goodness is the null and its exact moments, which take n^3 / 6 multiplications and additions.
TARGETS = {"extraction": "<= 1.05", "distances": "<= 2.05", "null": "<= 2.05", "goodness": ""}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--extraction", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--columns", type=int, default=8192)
    parser.add_argument("--permutations", type=int, default=499)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("results/bench"))
    args = parser.parse_args()

    points = []

    def measure(stage, sizes, way, repeats):
        way(sizes[0])  # compiles, and fills caches
        for n in sizes:
            seconds = [timed(way, n) for _ in range(repeats)]
            points.append({"stage": stage, "images": n, "seconds": min(seconds)})

    with tempfile.TemporaryDirectory() as folder:
        measure("distances", args.pairs, pairwise(Path(folder), args), args.repeats)
        null, whole = permuted(args)
        measure("null", args.pairs, null, args.repeats)
        measure("goodness", args.pairs, whole, args.repeats)
        measure("extraction", args.extraction, extraction(Path(folder), args), 1)
    report("Growth", points, args.folder / "growth.csv")
    exponents = {stage: fit(points, stage) for stage in TARGETS}
    rows = [
        row(f"{stage}, exponent", "", [e], "exponent", ([e], [1]), TARGETS[stage])
        for stage, e in exponents.items()
    ]
    report("Exponents", rows, args.folder / "growth_exponents.csv")
    draw(points, exponents, args)


def pairwise(folder, args):
    from depthgauge.distances.distances import distances

    shards = {}
    for n in args.pairs:
        (folder / str(n)).mkdir()
        shards[n] = features(folder / str(n), n, args.columns, 2)
    output = folder / "distances.npy"
    return lambda n: distances(shards[n], output, threads=args.threads, progress=False)


def permuted(args):
    from depthgauge.distances.labelled import Labelled
    from depthgauge.statistics.goodness import goodness
    from depthgauge.statistics.permutation import within_sums

    problems = {n: problem(n, 10) for n in args.pairs}
    options = {"permutations": args.permutations, "threads": args.threads, "progress": False}
    codes = {n: np.unique(labels, return_inverse=True)[1] for n, (_, labels) in problems.items()}
    return (
        lambda n: within_sums(problems[n][0], codes[n], seed=0, **options),
        lambda n: goodness(Labelled(*problems[n]), **options),
    )


def extraction(folder, args):
    from depthgauge.networks.tensorflow_setup import use_threads

    use_threads(args.threads)
    prepare(folder, -(-max(args.extraction) // 4) * 4)
    return lambda n: extract(folder, args.threads, n)


def measured(points, stage):
    """Return the images and the seconds of a stage."""
    return np.transpose([(p["images"], p["seconds"]) for p in points if p["stage"] == stage])


def fit(points, stage):
    """Return the slope of log seconds against log images."""
    return float(np.polyfit(*np.log(measured(points, stage)), 1)[0])


def draw(points, exponents, args):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
    for (stage, exponent), marker, colour in zip(
        exponents.items(), "os^v", ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), strict=True
    ):
        n, seconds = measured(points, stage)
        scale = np.exp(np.mean(np.log(seconds) - exponent * np.log(n)))
        axes.loglog(n, scale * n**exponent, color=colour, lw=1)
        target = f" (target: {TARGETS[stage]})" if TARGETS[stage] else ""
        label = f"{stage}: n^{exponent:.2f}{target}"
        axes.loglog(n, seconds, marker, color=colour, label=label)
    axes.set(xlabel="images n", ylabel="seconds")
    axes.set_title(
        f"Growth on {args.threads} threads; distances of {args.columns:,} features, "
        f"{args.permutations} permutations",
        fontsize=9,
    )
    axes.legend(fontsize=8)
    axes.grid(which="both", alpha=0.2)
    figure.savefig(args.folder / "growth.png", dpi=150)


if __name__ == "__main__":
    main()
