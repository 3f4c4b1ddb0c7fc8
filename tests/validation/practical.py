"""What the practical cell costs: that of fewest values within a point of the most accurate one.

    python tests/validation/practical.py RESULTS --output practical.csv

RESULTS is the folder of a finished run, whose labelled datasets are taken, all networks together.
The images are halved, class by class, 8 times. Each half chooses, by the verdict's rule and then
the practical cell, whether or not the verdict would call it a toss-up; the other half judges: there
the leave-one-out accuracy of the nearest neighbour is measured. One row per set, split and half.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.described import read_layers
from depthgauge.distances.matrix import Distances, read_distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.manifest import class_codes, read_manifest
from depthgauge.plan import read_plan
from depthgauge.readings import layer_poolings, pooled, pooled_name
from depthgauge.statistics.accuracy import REACH, expected_in_half, halve
from depthgauge.statistics.verdict import POINT
from scores import by_metric

SPLITS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    plan, tables = read_plan(options.results / "plan.json"), []
    for name in plan.with_labels():
        cells = cells_of(options.results, plan, name)
        if not all(cell["file"].exists() for cell in cells):
            print(f"{name}: not all distances are there; left out", flush=True)
            continue
        manifest = options.results / "datasets" / name / "manifest.csv"
        codes, _ = class_codes(read_manifest(manifest).label)
        tables.append(pd.DataFrame(compared(cells, codes)).assign(set=name))
        print(tables[-1].mean(numeric_only=True).round(4).to_dict(), name, flush=True)
    table = pd.concat(tables)
    table.to_csv(options.output, index=False, lineterminator="\n", float_format="%.5f")
    print(table.groupby("set").mean().mean().round(4))


def cells_of(results, plan, dataset):
    """Return the cells of a dataset: depth, dim, metric and the file of the distances."""
    return [
        {
            "depth": depth,
            "dim": pooled(layer, pooling)["dim"],
            "metric": metric,
            "file": results
            / f"distances/{dataset}/{extractor}/{pooled_name(layer['layer'], pooling)}.npy",
        }
        for extractor in plan.layers
        for depth, layer in enumerate(
            read_layers(results / f"{plan.network(dataset, extractor)}.json"), 1
        )
        for pooling in layer_poolings(layer, plan.poolings[extractor])
        for metric in plan.metrics
    ]


def compared(cells, codes):
    """Return how accurate the two choices of each half are in the other, and of how many values."""
    opened = {cell["file"]: read_distances(cell["file"], len(codes)) for cell in cells}
    order, rng, rows = pd.DataFrame(cells), np.random.default_rng(1), []
    for split in range(SPLITS):
        half = halve(codes, rng)
        parts = [np.flatnonzero(half == part) for part in (0, 1)]
        found = np.array([[accuracies(opened, c, part, codes) for part in parts] for c in cells])
        for seen, unseen in ((0, 1), (1, 0)):
            expected, judged = found[:, seen, 1], found[:, unseen, 0]
            best = expected.argmax()
            near = order[expected >= expected[best] - POINT]
            near = near[near.dim == near.dim.min()]
            near = near[near.depth == near.depth.min()].index
            practical = near[expected[near].argmax()]
            rows.append(
                {
                    **{"split": split, "half": seen},
                    **{"best": judged[best], "practical": judged[practical]},
                    **{"values": order.dim[best], "practical_values": order.dim[practical]},
                }
            )
    return rows


def accuracies(opened, cell, members, codes):
    """Return (leave-one-out, expected in half of them) accuracy of the nearest of ``members``."""
    condensed = by_metric(opened[cell["file"]].among(members).condensed, cell["metric"])
    near, _ = nearest_neighbours(Distances(condensed), min(REACH, len(members) - 1), progress=False)
    right = codes[members][near] == codes[members][:, None]
    return right[:, 0].mean(), expected_in_half(right).mean()


if __name__ == "__main__":
    main()
