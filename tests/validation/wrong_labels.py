"""How well wrong labels are found: planted ones, ranked here and by cleanlab.

    python tests/validation/wrong_labels.py RESULTS --output wrong_labels.csv

RESULTS is the folder of a finished run that kept its features. Of each set 5 % of the labels are
made wrong, at random or to the class that lies nearest, and the depth and reading of each network
are chosen by these labels, as the verdict chooses. Printed is the average precision of the wrong
labels in the ranking of `labelling/mislabelled.py`, of the older tables of each network
(`report/misplaced.py`), of votes of the ten nearest, and, where cleanlab can be imported, of its
label quality scores by the probabilities of a logistic regression that did not see the image
(five folds, on the same features: centred, and of length one where read by angle). `one` is a
ranking by a single network's reading, the mean over networks.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances, read_distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.labelling.mislabelled import inner_products, left_out_fit
from depthgauge.manifest import class_codes, read_manifest
from depthgauge.plan import read_plan
from depthgauge.readings import choose, pooled_name
from depthgauge.statistics.accuracy import expected_in_half
from depthgauge.statistics.auc import rank_auc
from scipy.spatial.distance import squareform
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

try:
    from cleanlab.rank import get_label_quality_scores
except ImportError:
    get_label_quality_scores = None

SHARE, FOLDS = 0.05, 5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--set", action="append", dest="sets", help="all, if not given")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    plan, rows = read_plan(options.results / "plan.json"), []
    for name in options.sets or plan.with_labels():
        manifest = options.results / "datasets" / name / "manifest.csv"
        codes, _ = class_codes(read_manifest(manifest).label)
        cells = {net: read_cells(options.results, plan, name, net) for net in plan.layers}
        nearest = nearest_class(next(reversed(cells[next(reversed(cells))].values()))[0], codes)
        for trial in range(options.trials):
            for noise in ("random", "similar"):
                rng = np.random.default_rng([trial, len(noise)])
                given, wrong = planted(codes, nearest, noise, rng)
                for way, doubts in ways(options.results, name, cells, given).items():
                    found = np.mean([average_precision_score(wrong, one) for one in doubts])
                    row = {"set": name, "noise": noise, "trial": trial, "way": way}
                    rows.append(row | {"average_precision": found})
        print(f"{name}: done", flush=True)
        table = pd.DataFrame(rows)
        table.to_csv(options.output, index=False, lineterminator="\n", float_format="%.5f")
    wide = table.pivot_table(index="way", columns=["noise", "set"], values="average_precision")
    wide["mean", ""] = wide.mean(axis=1)
    print(wide.sort_values(("mean", ""), ascending=False).round(3).to_string())


def read_cells(results, plan, dataset, network):
    """Return by (file name, metric) the condensed distances and the ten nearest."""
    cells = {}
    for layer in plan.layers[network]:
        for pooling in plan.poolings[network]:
            name = pooled_name(layer, pooling)
            opened = read_distances(results / "distances" / dataset / network / f"{name}.npy")
            for metric in plan.metrics:
                condensed = np.asarray(opened.condensed)
                if metric == "angle":
                    condensed = np.concatenate(list(angles(opened)))
                near, _ = nearest_neighbours(Distances(condensed), 10, progress=False)
                cells[name, metric] = condensed, near
    return cells


def nearest_class(condensed, codes):
    """Return for each class the other one with the least mean distance."""
    given = np.eye(codes.max() + 1)[codes]
    means = given.T @ squareform(condensed) @ given / np.outer(given.sum(0), given.sum(0))
    np.fill_diagonal(means, np.inf)
    return means.argmin(axis=1)


def planted(codes, nearest, noise, rng):
    """Return labels of which some are wrong, and which."""
    wrong = np.zeros(len(codes), bool)
    wrong[rng.permutation(len(codes))[: round(SHARE * len(codes))]] = True
    by = rng.integers(1, codes.max() + 1, len(codes))
    other = (codes + by) % (codes.max() + 1) if noise == "random" else nearest[codes]
    return np.where(wrong, other, codes), wrong


def ways(results, dataset, cells, codes):
    """Return by way the doubts of every image, one array or one for each network."""
    classes = codes.max() + 1
    inner, older, votes, probabilities = [], [], [], []
    for network, of_network in cells.items():
        scores = [
            (
                expected_in_half(codes[near] == codes[:, None]).mean(),
                rank_auc(condensed, codes, progress=False)[0],
            )
            for condensed, near in of_network.values()
        ]
        (name, metric), (condensed, near) = list(of_network.items())[choose(*np.transpose(scores))]
        inner.append(inner_products(condensed))
        older.append(
            10 * (codes[near[:, :5]] != codes[:, None]).sum(axis=1)
            - silhouette(squareform(condensed), codes)
        )
        votes.append(np.eye(classes)[codes[near]].mean(axis=1))
        folder = results / "features" / dataset / network / name
        if not folder.exists():  # a vector, of which all poolings are one
            folder = folder.with_name(name.partition(".")[0])
        probabilities.append(out_of_sample(folder, metric, codes))
    found = {
        "kernel ridge, all networks": [
            doubt(left_out_fit(np.mean(inner, axis=0), codes, classes), codes)
        ],
        "kernel ridge, one": [doubt(left_out_fit(one, codes, classes), codes) for one in inner],
        "the older tables, one": older,
        "votes of the ten nearest, all networks": [doubt(np.mean(votes, axis=0), codes)],
    }
    if get_label_quality_scores is not None:
        for method in ("self_confidence", "normalized_margin"):
            for which, some in (
                ("all networks", [np.mean(probabilities, axis=0)]),
                ("one", probabilities),
            ):
                found[f"cleanlab, {method}, {which}"] = [
                    -get_label_quality_scores(codes, one, method=method) for one in some
                ]
    return found


def doubt(fit, codes):
    places = np.arange(len(codes))
    others = fit.copy()
    others[places, codes] = -np.inf
    return others.max(axis=1) - fit[places, codes]


def silhouette(square, codes):
    sizes = np.bincount(codes)
    means = square @ np.eye(len(sizes))[codes] / np.maximum(sizes - np.eye(len(sizes))[codes], 1)
    places = np.arange(len(codes))
    own = means[places, codes]
    means[places, codes] = np.inf
    other = means.min(axis=1)
    return (other - own) / np.maximum(other, own)


def out_of_sample(folder, metric, codes):
    """Return the probabilities of a logistic regression of the other folds."""
    shards = sorted(folder.glob("*.npy"), key=lambda path: int(path.stem.split("-")[0]))
    features = np.concatenate([np.load(path) for path in shards])
    features = features.reshape(len(codes), -1).astype(np.float64)
    features -= features.mean(axis=0)
    if metric == "angle":
        features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    if features.shape[1] > len(codes):  # the same inner products in fewer columns
        values, vectors = np.linalg.eigh(features @ features.T)
        used = values > 1e-9 * values[-1]
        features = vectors[:, used] * np.sqrt(values[used])
    features /= np.sqrt((features**2).sum(axis=1).mean())
    found = np.zeros((len(codes), codes.max() + 1))
    for seen, rest in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(features, codes):
        model = LogisticRegression(C=10, max_iter=500).fit(features[seen], codes[seen])
        found[np.ix_(rest, model.classes_)] = model.predict_proba(features[rest])
    return found


if __name__ == "__main__":
    main()
