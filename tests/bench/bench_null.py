"""The permutation null, beside scikit-bio's permanova: one sum a permutation over one matrix."""

import argparse
import os
import statistics

import numpy as np
from depthgauge.goodness import goodness
from scipy.spatial.distance import squareform
from side_by_side import report, side_by_side, spread


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="no peers")
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()
    n = args.images
    rng = np.random.default_rng(0)
    condensed = rng.uniform(0.5, 1.5, n * (n - 1) // 2).astype(np.float32)
    labels = rng.integers(0, args.classes, n).astype(str)

    def ours(permutations=args.permutations):
        goodness(condensed, labels, permutations=permutations, threads=args.threads, progress=False)

    ours(1)  # compiles the kernels
    ways = {"depthgauge": ours}
    if not args.alone:
        from skbio.stats.distance import DistanceMatrix, permanova

        matrix = DistanceMatrix(squareform(condensed.astype(np.float64)))

        def scikit_bio(engine, permutations=args.permutations):
            permanova(matrix, labels, permutations=permutations, seed=0, engine=engine)

        scikit_bio("numba", 1)
        ways["scikit-bio permanova"] = lambda: scikit_bio(None)
        ways["scikit-bio permanova, engine='numba'"] = lambda: scikit_bio("numba")
    seconds = side_by_side(ways, args.repeats)
    first = statistics.median(seconds["depthgauge"])
    print(
        f"n = {n}, {args.classes} classes, {args.permutations} permutations, {args.threads} threads"
    )
    report(
        [
            {"way": name, **spread(took), "x_depthgauge": statistics.median(took) / first}
            for name, took in seconds.items()
        ],
        args.output,
    )


if __name__ == "__main__":
    main()
