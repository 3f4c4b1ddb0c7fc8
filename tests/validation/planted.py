"""Features with a known structure, and real images through small networks made here.

Each yields (name, labels, layers): a few layers from shallow to deep, all of them vectors.
"""

import gzip

import numpy as np
from scipy.ndimage import correlate, maximum_filter
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier


def planted(rng):
    """Yield features with a known structure, four layers each."""
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
    # Directions tell the class, lengths are a nuisance such as contrast: angle is right.
    labels = np.repeat(np.arange(30), 10)
    centres = _directions(rng, 15, 4)
    centres = np.vstack([centres, -centres])  # around the origin, from which lengths are
    yield (
        "length is a nuisance",
        labels,
        [
            rng.uniform(0.1, 2, (300, 1))
            * (centres[labels] + spread * rng.standard_normal((300, 4)))
            for spread in (0.4, 0.25, 0.1, 0.18)
        ],
    )
    # Lengths tell the class, directions are at random: Euclidean distance is right.
    labels = np.repeat(np.arange(3), 100)
    yield (
        "length tells",
        labels,
        [
            (1 + labels[:, None] + spread * rng.standard_normal((300, 1)))
            * _directions(rng, 300, 3)
            for spread in (0.6, 0.4, 0.15, 0.3)
        ],
    )


def _directions(rng, count, dim):
    made = rng.standard_normal((count, dim))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def small(rng, shared):
    """Yield real images through small networks, trained on others of their kind or untrained."""
    digits = load_digits()
    images = digits.images / 16
    few = rng.permutation(len(images))[:500]
    yield "digits x untrained", digits.target[few], list(_convolved(images[few], rng))
    yield "digits x trained", *_learned(images, digits.target, rng)
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
        yield "textures x untrained", np.array(labels), list(_convolved(patches, rng))
    mnist = shared / "mirror/ossci-datasets.s3.amazonaws.com/mnist"
    if mnist.is_dir():
        pixels = gzip.decompress((mnist / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
        target = gzip.decompress((mnist / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
        images = np.frombuffer(pixels, np.uint8).reshape(-1, 28, 28)[:4000] / 255
        target = np.frombuffer(target, np.uint8)[:4000].astype(int)
        yield "mnist x untrained", target[:500], list(_convolved(images[:500], rng))
        yield "mnist x trained", *_learned(images, target, rng)


def _convolved(images, rng, stages=4):
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


def _learned(images, labels, rng):
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
