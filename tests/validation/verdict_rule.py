"""How good a depth the verdict's rule chooses, beside other rules, on images that it did not see.

    python tests/validation/verdict_rule.py --output verdict_rule.csv
    python tests/validation/verdict_rule.py --results results     (and the cells of a run)

For each dataset and network the images are halved, class by class. Every rule chooses a layer
from one half; the leave-one-out accuracy of the nearest neighbour at that layer is then measured
in the other half, and compared with that of the layer best there. So a rule that goes by the
same accuracy has no advantage but that it chooses well.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from depthgauge.condensed import open_condensed, subset
from depthgauge.manifest import read_manifest
from depthgauge.neighbours import nearest_neighbours
from depthgauge.statistics.class_sums import class_sums
from depthgauge.statistics.halves import halve
from depthgauge.statistics.principal import coordinate_goodness, principal_coordinates, spectrum
from depthgauge.statistics.rank_auc import rank_auc
from depthgauge.statistics.verdict import choose
from scipy.ndimage import correlate, maximum_filter
from scipy.spatial.distance import pdist
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

POINT = 0.01


def planted(rng):
    """Yield (name, labels, layers): features with a known structure, four layers each."""
    for name, sizes, layers in (
        # (dimensions of signal, shift, dimensions of noise, spread of noise)
        ("noise fades", [60] * 5, [(10, 1.0, m, 1) for m in (3000, 300, 30, 0)]),
        ("noise grows", [60] * 5, [(10, 1.0, m, 1) for m in (0, 30, 300, 3000)]),
        ("best in the middle", [60] * 5, [(10, s, 200, 1) for s in (0.6, 1.2, 1.0, 0.5)]),
        ("weak", [60] * 4, [(5, s, 20, 1) for s in (0.2, 0.3, 0.5, 0.4)]),
        ("unbalanced", [150, 60, 30, 12], [(8, s, 100, 1) for s in (0.5, 0.8, 1.1, 0.9)]),
        (
            "a few large directions",
            [60] * 5,
            [(10, 1.0, m, s) for m, s in ((50, 1), (9, 2), (3, 6), (1, 20))],
        ),
    ):
        labels = np.repeat(np.arange(len(sizes)), sizes)
        centres = rng.standard_normal((len(sizes), 10))
        yield (
            name,
            labels,
            [
                np.hstack(
                    [
                        shift * centres[labels, :signal]
                        + rng.standard_normal((len(labels), signal)),
                        spread * rng.standard_normal((len(labels), noise)),
                    ]
                )
                for signal, shift, noise, spread in layers
            ],
        )
    # Rings around one another are told apart by neighbours, then clusters by any measure.
    labels = np.repeat(np.arange(3), 100)
    angle = rng.uniform(0, 2 * np.pi, 300)
    ring = (1 + labels)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    blob = 2 * np.eye(3)[labels]
    yield (
        "rings to clusters",
        labels,
        [
            np.hstack([(1 - t) * ring, t * blob]) + 0.25 * rng.standard_normal((300, 5))
            for t in (0, 0.3, 0.6, 0.9)
        ],
    )
    # Classes of several clusters, that come together with depth while noise grows.
    parts = rng.standard_normal((12, 10))
    part = np.repeat(np.arange(12), 25)
    labels = part % 4
    centres = rng.standard_normal((4, 10))
    yield (
        "many clusters a class",
        labels,
        [
            (1 - t) * parts[part] + t * centres[labels] + s * rng.standard_normal((300, 10))
            for t, s in ((0, 0.4), (0.3, 0.4), (0.6, 0.5), (1, 0.9))
        ],
    )


def convolved(images, rng, stages=4):
    """Yield the pooled activations of an untrained convolutional network, stage by stage."""
    maps = [images]
    for _ in range(stages):
        mixed = []
        for _ in range(8):
            weights = rng.standard_normal((len(maps), 1, 3, 3)) / 3 / np.sqrt(len(maps))
            total = sum(correlate(m, w) for m, w in zip(maps, weights, strict=True))
            mixed.append(np.maximum(total, 0))
        maps = [maximum_filter(m, (1, 2, 2)) for m in mixed]
        if maps[0].shape[1] > 4:
            maps = [m[:, ::2, ::2] for m in maps]
        yield np.concatenate([m.reshape(len(images), -1) for m in maps], axis=1)


def learned(images, labels, rng):
    """Return labels and activations of a network trained on other images of the same kind."""
    flat = images.reshape(len(images), -1)
    order = rng.permutation(len(labels))
    seen, kept = order[600:], order[:600]
    network = MLPClassifier((128, 64, 32), max_iter=60, random_state=0).fit(
        flat[seen], labels[seen]
    )
    layers = [flat[kept]]
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        layers.append(np.maximum(layers[-1] @ weights + bias, 0))
    return labels[kept], layers


def real(rng, shared):
    """Yield (name, labels, layers): real images through small networks made here."""
    digits = load_digits()
    images = digits.images / 16
    few = rng.permutation(len(images))[:500]
    yield "digits x untrained", digits.target[few], list(convolved(images[few], rng))
    yield "digits x trained", *learned(images, digits.target, rng)
    if (shared / "textures").is_dir():
        from PIL import Image

        patches, labels = [], []
        for code, file in enumerate(sorted((shared / "textures").glob("*.png"))):
            photograph = np.asarray(Image.open(file).convert("L"), float) / 255
            for y, x in rng.integers(0, photograph.shape[0] - 16, (100, 2)):
                patches.append(photograph[y : y + 16, x : x + 16])
                labels.append(code)
        patches = np.array(patches)
        patches -= patches.mean(axis=(1, 2), keepdims=True)
        yield "textures x untrained", np.array(labels), list(convolved(patches, rng))
    mnist = shared / "mirror/ossci-datasets.s3.amazonaws.com/mnist"
    if mnist.is_dir():
        import gzip

        pixels = gzip.decompress((mnist / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
        target = gzip.decompress((mnist / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
        images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)[:4000] / 255
        target = np.frombuffer(target, np.uint8)[:4000].astype(int)
        yield "mnist x untrained", target[:500], list(convolved(images[:500], rng))
        yield "mnist x trained", *learned(images, target, rng)


def of_results(folder):
    """Yield the cells of a run: (name, labels, condensed distances of each layer)."""
    for extractor in sorted(folder.glob("distances/*/*/")):
        dataset = extractor.parent.name
        table = read_manifest(folder / "datasets" / dataset / "manifest.csv")
        described = pd.read_json(folder / "networks" / f"{extractor.name}.json", typ="series")
        files = [extractor / f"{layer['layer']}.npy" for layer in described["layers"]]
        if all(file.exists() for file in files) and (table.label != "").all():
            yield (
                f"{dataset} x {extractor.name}",
                np.unique(table.label, return_inverse=True)[1],
                [open_condensed(file) for file in files],
            )


def scores(condensed, codes):
    """Return what the rules go by, of one layer."""
    quiet = {"progress": False}
    nearest, _ = nearest_neighbours(condensed, 1, **quiet)
    norm = spectrum(condensed, **quiet).norm
    return {
        "1-NN accuracy": float(np.mean(codes[nearest[:, 0]] == codes)),
        "AUC": rank_auc(condensed, codes, **quiet)[0],
        "goodness": ratio(class_sums(condensed, codes, **quiet), codes),
        "goodness after PCA": coordinate_goodness(
            principal_coordinates(condensed, 50, norm), codes, **quiet
        ),
    }


def ratio(sums, codes):
    sizes = np.bincount(codes)[codes]
    own = sums[np.arange(len(codes)), codes].sum()
    return (sums.sum() - own) / (len(codes) - sizes).sum() / (own / (sizes - 1).sum())


def hits(layers, codes, splits, seed):
    """Return, by rule, the share of halves with a hit and the mean loss, in accuracy."""
    rng = np.random.default_rng(seed)
    found = {}
    for _ in range(splits):
        half = halve(codes, rng)
        tables = []
        for part in (0, 1):
            chosen = np.flatnonzero(half == part)
            tables.append(
                pd.DataFrame([scores(subset(layer, chosen), codes[chosen]) for layer in layers])
            )
        for seen, unseen in (tables, tables[::-1]):
            accuracy = unseen["1-NN accuracy"].to_numpy()
            loss = accuracy.max() - accuracy
            picks = {
                "the verdict's rule": loss[
                    choose(seen["1-NN accuracy"].to_numpy(), seen.AUC.to_numpy())
                ]
            }
            for rule in ("AUC", "goodness after PCA", "goodness"):
                picks[rule] = loss[seen[rule].idxmax()]
            picks |= {"the deepest layer": loss[-1]}
            for rule, lost in picks.items():
                found.setdefault(rule, []).append((lost <= POINT + 1e-12, lost))
            found.setdefault("at random", []).append((np.mean(loss <= POINT + 1e-12), loss.mean()))
    return {rule: np.mean(values, axis=0) for rule, values in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, action="append", default=[])
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[3] / "shared")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    cells = [
        (kind, name, labels, [pdist(layer) for layer in layers])
        for kind, made in (("planted", planted(rng)), ("real", real(rng, args.shared)))
        for name, labels, layers in made
    ]
    cells += [("real", *cell) for folder in args.results for cell in of_results(folder)]
    rows = []
    for kind, name, labels, layers in cells:
        for rule, (hit, loss) in hits(layers, labels, args.splits, args.seed).items():
            rows.append({"kind": kind, "cell": name, "rule": rule, "hit": hit, "loss": loss})
        print(f"{name}: done", flush=True)
    table = pd.DataFrame(rows)
    rules = list(dict.fromkeys(table.rule))
    print(
        table.pivot(index=["kind", "cell"], columns="rule", values="hit")[rules]
        .round(2)
        .to_string()
    )
    mean = table.groupby("rule")[["hit", "loss"]].mean().loc[rules]
    print(f"\nMean of {len(cells)} cells, {2 * args.splits} halves each; a hit is within a point:")
    print(mean.round(3).to_string())
    if args.output:
        table.to_csv(args.output, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
