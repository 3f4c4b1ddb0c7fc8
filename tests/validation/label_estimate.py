"""How near the accuracy that labels are said to have comes to the one that they have.

    python tests/validation/label_estimate.py RESULTS --extractor NAME --output label_estimate.csv

RESULTS is the folder of a finished run, whose labelled datasets are taken; planted clusters, from
inseparable to far apart, come besides. Of each set all labels but a few of each class are hidden,
in several trials. Every trial is `depthgauge labels`: readings, methods and depths are tried, the
best is chosen, the accuracy on the images without label is predicted. Then the hidden labels are
uncovered. Printed are, a number of labels, means over the trials of all sets: the difference says
whether the prediction is biased, its absolute value how far off one prediction is, and `covered`
how many of the 95 % intervals hold the accuracy.
"""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from depthgauge.labelling.label_splits import label_splits
from depthgauge.labelling.labelling import write_labels
from depthgauge.manifest import class_codes, read_manifest
from depthgauge.tables import read_table, write_table
from scipy.spatial.distance import pdist

# Classes, images a class, dimensions and how far apart the centres are, in standard deviations.
PLANTED = [
    (5, 40, 5, 0.8),
    (5, 40, 5, 2),
    (5, 40, 5, 8),
    (10, 40, 10, 1),
    (3, 100, 20, 0.4),
    (3, 100, 20, 2),
    (2, 150, 5, 0.7),
    (8, 60, 2, 2),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, nargs="?")
    parser.add_argument("--dataset", action="append", help="all that the run has, if not given")
    parser.add_argument("--extractor")
    parser.add_argument("--labels", type=int, nargs="+", default=[3, 5, 10, 20])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    with TemporaryDirectory() as scratch:
        for kind, name, images, codes, paths in problems(options, Path(scratch)):
            counts, draws = label_splits(codes, options.labels, options.trials, options.seed)
            for count in counts:
                for number, drawn in enumerate(draws):
                    found = trial(
                        images, codes, drawn[:, :count].ravel(), paths, number, options.threads
                    )
                    row = {"kind": kind, "set": name, "labels_per_class": count, "trial": number}
                    rows.append(row | found)
            table = pd.DataFrame(rows)
            print(summary(table[table.set == name], ["kind", "set"]), flush=True)
            table.to_csv(options.output, index=False, lineterminator="\n")
    print(summary(table, ["kind"]))


def problems(options, scratch):
    """Yield (kind, name, images, codes, paths of the distances) of each set."""
    for number, (classes, images, dim, apart) in enumerate(PLANTED):
        rng = np.random.default_rng([options.seed, number])
        codes = np.repeat(np.arange(classes), images)
        centres = rng.standard_normal((classes, dim))[codes]
        folder = scratch / f"{classes} classes {apart} apart" / "planted"
        folder.mkdir(parents=True)
        paths = [folder / f"depth_{depth}.npy" for depth in (1, 2, 3)]
        for share, path in zip((0.4, 0.7, 1), paths, strict=True):
            points = share * apart * centres + rng.standard_normal((len(codes), dim))
            np.save(path, pdist(points).astype(np.float32))
        names = [f"{place}.jpg" for place in range(len(codes))]
        yield "planted", folder.parent.name, names, codes, paths
    found = sorted((options.results or scratch).glob("datasets/*/manifest.csv"))
    for manifest in found:
        name = manifest.parent.name
        if options.dataset and name not in options.dataset:
            continue
        # Copied: distances by angle are made beside them.
        shutil.copytree(options.results / "distances" / name, scratch / name)
        paths = sorted((scratch / name).glob(f"{options.extractor or '*'}/*.npy"))
        table = read_manifest(manifest)
        yield "real", name, table.image, class_codes(table.label)[0], paths


def trial(images, codes, labelled, paths, seed, threads):
    """Return what was expected of the labels for the rest, and what came true."""
    folder = paths[0].parents[1]
    labels = np.full(len(codes), "", object)
    labels[labelled] = codes[labelled].astype(str)
    write_table(pd.DataFrame({"image": images, "label": labels}), folder / "few.csv")
    made = folder / "labels.csv", folder / "accuracy.csv"
    how = {"metrics": ("euclidean", "angle"), "confidence": 0, "seed": seed, "threads": threads}
    write_labels(folder / "few.csv", paths, *made, **how, progress=False)
    table, chosen = read_table(made[0]), read_table(made[1]).iloc[0]
    hidden = (table.origin != "given").to_numpy()
    expected, low, high = chosen[["expected_accuracy", "low", "high"]].astype(float)
    accuracy = (table.label.astype(str) == codes.astype(str))[hidden].mean()
    return {
        "layer": chosen.layer,
        "method": chosen.method,
        "left_out_accuracy": chosen.left_out_accuracy,
        "expected": expected,
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "difference": expected - accuracy,
        "off": abs(expected - accuracy),
        "covered": low <= accuracy <= high,
    }


def summary(table, keys):
    """Return means over trials, in percent and points."""
    columns = ["accuracy", "expected", "difference", "off", "covered"]
    means = table.groupby([*keys, "labels_per_class"])[columns].mean()
    return (100 * means).round(1).to_string()


if __name__ == "__main__":
    main()
