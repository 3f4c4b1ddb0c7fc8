"""Distances from shards on disk, beside the machine's matrix product and what else there is.

The limit is the time of n^2 d operations at the rate of the sgemm that is timed in turn with the
rest. Peers are given their features in memory; pdist, far slower, a part of the images, and its
time is scaled by the square of their number.
"""

import argparse
import os
import resource
import statistics
import tempfile
from pathlib import Path

import numpy as np
from depthgauge.distances import distances
from side_by_side import report, sgemm, side_by_side, spread
from threadpoolctl import threadpool_limits


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=341_056)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pdist-images", type=int, default=100)
    parser.add_argument("--alone", action="store_true", help="no peers: to see the peak memory")
    parser.add_argument("--folder", help="where to put the features")
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()
    n, d = args.images, args.columns

    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        shards = features(Path(folder), n, d, args.shards)
        out = Path(folder) / "distances.npy"

        def ours():
            distances(shards, out, threads=args.threads, progress=False)

        # Compile the kernels.
        np.save(Path(folder) / "few.npy", np.eye(5, dtype=np.float32))
        distances([Path(folder) / "few.npy"], out, progress=False)

        product, operations = sgemm(args.threads)
        product()
        ways = {"sgemm": product, "depthgauge": ours}
        scale = {"sgemm": n * n * d / operations, "depthgauge": 1}
        if not args.alone:
            from scipy.spatial.distance import pdist
            from sklearn.metrics import pairwise_distances

            x = np.concatenate([np.load(shard) for shard in shards])

            def scikit_learn():
                with threadpool_limits(args.threads, user_api="blas"):
                    pairwise_distances(x, n_jobs=args.threads)

            few = min(n, args.pdist_images)
            ways |= {"scikit-learn": scikit_learn, "SciPy pdist": lambda: pdist(x[:few])}
            scale |= {"scikit-learn": 1, "SciPy pdist": (n / few) ** 2}
        seconds = side_by_side(ways, args.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = {name: [s * scale[name] for s in took] for name, took in seconds.items()}
    limit = statistics.median(seconds["sgemm"])
    print(f"n = {n}, d = {d}, {args.threads} threads; {n * n * d / limit / 1e9:.0f} GFLOP/s sgemm")
    report(
        [
            {"way": name, **spread(took), "x_limit": statistics.median(took) / limit}
            for name, took in seconds.items()
        ],
        args.output,
    )
    if args.alone:
        print(f"peak resident memory {peak:.2f} GiB, of which the sgemm's matrices 0.19")


def features(folder, n, d, count):
    """Write random features as shards and return their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for rows in np.array_split(np.arange(n), count):
        paths.append(folder / f"{len(paths):03}.npy")
        np.save(paths[-1], rng.standard_normal((len(rows), d), dtype=np.float32))
    return paths


if __name__ == "__main__":
    main()
