"""Poolings of layers, in the graph and on disk, against the flat values in double precision."""

import json

import numpy as np
import pytest
from depthgauge.errors import UserError
from depthgauge.fingerprint import read_fingerprint
from depthgauge.networks.features import features
from depthgauge.networks.graph import graph_function, read_graph
from depthgauge.networks.network import build_network
from depthgauge.networks.tensorflow_whole import tf
from depthgauge.readings import layer_poolings, pooled
from PIL import Image

SIZE = 24


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network of a map, sequences with a class token and without, and a vector."""
    folder = tmp_path_factory.mktemp("network")
    keras = tf.keras
    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = layers.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(5, 6, 6, name="map")(images)  # 4 x 4 x 5
    x = layers.Reshape((16, 5), name="patches")(x)
    x = layers.ZeroPadding1D((1, 0), name="tokens")(x)  # 17 x 5
    x = layers.Dense(6, activation="relu", name="block")(x)
    x = layers.GlobalAveragePooling1D(name="vector")(x)
    keras.Model(images, x).save(folder / "model.keras")
    spec = {"kind": "keras_file", "path": str(folder / "model.keras")}
    names = ["map", "patches", "block", "vector"]
    build_network("net", spec | {"layers": names}, folder / "net.pb", folder / "net.json")
    return folder


def description(folder, name="net"):
    layers = json.loads((folder / f"{name}.json").read_text())["layers"]
    return {layer["layer"]: layer for layer in layers}


def test_layers_tell_the_poolings_that_they_have(network):
    found = description(network)
    dims = {
        name: {pooling: entry["dim"] for pooling, entry in layer["poolings"].items()}
        for name, layer in found.items()
    }
    assert dims == {
        "map": {"flat": 80, "mean": 5},
        "patches": {"flat": 80, "mean": 5},
        "block": {"flat": 102, "mean": 6, "cls": 6},
        "vector": {"flat": 6},
    }
    assert found["patches"]["prefix_tokens"] == 0 and found["block"]["prefix_tokens"] == 1


def test_poolings_are_those_of_the_flat_values(network):
    batch = np.random.default_rng(1).uniform(0, 255, (3, SIZE, SIZE, 3)).astype(np.float32)
    for name, layer in description(network).items():
        poolings = list(layer["poolings"])
        tensors = [layer["poolings"][pooling]["tensor"] for pooling in poolings]
        run = graph_function(read_graph(network / "net.pb"), tensors)
        values = dict(zip(poolings, run(batch), strict=True))
        flat = values["flat"].astype(np.float64)
        if name in ("map", "patches"):
            expected = {"mean": flat.reshape(3, 16, 5).mean(axis=1)}
        elif name == "block":
            expected = {"mean": flat[:, 1:].mean(axis=1), "cls": flat[:, 0]}
        else:
            expected = {}
        for pooling, value in expected.items():
            np.testing.assert_allclose(values[pooling], value, rtol=1e-5, atol=1e-4)


def test_registers_are_stated(network, tmp_path):
    spec = {"kind": "keras_file", "path": str(network / "model.keras"), "layers": ["block"]}
    files = tmp_path / "net.pb", tmp_path / "net.json"
    build_network("net", spec | {"prefix_tokens": 5}, *files)
    layer = description(tmp_path)["block"]
    assert layer["prefix_tokens"] == 5
    batch = np.random.default_rng(2).uniform(0, 255, (2, SIZE, SIZE, 3)).astype(np.float32)
    names = [layer["poolings"][pooling]["tensor"] for pooling in ("flat", "mean")]
    flat, mean = graph_function(read_graph(files[0]), names)(batch)
    np.testing.assert_allclose(mean, flat[:, 5:].mean(axis=1), rtol=1e-5, atol=1e-4)
    with pytest.raises(UserError, match="`prefix_tokens` is 17, and layer block has 17 tokens"):
        build_network("net", spec | {"prefix_tokens": 17}, *files)


def test_a_class_token_is_asked_of_sequences_that_have_one(network):
    found = description(network)
    assert layer_poolings(found["block"], ["cls", "flat"]) == ["flat", "cls"]
    assert layer_poolings(found["vector"], ["mean", "cls"]) == ["mean"]
    assert pooled(found["vector"], "mean") == found["vector"]["poolings"]["flat"]
    for name in ("map", "patches"):
        with pytest.raises(UserError, match=f"layer {name} .* has no class token"):
            layer_poolings(found[name], ["cls"])


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(3)
    names = [f"{i}.png" for i in range(11)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("\n".join(["image,label", *(f"{n},x" for n in names)]))
    return tmp_path


def extracted(network, images, poolings, **options):
    names = list(description(network))
    places = [(layer, pooling) for layer in names for pooling in poolings]
    files = {place: images / f"{'-'.join(place)}.npy" for place in places}
    means = [file.with_suffix(".mean.npy") for file in files.values()]
    features(
        *(network / "net.pb", network / "net.json", images, images / "manifest.csv"),
        list(files.values()),
        poolings=poolings,
        means=means,
        **options,
    )
    return files


def test_one_pass_writes_all_poolings_and_their_means(network, images):
    files = extracted(network, images, ["flat", "mean"])
    values = {place: np.load(file) for place, file in files.items()}
    assert values["map", "mean"].shape == (11, 5) and values["block", "flat"].shape == (11, 102)
    expected = values["map", "flat"].reshape(11, 16, 5).astype(float).mean(axis=1)
    np.testing.assert_allclose(values["map", "mean"], expected, rtol=1e-5, atol=1e-4)
    for place, file in files.items():
        mean = np.load(file.with_suffix(".mean.npy"))
        assert mean.dtype == np.float64
        np.testing.assert_allclose(mean, values[place].astype(float).mean(axis=0), rtol=1e-12)
    # A vector is written once, and has both names.
    flat, mean = files["vector", "flat"], files["vector", "mean"]
    assert flat.samefile(mean)
    assert read_fingerprint(mean)["pooling"] == "flat"
    assert read_fingerprint(files["map", "mean"])["pooling"] == "mean"
    # Asked for alone, the mean is the same to the bit, and nothing flat is written.
    alone = extracted(network, images, ["mean"], threads=2)
    for (layer, pooling), file in alone.items():
        np.testing.assert_array_equal(np.load(file), values[layer, pooling])
    with pytest.raises(UserError, match="layer map .* has no class token"):
        extracted(network, images, ["cls"])


def test_tokens_of_a_real_transformer(tmp_path, shared):
    path = shared("models/vit_s14_9blocks.keras")
    spec = {"kind": "keras_file", "path": str(path), "layers": ["tokens", "block_9"]}
    build_network("vit", spec, tmp_path / "vit.pb", tmp_path / "vit.json")
    for layer in description(tmp_path, "vit").values():
        assert layer["shape"] == [257, 384] and layer["prefix_tokens"] == 1
        assert set(layer["poolings"]) == {"flat", "mean", "cls"}


def test_maps_of_the_papers_network(tmp_path, shared):
    path = shared("models/inception_2015_to_mixed_8.pb")
    spec = {"kind": "frozen_graph", "path": str(path), "input": "ResizeBilinear:0", "size": 299}
    layers = {"pool": "pool:0", "mixed_8_pool": "mixed_8/pool:0"}
    build_network("net", spec | {"layers": layers}, tmp_path / "net.pb", tmp_path / "net.json")
    batch = np.random.default_rng(4).uniform(0, 255, (2, 299, 299, 3)).astype(np.float32)
    for layer in description(tmp_path).values():
        names = [layer["poolings"][pooling]["tensor"] for pooling in ("flat", "mean")]
        flat, mean = graph_function(read_graph(tmp_path / "net.pb"), names)(batch)
        np.testing.assert_allclose(mean, flat.mean(axis=(1, 2), dtype=np.float64), rtol=1e-5)


def vision_transformer(size=(32, 48), registers=4, blocks=2, width=12):
    """A small random ViT as KerasHub builds them: class token, attention, layer scale."""
    keras = tf.keras
    keras.utils.set_random_seed(1)
    layers = keras.layers
    images = layers.Input((*size, 3))
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(width, 8, 8, name="patches")(x)
    x = layers.Reshape((-1, width), name="rows")(x)
    x = layers.ZeroPadding1D((1 + registers, 0), name="before")(x)
    shape = (x.shape[1], width)
    x = layers.EinsumDense("ntc,cd->ntd", shape, bias_axes="td", name="tokens")(x)
    for number in range(1, 1 + blocks):
        y = layers.LayerNormalization(name=f"block_{number}_norm1")(x)
        y = layers.MultiHeadAttention(3, 4, name=f"block_{number}_attention")(y, y)
        scale = layers.EinsumDense("ntc,c->ntc", shape, name=f"block_{number}_scale1")
        x = layers.Add(name=f"block_{number}_add1")([x, scale(y)])
        y = layers.LayerNormalization(name=f"block_{number}_norm2")(x)
        y = layers.Dense(4 * width, activation="gelu", name=f"block_{number}_fc1")(y)
        y = layers.Dense(width, name=f"block_{number}_fc2")(y)
        x = layers.Add(name=f"block_{number}")([x, y])
    model = keras.Model(images, layers.LayerNormalization(name="norm")(x), name="vit")
    rng = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


@pytest.mark.parametrize(
    ("size", "registers"), [((32, 32), 0), ((32, 32), 4), ((32, 48), 0), ((32, 48), 4)]
)
def test_a_vision_transformer_is_read_with_its_registers_found(tmp_path, size, registers):
    model = vision_transformer(size, registers)
    keras = tf.keras
    nested = keras.Sequential([model, keras.layers.Dense(2, name="head")])
    nested.save(tmp_path / "vit.keras")
    layers = {"tokens": "vit/tokens", "block_1": "vit/block_1", "norm": "vit/norm"}
    spec = {"kind": "keras_file", "path": str(tmp_path / "vit.keras"), "layers": layers}
    build_network("vit", spec, tmp_path / "vit.pb", tmp_path / "vit.json")
    batch = np.random.default_rng(3).uniform(0, 255, (2, *size, 3)).astype(np.float32)
    patches = size[0] * size[1] // 64
    for layer in description(tmp_path, "vit").values():
        assert layer["prefix_tokens"] == 1 + registers
        assert layer["shape"] == [1 + registers + patches, 12]
        poolings = ["flat", "mean", "cls"]
        tensors = [layer["poolings"][pooling]["tensor"] for pooling in poolings]
        flat, mean, cls = graph_function(read_graph(tmp_path / "vit.pb"), tensors)(batch)
        own = keras.Model(model.inputs, model.get_layer(layer["layer"]).output)
        expected = own.predict(batch, verbose=0)
        wide = {"rtol": 0, "atol": 1e-5 * np.abs(expected).max()}
        np.testing.assert_allclose(flat, expected, **wide)
        np.testing.assert_allclose(mean, expected[:, -patches:].mean(axis=1), **wide)
        np.testing.assert_allclose(cls, expected[:, 0], **wide)
