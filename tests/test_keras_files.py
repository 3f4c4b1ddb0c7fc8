"""Keras files as people have them, against what Keras itself computes of the same pixels."""

import json
import re

import h5py
import numpy as np
import pytest
from depthgauge.config import checked_spec
from depthgauge.errors import UserError
from depthgauge.networks.graph import graph_function, read_graph
from depthgauge.networks.keras_layers import layers_of
from depthgauge.networks.layers import print_layers
from depthgauge.networks.names_in_file import names_in_file
from depthgauge.networks.network import build_network
from depthgauge.networks.pixels import load_pixels
from depthgauge.networks.sources import own_files
from depthgauge.networks.tensorflow_whole import tf
from depthgauge.suggestions import those_there
from PIL import Image

keras = tf.keras
L = keras.layers


def shaken(model):
    """Give the weights of a model, variances too, values that do something."""
    rng = np.random.default_rng(5)
    for weight in model.weights:
        if "seed" not in weight.path:
            value = rng.normal(0, 0.3, weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model


def backbone(size=16):
    images = L.Input((size, size, 3))
    x = L.Conv2D(6, 3, padding="same", name="conv_a")(images)
    x = L.BatchNormalization(name="norm_a")(x)
    x = L.ReLU(name="relu_a")(x)
    x = L.Conv2D(8, 3, strides=2, name="conv_b")(x)
    return keras.Model(images, x, name="backbone")


def build(folder, path, layers, **keys):
    spec = {"kind": "keras_file", "path": str(path), "layers": layers, **keys}
    return read_back(folder, checked_spec("extractors", "net", spec))


def read_back(folder, spec):
    build_network("net", spec, folder / "net.pb", folder / "net.json")
    description = json.loads((folder / "net.json").read_text())
    tensors = [layer["tensor"] for layer in description["layers"]]
    return graph_function(read_graph(folder / "net.pb"), tensors), description


def pixels(height, width=None):
    rng = np.random.default_rng(6)
    return rng.integers(0, 256, (3, height, width or height, 3)).astype(np.float32)


def assert_same(found, expected, tolerance=1e-5):
    expected = np.asarray(expected)
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("outer", ["sequential", "functional", "twice nested"])
def test_layers_of_nested_models_have_paths(tmp_path, outer):
    inner, head = backbone(), [L.GlobalAveragePooling2D(name="pool"), L.Dense(3, name="head")]
    path, front = "backbone", lambda images: images
    if outer == "functional":
        images = L.Input((16, 16, 3))
        x = keras.Sequential([L.RandomFlip(), L.RandomRotation(0.1)], name="augment")(images)
        x = L.RandomBrightness(0.5)(x)
        x = L.Rescaling(1 / 127.5, offset=-1)(x)
        x = L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.5, 1.0, 0.5])(x)
        x = inner(x, training=True)  # which is of no account here
        for layer in head:
            x = layer(x)
        model = keras.Model(images, x)
        shift, scale = np.float32([0.1, 0.2, 0.3]), np.sqrt(np.float32([1.5, 1.0, 0.5]))
        front = lambda images: (images / np.float32(127.5) - 1 - shift) / scale  # noqa: E731
    else:
        if outer == "twice nested":
            inner, path = (
                keras.Sequential([inner, L.ReLU(name="r")], name="trunk"),
                "trunk/backbone",
            )
        model = keras.Sequential([L.Input((16, 16, 3)), inner, *head])
    shaken(model).save(tmp_path / "model.keras")
    files = ["model.keras"]
    if outer != "functional":  # which Keras cannot write so
        files.append("model.h5")
        model.save(tmp_path / "model.h5")
    for file in files:
        known = set(names_in_file("keras_file", tmp_path / file))
        assert known >= layers_of(model)[0].keys()
        # What a model within is given is the output of a layer outside.
        assert all("input" in name for name in known - layers_of(model)[0].keys())
    layers = {"a": f"{path}/relu_a", "b": f"{path}/conv_b", "whole": path, "head": "head"}
    run, description = build(tmp_path, tmp_path / "model.keras", layers)
    assert [layer["layer"] for layer in description["layers"]] == list(layers)
    plain = inner.get_layer("backbone") if outer == "twice nested" else inner
    of_inner = keras.Model(plain.inputs, [plain.get_layer("relu_a").output, plain.output])
    batch = pixels(16)
    a, b = of_inner.predict(front(batch), verbose=0)
    found = dict(zip(layers, run(batch), strict=True))
    for name, expected in {"a": a, "b": b, "whole": b}.items():
        assert_same(found[name], expected)
    if outer != "functional":  # where the saved model is called in training mode within
        assert_same(found["head"], model.predict(batch, verbose=0))
    with pytest.raises(UserError, match=rf"no layer 'relu_a'; it has: .*{path}/relu_a"):
        build(tmp_path, tmp_path / "model.keras", ["relu_a"])


def test_shared_layers_are_refused(tmp_path):
    images = L.Input((16, 16, 3))
    inner, convolution = backbone(), L.Conv2D(3, 3, padding="same", name="conv")
    x = inner(convolution(convolution(images)))
    other = inner(L.ReLU(name="last")(images))
    shaken(keras.Model(images, L.Add(name="sum")([x, other]))).save(tmp_path / "model.keras")
    for layer in ("conv", "backbone", "backbone/relu_a"):
        with pytest.raises(UserError, match=f"extractor net: .*'{layer}' 2 times.*shared"):
            build(tmp_path, tmp_path / "model.keras", {"x": layer})
    build(tmp_path, tmp_path / "model.keras", ["sum"])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_half_precision_is_run_in_single(tmp_path, policy, suffix, caplog):
    def model(policy):
        keras.mixed_precision.set_global_policy(policy)
        try:
            return keras.Sequential(
                [L.Input((16, 16, 3)), L.Rescaling(1 / 255), backbone(), L.ReLU(name="last")]
            )
        finally:
            keras.mixed_precision.set_global_policy("float32")

    half, single = shaken(model(policy)), model("float32")
    weights = [np.asarray(value, np.float32) for value in half.get_weights()]
    single.set_weights(weights)
    half.save(tmp_path / f"model{suffix}")
    with caplog.at_level("INFO"):
        run, _ = build(tmp_path, tmp_path / f"model{suffix}", ["last"])
    assert re.search(r"net: its layers compute in b?float16; they are run in float32", caplog.text)
    (found,) = run(pixels(16))
    assert found.dtype == np.float32
    assert_same(found, single.predict(pixels(16), verbose=0))
    assert_same(found, half.predict(pixels(16), verbose=0).astype(np.float32), 2e-2)


def as_of_keras_2(path):
    """Rewrite the configuration in an .h5 file in the words of Keras 2."""

    def rewritten(config):
        if isinstance(config, list):
            return [rewritten(item) for item in config]
        if not isinstance(config, dict):
            return config
        config = {key: rewritten(value) for key, value in config.items()}
        own = config.get("config")
        if config.get("class_name") in ("DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"):
            own["groups"] = 1
        if config.get("class_name") == "SeparableConv2D":
            own |= {"kernel_initializer": None, "kernel_regularizer": None}
        if config.get("class_name") == "BatchNormalization":
            own["axis"] = [own["axis"] % 4]
        return config

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps(rewritten(config))


def test_files_of_keras_2_are_read(tmp_path):
    images = L.Input((16, 16, 3))
    x = L.DepthwiseConv2D(3, name="depthwise")(images)
    x = L.BatchNormalization(name="norm")(x)
    x = L.SeparableConv2D(4, 3, name="separable")(x)
    x = L.Conv2DTranspose(5, 3, name="last")(x)
    inner = keras.Model(images, x, name="backbone")
    model = shaken(keras.Sequential([inner, L.GlobalAveragePooling2D(name="pool")]))
    model.save(tmp_path / "model.h5")
    as_of_keras_2(tmp_path / "model.h5")
    with pytest.raises((TypeError, ValueError)):  # as Keras 3 reads it
        keras.models.load_model(tmp_path / "model.h5", compile=False)
    run, _ = build(tmp_path, tmp_path / "model.h5", {"norm": "backbone/norm", "pool": "pool"})
    norm, pool = run(pixels(16))
    of_norm = keras.Model(inner.inputs, inner.get_layer("norm").output)
    assert_same(norm, of_norm.predict(pixels(16), verbose=0))
    assert_same(pool, model.predict(pixels(16), verbose=0))


def test_images_that_are_not_square(tmp_path):
    images = L.Input((24, 48, 3))
    x = L.Flatten(name="flat")(L.Conv2D(4, 3, name="conv")(images))
    model = shaken(keras.Model(images, L.Dense(3, name="dense")(x)))
    model.save(tmp_path / "model.keras")
    run, description = build(tmp_path, tmp_path / "model.keras", ["conv", "dense"])
    assert description["size"] == [24, 48] and description["layers"][0]["shape"] == [22, 46, 4]
    assert_same(run(pixels(24, 48))[1], model.predict(pixels(24, 48), verbose=0))
    Image.fromarray(pixels(10, 90)[0].astype(np.uint8)).save(tmp_path / "wide.png")
    assert load_pixels(tmp_path / "wide.png", description["size"]).shape == (24, 48, 3)
    assert load_pixels(tmp_path / "wide.png", [24, 48], "tf1_bilinear").shape == (24, 48, 3)
    with pytest.raises(UserError, match="takes images of 24x48.*`size` states 24x24"):
        build(tmp_path, tmp_path / "model.keras", ["conv"], size=24)
    with pytest.raises(UserError, match="extractors.net.size"):
        build(tmp_path, tmp_path / "model.keras", ["conv"], size=[24, 48, 3])


def test_a_square_is_one_number_however_it_is_stated(tmp_path):
    images = L.Input((None, None, 3))
    keras.Model(images, L.Conv2D(4, 3, name="conv")(images)).save(tmp_path / "model.keras")
    digests = set()
    for size in (20, [20, 20]):
        _, description = build(tmp_path, tmp_path / "model.keras", ["conv"], size=size)
        assert description["size"] == 20
        digests.add(description["layers"][0]["poolings"]["flat"]["digest"])
    assert len(digests) == 1
    run, description = build(tmp_path, tmp_path / "model.keras", ["conv"], size=[12, 20])
    assert run(pixels(12, 20))[0].shape == (3, 10, 18, 4)


def test_grey_models_take_the_preprocessing_of_applications(tmp_path):
    images = L.Input((16, 16, 1))
    model = shaken(keras.Model(images, L.Conv2D(4, 3, name="conv")(images)))
    model.save(tmp_path / "model.keras")
    preprocessing = {"application": "mobilenet_v2"}
    run, _ = build(tmp_path, tmp_path / "model.keras", ["conv"], preprocessing=preprocessing)
    grey = pixels(16) @ np.float32([0.2989, 0.587, 0.114])  # ITU-R BT.601
    expected = model.predict(grey[..., None] / np.float32(127.5) - 1, verbose=0)
    assert_same(run(pixels(16))[0], expected)
    for preprocessing in ({"application": "resnet50"}, {"mean": [1, 2, 3]}):
        with pytest.raises(UserError, match="for three colours.*takes 1 channel, grey"):
            build(tmp_path, tmp_path / "model.keras", ["conv"], preprocessing=preprocessing)


def test_networks_beside_the_modules_of_keras_applications(tmp_path):
    spec = {"kind": "keras_application", "application": "MobileNetV3Small"}
    model = keras.applications.MobileNetV3Small(
        include_top=False, weights=None, pooling="avg", input_shape=(64, 64, 3)
    )
    model.save_weights(tmp_path / "own.weights.h5")
    spec |= {"layers": ["expanded_conv_project_bn"], "size": 64}
    spec |= {"weights": str(tmp_path / "own.weights.h5")}
    run, _ = read_back(tmp_path, checked_spec("extractors", "net", spec))
    layer = keras.Model(model.inputs, model.get_layer("expanded_conv_project_bn").output)
    assert_same(run(pixels(64))[0], layer.predict(pixels(64), verbose=0))


def test_weights_that_do_not_fit_are_named_with_both_shapes(tmp_path):
    narrow = keras.applications.MobileNetV2(
        include_top=False, weights=None, alpha=0.35, input_shape=(64, 64, 3)
    )
    spec = {"kind": "keras_application", "application": "MobileNetV2", "layers": ["out_relu"]}
    for file in ("narrow.weights.h5", "narrow.h5"):
        save = narrow.save_weights if "weights" in file else narrow.save
        save(tmp_path / file)
        given = spec | {"size": 64, "weights": str(tmp_path / file)}
        with pytest.raises(UserError, match=r"(?s)MobileNetV2.*, 16\).*, 32\)|, 32\).*, 16\)") as e:
            read_back(tmp_path, checked_spec("extractors", "net", given))
        assert "keras_file" in str(e.value) and len(str(e.value)) < 1200


@keras.utils.register_keras_serializable("of_my_own")
class Scale(L.Layer):
    def call(self, x):
        return x / 255


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_classes_that_keras_does_not_know_are_named(tmp_path, suffix):
    images = L.Input((16, 16, 3))
    keras.Model(images, L.ReLU(name="last")(Scale()(images))).save(tmp_path / f"m{suffix}")
    known = keras.utils.get_custom_objects()
    kept = {key: known.pop(key) for key in list(known) if "Scale" in key}
    try:
        with pytest.raises(UserError, match=r"class '(of_my_own>)?Scale'.*own layers.*ONNX") as e:
            build(tmp_path, tmp_path / f"m{suffix}", ["last"])
    finally:
        known |= kept
    assert len(str(e.value)) < 600


def test_what_is_no_model_of_layers_in_order_is_said(tmp_path):
    images = L.Input((16, 16, 3))
    x = L.Lambda(lambda t: t / 255, name="div")(images)
    keras.Model(images, x).save(tmp_path / "lambda.keras")
    with pytest.raises(UserError, match="Lambda layer, which is code.*Rescaling"):
        build(tmp_path, tmp_path / "lambda.keras", ["div"])
    images = L.Input((3, 16, 24))
    x = L.Conv2D(4, 3, data_format="channels_first", name="conv")(images)
    keras.Model(images, x).save(tmp_path / "first.keras")
    with pytest.raises(UserError, match="channels first.*layer conv.*channels_last"):
        build(tmp_path, tmp_path / "first.keras", ["conv"])
    a, b = L.Input((16, 16, 3)), L.Input((16, 16, 3))
    keras.Model([a, b], L.Add(name="sum")([a, b])).save(tmp_path / "two.keras")
    with pytest.raises(UserError, match="one input of shape"):
        build(tmp_path, tmp_path / "two.keras", ["sum"])


@pytest.mark.parametrize("kind", ["keras_file", "frozen_graph"])
def test_a_savedmodel_is_told_how_to_become_a_file(tmp_path, kind):
    backbone().export(tmp_path / "saved", verbose=False)
    spec = {"kind": kind, "path": str(tmp_path / "saved"), "layers": {"x": "relu_a"}, "size": 16}
    spec["input"] = "x:0"
    with pytest.raises(UserError, match=r"extractors\.net\.path: .*SavedModel.*model\.keras"):
        own_files("net", spec)
    with pytest.raises(UserError, match=r"net.*SavedModel.*model\.keras"):
        build_network("net", spec, tmp_path / "net.pb", tmp_path / "net.json")
    with pytest.raises(UserError, match="is a folder"):
        own_files("net", spec | {"path": str(tmp_path)})


def test_of_many_names_the_nearest_are_told():
    few = ["conv", "relu", "pool"]
    assert those_there(["x"], few) == "it has: conv, relu, pool"
    many = [f"backbone/block_{i}/conv" for i in range(40)] + ["backbone/stem"]
    assert those_there(["stem"], many) == "of its 41, nearest are: backbone/stem"
    told = those_there(["zzz"], many)
    assert told.startswith("it has 41, from ") and told.count("block_") < 14


def deep(blocks=8):
    """A network with more layers than are told all, which ends with probabilities."""
    x = images = L.Input((16, 16, 3))
    for place in range(blocks):
        inner = L.ReLU(name=f"relu_{place}")(
            L.Conv2D(4, 3, padding="same", name=f"conv_{place}")(x)
        )
        x = inner if place == 0 else L.Add(name=f"block_{place}")([inner, x])
    x = L.Flatten(name="flat")(x)
    return keras.Model(images, L.Dense(3, activation="softmax", name="classes")(x))


@pytest.mark.parametrize("nested", [False, True])
def test_depths_can_be_asked_for_again_by_name(tmp_path, nested, capsys):
    model, path = deep(), tmp_path / "model.keras"
    if nested:
        trunk = keras.Model(model.inputs, model.get_layer("block_7").output, name="trunk")
        model = keras.Sequential([L.Input((16, 16, 3)), trunk, L.GlobalAveragePooling2D(name="p")])
    shaken(model).save(path)
    run, description = build(tmp_path, path, 3)
    chosen = {layer["layer"]: layer["chosen"] for layer in description["layers"]}
    prefix = "trunk/" if nested else ""
    # Nine with the pool, eight without: sums, and the first block's activation.
    depths = [f"{prefix}{name}" for name in ("relu_0", *(f"block_{i}" for i in range(1, 8)))]
    depths += ["p"] if nested else []
    assert list(chosen.values()) == [depths[round(i * len(depths) / 3) - 1] for i in (1, 2, 3)]
    again, named = build(tmp_path, path, chosen)
    for one, other in zip(run(pixels(16)), again(pixels(16)), strict=True):
        np.testing.assert_array_equal(one, other)
    kept = [
        [layer["poolings"]["flat"]["digest"] for layer in description["layers"]]
        for description in (description, named)
    ]
    assert kept[0] == kept[1]
    print_layers(str(path))
    assert [line.split()[3] for line in capsys.readouterr().out.splitlines()] == depths
    with pytest.raises(UserError, match=r"passes, .*relu_0 \(16x16x4\), .*block_7 \(.*By name: of"):
        build(tmp_path, path, ["relu_00"])
