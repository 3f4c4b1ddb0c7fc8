"""ONNX files: what ONNX Runtime makes of them, and what is said of those that cannot be used."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from depthgauge.config import checked_spec
from depthgauge.errors import UserError
from depthgauge.networks.features import features
from depthgauge.networks.freeze import write_network
from depthgauge.networks.layers import print_layers
from depthgauge.networks.names_in_file import names_in_file
from PIL import Image
from scipy.spatial.distance import pdist

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(5)
STEPS = {"channels": "bgr", "mean": [100, 110, 120], "scale": 0.01}


class Maker:
    """A small ONNX network, node after node."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, *shape):
        name = f"w{len(self.weights)}"
        values = RNG.standard_normal(shape).astype(np.float32) / 3
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def const(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def __call__(self, op, *inputs, to=None, **attributes):
        to = to or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [to], name=f"node_{to}", **attributes))
        return to

    def save(self, path, inputs, output, opset=17, **options):
        given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
        ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "g", given, ends, self.weights)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.acme", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        onnx.save(model, path, **options)
        return path


def cnn(path, batch="N", side=16, opset=17, op="Relu", domain="", **options):
    make = Maker()
    x = make("Conv", "images:0", make.weight(8, 3, 3, 3), pads=[1] * 4, strides=[2, 2])
    x = make(op, x, to="stem:0", domain=domain)
    y = make("Relu", make("Conv", x, make.weight(8, 8, 3, 3), pads=[1] * 4))
    x = make("Add", x, y, to="sum")
    x = make("GlobalAveragePool", x, to="pool")
    x = make("Flatten", x)
    make("Gemm", x, make.weight(8, 5), to="logits")
    sides = side if isinstance(side, tuple) else (side, side)
    return make.save(path, {"images:0": [batch, 3, *sides]}, "logits", opset, **options)


def vit(path, blocks=3, batch="N"):
    """Patches of 4 pixels, a class token, residual blocks (attention without heads, and GELU)."""
    make, width = Maker(), 12
    x = make("Conv", "pixel_values", make.weight(width, 3, 4, 4), strides=[4, 4])
    x = make("Reshape", x, make.const(np.int64([0, width, -1])))
    x = make("Transpose", x, perm=[0, 2, 1])
    cls = make("Expand", make.weight(1, 1, width), make("Concat", make("Slice",
        make("Shape", x), make.const(np.int64([0])), make.const(np.int64([1]))),
        make.const(np.int64([1, width])), axis=0))  # fmt: skip
    x = make("Concat", cls, x, axis=1)
    x = make("Add", x, make.weight(1, 17, width), to="embedding")
    for block in range(blocks):
        n = norm(make, x, width)
        q, k, v = (make("MatMul", n, make.weight(width, width)) for _ in range(3))
        a = make("Softmax", make("MatMul", q, make("Transpose", k, perm=[0, 2, 1])), axis=-1)
        x = make("Add", x, make("MatMul", a, v), to=f"attended_{block}")
        h = make("MatMul", norm(make, x, width), make.weight(width, 24))
        h = make("Mul", h, make("Sigmoid", h))
        x = make("Add", x, make("MatMul", h, make.weight(24, width)), to=f"block_{block}")
    x = make("Identity", norm(make, x, width), to="normed")
    make("Gather", x, make.const(np.int64(0)), axis=1, to="cls")
    return make.save(path, {"pixel_values": [batch, 3, 16, 16]}, "cls", 17)


def norm(make, x, width):
    """A layer norm in single steps, as older exporters write it."""
    d = make("Sub", x, make("ReduceMean", x, axes=[-1]))
    v = make("ReduceMean", make("Mul", d, d), axes=[-1])
    d = make("Div", d, make("Sqrt", make("Add", v, make.const(np.float32(1e-6)))))
    return make("Add", make("Mul", d, make.weight(width)), make.weight(width))


def images(folder, count=5, size=(16, 16)):
    folder.mkdir(exist_ok=True)
    rows = ["image,label"]
    for i in range(count):
        pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        rows.append(f"{i}.png,a")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(tmp_path, path, layers, threads=1, poolings=("flat",), count=5, picture=(16, 16), **keys):
    """Return {layer: features} and the description."""
    spec = {"kind": "onnx", "path": str(path), "layers": layers, **keys}
    spec = checked_spec("extractors", "net", spec)
    made = tmp_path / "net.onnx", tmp_path / "net.json"
    write_network("net", spec, *made, nodes=tmp_path / "net.csv")
    described = json.loads(made[1].read_text())["layers"]
    shown = images(tmp_path / "images", count, picture)
    names = [f"{layer['layer']}.{p}" for layer in described for p in poolings]
    files = [tmp_path / f"{name}.npy" for name in names]
    features(*(*made, shown, shown / "manifest.csv", files), poolings=poolings, threads=threads)
    return dict(zip(names, map(np.load, files), strict=True)), described


def by_hand(path, tensors, folder, given, one_by_one=False, count=5):
    """What ONNX Runtime's own session makes of the same images."""
    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=t) for t in tensors)
    own = onnxruntime.InferenceSession(model.SerializeToString())
    batch = np.stack([np.asarray(Image.open(folder / f"{i}.png")) for i in range(count)])
    batch = batch.astype(np.float32)[..., ::-1]
    batch = (batch - np.float32(STEPS["mean"])) * np.float32(STEPS["scale"])
    batch = batch.transpose(0, 3, 1, 2)
    if one_by_one:
        rows = [own.run(tensors, {given: batch[i : i + 1]}) for i in range(count)]
        return [np.concatenate(values) for values in zip(*rows, strict=True)]
    return own.run(tensors, {given: batch})


def close(found, expected):
    np.testing.assert_allclose(
        found, expected.reshape(len(found), -1), rtol=0, atol=1e-5 * np.abs(expected).max()
    )


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("opset", [17, 18])
def test_features_are_those_of_the_runtime(tmp_path, batch, opset):
    path = cnn(tmp_path / "a.onnx", batch, opset=opset)
    layers = {"first": "stem:0", "second": "node_sum", "last": "logits"}
    found, described = run(tmp_path, path, layers, poolings=("flat", "mean"), preprocessing=STEPS)
    stem, joined, logits = by_hand(
        path, ["stem:0", "sum", "logits"], tmp_path / "images", "images:0", batch == 1
    )
    assert [layer["shape"] for layer in described] == [[8, 8, 8], [8, 8, 8], [5]]
    close(found["first.flat"], stem.transpose(0, 2, 3, 1))
    close(found["second.mean"], joined.mean(axis=(2, 3)))
    close(found["last.flat"], logits)


@pytest.mark.parametrize("side, stated", [((24, 12), {}), (("H", "W"), {"size": [24, 12]})])
def test_images_need_not_be_square(tmp_path, side, stated):
    path = cnn(tmp_path / "a.onnx", side=side)
    layers = {"first": "stem:0", "last": "logits"}
    keys = {"picture": (12, 24), "preprocessing": STEPS, **stated}  # width and height
    found, described = run(tmp_path, path, layers, **keys)
    stem, logits = by_hand(path, ["stem:0", "logits"], tmp_path / "images", "images:0")
    assert described[0]["shape"] == [12, 6, 8]
    close(found["first.flat"], stem.transpose(0, 2, 3, 1))
    close(found["last.flat"], logits)
    if not stated:
        with pytest.raises(UserError, match=r"24 x 12 \(height x width\).*`size` is \[12, 24\]"):
            run(tmp_path, path, layers, size=[12, 24], preprocessing=STEPS)


def test_threads_change_no_bit(tmp_path):
    path = cnn(tmp_path / "a.onnx")
    runs = []
    for threads in (1, 3):
        (tmp_path / str(threads)).mkdir()
        spec = {"layers": ["sum", "logits"], "preprocessing": STEPS}
        global RNG
        RNG = np.random.default_rng(8)
        runs.append(run(tmp_path / str(threads), path, threads=threads, count=23, **spec)[0])
    for name in runs[0]:
        np.testing.assert_array_equal(runs[0][name], runs[1][name])


def test_tokens_of_a_transformer(tmp_path):
    path = vit(tmp_path / "vit.onnx")
    readings = ("flat", "mean", "cls")
    found, described = run(tmp_path, path, ["block_1"], poolings=readings, preprocessing=STEPS)
    (tokens,) = by_hand(path, ["block_1"], tmp_path / "images", "pixel_values")
    assert described[0]["shape"] == [17, 12] and described[0]["prefix_tokens"] == 1
    close(found["block_1.flat"], tokens)
    close(found["block_1.mean"], tokens[:, 1:].mean(axis=1))
    close(found["block_1.cls"], tokens[:, 0])


def test_depths_without_names(tmp_path):
    path = vit(tmp_path / "vit.onnx")
    _, described = run(tmp_path, path, 4, preprocessing=STEPS)
    assert [layer["layer"] for layer in described] == [f"depth_{i}" for i in range(1, 5)]
    # Of embedding, six sums and the last norm.
    chosen = [layer["chosen"] for layer in described]
    assert chosen[:3] == ["attended_0", "attended_1", "attended_2"]
    again, _ = run(tmp_path, path, dict(zip("abcd", chosen, strict=True)), preprocessing=STEPS)
    assert len(again) == 4
    with pytest.raises(UserError, match=r"asks for more depths.*: 8 tensors"):
        run(tmp_path, path, 9, preprocessing=STEPS)


def test_preprocessor_config_beside_the_file(tmp_path):
    path = cnn(tmp_path / "a.onnx")
    stated = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3], "resample": 3}
    stated |= {"size": {"shortest_edge": 20}, "do_center_crop": True, "crop_size": 16}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated))
    by_file, _ = run(tmp_path, path, ["logits"])
    kept = json.loads((tmp_path / "net.json").read_text())
    assert (kept["size"], kept["resample"], kept["shortest_edge"]) == (16, "bicubic", 20)
    batch = []
    for i in range(5):
        picture = Image.open(tmp_path / "images" / f"{i}.png").resize((20, 20), Image.BICUBIC)
        batch.append(np.asarray(picture.crop((2, 2, 18, 18)), np.float32) / 255)
    batch = (np.stack(batch) - np.float32([0.5, 0.4, 0.3])) / np.float32([0.2, 0.25, 0.3])
    own = onnxruntime.InferenceSession(path)
    (logits,) = own.run(["logits"], {"images:0": batch.transpose(0, 3, 1, 2)})
    close(by_file["logits.flat"], logits)


def test_external_data(tmp_path):
    options = {"save_as_external_data": True, "location": "a.onnx.data", "size_threshold": 0}
    path = cnn(tmp_path / "a.onnx", **options)
    run(tmp_path, path, ["logits"], preprocessing=STEPS)
    (tmp_path / "a.onnx.data").unlink()
    with pytest.raises(UserError, match=r"weights are in a\.onnx\.data"):
        run(tmp_path, path, ["logits"])


def test_images_that_change_each_other_go_one_by_one(tmp_path):
    make = Maker()
    x = make("Conv", "x", make.weight(4, 3, 3, 3))
    x = make("Sub", x, make("ReduceMean", x, axes=[0]), to="centred")  # over the batch
    path = make.save(tmp_path / "a.onnx", {"x": ["N", 3, 16, 16]}, "centred")
    found, _ = run(tmp_path, path, ["centred"], preprocessing=STEPS)
    assert not found["centred.flat"].any()


def two_inputs(path):
    make = Maker()
    x = make("Flatten", make("Conv", "pixels", make.weight(2, 3, 16, 16)), to="seen")
    make("Add", x, make("MatMul", "input_ids", make.weight(7, 2)), to="both")
    return make.save(path, {"pixels": ["N", 3, 16, 16], "input_ids": ["N", 7]}, "both")


@pytest.mark.parametrize(
    ("make", "keys", "said"),
    [
        (two_inputs, {"layers": ["both"]}, r"takes pixels .*, input_ids \[N, 7\] for these layers"),
        (cnn, {"size": 32}, r"takes images of 16 x 16 .*pixels and no others; `size` is 32"),
        (cnn, {"layers": ["absent"]}, r"no tensor 'absent'.*stem:0 \(8x8x8\), sum.*pool.*logits"),
        (lambda p: cnn(p, batch=8), {}, "just 8 images at once"),
        (lambda p: cnn(p, side="S"), {}, "any size; state `size`"),
        (lambda p: cnn(p, op="Frobnicate", domain="com.acme"), {}, "Frobnicate"),
        (lambda p: p.write_text("no such thing"), {}, "is not an ONNX file"),
        (lambda p: p.write_text("version https://git-lfs"), {}, "pointer of Git LFS"),
        (lambda p: (cnn(p), p.write_bytes(p.read_bytes()[:900])), {}, "was cut short"),
        (lambda p: None, {}, "there is no such ONNX file"),
        (cnn, {"dims": {"logits": 7}}, "logits has 5 values"),
    ],
)
def test_bad_input(tmp_path, make, keys, said):
    make(tmp_path / "a.onnx")
    with pytest.raises(UserError, match=said):
        run(tmp_path, tmp_path / "a.onnx", **{"layers": ["logits"], **keys})
    assert not (tmp_path / "net.onnx").exists()


def test_layers_of_images_alone_need_no_text(tmp_path):
    path = two_inputs(tmp_path / "a.onnx")
    found, _ = run(tmp_path, path, ["seen"], preprocessing=STEPS)
    assert found["seen.flat"].shape == (5, 2)


def test_layers_are_listed(tmp_path, capsys):
    print_layers(str(vit(tmp_path / "vit.onnx")))
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[3] for line in lines]
    sums = [f"{kind}_{block}" for block in range(3) for kind in ("attended", "block")]
    assert names[:-1] == ["embedding", *sums] and len(names) == 8
    assert {line.split()[4] for line in lines} == {"17x12"}
    path = cnn(tmp_path / "cnn.onnx", side=20)  # whose channels come first
    known = [name for node in onnx.load(path).graph.node for name in (*node.output, node.name)]
    assert names_in_file("onnx", path) == [name for name in known if name]
    print_layers(str(path))
    shapes = dict(line.split()[3:] for line in capsys.readouterr().out.splitlines())
    assert shapes == {"stem:0": "10x10x8", "sum": "10x10x8", "pool": "1x1x8", "logits": "5"}


def test_workflow_goes_from_the_file_to_distances(tmp_path):
    """By depth, and without TensorFlow: the network stays an ONNX file."""
    path = cnn(tmp_path / "net.onnx")
    net = {"kind": "onnx", "path": path.name, "layers": 2, "preprocessing": STEPS}
    config = {
        "keep_features": True,
        "datasets": {"shapes": {"kind": "synthetic", "per_class": 3, "size": 16}},
        "extractors": {"net": net},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    targets = [f"results/distances/shapes/net/depth_{place}.npy" for place in (1, 2)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            *("--cores", "1", *targets, "--configfile", "config.json"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results"
    assert (results / "networks/net.onnx").exists() and not list(results.rglob("*.pb"))
    for target in targets:
        shard = results / "features/shapes/net" / Path(target).stem / "0-of-1.npy"
        expected = pdist(np.load(shard).astype(float))
        np.testing.assert_allclose(np.load(tmp_path / target), expected, rtol=1e-5)
