"""Near copies, planted in real images: how well rules find them, at every depth and reading.

    python tests/validation/near_copies.py RESULTS --extractor googlenet --extractor lite0 \\
        --cache CACHE --output near_copies.csv

RESULTS is the folder of a finished run that kept its features (`keep_features`). Copies of some
images of its sets are made: saved as JPEG of quality 40, cropped to 90 % of each side at a random
place, 15 % brighter, mirrored; each kind of 20 other images (`one` copy), and of 12 more images
all four (`four` copies). They go through the run's own networks and join the images of the run.
Pairs of images are ranked by each rule; the average precision is that of the pairs of an image and
its copy of a kind, one or four, among these and all pairs that are no copies of one image.
Precision, of all kinds at once, and recall are those at the rule's threshold. The rules of FiftyOne
(cosine distance below 0.2) and cleanlab (below 0.13 of the median of the nearest) are theirs by
default, on this network. Of several networks the rule is tried on all at once, too.
"""

import argparse
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.manifest import read_manifest
from depthgauge.plan import read_plan
from depthgauge.readings import pooled_name
from depthgauge.report.agreement import agreement, details
from depthgauge.report.near_copies import LIMIT, near_copies
from PIL import Image, ImageEnhance, ImageOps
from scipy.spatial.distance import squareform
from sklearn.metrics import average_precision_score

COPIES, GROUPS = 20, 12  # images with one copy, of each kind; and with one of each kind


def crop(picture, rng):
    sides = [round(0.9 * side) for side in picture.size]
    left, top = (int(rng.integers(a - b + 1)) for a, b in zip(picture.size, sides, strict=True))
    return picture.crop((left, top, left + sides[0], top + sides[1]))


# By kind: the change, and the quality at which the copy is saved.
KINDS = {
    "jpeg": (lambda picture, rng: picture, 40),
    "crop": (crop, 95),
    "brighter": (lambda picture, rng: ImageEnhance.Brightness(picture).enhance(1.15), 95),
    "mirrored": (lambda picture, rng: ImageOps.mirror(picture), 95),
}


def planted(results, name, cache):
    """Make the copies; return files, their originals [copies], kinds, whether they have four."""
    folder = cache / name
    source = results / "datasets" / name
    images = read_manifest(source / "manifest.csv").image
    rng = np.random.default_rng(1)
    drawn = rng.permutation(len(images))[: len(KINDS) * COPIES + GROUPS]
    alone, grouped = np.split(drawn, [len(KINDS) * COPIES])
    originals = np.concatenate([alone, np.repeat(grouped, len(KINDS))])
    kinds = np.concatenate(
        [np.repeat(np.arange(len(KINDS)), COPIES), np.tile(np.arange(len(KINDS)), GROUPS)]
    )
    files = [folder / f"{place:03d}.jpg" for place in range(len(kinds))]
    folder.mkdir(exist_ok=True)
    for file, place, kind in zip(files, originals, kinds, strict=True):
        change, quality = list(KINDS.values())[kind]
        with Image.open(source / "images" / images[place]) as one:
            change(one.convert("RGB"), rng).save(file, quality=quality)
    return files, originals, kinds, np.arange(len(kinds)) >= len(alone)


def features(results, plan, name, extractor, files, cache):
    """Return what a network says of the copies, by layer, from half way on."""
    kept = cache / f"{name}-{extractor}.npz"
    if not kept.exists():
        run, size, resample = network(results, plan, name, extractor)
        from depthgauge.networks.pixels import load_pixels

        made = []
        for file in files:
            values = run(load_pixels(file, size, resample)[None])
            made.append([np.asarray(value[0]) for value in values])
        layers = list(zip(plan.layers[extractor], zip(*made, strict=True), strict=True))
        deep = layers[len(layers) // 2 :]
        np.savez(kept, **{layer: np.stack(values) for layer, values in deep})
    return np.load(kept)


def network(results, plan, name, extractor):
    from depthgauge.networks.graph import graph_function, read_graph

    described = json.loads((results / f"{plan.network(name, extractor)}.json").read_text())
    tensors = [layer["tensor"] for layer in described["layers"]]
    run = graph_function(read_graph(results / plan.graph(name, extractor)), tensors)
    return run, described["size"], described["resample"]


def squares(results, plan, name, extractor, copies):
    """Yield (reading, Euclidean distances, cosine distances) of images and copies.

    Of the depths from half way, at which near copies are told.
    """
    layers = plan.layers[extractor]
    for layer in layers[len(layers) // 2 :]:
        values = copies[layer]
        for pooling in plan.poolings[extractor] if values.ndim > 2 else ["flat"]:
            folder = results / "features" / name / extractor / pooled_name(layer, pooling)
            shards = [np.load(folder / f"{shard}.npy") for shard in plan.shards(name)]
            own = values.reshape(len(values), -1)
            if pooling == "mean":
                own = values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)
            features = np.concatenate([*shards, own])
            middle = features.mean(axis=0)
            from_middle = features - middle
            inner = (from_middle @ from_middle.T).astype(np.float64)
            norms = inner.diagonal()
            apart = np.sqrt(np.maximum(norms + norms[:, None] - 2 * inner, 0))
            # Inner products as seen from 0, for the cosine of the features as they are.
            beside = (features @ middle - middle @ middle / 2).astype(np.float64)
            products = inner + beside + beside[:, None]
            lengths = np.sqrt(products.diagonal())
            yield f"{layer} {pooling}", apart, 1 - products / lengths / lengths[:, None]


def compared(results, plan, name, extractors, cache):
    """Yield a row for each rule, kind of copy, and one copy or four."""
    files, originals, kinds, four = planted(results, name, cache)
    folder = results / "datasets" / name
    images = [folder / "images" / one for one in read_manifest(folder / "manifest.csv").image]
    pictures = [details(file) for file in [*images, *files]]

    @lru_cache(None)
    def agree(one, other):
        return agreement(pictures[one], pictures[other])

    depths = {}
    for extractor in extractors:
        copies = features(results, plan, name, extractor, files, cache)
        rules, flat = {}, []
        for reading, apart, cosine in squares(results, plan, name, extractor, copies):  # noqa: B007
            euclidean = Distances(squareform(apart, checks=False).astype(np.float32))
            by_angle = Distances(np.concatenate(list(angles(euclidean))))
            table = nearest_neighbours(by_angle, 8, progress=False)
            rules[f"{reading}, angle, without pictures"] = ratios([[table]]), 0.7
            if reading.endswith("flat"):
                flat.append((squareform(by_angle.condensed), table))
        tables = depths[extractor] = [table for _, table in flat]
        nearest = np.median((cosine + np.diag([np.inf] * len(cosine))).min(axis=0))
        rules |= {
            "the rule": (ratios([tables], agree), LIMIT),
            "without pictures": (ratios([tables]), 0.7),
            "the same, by the eighth neighbour alone": (by_one(flat, 8), 0.6),
            "the same, by the second neighbour alone": (by_one(flat, 2), 0.8),
            "cosine of the last, FiftyOne": (cosine, 0.2),
            "cosine of the last, cleanlab": (cosine, 0.13 * nearest),
        }
        for row in rated(rules, originals, kinds, four):
            yield {"set": name, "network": extractor} | row
    if len(extractors) > 1:
        networks = list(depths.values())
        rules = {
            "the rule": (ratios(networks, agree), LIMIT),
            "without pictures": (ratios(networks), 0.7),
        }
        for row in rated(rules, originals, kinds, four):
            yield {"set": name, "network": "all"} | row


def ratios(networks, agree=None):
    """Return what ``near_copies`` goes by, of every pair."""
    n = len(networks[0][0][0])
    pairs, found, _, _ = near_copies(networks, agree, limit=2)
    square = np.ones((n, n))
    square[tuple(pairs.T)] = found
    return square


def by_one(depths, rank):
    """Return the least ratio by the neighbour of one rank alone."""
    found = []
    for apart, (_, near) in depths:
        scale = near[:, rank - 1].astype(np.float64)
        found.append(np.minimum(apart / np.minimum(scale[:, None], scale), 1))
    return np.minimum.reduce(found)


def rated(rules, originals, kinds, four):
    """Yield what each rule is worth; rules are (scores [n, n], limit) by name."""
    n = len(next(iter(rules.values()))[0])
    copies = n - len(originals) + np.arange(len(originals))
    of = np.arange(n)
    of[copies] = originals
    codes = np.where(of[:, None] == of, -2, -1)  # copies of one image, and no copies
    codes[originals, copies] = kinds + len(KINDS) * four
    upper = np.triu_indices(n, 1)
    codes = codes[upper]
    for rule, (scores, limit) in rules.items():
        scores = scores[upper]
        listed = scores < limit
        for code in range(2 * len(KINDS)):
            own = codes == code
            counted = own | (codes == -1)
            yield {
                **{"rule": rule, "kind": list(KINDS)[code % len(KINDS)]},
                "copies": "four" if code >= len(KINDS) else "one",
                "average_precision": average_precision_score(own[counted], -scores[counted]),
                "recall": listed[own].mean(),
                "precision": (codes[listed] != -1).mean() if listed.any() else np.nan,
                "own": (codes[listed] == -1).sum(),
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--extractor", dest="extractors", action="append", required=True)
    parser.add_argument("--set", dest="sets", action="append")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    plan, rows = read_plan(options.results / "plan.json"), []
    for name in options.sets or plan.with_labels():
        rows += compared(options.results, plan, name, options.extractors, options.cache)
        table = pd.DataFrame(rows)
        table.to_csv(options.output, index=False, lineterminator="\n", float_format="%.4f")
        print(
            f"{name}, average precision by kind:\n{summary(table[table.set == name])}", flush=True
        )
    print(f"\nall, average precision by kind:\n{summary(table)}")


def summary(table):
    """Return the average precision by kind, and what is found of all kinds."""
    by = ["network", "rule"]
    found = table.pivot_table("average_precision", by, ["copies", "kind"])
    for copies, some in table.groupby("copies"):
        for value in ("average_precision", "recall"):
            found[copies, f"mean {value}"] = some.groupby(by)[value].mean()
    found["", "precision"] = table.groupby(by).precision.mean()
    found["", "own listed"] = table.groupby(by).own.mean()
    return found.round(2).to_string()


if __name__ == "__main__":
    main()
