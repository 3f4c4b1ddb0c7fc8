"""Distances from shards on disk, beside the machine's matrix product and what else there is.

The limit is the time of n^2 d operations at the rate of the sgemm that is timed in turn with the
rest. Peers are given their features in memory; pdist, far slower, a part of the images, and its
time is scaled by the number of pairs (the table says so).
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path

import numpy as np
from depthgauge.distances.distances import distances
from side_by_side import report, row, sgemm, side_by_side
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
            scaled = f"SciPy pdist, scaled from {few} images"
            ways |= {"scikit-learn pairwise_distances": scikit_learn}
            ways |= {scaled: lambda: pdist(x[:few])}
            scale |= {name: 1 for name in ways if name not in scale}
            scale[scaled] = n * (n - 1) / (few * (few - 1))
        seconds = side_by_side(ways, args.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = {name: [s * scale[name] for s in took] for name, took in seconds.items()}
    limit, own = seconds["sgemm"], seconds["depthgauge"]
    rows = [row("limit: n^2 d operations at the rate of sgemm", "s", limit)]
    rows.append(row("depthgauge", "s", own, "depthgauge / limit", (own, limit), "<= 1.3"))
    for name in list(seconds)[2:]:
        rows.append(row(name, "s", seconds[name], f"{name} / depthgauge", (seconds[name], own)))
    rate = n * n * d / min(limit) / 1e9
    title = f"Distances, n = {n:,}, d = {d:,}, {args.threads} threads; sgemm {rate:.0f} GFLOP/s"
    report(title, rows, args.output)
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
