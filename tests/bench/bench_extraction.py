"""Extraction against Keras' own `predict`: Inception-v3, its four pooling layers, 299 x 299.

    python tests/bench/bench_extraction.py [--images 192] [--rounds 3] [--threads 2]

Ours goes from JPEG files to feature files; Keras gets the decoded pictures for nothing and
keeps the features in memory, at its default batch and at ours. The limit is a pass of 11.5
GFLOP an image at the rate of sgemm. Each round starts all, in turn, each in a process of its own.
Where the processor has bfloat16, ours is timed in it as well, and the features of both compared.
Weights are random, batch norms too, so that the graphs are those of a trained network.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from depthgauge.networks.tensorflow_setup import usable_precision
from side_by_side import report, row, sgemm, timed

FEW = 8
OPERATIONS = 11.5e9
HALF = "depthgauge, bfloat16"


def prepare(folder, images):
    """Write a dataset, Keras' weights, and the frozen network of them."""
    from depthgauge.datasets import make_dataset
    from depthgauge.networks.network import build_network

    spec = {"kind": "synthetic", "per_class": images // 4, "size": 299}
    make_dataset("bench", spec, folder / "images", folder / "manifest.csv", seed=1)
    write_weights(folder / "net.weights.h5")
    spec = {"kind": "keras_application", "application": "InceptionV3", "layers": "pooling"}
    spec["weights"] = str(folder / "net.weights.h5")
    build_network("bench", spec, folder / "net.pb", folder / "net.json", seed=1)


def write_weights(path):
    import numpy as np
    from depthgauge.networks.tensorflow_whole import tf

    tf.keras.utils.set_random_seed(1)
    model = tf.keras.applications.InceptionV3(include_top=False, weights=None)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            *others, variance = (weight.shape for weight in layer.get_weights())
            values = [rng.normal(0, 0.1, shape) for shape in others]
            layer.set_weights([*values, rng.uniform(0.5, 1.5, variance)])
    model.save_weights(path)


def few_lines(folder, images):
    """Write a manifest of the first ``images`` only, and return its path."""
    lines = (folder / "manifest.csv").read_text().splitlines(keepends=True)
    path = folder / f"{images}.csv"
    path.write_text("".join(lines[: 1 + images]))
    return path


def extract(folder, threads, images, precision="float32"):
    """Return the seconds that the feature stage takes for the first ``images``."""
    from depthgauge.networks.features import features
    from depthgauge.networks.tensorflow_setup import use_threads

    use_threads(threads)
    outputs = shards(folder, precision)
    for output in outputs:
        output.unlink(missing_ok=True)
    os.sync()  # or the disk would still be busy with what was written before
    arguments = folder / "net.pb", folder / "net.json", folder / "images"
    options = {"threads": threads, "precision": precision}
    return timed(features, *arguments, few_lines(folder, images), outputs, **options)


def shards(folder, precision):
    return [folder / f"{precision}-{layer}.npy" for layer in range(4)]


def ours(folder, threads, precision="float32"):
    """Return images a second; a process each for few and for all, so that its start cancels."""
    images = len(list((folder / "images").glob("*.jpg")))
    few, every = (
        in_own_process(folder, threads, "--extract", str(count), "--precision", precision)
        for count in (FEW, images)
    )
    return (images - FEW) / (every - few)


def in_own_process(folder, threads, *arguments):
    """Return the number that this script prints with these arguments."""
    command = [sys.executable, __file__, "--folder", folder, "--threads", str(threads)]
    printed = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    return float(printed.stdout.split()[-1])


def difference(folder):
    """Return how far the features of both precisions are apart, relative, a number a layer."""
    import numpy as np

    pairs = zip(shards(folder, "float32"), shards(folder, "bfloat16"), strict=True)
    loaded = ((np.load(exact), np.load(rough)) for exact, rough in pairs)
    return [float(np.linalg.norm(b - a) / np.linalg.norm(a)) for a, b in loaded]


def keras(folder, threads, batch):
    import numpy as np
    from depthgauge.networks.keras_network import _paper_layers
    from depthgauge.networks.pixels import load_pixels
    from depthgauge.networks.tensorflow_whole import tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    weights = folder / "net.weights.h5"
    model = tf.keras.applications.InceptionV3(include_top=False, pooling="avg", weights=weights)
    layers = _paper_layers("bench", "InceptionV3", model)
    model = tf.keras.Model(model.inputs[0], list(layers.values()))
    files = sorted((folder / "images").glob("*.jpg"))
    pictures = np.stack([load_pixels(file, 299) for file in files]) / 127.5 - 1
    model.predict(pictures[:batch], batch_size=batch, verbose=0)
    start = time.perf_counter()
    model.predict(pictures, batch_size=batch, verbose=0)
    return len(files) / (time.perf_counter() - start)


def limit(folder, threads):
    product, operations = sgemm(threads)
    return operations / min(timed(product) for _ in range(5)) / OPERATIONS


WAYS = {
    "limit: 11.5 GFLOP an image at the rate of sgemm": limit,
    "depthgauge, files to files": ours,
    HALF: lambda folder, threads: ours(folder, threads, "bfloat16"),
    "Keras predict, its batch of 32": lambda folder, threads: keras(folder, threads, 32),
    "Keras predict, a batch of 4": lambda folder, threads: keras(folder, threads, 4),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", help="a CSV to write")
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--extract", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--precision", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.extract:
        extracted = arguments.threads, arguments.extract, arguments.precision
        print(extract(arguments.folder, *extracted))
        return
    if arguments.run:
        print(WAYS[arguments.run](arguments.folder, arguments.threads))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), arguments.images)
        rates = {way: [] for way in WAYS}
        if usable_precision("bfloat16") != "bfloat16":
            del rates[HALF]
        for _ in range(arguments.rounds):
            for run, found in rates.items():
                found.append(in_own_process(folder, arguments.threads, "--run", run))
        apart = difference(Path(folder)) if HALF in rates else []
    half = rates.pop(HALF, None)
    (_, most), (name, own), *others = rates.items()
    rows = [row(next(iter(rates)), "images/s", most)]
    rows.append(row(name, "images/s", own, "depthgauge / limit", (own, most), ">= 0.93"))
    if half:
        rows.append(row(HALF, "images/s", half, "bfloat16 / float32", (half, own), ">= 1.85"))
        name, unit = "features of bfloat16 and float32 apart", "of their norm"
        rows.append(row(name, unit, apart, name, (apart, [1] * len(apart)), "<= 0.01"))
    for name, found in others:
        target = ">= 1.6" if "32" in name else ""
        rows.append(row(name, "images/s", found, f"depthgauge / {name}", (own, found), target))
    title = f"Extraction, {arguments.images} images, {arguments.threads} threads"
    report(f"{title}, {arguments.rounds} rounds", rows, arguments.output)


if __name__ == "__main__":
    main()
