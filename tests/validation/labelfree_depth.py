"""What is lost where a depth is chosen without labels: rules that look at distances alone.

    python tests/validation/labelfree_depth.py RESULTS --output labelfree_depth.csv

RESULTS is the folder of a finished run, whose labelled datasets are taken; their labels judge. Of
every set and network each rule chooses a depth, and its leave-one-out accuracy of the nearest
neighbour is held against that of the best depth and reading, which needs labels. *Flat* is read
flat by angle (the mean of the patches, where a network is not read flat), *mean* is read averaged
by angle, vectors as they are. A hit lacks three points at most.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances, read_distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.labelling.mislabelled import inner_products
from depthgauge.manifest import class_codes, read_manifest
from depthgauge.plan import read_plan
from depthgauge.readings import pooled_name, usual
from depthgauge.tables import read_table

RANKS = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    plan, rows = read_plan(options.results / "plan.json"), []
    for name in plan.with_labels():
        for network in plan.layers:
            if not (options.results / "clusters" / name / f"{network}.csv").exists():
                print(f"{name} x {network}: not finished; left out", flush=True)
                continue
            cells = read_cells(options.results, plan, name, network)
            stable = read_table(options.results / "clusters" / name / f"{network}.csv").stability
            best = max(cell["knn1"] for layer in cells for cell in layer.values())
            for rule, accuracy in chosen(plan, network, cells, stable.fillna(-1)).items():
                row = {"set": name, "network": network, "rule": rule, "accuracy": accuracy}
                rows.append(row | {"loss": best - accuracy, "hit": best - accuracy <= 0.03})
    table = pd.DataFrame(rows)
    table.to_csv(options.output, index=False, lineterminator="\n", float_format="%.5f")
    by_rule = table.groupby("rule", sort=False)
    summary = 100 * by_rule[["accuracy", "loss", "hit"]].mean()
    summary["largest loss"] = 100 * by_rule.loss.max()
    summary["worst set"] = 100 * table.groupby(["rule", "set"]).loss.mean().groupby("rule").max()
    pairs = table[["set", "network"]].drop_duplicates()
    print(f"{len(pairs)} pairs of {pairs.set.nunique()} sets, in percent and points")
    print(summary.sort_values("loss").round(1).to_string())


def read_cells(results, plan, dataset, network):
    """Return for each layer a dict from (pooling, metric) to what is seen of the cell."""
    manifest = results / "datasets" / dataset / "manifest.csv"
    codes, _ = class_codes(read_manifest(manifest).label)
    layers = []
    for layer in plan.layers[network]:
        cells = {}
        for pooling in plan.poolings[network]:
            path = results / "distances" / dataset / network / f"{pooled_name(layer, pooling)}.npy"
            opened = read_distances(path, len(codes))
            for metric in plan.metrics:
                condensed = opened.condensed
                if metric == "angle":
                    condensed = np.concatenate(list(angles(opened)))
                near, _ = nearest_neighbours(Distances(condensed), RANKS, progress=False)
                cells[pooling, metric] = {
                    "knn1": (codes[near[:, 0]] == codes).mean(),
                    "rank": effective_rank(condensed),
                    "near": near,
                }
        layers.append(cells)
    return layers


def effective_rank(condensed):
    """Return exp of the entropy of the singular values of the centred features.

    RankMe (Garrido et al. 2023, arXiv:2210.02885) of features whose mean is subtracted, from
    their distances: the squares of the singular values are the eigenvalues of the inner products.
    """
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(inner_products(condensed)), 0))
    share = values[values > 0] / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def agreement(layers, place):
    """Return the share of a layer's ten nearest that the other layers have, on average."""
    own = layers[place]["near"]
    shared = [
        np.mean([len(set(a) & set(b)) for a, b in zip(own, other["near"], strict=True)]) / RANKS
        for other in layers[:place] + layers[place + 1 :]
    ]
    return np.mean(shared) if shared else 0.0


def chosen(plan, network, cells, stability):
    """Return by rule the accuracy of the cell that it chooses."""
    count, poolings = len(cells), plan.poolings[network]
    flat = [layer[usual(poolings, plan.metrics)] for layer in cells]
    mean = [layer.get(("mean", "angle"), one) for layer, one in zip(cells, flat, strict=True)]
    most_stable = max(place for place in range(count) if stability[place] == stability.max())
    found = {"cluster stability (contact sheets so far)": flat[most_stable]}
    for name, read in (("flat", flat), ("mean", mean)):
        found |= {
            f"effective rank, {name}": max(read, key=lambda cell: cell["rank"]),
            f"agreement between depths, {name}": read[
                int(np.argmax([agreement(read, place) for place in range(count)]))
            ],
            f"two thirds of depth, {name}": read[max((2 * count + 1) // 3, 1) - 1],
            f"five sixths of depth, {name}": read[(5 * count + 3) // 6 - 1],
            f"deepest, {name}": read[-1],
        }
    found = {rule: cell["knn1"] for rule, cell in found.items()}
    everything = [cell["knn1"] for layer in cells for cell in layer.values()]
    return found | {"a cell at random": np.mean(everything)}


if __name__ == "__main__":
    main()
