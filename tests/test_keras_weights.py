"""ImageNet weights: those that the installed Keras asks for, handed to it as a file."""

import hashlib
import inspect
import json
import sys

import numpy as np
import pytest
from depthgauge.errors import UserError
from depthgauge.networks.graph import graph_function, read_graph
from depthgauge.networks.keras_network import SIZES
from depthgauge.networks.keras_weights import keras_weights
from depthgauge.networks.network import build_network
from depthgauge.networks.tensorflow_whole import tf
from keras.src.utils import file_utils

keras = tf.keras
APPLICATIONS = sorted(
    name for name, _ in inspect.getmembers(keras.applications, inspect.isfunction)
)


class Anything:
    """Stands for layers and for tensors, so that a network is built in no time."""

    shape = (None, 56, 56, 64)

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    __add__ = __radd__ = __mul__ = __rmul__ = __call__


STUBBED = ("layers", "Functional", "Sequential", "CustomScaleLayer", "LayerScale")
STUBBED += ("StochasticDepth",)


class AskedFor(Exception):
    pass


def asked_for(application, size, monkeypatch):
    """Return the (url, checksum) with which Keras calls its own download."""

    def get_file(fname, origin, cache_subdir=None, file_hash=None):
        raise AskedFor(origin, file_hash)

    build = getattr(keras.applications, application)
    modules = [m for name, m in sys.modules.items() if name.startswith("keras.src.applications.")]
    with monkeypatch.context() as patched, pytest.raises(AskedFor) as asked:
        patched.setattr(file_utils, "get_file", get_file)
        for module in modules:
            for name in STUBBED:
                if hasattr(module, name):
                    patched.setattr(module, name, Anything())
        build(include_top=False, pooling="avg", weights="imagenet", input_shape=(size, size, 3))
    return asked.value.args


@pytest.mark.parametrize("application", APPLICATIONS)
def test_table_is_what_keras_asks_for(application, monkeypatch):
    url, checksum = asked_for(application, SIZES.get(application, 224), monkeypatch)
    found, checks = keras_weights("net", {"application": application})
    assert found == url
    assert list(checks.values()) == ([checksum] if checksum else [])
    assert all(len(value) == {"md5": 32, "sha256": 64}[key] for key, value in checks.items())


@pytest.mark.parametrize("application", ["MobileNet", "MobileNetV2", "MobileNetV3Large"])
@pytest.mark.parametrize("size", [96, 128, 200, 224])
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
def test_weights_follow_the_size_as_in_keras(application, size, monkeypatch):
    url, _ = asked_for(application, size, monkeypatch)
    assert keras_weights("net", {"application": application, "size": size})[0] == url


def test_network_without_published_weights_is_named():
    with pytest.raises(UserError, match=r"extractor net: .*'ResNet5000'.*ResNet50,.*null"):
        keras_weights("net", {"application": "ResNet5000"})


SPEC = {
    "kind": "keras_application",
    "application": "EfficientNetB0",
    "weights": "imagenet",
    "size": 64,
    "layers": ["block2a_activation"],
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a network that is trained by nobody, as a file in the published format."""
    path = tmp_path_factory.mktemp("weights") / "efficientnetb0_notop.h5"
    keras.utils.set_random_seed(4)
    keras.applications.EfficientNetB0(
        include_top=False, pooling="avg", weights=None, input_shape=(64, 64, 3)
    ).save(path)
    return path


def build(tmp_path, spec, **options):
    build_network("net", spec, tmp_path / "net.pb", tmp_path / "net.json", **options)


def publish(path, monkeypatch):
    """Make the file the one whose checksum Keras knows."""
    from keras.src.applications import efficientnet

    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setitem(efficientnet.WEIGHTS_HASHES, "b0", (None, md5))


def test_network_is_the_one_that_keras_builds(tmp_path, weights, monkeypatch):
    publish(weights, monkeypatch)
    build(tmp_path, SPEC, source=weights)
    layers = json.loads((tmp_path / "net.json").read_text())["layers"]
    batch = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    (actual,) = graph_function(read_graph(tmp_path / "net.pb"), [layers[0]["tensor"]])(batch)
    monkeypatch.setattr(file_utils, "get_file", lambda *args, **kwargs: str(weights))
    model = keras.applications.EfficientNetB0(
        include_top=False, pooling="avg", weights="imagenet", input_shape=(64, 64, 3)
    )
    layer = keras.Model(model.inputs[0], model.get_layer(SPEC["layers"][0]).output)
    expected = layer(batch, training=False).numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max())
    assert expected.std() > 0


def test_weights_with_another_checksum_are_refused(tmp_path, weights):
    with pytest.raises(
        UserError, match=r"extractor net: .*efficientnetb0_notop\.h5 has md5 .*50bc"
    ):
        build(tmp_path, SPEC, source=weights)
    assert not (tmp_path / "net.pb").exists()


def test_weights_that_were_not_fetched_are_asked_for(tmp_path):
    address = r"https://storage\.googleapis\.com/.*/efficientnetb0_notop\.h5"
    with pytest.raises(UserError, match=f"`depthgauge download {address} .*--source"):
        build(tmp_path, SPEC)
    graph = {"kind": "frozen_graph", "url": "http://x/y.pb", "input": "x:0", "size": 8}
    with pytest.raises(UserError, match="extractor net: .*`depthgauge download`.*--source"):
        build(tmp_path, graph | {"layers": {"y": "y:0"}})
    assert not (tmp_path / "net.pb").exists()
