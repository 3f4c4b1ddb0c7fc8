import json
import re

import numpy as np
import pandas as pd
import pytest
from depthgauge.errors import UserError
from depthgauge.networks import fold as folding
from depthgauge.networks import network
from depthgauge.networks.features import features
from depthgauge.networks.fold import fold
from depthgauge.networks.graph import graph_function, read_graph
from depthgauge.networks.names_in_file import names_in_file
from depthgauge.networks.network import build_network
from depthgauge.networks.pixel_pca import fit_pca
from depthgauge.networks.tensorflow_whole import tf
from PIL import Image

keras = tf.keras


def build(tmp_path, spec, name="net", **options):
    graph, layers = tmp_path / f"{name}.pb", tmp_path / f"{name}.json"
    build_network(name, spec, graph, layers, **options)
    described = json.loads(layers.read_text())["layers"]
    run = graph_function(read_graph(graph), [layer["tensor"] for layer in described])
    return run, described


def images(size, n=2):
    return np.random.default_rng(3).uniform(0, 255, (n, size, size, 3)).astype(np.float32)


def in_double(graph_def, source, tensors):
    """Return a graph in double precision from the node ``source`` to ``tensors``."""
    single, double = tf.float32.as_datatype_enum, tf.float64.as_datatype_enum
    changed = tf.compat.v1.GraphDef()
    changed.CopyFrom(graph_def)
    for node in changed.node:
        if node.name == source:
            node.Clear()
            node.name, node.op = source, "Placeholder"
            node.attr["dtype"].type = double
        for key in ("T", "dtype"):
            if key in node.attr and node.attr[key].type == single:
                node.attr[key].type = double
        if node.op == "Const" and node.attr["value"].tensor.dtype == single:
            value = tf.make_ndarray(node.attr["value"].tensor).astype(np.float64)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    names = [tensor.split(":")[0] for tensor in tensors]
    return tf.compat.v1.graph_util.extract_sub_graph(changed, names)


def values(graph_def, source, batch, tensors):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return session.run(tensors, {f"{source}:0": batch})


def assert_close(actual, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual / scale, expected / scale, atol=2e-6)


@pytest.fixture
def small_model():
    """A Keras model with batch norms that do something, plain and depthwise."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(8, 3, use_bias=False, name="conv"),
            layers.BatchNormalization(scale=False, name="norm"),
            layers.ReLU(name="relu"),
            layers.MaxPooling2D(name="shallow"),
            layers.DepthwiseConv2D(3, use_bias=False),
            layers.BatchNormalization(),
            layers.Conv2D(6, 1, use_bias=True),
            layers.BatchNormalization(epsilon=0.01),
            layers.GlobalAveragePooling2D(name="deep"),
        ]
    )
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return model


def outputs(model, names, batch):
    inner = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names])
    values = inner(batch, training=False)
    return [value.numpy() for value in (values if len(names) > 1 else [values])]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_file_computes_what_keras_does(tmp_path, small_model, suffix):
    path = tmp_path / f"model{suffix}"
    small_model.save(path)
    spec = {
        "kind": "keras_file",
        "path": str(path),
        "layers": {"first": "shallow", "last": "deep"},
        "preprocessing": {"channels": "bgr", "mean": [100, 110, 120], "scale": 0.5},
        "dims": {"first": 15 * 15 * 8, "last": 6},
    }
    run, described = build(tmp_path, spec)
    assert [layer["layer"] for layer in described] == ["first", "last"]
    batch = images(32)
    prepared = (batch[..., ::-1] - np.float32([100, 110, 120])) * np.float32(0.5)
    for actual, expected in zip(
        run(batch), outputs(small_model, ["shallow", "deep"], prepared), strict=True
    ):
        assert_close(actual, expected)


def test_batch_norms_are_folded_into_convolutions(tmp_path, small_model):
    path = tmp_path / "model.keras"
    small_model.save(path)
    build(tmp_path, {"kind": "keras_file", "path": str(path), "layers": ["deep"]})
    ops = [node.op for node in read_graph(tmp_path / "net.pb").node]
    assert ops.count("BiasAdd") == 3 and "Rsqrt" not in ops
    assert ops.count("Mul") == 1  # that of the preprocessing


def axis_model(axis):
    """A common slip: batch norm along the height of maps that are as high as they have channels."""
    layers = keras.layers
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(axis=axis),
            layers.ReLU(name="first"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.BatchNormalization(axis=axis, name="last"),
        ]
    )
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return model


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_norms_along_another_axis_of_as_many_values_are_not_those_of_channels(tmp_path, axis):
    model = axis_model(axis)
    model.save(tmp_path / "model.keras")
    spec = {"kind": "keras_file", "path": str(tmp_path / "model.keras")}
    batch = images(8)
    expected = dict(zip(("first", "last"), outputs(model, ["first", "last"], batch), strict=True))
    for names in (["first", "last"], ["last"], ["first"]):  # whichever layers are asked for
        run, _ = build(tmp_path, spec | {"layers": names})
        for name, actual in zip(names, run(batch), strict=True):
            assert_close(actual, expected[name])


@pytest.mark.parametrize(
    ("application", "size", "layers"),
    [
        ("MobileNetV2", 96, ["block_3_expand_relu", "out_relu"]),  # depthwise, scale to -1..1
        ("ResNet50", 64, ["conv2_block1_out", "conv3_block4_out"]),  # BGR, means subtracted
        ("EfficientNetB0", 64, ["block2a_activation", "top_activation"]),  # scaled inside
        ("DenseNet121", 64, ["pool2_pool", "relu"]),  # norms that precede convolutions
    ],
)
def test_applications_compute_what_keras_does(tmp_path, application, size, layers):
    spec = {"kind": "keras_application", "application": application, "weights": None}
    run, _ = build(tmp_path, spec | {"layers": layers, "size": size}, seed=5)
    from depthgauge.seeds import derive_seed

    keras.utils.set_random_seed(derive_seed(5, "net", "weights"))
    model = getattr(keras.applications, application)(
        include_top=False, pooling="avg", weights=None, input_shape=(size, size, 3)
    )
    module = {
        "MobileNetV2": keras.applications.mobilenet_v2,
        "ResNet50": keras.applications.resnet50,
        "EfficientNetB0": keras.applications.efficientnet,
        "DenseNet121": keras.applications.densenet,
    }[application]
    batch = images(size)
    prepared = module.preprocess_input(batch.copy())
    for actual, expected in zip(run(batch), outputs(model, layers, prepared), strict=True):
        assert_close(actual, expected)


def test_pooling_finds_the_papers_four_layers(tmp_path):
    spec = {"kind": "keras_application", "application": "InceptionV3", "weights": None}
    spec["layers"] = "pooling"
    _, first = build(tmp_path, spec, seed=1)
    assert {layer["layer"]: layer["dim"] for layer in first} == {
        "pool": 73 * 73 * 64,
        "mixed_3_pool": 17 * 17 * 288,
        "mixed_8_pool": 8 * 8 * 768,
        "pool_3": 2048,
    }
    # The same seed gives the same weights, even after the layers' automatic names have moved on.
    graph = (tmp_path / "net.pb").read_bytes()
    run, _ = build(tmp_path, spec, seed=1, nodes=tmp_path / "nodes.csv")
    reference = graph_function(
        tf.compat.v1.GraphDef.FromString(graph), [layer["tensor"] for layer in first]
    )
    batch = images(299, n=1)
    for actual, expected in zip(run(batch), reference(batch), strict=True):
        np.testing.assert_array_equal(actual, expected)
    drawn = pd.read_csv(tmp_path / "nodes.csv").set_index("name")
    sources = drawn[drawn.op == "AvgPool"].inputs
    assert set(drawn.op[sources]) == {"ConcatV2", "MaxPool"} and len(sources) == 9


def graph_2015(path):
    """A graph as of 2015: its batch norm is one that TensorFlow 2 no longer runs."""
    rng = np.random.default_rng(0)
    values = {
        "weights": rng.normal(size=(3, 3, 3, 4)),
        "mean": rng.normal(size=4),
        "variance": rng.uniform(0.5, 2, 4),
        "beta": rng.normal(size=4),
        "gamma": rng.normal(size=4),
    }
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8

    def add(name, op, inputs=(), **attributes):
        node = graph.node.add(name=name, op=op)
        node.input.extend(inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(value)

    attr = tf.compat.v1.AttrValue
    kind = attr(type=tf.float32.as_datatype_enum)
    for name, value in values.items():
        tensor = tf.make_tensor_proto(value.astype(np.float32))
        add(name, "Const", dtype=kind, value=attr(tensor=tensor))
    fixed = attr(shape=tf.TensorShape([1, 16, 16, 3]).as_proto())
    add("resized", "Placeholder", dtype=kind, shape=fixed)
    ints = attr(list=attr.ListValue(i=[1, 1, 1, 1]))
    add("conv", "Conv2D", ["resized", "weights"], T=kind, strides=ints, padding=attr(s=b"VALID"))
    add(
        "norm",
        "BatchNormWithGlobalNormalization",
        ["conv", "mean", "variance", "beta", "gamma"],
        T=kind,
        variance_epsilon=attr(f=0.001),
        scale_after_normalization=attr(b=True),
    )
    add("relu", "Relu", ["norm"], T=kind)
    path.write_bytes(graph.SerializeToString())
    return values


FROZEN = {"kind": "frozen_graph", "input": "resized:0", "size": 16, "layers": {"relu": "relu:0"}}


def test_graph_of_2015_takes_batches_and_computes_its_norm(tmp_path):
    path = tmp_path / "old.pb"
    v = graph_2015(path)
    assert names_in_file("frozen_graph", path) == [node.name for node in read_graph(path).node]
    run, described = build(tmp_path, FROZEN | {"path": str(path)})
    assert described[0]["shape"] == [14, 14, 4]
    batch = images(16, n=5)
    conv = tf.nn.conv2d(batch.astype(np.float64), v["weights"].astype(np.float32), 1, "VALID")
    scale = v["gamma"] / np.sqrt(v["variance"] + 0.001)
    expected = np.maximum((conv.numpy() - v["mean"]) * scale + v["beta"], 0)
    assert_close(run(batch)[0], expected)


def test_graph_inside_an_archive(tmp_path):
    import tarfile

    graph_2015(tmp_path / "old.pb")
    with tarfile.open(tmp_path / "old.tgz", "w:gz") as archive:
        archive.add(tmp_path / "old.pb", "folder/old.pb")
    run, _ = build(tmp_path, FROZEN | {"path": str(tmp_path / "old.tgz")})
    assert run(images(16))[0].shape == (2, 14, 14, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "absent.pb"}, "absent.pb.*no such"),
        ({"layers": {"relu": "rellu:0"}}, "no tensor 'rellu:0'.*relu"),
        ({"input": "image:0"}, "no tensor 'image:0'"),
        ({"dims": {"relu": 99}}, "784 values.*states 99"),
        ({"dims": {"pool": 99}}, "names 'pool'.*relu"),
    ],
)
def test_wrong_frozen_graph_is_named(tmp_path, change, message):
    path = tmp_path / "old.pb"
    graph_2015(path)
    with pytest.raises(UserError, match=message):
        build(tmp_path, FROZEN | {"path": str(path)} | change)
    assert not (tmp_path / "net.pb").exists()


@pytest.mark.parametrize("suffix", [".pb", ".tgz"])
@pytest.mark.parametrize("content", [b"", b"this is no graph at all", b"\x1f\x8b\x08cut short"])
def test_file_that_is_no_graph_is_named(tmp_path, content, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"bad\.pb: (not a frozen|the graph is empty)|bad\.tgz: cannot be unpacked"
    ):
        build(tmp_path, FROZEN | {"path": str(path)})


def test_wrong_keras_networks_are_named(tmp_path, small_model):
    application = {"kind": "keras_application", "weights": None, "layers": ["x"]}
    with pytest.raises(UserError, match="no 'Inceptionv3'.*InceptionV3"):
        build(tmp_path, application | {"application": "Inceptionv3"})
    with pytest.raises(UserError, match="no layer 'x'.*out_relu"):
        build(tmp_path, application | {"application": "MobileNetV2", "size": 96})
    with pytest.raises(UserError, match=r"weights file absent\.h5"):
        build(tmp_path, application | {"application": "MobileNetV2", "weights": "absent.h5"})
    with pytest.raises(UserError, match="pooling.*InceptionV3"):
        build(tmp_path, application | {"application": "MobileNetV2", "layers": "pooling"})
    (tmp_path / "bad.keras").write_bytes(b"nothing")
    with pytest.raises(UserError, match="bad.keras.*not a Keras model"):
        spec = {"kind": "keras_file", "path": str(tmp_path / "bad.keras"), "layers": ["x"]}
        build(tmp_path, spec)
    small_model.save(tmp_path / "model.keras")
    spec = {"kind": "keras_file", "path": str(tmp_path / "model.keras")}
    with pytest.raises(UserError, match="no layer 'x'.*shallow"):
        build(tmp_path, spec | {"layers": ["x"]})
    with pytest.raises(UserError, match="no module 'resnet5'.*resnet50"):
        build(tmp_path, spec | {"layers": ["deep"], "preprocessing": {"application": "resnet5"}})


def test_weights_from_a_file(tmp_path):
    keras.utils.set_random_seed(99)
    model = keras.applications.MobileNetV2(
        include_top=False, pooling="avg", weights=None, input_shape=(96, 96, 3)
    )
    model.save_weights(tmp_path / "mine.weights.h5")
    spec = {"kind": "keras_application", "application": "MobileNetV2", "layers": ["out_relu"]}
    run, _ = build(tmp_path, spec | {"weights": str(tmp_path / "mine.weights.h5"), "size": 96})
    batch = images(96)
    prepared = keras.applications.mobilenet_v2.preprocess_input(batch.copy())
    assert_close(run(batch)[0], outputs(model, ["out_relu"], prepared)[0])


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(2)
    names = [f"{i:02d}.jpg" for i in rng.permutation(37)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / name)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("image,label\n" + "".join(f"{name},x\n" for name in names))
    return folder, manifest, names


def test_features_follow_the_manifest_whatever_the_shards(tmp_path, small_model, dataset):
    folder, manifest, names = dataset
    small_model.save(tmp_path / "model.keras")
    spec = {"kind": "keras_file", "path": str(tmp_path / "model.keras"), "size": 32}
    build(tmp_path, spec | {"layers": ["shallow", "deep"]})

    def rows(shards, threads, dtype="float32"):
        parts = []
        for part in range(shards):
            files = [tmp_path / f"{part}-{layer}.npy" for layer in ("shallow", "deep")]
            features(
                tmp_path / "net.pb",
                tmp_path / "net.json",
                folder,
                manifest,
                files,
                shard=(part, shards),
                dtype=dtype,
                threads=threads,
            )
            parts.append([np.load(file) for file in files])
        return [np.concatenate(layer) for layer in zip(*parts, strict=True)]

    shallow, deep = rows(1, 1)
    assert shallow.shape == (37, 15 * 15 * 8) and deep.shape == (37, 6)
    pictures = [Image.open(folder / name).resize((32, 32), Image.BILINEAR) for name in names]
    batch = np.stack([np.asarray(picture, np.float32) for picture in pictures])
    expected = outputs(small_model, ["shallow", "deep"], batch)
    assert_close(shallow, expected[0].reshape(37, -1))
    assert_close(deep, expected[1])
    for shards in (3, 40):  # more shards than images: some are empty
        for one, many in zip((shallow, deep), rows(shards, 2), strict=True):
            assert_close(many, one)
    half = rows(1, 2, dtype="float16")[0]
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, shallow.astype(np.float16))


def application_of_norms(tmp_path, dataset):
    spec = {"kind": "keras_application", "application": "MobileNetV2", "weights": None, "size": 32}
    return spec | {"layers": ["block_1_expand_relu", "out_relu"]}, None


def frozen_graph_of_norms(tmp_path, dataset):
    graph_2015(tmp_path / "old.pb")
    return FROZEN | {"path": str(tmp_path / "old.pb")}, None


def keras_file_of_norms(tmp_path, dataset):
    axis_model(axis=-1).save(tmp_path / "model.keras")
    path = str(tmp_path / "model.keras")
    return {"kind": "keras_file", "path": path, "layers": ["first", "last"]}, None


def autoencoder(tmp_path, dataset):
    return {
        "kind": "autoencoder",
        "size": 16,
        "channels": [4, 8],
        "latent": 5,
        "train": False,
    }, None


def pca(tmp_path, dataset):
    spec = {"kind": "pca", "size": 8, "components": 3}
    folder, manifest, _ = dataset
    fit_pca("net", spec, folder, manifest, tmp_path / "pca.keras")
    return spec, tmp_path / "pca.keras"


def all_poolings(folder, batch):
    """Return the values of every layer in every pooling of the network ``net`` in a folder."""
    layers = json.loads((folder / "net.json").read_text())["layers"]
    tensors = {
        (layer["layer"], pooling): pooled["tensor"]
        for layer in layers
        for pooling, pooled in layer["poolings"].items()
    }
    found = graph_function(read_graph(folder / "net.pb"), list(tensors.values()))(batch)
    return dict(zip(tensors, found, strict=True))


@pytest.mark.parametrize(
    "kind",
    [application_of_norms, frozen_graph_of_norms, keras_file_of_norms, autoencoder, pca],
)
def test_every_kind_is_folded_and_computes_the_same(tmp_path, dataset, kind, caplog, monkeypatch):
    spec, source = kind(tmp_path, dataset)
    sizes, found = {}, {}
    for way in ("folded", "unfolded"):
        folder = tmp_path / way
        folder.mkdir()
        build(folder, spec, source=source, seed=1)
        sizes[way] = len(read_graph(folder / "net.pb").node)
        batch = images(json.loads((folder / "net.json").read_text())["size"])
        found[way] = all_poolings(folder, batch)
        monkeypatch.setattr(network, "fold", lambda graph, outputs: graph)
    assert "not folded" not in caplog.text
    assert sizes["folded"] < sizes["unfolded"] or kind is pca  # which has nothing to fold
    assert list(found["folded"]) == list(found["unfolded"])
    for place, expected in found["unfolded"].items():
        np.testing.assert_allclose(
            found["folded"][place], expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )


def folded_wrongly(graph_def, outputs):
    """Fold, and weigh one convolution by 1 % too much."""
    folded = fold(graph_def, outputs)
    weights = next(node for node in folded.node if node.name.endswith("/weights"))
    value = tf.make_ndarray(weights.attr["value"].tensor) * np.float32(1.01)
    weights.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return folded


@pytest.mark.parametrize("slip", ["scale", "axis"])
def test_network_that_was_folded_wrongly_is_written_unfolded(tmp_path, slip, caplog, monkeypatch):
    if slip == "scale":
        monkeypatch.setattr(network, "fold", folded_wrongly)
    else:  # as many values as channels, whatever axis they lie along
        monkeypatch.setattr(
            folding, "_is_per_channel", lambda value, channels: value.size in (1, channels)
        )
    model = axis_model(axis=-1 if slip == "scale" else 1)
    model.save(tmp_path / "model.keras")
    spec = {"kind": "keras_file", "path": str(tmp_path / "model.keras")}
    names = ["first", "last"]
    build(tmp_path, spec | {"layers": names}, nodes=tmp_path / "nodes.csv")
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.match(r"net: not folded\. .* change layer (first|last) \((flat|mean)\) by \d", line)
    batch = images(8)
    found = all_poolings(tmp_path, batch)
    for name, expected in zip(names, outputs(model, names, batch), strict=True):
        assert_close(found[name, "flat"], expected)
        assert_close(found[name, "mean"], expected.mean((1, 2)))
    # The schematic is drawn of the graph that was written.
    written = {node.name for node in read_graph(tmp_path / "net.pb").node}
    assert set(pd.read_csv(tmp_path / "nodes.csv").name) <= written


def test_missing_image_stops_with_its_name_and_leaves_no_file(tmp_path, small_model, dataset):
    folder, manifest, names = dataset
    small_model.save(tmp_path / "model.keras")
    spec = {"kind": "keras_file", "path": str(tmp_path / "model.keras"), "layers": ["deep"]}
    build(tmp_path, spec)
    (folder / names[20]).unlink()
    with pytest.raises(UserError, match=names[20]):
        features(
            tmp_path / "net.pb", tmp_path / "net.json", folder, manifest, [tmp_path / "deep.npy"]
        )
    assert not list(tmp_path.glob("*deep*"))


def test_paper_network_is_the_original(tmp_path, shared):
    path = shared("models/inception_2015_to_mixed_8.pb")
    layers = {"pool": "pool:0", "mixed_3_pool": "mixed_3/pool:0", "mixed_8_pool": "mixed_8/pool:0"}
    spec = {"kind": "frozen_graph", "path": str(path), "input": "ResizeBilinear:0", "size": 299}
    dims = {"pool": 341056, "mixed_3_pool": 83232, "mixed_8_pool": 49152}
    run, _ = build(tmp_path, spec | {"layers": layers, "dims": dims})
    batch, graph, tensors = images(299), read_graph(path), list(layers.values())
    original = values(graph, "ResizeBilinear", batch[:1], tensors)
    exact = in_double(graph, "ResizeBilinear", tensors)
    exact = values(exact, "ResizeBilinear", batch[:1].astype(np.float64), tensors)
    # Both round, in ways that differ by processor; the folded one must be as near to the truth.
    for ours, theirs, truth in zip(run(batch), original, exact, strict=True):
        assert_close(ours[:1], truth)
        assert np.abs(ours[:1] - truth).max() <= 2 * np.abs(theirs - truth).max()


def test_googlenet_is_the_original(tmp_path, shared):
    path = shared("models/googlenet_bvlc.pb")
    spec = {"kind": "frozen_graph", "path": str(path), "input": "input:0", "size": 224}
    run, described = build(tmp_path, spec | {"layers": {"pool5": "pool5:0", "prob": "prob:0"}})
    assert [layer["dim"] for layer in described] == [1024, 1000]
    batch = images(224)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(read_graph(path), name="")
        with tf.compat.v1.Session(graph=graph) as session:
            original = session.run(["pool5:0", "prob:0"], {"input:0": batch})
    for actual, expected in zip(run(batch), original, strict=True):
        assert_close(actual, expected)


def test_fold_keeps_what_is_asked_for_by_name():
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 4, 1], name="input")
        weights = tf.constant(np.ones((1, 1, 1, 2), np.float32))
        conv = tf.nn.conv2d(x, weights, 1, "VALID", name="conv")
        scaled = tf.multiply(conv, tf.constant([2.0, 3.0]), name="scaled")
        tf.add(scaled, tf.constant([1.0, 1.0]), name="shifted")
    folded = fold(graph.as_graph_def(), ["conv", "shifted"])
    batch = np.ones((1, 4, 4, 1), np.float32)
    conv, shifted = graph_function(folded, ["conv:0", "shifted:0"])(batch)
    assert (conv == 1).all()  # the convolution is wanted itself, so it is not scaled
    assert (shifted[..., 0] == 3).all() and (shifted[..., 1] == 4).all()


def test_fold_looks_behind_identities_of_constants():
    """As frozen variables are read, here by two convolutions, each with a batch norm of its own."""
    rng = np.random.default_rng(3)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 4, 3], name="input")
        weights = tf.constant(rng.normal(size=(1, 1, 3, 2)).astype(np.float32))
        for name in ("one", "other"):
            conv = tf.nn.conv2d(x, tf.identity(tf.identity(weights)), 1, "VALID")
            norm = [
                tf.identity(tf.constant(rng.uniform(0.5, 1.5, 2), tf.float32)) for _ in range(4)
            ]
            normed, *_ = tf.compat.v1.nn.fused_batch_norm(conv, *norm, is_training=False)
            tf.square(normed, name=name)
    graph_def, outputs = graph.as_graph_def(), ["one", "other"]
    folded = fold(graph_def, outputs)
    left = {node.op for node in folded.node}
    assert left == {"Placeholder", "Const", "Conv2D", "BiasAdd", "Square"}
    batch = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    tensors = [f"{output}:0" for output in outputs]
    for actual, expected in zip(
        graph_function(folded, tensors)(batch),
        graph_function(graph_def, tensors)(batch),
        strict=True,
    ):
        assert_close(actual, expected)
