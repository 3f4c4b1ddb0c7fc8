"""t-SNE from distances: time and trustworthiness, beside scikit-learn's.

    python tests/bench/bench_embedding.py [--images 1797] [--threads 2] [--repeats 3]

The images are scikit-learn's handwritten digits, repeated with small noise beyond 1,797.
Both are timed alternately in one process, from the same distances; trustworthiness is
at 15 neighbours.
"""

import argparse
import statistics

import numpy as np
from depthgauge.distances.matrix import Distances
from depthgauge.maps.embedding import embed
from scipy.spatial.distance import pdist, squareform
from side_by_side import report, row, timed
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1797)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", help="a CSV to write")
    options = parser.parse_args()

    digits = load_digits().data
    rng = np.random.default_rng(0)
    rows = np.arange(options.images) % len(digits)
    images = digits[rows] + (rows != np.arange(options.images))[:, None] * rng.normal(
        0, 1, (options.images, digits.shape[1])
    )
    condensed = pdist(images).astype(np.float32)
    square = squareform(condensed)

    def ours(seed):
        return embed(Distances(condensed), seed=seed, threads=options.threads, progress=False)

    def theirs(seed):
        model = TSNE(metric="precomputed", init="random", random_state=seed, n_jobs=options.threads)
        with threadpool_limits(options.threads):
            return model.fit_transform(square)

    embed(Distances(condensed[:10]), progress=False)  # compile
    seconds = {"depthgauge": [], "scikit-learn": []}
    trust = {"depthgauge": [], "scikit-learn": []}
    for seed in range(options.repeats):
        for name, function in (("depthgauge", ours), ("scikit-learn", theirs)):
            points = []
            seconds[name].append(timed(lambda f=function, p=points, s=seed: p.append(f(s))))
            score = trustworthiness(square, points[0], n_neighbors=15, metric="precomputed")
            trust[name].append(score)

    own, other = seconds["depthgauge"], seconds["scikit-learn"]
    rows = [
        row("depthgauge", "s", own),
        row(
            "scikit-learn TSNE", "s", other, "scikit-learn TSNE / depthgauge", (other, own), ">= 2"
        ),
        row(
            "trustworthiness",
            "of 1",
            trust["depthgauge"],
            "trustworthiness, depthgauge / scikit-learn",
            ([statistics.median(trust[name])] for name in trust),
            ">= 0.999",
        ),
    ]
    title = f"t-SNE, {options.images:,} points, {options.threads} threads"
    report(f"{title}, {options.repeats} repeats", rows, options.output)


if __name__ == "__main__":
    main()
