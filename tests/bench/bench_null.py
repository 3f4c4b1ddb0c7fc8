"""The permutation null, beside scikit-bio's permanova: one sum a permutation over one matrix.

Ten times the permutations are timed on a matrix of its own, larger in the full size.
"""

import argparse
import os

import numpy as np
from depthgauge.distances.labelled import Labelled
from depthgauge.statistics.goodness import goodness
from depthgauge.statistics.permutation import within_sums
from scipy.spatial.distance import squareform
from side_by_side import report, row, side_by_side, timed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--more-images", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="no peers")
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()
    n = args.images
    condensed, labels = problem(n, args.classes)

    def ours(permutations=args.permutations, problem=(condensed, labels)):
        data = Labelled(*problem)
        goodness(data, permutations=permutations, threads=args.threads, progress=False)

    ours(1)  # compiles the kernels
    ways = {"depthgauge": ours}
    if not args.alone:
        from skbio.stats.distance import DistanceMatrix, permanova

        matrix = DistanceMatrix(squareform(condensed.astype(np.float64)))

        def scikit_bio(engine, permutations=args.permutations):
            permanova(matrix, labels, permutations=permutations, seed=0, engine=engine)

        scikit_bio("numba", 1)
        _, codes = np.unique(labels, return_inverse=True)
        options = {"threads": args.threads, "progress": False}
        ways["depthgauge, its permutations alone"] = lambda: within_sums(
            condensed, codes, permutations=args.permutations, seed=0, **options
        )
        ways["scikit-bio permanova"] = lambda: scikit_bio(None)
        ways["scikit-bio permanova, engine='numba'"] = lambda: scikit_bio("numba")
    seconds = side_by_side(ways, args.repeats)
    own = seconds["depthgauge"]
    rows = [row("depthgauge", "s", own)]
    for name in list(seconds)[1:]:
        pairs = seconds[name], own
        target = ">= 100" if name == "scikit-bio permanova" else ""
        rows.append(row(name, "s", seconds[name], f"{name} / depthgauge", pairs, target))
    n, m = args.more_images, args.permutations
    larger = problem(n, args.classes)
    few, many = (timed(ours, times * m, larger) for times in (1, 10))
    rows.append(row(f"depthgauge, n = {n:,}, {m:,} permutations", "s", [few]))
    name = f"depthgauge, n = {n:,}, {10 * m:,} permutations"
    rows.append(
        row(name, "s", [many], f"{10 * m:,} permutations / {m:,}", ([many], [few]), "<= 10")
    )
    title = f"Null, n = {args.images:,}, {args.classes} classes, {m:,} permutations"
    report(f"{title}, {args.threads} threads", rows, args.output)


def problem(n, classes):
    """Return random distances and labels."""
    rng = np.random.default_rng(0)
    condensed = rng.uniform(0.5, 1.5, n * (n - 1) // 2).astype(np.float32)
    return condensed, rng.integers(0, classes, n).astype(str)


if __name__ == "__main__":
    main()
