"""An ONNX transformer: our whole stage beside a bare ONNX Runtime session, both from JPEG files.

    python tests/bench/bench_onnx.py [--network FILE] [--images 64] [--rounds 2] [--threads 2]

Ours reads the class token and the mean of the patches at four depths, and writes them to files; the
bare session computes what the network gives at its end and keeps it in memory, 16 images at once
and 4, as ours. Each round starts all, in turn, in processes of their own, for few images and for
all, so that starting cancels. Without --network it is a ViT-S/14 of random weights, made here.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from side_by_side import report, row, timed

FEW = 8
DEPTHS = 4
WIDTH, HEADS, BLOCKS, PATCH, SIZE = 384, 6, 12, 14, 224
# Of ImageNet, on 0-255.
MEAN, SCALE = [123.675, 116.28, 103.53], [0.0171248, 0.0175070, 0.0174292]


def vit(path):
    """Write a vision transformer of DINOv2's shape: ViT-S/14, [N, 3, 224, 224] to its last norm."""
    rng, nodes, weights = np.random.default_rng(1), [], []

    def weight(*shape):
        value = rng.normal(0, 0.02, shape).astype(np.float32)
        return constant(value)

    def constant(value):
        weights.append(onnx.numpy_helper.from_array(value, f"w{len(weights)}"))
        return weights[-1].name

    def add(op, *sources, name=None, **attributes):
        name = name or f"n{len(nodes)}"
        nodes.append(helper.make_node(op, list(sources), [name], name=name, **attributes))
        return name

    def norm(x):
        ones, zeros = constant(np.ones(WIDTH, np.float32)), constant(np.zeros(WIDTH, np.float32))
        return add("LayerNormalization", x, ones, zeros, axis=-1, epsilon=1e-6)

    def dense(x, inner, outer):
        return add("Add", add("MatMul", x, weight(inner, outer)), weight(outer))

    def heads(x, order):
        shape = constant(np.int64([0, 0, HEADS, WIDTH // HEADS]))
        return add("Transpose", add("Reshape", x, shape), perm=order)

    def gelu(x):
        half, one = constant(np.float32(0.5)), constant(np.float32(1))
        erf = add("Erf", add("Mul", x, constant(np.float32(2**-0.5))))
        return add("Mul", add("Mul", x, half), add("Add", erf, one))

    patches = weight(WIDTH, 3, PATCH, PATCH), weight(WIDTH)
    x = add("Conv", "images", *patches, kernel_shape=[PATCH] * 2, strides=[PATCH] * 2)
    x = add("Transpose", add("Reshape", x, constant(np.int64([0, WIDTH, -1]))), perm=[0, 2, 1])
    batch = add("Gather", add("Shape", x), constant(np.int64([0])))
    rest = constant(np.int64([1, WIDTH]))
    first = add("Expand", weight(1, 1, WIDTH), add("Concat", batch, rest, axis=0))
    x = add("Concat", first, x, axis=1)
    x = add("Add", x, weight(1, 1 + (SIZE // PATCH) ** 2, WIDTH), name="tokens")
    for block in range(1, BLOCKS + 1):
        y = norm(x)
        query, key, value = (
            heads(dense(y, WIDTH, WIDTH), order)
            for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        alike = add("MatMul", query, key)
        alike = add("Mul", alike, constant(np.float32((WIDTH // HEADS) ** -0.5)))
        seen = add("MatMul", add("Softmax", alike, axis=-1), value)
        seen = add("Transpose", seen, perm=[0, 2, 1, 3])
        seen = add("Reshape", seen, constant(np.int64([0, 0, WIDTH])))
        x = add("Add", x, dense(seen, WIDTH, WIDTH))
        y = dense(gelu(dense(norm(x), WIDTH, 4 * WIDTH)), 4 * WIDTH, WIDTH)
        x = add("Add", x, y, name=f"block_{block}")
    x = norm(x)
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
    ends = [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "vit", [given], ends, weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def prepare(folder, network, images):
    """Write a dataset and the network that our stage computes."""
    from depthgauge.config import checked_spec
    from depthgauge.datasets import make_dataset
    from depthgauge.networks.onnx_freeze import freeze_onnx

    spec = {"kind": "synthetic", "per_class": images // 4, "size": SIZE}
    make_dataset("bench", spec, folder / "images", folder / "manifest.csv", seed=1)
    spec = {"kind": "onnx", "path": str(network), "layers": DEPTHS, "poolings": ["mean", "cls"]}
    spec["preprocessing"] = {"mean": MEAN, "scale": SCALE}
    spec = checked_spec("extractors", "bench", spec)
    freeze_onnx("bench", spec, network, folder / "net.onnx", folder / "net.json")


def ours(folder, network, threads, names):
    from depthgauge.networks.features import write_features

    lines = (folder / "manifest.csv").read_text().splitlines(keepends=True)
    manifest = folder / f"{len(names)}.csv"
    manifest.write_text("".join(lines[: 1 + len(names)]))
    layers = json.loads((folder / "net.json").read_text())["layers"]
    poolings = ("mean", "cls")
    outputs = [folder / f"{layer['layer']}.{one}.npy" for layer in layers for one in poolings]
    for output in outputs:
        output.unlink(missing_ok=True)
    arguments = folder / "net.onnx", folder / "net.json", folder / "images", manifest, outputs
    return timed(write_features, *arguments, poolings=poolings, threads=threads)


def bare(folder, network, threads, names, batch=16):
    import onnxruntime
    from PIL import Image

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(network), options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()

    def pixels(name):
        with Image.open(folder / "images" / name) as picture:
            image = np.asarray(picture.convert("RGB").resize((SIZE, SIZE)), np.float32)
        return ((image - np.float32(MEAN)) * np.float32(SCALE)).transpose(2, 0, 1)

    def run():
        for start in range(0, len(names), batch):
            stack = np.stack([pixels(name) for name in names[start : start + batch]])
            session.run(None, {given.name: stack})

    return timed(run)


WAYS = {
    "depthgauge, cls and mean at four depths": ours,
    "ONNX Runtime, its end alone, 16 at once": bare,
    "ONNX Runtime, its end alone, 4 at once": lambda *given: bare(*given, batch=4),
}


def rate(folder, network, threads, way):
    """Return images a second; a process each for few and for all, so that its start cancels."""
    images = len(list((folder / "images").glob("*.jpg")))
    seconds = []
    for count in (FEW, images):
        command = [sys.executable, __file__, "--folder", folder, "--network", network]
        command += ["--threads", str(threads), "--way", way, "--images", str(count)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds.append(float(printed.split()[-1]))
    return (images - FEW) / (seconds[1] - seconds[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", type=Path)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        names = sorted(file.name for file in (given.folder / "images").glob("*.jpg"))
        print(WAYS[given.way](given.folder, given.network, given.threads, names[: given.images]))
        return
    with tempfile.TemporaryDirectory() as folder:
        folder, network = Path(folder), given.network
        if network is None:
            network = folder / "vit.onnx"
            vit(network)
        prepare(folder, network, given.images)
        rates = {way: [] for way in WAYS}
        for _ in range(given.rounds):
            for way, found in rates.items():
                found.append(rate(folder, network, given.threads, way))
    (first, own), *others = rates.items()
    lines = [row(first, "images/s", own)]
    for way, found in others:
        lines.append(row(way, "images/s", found, f"ours / {way}", (own, found), target=">= 0.95"))
    report(f"ViT-S/14, {given.images} JPEG files, {given.threads} threads", lines, given.output)


if __name__ == "__main__":
    main()
