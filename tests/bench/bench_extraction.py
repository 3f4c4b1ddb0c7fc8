"""Extraction against Keras' own `predict`: Inception-v3, its four pooling layers, 299 x 299.

Ours goes from JPEG files to feature files; Keras gets the decoded pictures for nothing and
keeps the features in memory, at its default batch and at ours. Each round starts all, in turn, each
in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import report

SPEC = {"kind": "keras_application", "application": "InceptionV3", "weights": None}
SPEC |= {"layers": "pooling"}
FEW = 64


def prepare(folder, images):
    from depthgauge.datasets import make_dataset
    from depthgauge.network import build_network

    spec = {"kind": "synthetic", "per_class": images // 4}
    make_dataset("bench", spec, folder / "images", folder / "manifest.csv", seed=1)
    build_network("bench", SPEC, folder / "net.pb", folder / "net.json", seed=1)


def ours(folder, threads):
    from depthgauge.features import features
    from depthgauge.quiet_tensorflow import use_threads

    use_threads(threads)
    outputs = [folder / f"{i}.npy" for i in range(4)]
    arguments = folder / "net.pb", folder / "net.json", folder / "images"
    lines = (folder / "manifest.csv").read_text().splitlines(keepends=True)
    few = folder / "few.csv"
    few.write_text("".join(lines[: 1 + FEW]))
    seconds = []
    for manifest in (few, folder / "manifest.csv"):
        start = time.perf_counter()
        features(*arguments, manifest, outputs, threads=threads)
        seconds.append(time.perf_counter() - start)
    return (len(lines) - 1 - FEW) / (seconds[1] - seconds[0])  # start-up cancels


def keras(folder, threads, batch):
    import numpy as np
    from depthgauge.keras_network import _paper_layers
    from depthgauge.pixels import load_pixels
    from depthgauge.quiet_tensorflow import tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    model = tf.keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
    layers = _paper_layers("bench", "InceptionV3", model)
    model = tf.keras.Model(model.inputs[0], list(layers.values()))
    files = sorted((folder / "images").glob("*.jpg"))
    pictures = np.stack([load_pixels(file, 299) for file in files]) / 127.5 - 1
    model.predict(pictures[:32], batch_size=batch, verbose=0)
    start = time.perf_counter()
    model.predict(pictures, batch_size=batch, verbose=0)
    return len(files) / (time.perf_counter() - start)


WAYS = {
    "depthgauge": ours,
    "keras predict, its batch of 32": lambda folder, threads: keras(folder, threads, 32),
    "keras predict, our batch of 4": lambda folder, threads: keras(folder, threads, 4),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", help="a CSV to write")
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(WAYS[arguments.run](arguments.folder, arguments.threads))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), arguments.images)
        rates = {way: [] for way in WAYS}
        for _ in range(arguments.rounds):
            for run, found in rates.items():
                command = [sys.executable, __file__, "--run", run, "--folder", folder]
                command += ["--threads", str(arguments.threads)]
                printed = subprocess.run(command, check=True, capture_output=True, text=True)
                found.append(float(printed.stdout.split()[-1]))
    first = rates["depthgauge"]
    report(
        [
            {
                "way": run,
                "images_per_s": statistics.median(found),
                "min": min(found),
                "max": max(found),
                "depthgauge_x": statistics.median(a / b for a, b in zip(first, found, strict=True)),
            }
            for run, found in rates.items()
        ],
        arguments.output,
    )


if __name__ == "__main__":
    main()
