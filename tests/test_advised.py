"""The features that are advised: those of the run, from its own files and from new pictures."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.advised.export import write_advised
from depthgauge.cli import main
from depthgauge.config import checked_spec
from depthgauge.datasets import make_dataset
from depthgauge.networks.features import features
from depthgauge.networks.freeze import write_network
from depthgauge.networks.tensorflow_whole import tf
from PIL import Image
from test_onnx import cnn

CELLS = {  # extractor, layer, pooling, metric
    "frozen graph, flat": ("graph", "shallow", "flat", "angle"),
    "frozen graph, mean": ("graph", "shallow", "mean", "angle"),
    "frozen graph, as it is": ("graph", "deep", "flat", "euclidean"),
    "onnx, mean": ("onnx", "map", "mean", "angle"),
    "onnx, as it is": ("onnx", "map", "flat", "euclidean"),
}


@pytest.fixture(autouse=True, scope="module")
def threads_as_they_are():
    """TensorFlow's threads can be set once in a process, which other tests may have done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("depthgauge.networks.tensorflow_setup.use_threads", lambda threads: None)
        yield


def frozen_graph(path):
    """A small network of random weights, 16 x 16 pixels."""
    rng = np.random.default_rng(4)
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [None, 16, 16, 3], name="x")
        kernel = rng.normal(size=(3, 3, 3, 5)).astype(np.float32)
        shallow = tf.nn.relu(tf.nn.conv2d(images / 255.0, kernel, 2, "SAME"), name="shallow")
        weights = rng.normal(size=(5, 7)).astype(np.float32)
        tf.identity(tf.reduce_mean(shallow, [1, 2]) @ weights, name="deep")
    path.write_bytes(graph.as_graph_def().SerializeToString())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a run has of a folder of pictures of all kinds, and two networks, before a verdict."""
    folder = tmp_path_factory.mktemp("advised")
    rng = np.random.default_rng(5)
    for place in range(10):
        file = folder / "photos" / "ab"[place % 2] / f"{place}"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (24, 20 + place, 4), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((40, 30 + place), Image.BICUBIC)
        if place in (0, 1):
            image.convert("RGB").save(file.with_suffix(".jpg"), quality=60)
        elif place in (2, 3):
            image.convert("L").save(file.with_suffix(".png"))
        elif place == 4:
            exif = Image.Exif()
            exif[0x0112] = 6  # turned
            image.convert("RGB").save(file.with_suffix(".jpg"), exif=exif)
        else:
            image.save(file.with_suffix(".png"))  # with alpha
    spec = checked_spec("datasets", "photos", {"kind": "folder", "path": str(folder / "photos")})
    made = folder / "results/datasets/photos"
    make_dataset(
        *("photos", spec, made / "images", made / "manifest.csv"),
        seed=1,
        quality=80,
        progress=False,
    )
    frozen_graph(folder / "graph.pb")
    cnn(folder / "net.onnx")
    specs = {
        "graph": {"kind": "frozen_graph", "input": "x:0", "size": 16, "path": "graph.pb"}
        | {"layers": {"shallow": "shallow:0", "deep": "deep:0"}, "resample": "bicubic"},
        "onnx": {"kind": "onnx", "path": "net.onnx", "layers": {"map": "sum"}},
    }
    for name, spec in specs.items():
        spec = checked_spec("extractors", name, spec | {"path": str(folder / spec["path"])})
        end = "onnx" if name == "onnx" else "pb"
        graph, layers = (folder / f"results/networks/{name}.{e}" for e in (end, "json"))
        write_network(name, spec, graph, layers)
        outputs, means = [], []
        for layer in spec["layers"]:
            for pooled in (layer, f"{layer}.mean"):
                for kind, files in (("features", outputs), ("means", means)):
                    place = folder / f"results/{kind}/photos/{name}/{pooled}/0-of-1.npy"
                    place.parent.mkdir(parents=True)
                    files.append(place)
        features(
            *(graph, layers, made / "images", made / "manifest.csv", outputs),
            poolings=["flat", "mean"],
            means=means,
        )
    return folder / "results"


def export(results, cell, folder, **options):
    """Write the folder of a cell, for which a verdict is made up."""
    names = dict(zip(("extractor", "layer", "pooling", "metric"), cell, strict=True))
    verdict = folder.with_suffix(".csv")
    rows = [{"scope": "dataset", "dataset": "photos", "spread_warning": ""} | names]
    pd.DataFrame([*rows, rows[0] | {"scope": "depth", "layer": "other"}]).to_csv(verdict)
    made = results / "datasets/photos"
    networks = [results / "networks/graph.pb", results / "networks/onnx.onnx"]
    write_advised(
        *(verdict, made / "manifest.csv", made / "images", networks, folder / "README.md"),
        **{"dataset": "photos", "means": results / "means/photos", "quality": 80} | options,
    )
    return folder


def expected(results, cell):
    extractor, layer, pooling, metric = cell
    name = f"{layer}.mean" if pooling == "mean" else layer
    found = np.load(results / f"features/photos/{extractor}/{name}/0-of-1.npy").astype(float)
    if metric == "angle":
        found -= found.mean(axis=0)
        found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def close(found, true):
    scale = np.abs(true).max()
    np.testing.assert_allclose(found / scale, true / scale, rtol=0, atol=1e-5)


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_the_runs_own_pictures_come_out_as_its_features(results, cell, tmp_path):
    folder = export(results, cell, tmp_path / "advised")
    true = expected(results, cell)
    found = np.load(folder / "features.npy")
    assert found.dtype == np.float32
    close(found, true)
    images = pd.read_csv(folder / "images.csv")
    manifest = pd.read_csv(results / "datasets/photos/manifest.csv")
    assert images.equals(manifest[["image", "source", "label"]])

    photos = results.parent / "photos"
    done = invoke("apply", folder, photos, "-o", tmp_path / "new.npy")
    assert done.exit_code == 0, done.output
    names = pd.read_csv(tmp_path / "new.images.csv").image
    assert names.tolist() == [str(photos / source) for source in images.source]
    close(np.load(tmp_path / "new.npy"), found.astype(float))


def test_features_that_are_kept_are_taken_and_those_that_are_right_left(
    results, tmp_path, monkeypatch
):
    cell, kept = CELLS["frozen graph, flat"], results / "features/photos"
    by_network = np.load(export(results, cell, tmp_path / "one") / "features.npy")
    monkeypatch.setattr("depthgauge.advised.export.extract", None)  # fails when it is called
    folder = export(results, cell, tmp_path / "two", kept=kept)
    close(np.load(folder / "features.npy"), by_network.astype(float))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    inode = (folder / "features.npy").stat().st_ino
    export(results, cell, folder)  # they are there, and nothing is extracted
    assert (folder / "features.npy").stat().st_ino == inode
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    # Another cell is another matter, and features in half precision are none to take.
    with pytest.raises(TypeError):
        export(results, CELLS["frozen graph, mean"], folder)
    half = tmp_path / "half"
    shutil.copytree(kept, half)
    for file in half.rglob("*.npy"):
        head = file.read_bytes().replace(b'"precision": "float32"', b'"precision": "bfloat1"')
        file.write_bytes(head)
    with pytest.raises(TypeError):
        export(results, cell, tmp_path / "three", kept=half)


@pytest.mark.parametrize("cell", ["frozen graph, mean", "onnx, mean"])
def test_the_readme_shows_how_to_use_the_extractor(results, cell, tmp_path, monkeypatch):
    folder = export(results, CELLS[cell], tmp_path / "advised")
    text = (folder / "README.md").read_text()
    code = "\n".join(re.findall(r"^    (?!depthgauge)(.*)", text, re.M))
    monkeypatch.chdir(folder)
    images = pd.read_csv("images.csv").image
    given = {"files": [results / "datasets/photos/images" / image for image in images]}
    exec(code, given)
    close(given["vectors"], np.load("features.npy").astype(float))


def test_nothing_advised_is_said_and_leaves_nothing_else(results, tmp_path):
    folder = export(results, CELLS["frozen graph, mean"], tmp_path / "advised")
    export(results, ("", "", "", ""), folder)
    assert [file.name for file in folder.iterdir()] == ["README.md"]
    done = invoke("apply", folder, results.parent / "photos", "-o", tmp_path / "new.npy")
    assert done.exit_code == 1


def test_where_some_have_a_label_the_layer_that_proposes_labels_counts(results, tmp_path):
    folder = export(results, CELLS["frozen graph, mean"], tmp_path / "advised")
    rows = [("onnx", "map", "mean", "angle", ""), ("graph", "deep", "flat", "euclidean", 0.9)]
    names = ["extractor", "layer", "pooling", "metric", "expected_accuracy"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "accuracy.csv", index=False)
    made = results / "datasets/photos"
    write_advised(
        *(tmp_path / "accuracy.csv", made / "manifest.csv", made / "images"),
        *([results / "networks/graph.pb"], folder / "README.md"),
        **{"dataset": "photos", "means": results / "means/photos"},
    )
    close(np.load(folder / "features.npy"), expected(results, CELLS["frozen graph, as it is"]))


def test_a_cell_of_ones_own_choice_without_a_verdict(results, tmp_path, caplog):
    made = results / "datasets/photos"

    def run(*cells, columns=("extractor", "layer", "pooling", "metric")):
        pd.DataFrame(cells, columns=columns).to_csv(tmp_path / "cell.csv", index=False)
        places = made / "manifest.csv", made / "images", results / "networks/graph.pb"
        readme = tmp_path / "mine/README.md"
        options = "--dataset", "photos", "--means", results / "means/photos", "-o", readme
        return invoke("advised", tmp_path / "cell.csv", *places, *options).exit_code

    cell = CELLS["frozen graph, mean"]
    assert run(cell) == 0
    close(np.load(tmp_path / "mine/features.npy"), expected(results, cell))
    for wrong, said in (
        ([("graph", "middle", "mean", "angle")], "has no layer 'middle'; it has shallow, deep"),
        ([("other", "shallow", "mean", "angle")], "none of the extractor 'other'"),
        ([("graph", "shallow", "max", "angle")], "cell.csv: expected verdict.csv, or one row with"),
        ([("graph", "shallow", "cls", "angle")], "shallow of graph is not read 'cls', but flat or"),
        ([cell, cell], "cell.csv: expected verdict.csv, or one row with extractor, layer,"),
    ):
        assert run(*wrong) == 1 and said in caplog.text
    assert run(("graph", "shallow"), columns=("extractor", "layer")) == 1


def test_nearest_images_are_those_of_all_distances(results, tmp_path):
    folder = export(results, CELLS["frozen graph, mean"], tmp_path / "advised")
    images = pd.read_csv(folder / "images.csv")
    vectors = np.load(folder / "features.npy").astype(float)
    apart = np.linalg.norm(vectors - vectors[6], axis=1)
    order = apart.argsort()[:3]
    picture = results.parent / "photos" / images.source[6]
    done = invoke("nearest", folder, picture, "-n", 3)
    assert done.exit_code == 0, done.output
    first, *lines = done.stdout.splitlines()
    assert first == str(picture)
    found = [line.split() for line in lines]
    assert [row[1:] for row in found] == images.loc[order, ["label", "source"]].values.tolist()
    np.testing.assert_allclose([float(row[0]) for row in found], apart[order], atol=1e-3)


def test_formats(results, tmp_path, monkeypatch, caplog):
    folder = export(results, CELLS["frozen graph, mean"], tmp_path / "advised")
    photos = results.parent / "photos/a"
    # The folder of a run stands for what it advises, where that is for one dataset.
    run = tmp_path / "run"
    shutil.copytree(folder, run / "results/advised/photos")
    assert invoke("apply", run, photos, "-o", tmp_path / "new.csv").exit_code == 0
    table = pd.read_csv(tmp_path / "new.csv")
    assert table.columns.tolist() == ["image", *(f"v{i}" for i in range(1, 6))]
    close(table.iloc[:, 1:].to_numpy(), np.load(folder / "features.npy")[:5].astype(float))
    monkeypatch.setattr("depthgauge.advised.apply.find_spec", lambda name: None)
    assert invoke("apply", folder, photos, "-o", tmp_path / "new.parquet").exit_code == 1
    assert "pip install pyarrow" in caplog.text
    assert invoke("apply", folder, photos, "-o", tmp_path / "new.txt").exit_code == 1
    assert "new.txt: expected a name that ends in .npy, .csv" in caplog.text


def test_pictures_that_cannot_be_read_are_named_and_the_others_go_on(results, tmp_path, caplog):
    folder = export(results, CELLS["frozen graph, mean"], tmp_path / "advised")
    shutil.copytree(results.parent / "photos/a", tmp_path / "new")
    (tmp_path / "new/3.png").write_text("no picture")
    (tmp_path / "new/notes.txt").write_text("no picture either")
    done = invoke("apply", folder, tmp_path / "new", "-o", tmp_path / "new.npy")
    assert done.exit_code == 1
    said = "1 of 6 pictures cannot be read"
    assert said in caplog.text and "3.png: not a picture" in caplog.text
    names = pd.read_csv(tmp_path / "new.images.csv").image
    assert [name[-5:] for name in names] == ["0.jpg", "2.png", "4.jpg", "6.png", "8.png"]
    close(np.load(tmp_path / "new.npy"), np.load(folder / "features.npy")[:5].astype(float))
    alone = tmp_path / "alone.npy"
    assert invoke("apply", folder, tmp_path / "new/3.png", "-o", alone).exit_code == 1
    assert not alone.exists()


def test_what_cannot_be_applied_is_said(results, tmp_path, caplog):
    folder = export(results, CELLS["frozen graph, mean"], tmp_path / "advised")
    other = export(results, CELLS["frozen graph, flat"], tmp_path / "other")
    photos, output = results.parent / "photos", tmp_path / "new.npy"
    (tmp_path / "empty").mkdir()

    def said(advised, pictures=photos):
        caplog.clear()
        assert invoke("apply", advised, pictures, "-o", output).exit_code == 1
        assert not output.exists()
        return caplog.text

    assert "empty: holds no pictures" in said(folder, tmp_path / "empty")
    assert "there is no such picture" in said(folder, tmp_path / "missing")
    assert "another network are not comparable" in said(folder, other / "features.npy")
    assert "expected results/advised/DATASET" in said(tmp_path / "empty")
    assert f"several datasets; give {folder}, {other}." in said(tmp_path)
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    shutil.copy(other / "features.npy", mixed)
    assert "of another network than extractor.pb" in said(mixed)
    shutil.copy(other / "extractor.pb", mixed)
    assert "is not the extractor that" in said(mixed)
    (mixed / "extractor.json").write_text("{}")
    assert "does not describe advised features" in said(mixed)
