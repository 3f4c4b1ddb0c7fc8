"""What labels of the images that are asked for are worth, beside as many labels at random.

    python tests/validation/ask.py RESULTS --output ask.csv

RESULTS is the folder of a finished run, whose labelled datasets are taken; their labels serve to
judge, and to answer what is asked. Images are chosen, as many as there are classes and twice as
many, and labelled; the rest is labelled from them at each network, at five sixths of its depth.
Since a few images are chosen once, luck would count: all is done ten times, each with four fifths
of the images drawn at random. A row for each set, draw, network that labels, and way to choose.
The ways to choose are facility location by one network (that of `labelling/ask.py`) or by the
mean of all; by the network that labels, too, kernel herding (Chen et al. 2010), ProbCover (Yehuda
et al. 2022) and TypiClust (Hacohen et al. 2022), the latter two on these distances; and `random`,
the mean of 20 draws.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances, read_distances
from depthgauge.labelling import nearest_labelled, propagation
from depthgauge.labelling.ask import asked
from depthgauge.labelling.neighbour_graph import neighbour_graph
from depthgauge.manifest import class_codes, read_manifest
from depthgauge.plan import read_plan
from depthgauge.readings import pooled_name, usual
from scipy.spatial.distance import squareform

DRAWS, AT_RANDOM = 10, 20  # of the images; of labels at random


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    plan, rows = read_plan(options.results / "plan.json"), []
    for name in plan.with_labels():
        files = {net: asked_from(options.results, plan, name, net) for net in plan.layers}
        if not all(file.exists() for file in files.values()):
            print(f"{name}: not all distances are there; left out", flush=True)
            continue
        manifest = options.results / "datasets" / name / "manifest.csv"
        codes, classes = class_codes(read_manifest(manifest).label)
        opened = {net: read_distances(file, len(codes)) for net, file in files.items()}
        squares = {
            net: squareform(np.concatenate(list(angles(one)))) for net, one in opened.items()
        }
        rng = np.random.default_rng(1)
        for draw in range(DRAWS):
            kept = np.sort(rng.permutation(len(codes))[: 4 * len(codes) // 5])
            some = {net: square[np.ix_(kept, kept)] for net, square in squares.items()}
            for factor in (1, 2):
                for row in compared(some, codes[kept], factor * len(classes), rng):
                    rows.append({"set": name, "draw": draw, "labels_per_class": factor} | row)
        print(f"{name}\n{summary(pd.DataFrame(rows).query('set == @name'))}", flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(options.output, index=False, lineterminator="\n", float_format="%.5f")
    for keys in (["set"], ["labels_per_class"], []):
        print(f"\nabove random, in points, mean over the rest, by {' '.join(keys) or 'nothing'}")
        print(summary(table, keys))
    print("\nthe worst of a set and number of labels")
    print(summary(table, ["set", "labels_per_class"], worst=True))


def asked_from(results, plan, dataset, extractor):
    """Return where the distances lie that the rule `ask` takes of a network."""
    pooling = usual(plan.poolings[extractor], plan.metrics).pooling
    name = pooled_name(plan.unlabelled_layer(extractor), pooling)
    return results / "distances" / dataset / extractor / f"{name}.npy"


def compared(squares, codes, count, rng):
    """Yield the accuracies of each network that labels and way to choose."""
    n = len(codes)
    at_random = [rng.permutation(n)[:count] for _ in range(AT_RANDOM)]
    mean = np.mean([square / square.mean() for square in squares.values()], axis=0)
    located = {f"facility location, {net}": one for net, one in (squares | {"mean": mean}).items()}
    located = {
        way: [asked(condensed(one), count, progress=False)[0]] for way, one in located.items()
    }
    for net, square in squares.items():
        distances = condensed(square)
        chosen = located | {
            "kernel herding": [herding(square, count)],
            "ProbCover": [prob_cover(square, count)],
            "TypiClust": [typical(square, *asked(distances, count, progress=False))],
            "random": at_random,
        }
        graph = neighbour_graph(distances, progress=False)
        for way, choices in chosen.items():
            found = np.mean([accuracies(square, graph, codes, some) for some in choices], axis=0)
            yield {"network": net, "way": way} | dict(zip(METHODS, found, strict=True))


def condensed(square):
    return Distances(squareform(square, checks=False).astype(np.float32))


METHODS = [*nearest_labelled.METHODS, *propagation.METHODS]


def accuracies(square, graph, codes, labelled):
    """Return the accuracy of each of METHODS on the other images."""
    labelled = np.asarray(labelled)
    seen, given = np.unique(codes[labelled], return_inverse=True)
    near = square[labelled]
    scores = [f(near, given, len(seen)) for f in nearest_labelled.METHODS.values()]
    scores += [f(graph, labelled, given, len(seen)) for f in propagation.METHODS.values()]
    rest = np.setdiff1d(np.arange(len(codes)), labelled)
    return [
        (np.isfinite(one).any(axis=1) & (seen[one.argmax(axis=1)] == codes))[rest].mean()
        for one in scores
    ]


def radius(square, share):
    """Return the median over the images of the distance to the neighbour at a share of all."""
    return np.median(np.sort(square, axis=1)[:, max(int(share * len(square)), 1)])


def herding(square, count):
    """Choose greedily so that the mean kernel to those chosen is the mean kernel to all."""
    similar = np.exp(-((square / radius(square, 1 / count)) ** 2) / 2)
    all_of_them, own, images = similar.mean(axis=1), np.zeros(len(square)), []
    for step in range(count):
        score = all_of_them - own / (step + 1)
        score[images] = -np.inf
        images.append(score.argmax())
        own += similar[images[-1]]
    return images


def prob_cover(square, count):
    """Choose greedily what has most images that none has yet within a ball, of half a share."""
    within = square <= radius(square, 1 / (2 * count))
    left, images = np.ones(len(square), bool), []
    for _ in range(count):
        covered = (within & left).sum(axis=1)
        covered[images] = -1
        images.append(covered.argmax())
        left &= ~within[images[-1]]
    return images


def typical(square, images, nearest, k=20):
    """Choose of each cluster the image with the least mean distance to its k nearest there."""
    chosen = []
    for place, image in enumerate(images):
        members = np.flatnonzero(nearest == place)
        if len(members) > 1:
            inside = np.sort(square[np.ix_(members, members)], axis=1)[:, 1 : k + 1]
            image = members[inside.mean(axis=1).argmin()]
        chosen.append(image)
    return chosen


def summary(table, keys=(), *, worst=False):
    """Return, by keys and way, what accuracy is above that at random, in points."""
    index = ["set", "draw", "labels_per_class", "network"]
    parts = {}
    for method in METHODS:
        wide = table.pivot(index=index, columns="way", values=method)
        more = 100 * wide.sub(wide["random"], axis=0)
        more["random"] = 100 * wide["random"]
        found = more.groupby(list(keys)).mean() if keys else more.mean()
        parts[method] = found.min() if worst else found.T
    return pd.concat(parts, axis=1).round(1).to_string()


if __name__ == "__main__":
    main()
