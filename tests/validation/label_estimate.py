"""How near the accuracy that labels are said to have comes to the one that they have.

    python tests/validation/label_estimate.py MANIFEST DISTANCES... --output label_estimate.csv

Of a labelled dataset all labels but a few of each class are hidden, in several trials. Every
trial goes the way of `depthgauge labels`: methods and depths are tried, the best is chosen, its
accuracy on the images without label is predicted. Then the hidden labels are uncovered. A row a
trial; the mean difference says whether the prediction is biased, the mean absolute one how far
off a single prediction is.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.distances.matrix import read_distances
from depthgauge.labelling.label_splits import label_splits
from depthgauge.labelling.labelling import (
    best,
    candidates,
    decided_labels,
    expected_accuracy,
)
from depthgauge.labelling.neighbour_graph import neighbour_graph
from depthgauge.manifest import class_codes, read_manifest


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest")
    parser.add_argument("distances", nargs="+", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output")
    options = parser.parse_args()
    codes, classes = class_codes(read_manifest(options.manifest).label)
    counts, draws = label_splits(codes, options.labels, options.trials, options.seed)
    problems = []
    for path in options.distances:
        distances = read_distances(path, expected=len(codes))
        problems.append((path, distances, neighbour_graph(distances, threads=options.threads)))
    rows = []
    for count in counts:
        for split, drawn in enumerate(draws):
            given = np.full(len(codes), -1)
            labelled = drawn[:, :count].ravel()
            given[labelled] = codes[labelled]
            row = trial(problems, given, codes, classes, split, options.threads)
            rows.append({"labels_per_class": count, "trial": split} | row)
        table = pd.DataFrame(rows).query("labels_per_class == @count")
        off = table.expected - table.accuracy
        print(
            f"{count} labels per class: accuracy {table.accuracy.mean():.3f}, expected "
            f"{table.expected.mean():.3f}; off by {100 * off.mean():+.1f} points, a single "
            f"one by {100 * off.abs().mean():.1f}",
            flush=True,
        )
    if options.output:
        pd.DataFrame(rows).to_csv(options.output, index=False, lineterminator="\n")


def trial(problems, given, codes, classes, split, threads):
    """Return what was chosen, the accuracy expected of it, and that on the hidden labels."""
    evaluated = np.arange(np.count_nonzero(given >= 0))
    names, tried = [], []
    for path, distances, graph in problems:
        made = candidates(distances, given, evaluated, graph=graph, threads=threads, progress=False)
        names += [(path.parent.name, path.stem, method) for method in made]
        tried += made.values()
    chosen, optimism = best(
        np.array([candidate.right for candidate in tried]), np.random.default_rng(split)
    )
    probability, label = decided_labels(tried[chosen], given, classes, 0.5)
    expected, *_ = expected_accuracy(probability, label, given, optimism)
    hidden = given < 0
    return dict(zip(("extractor", "layer", "method"), names[chosen], strict=True)) | {
        "expected": expected,
        "accuracy": (tried[chosen].codes == codes)[hidden].mean(),
    }


if __name__ == "__main__":
    main()
