"""Real pictures through real networks, from the download to goodness, where they are at hand."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import checked_spec
from depthgauge.datasets import make_dataset, sources
from depthgauge.distances.distances import distances
from depthgauge.distances.labelled import Labelled
from depthgauge.download import download
from depthgauge.networks.features import features
from depthgauge.networks.network import build_network
from depthgauge.statistics.goodness import goodness
from PIL import Image
from scipy.spatial.distance import pdist


def goodness_by_layer(folder, extractor, shared):
    """Take the dataset in ``folder`` through an extractor of the real run's config."""
    config = yaml.safe_load((REPOSITORY / "tests/configs/mnist.yaml").read_text())
    spec = config["extractors"][extractor]
    spec["path"] = str(shared(spec["path"].removeprefix("../shared/")))
    graph, layers = folder / "net.pb", folder / "net.json"
    build_network(extractor, spec, graph, layers)
    names = [layer["layer"] for layer in json.loads(layers.read_text())["layers"]]
    files = [folder / f"{name}.npy" for name in names]
    manifest = folder / "manifest.csv"
    features(graph, layers, folder / "images", manifest, files, threads=2)
    labels = pd.read_csv(manifest, dtype=str).label
    found = {}
    for name, file in zip(names, files, strict=True):
        condensed = folder / f"{name}-distances.npy"
        distances([file], condensed, threads=2, rows=len(labels))
        exact = pdist(np.load(file).astype(np.float64))
        np.testing.assert_allclose(np.load(condensed), exact, rtol=1e-5)
        found[name] = goodness(Labelled(np.load(condensed), labels), permutations=999, seed=1)
    return found


@pytest.mark.parametrize("extractor", ["inception_2015", "googlenet"])
def test_real_digits_cluster_at_every_depth(tmp_path, shared, extractor):
    mirror = shared("mirror")
    spec = {"kind": "mnist", "split": "test", "images": 60, "choose": "stratified"}
    spec = checked_spec("datasets", "mnist", spec)
    files = []
    for source in sources("mnist", spec):
        files.append(tmp_path / source.path)
        download(source.urls, files[-1], mirror=mirror, **source.checks)
    manifest = tmp_path / "manifest.csv"
    make_dataset("mnist", spec, tmp_path / "images", manifest, seed=1, sources=files)
    found = goodness_by_layer(tmp_path, extractor, shared)
    for layer, cell in found.items():
        assert cell.images == 60 and cell.classes == 10, layer
        assert cell.goodness > 1.02 and cell.p_value == 0.001, layer


def test_real_textures_cluster_and_more_so_at_depth(tmp_path, shared):
    patches = tmp_path / "patches"
    patches.mkdir()
    for photograph, texture in (("brick", "stone1"), ("grass", "grass1"), ("gravel", "sand1")):
        pixels = np.asarray(Image.open(shared(f"textures/{photograph}.png")).convert("L"))
        for number in range(16):
            top, left = 128 * (number // 4), 128 * (number % 4)
            quarter = "abcd"[2 * (top // 256) + left // 256]
            name = f"{texture}-{quarter}-p{number + 1:03d}.png"
            Image.fromarray(pixels[top : top + 128, left : left + 128]).save(patches / name)
    spec = {"kind": "kylberg", "path": str(patches), "classes": ["stone1", "grass1", "sand1"]}
    spec = checked_spec("datasets", "textures", spec)
    make_dataset("textures", spec, tmp_path / "images", tmp_path / "manifest.csv", seed=1)
    found = goodness_by_layer(tmp_path, "googlenet", shared)
    assert all(cell.images == 48 and cell.p_value == 0.001 for cell in found.values())
    assert found["pool5"].goodness > found["pool1"].goodness > 1
    shutil.rmtree(patches)
