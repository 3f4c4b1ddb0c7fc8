"""The paper's experiment: planned as a whole, fetched without computing, run with what is there."""

import gzip
import io
import re
import shutil
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import checked_spec
from depthgauge.datasets import KINDS, about, mnist
from PIL import Image
from test_workflow import snakemake


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever asks a server is refused at once."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "DEPTHGAUGE_MIRROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def paper(tmp_path):
    """An empty folder with the paper's config."""
    shutil.copy(REPOSITORY / "paper.yaml", tmp_path / "experiment.yaml")
    return tmp_path


def plan(folder, *arguments):
    """Return {rule: number of jobs} that a dry run announces."""
    printed = snakemake(folder, *arguments, "-n", "--quiet", "rules")
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, re.M)}


def test_whole_experiment_is_planned_without_network_and_data(paper):
    jobs = plan(paper)
    expected = {
        "download": 2 + 2 + 28 + 2,  # MNIST, Affective, Kylberg, networks
        "dataset": 4,
        "network": 2,
        "features_inception_2015": 4,  # a dataset in one part: of at most 12,000 images
        "features_inception_v3": 4,
        # Of the synthetic images, which are few, all layers of a network are one job.
        **dict.fromkeys(("distances", "goodness", "embedding"), 3 * 2 * 4),
        **{f"{what}_inception_2015": 1 for what in ("distances_of", "goodness_of", "places")},
        **{f"figures_of_{of}_kylberg": 1 for of in ("images", "results", "verdict")},
        "figures_of_networks": 1,
        "table_1": 1,
        "claims": 1,
        "report": 1,
    }
    assert {rule: jobs.get(rule) for rule in expected} == expected
    assert jobs["total"] < 300
    assert not (paper / "results").exists()


def test_data_is_planned_to_fetch_and_nothing_else(paper):
    assert plan(paper, "data") == {"download": 34, "data": 1, "total": 35}


def test_figures_of_the_paper_have_targets(paper):
    figures = ["figure_1", "figure_2", "figure_5"]  # the network, synthetic, Kylberg
    expected = {"download": 2 + 28, "network": 2, "dataset": 2, "figures_of_networks": 1}
    expected |= {"figures_of_images_synthetic": 1, "figures_of_images_kylberg": 1}
    expected |= dict.fromkeys(figures, 1)
    assert plan(paper, *figures) == expected | {"total": sum(expected.values())}
    jobs = plan(paper, "figure_6", "figure_10")  # maps and violins of the synthetic images
    expected = {"dataset": 1}
    for network in ("inception_2015", "inception_v3"):
        expected |= {f"{what}_{network}": 1 for what in ("distances_of", "goodness_of", "places")}
    expected |= {"figures_of_results_synthetic": 1, "figure_6": 1, "figure_10": 1}
    assert {rule: jobs.get(rule) for rule in expected} == expected


def test_all_figures_have_one_target(paper):
    jobs = plan(paper, "figures")
    drawn = ["images", "results"]
    names = ["synthetic", "mnist", "affective", "kylberg"]
    expected = {f"figures_of_{of}_{name}": 1 for of in drawn for name in names}
    expected |= {"figures_of_networks": 1, "table_1": 1}
    assert {rule: jobs.get(rule) for rule in expected} == expected
    assert not {"report", "labels", "verdict"} & set(jobs)


def test_figure_of_a_dataset_that_is_not_in_the_config(paper):
    config = yaml.safe_load((paper / "experiment.yaml").read_text())
    del config["datasets"]["affective"]
    (paper / "experiment.yaml").write_text(yaml.safe_dump(config))
    printed = snakemake(paper, "figure_4", "-n", expect=1)
    assert "of the kind affective" in printed


def test_network_without_published_weights_is_said_before_anything_starts(paper):
    config = yaml.safe_load((paper / "experiment.yaml").read_text())
    config["extractors"]["inception_v3"]["application"] = "InceptionV4"
    (paper / "experiment.yaml").write_text(yaml.safe_dump(config))
    printed = snakemake(paper, "-n", expect=1)
    assert (
        "has no 'InceptionV4'; did you mean 'InceptionV3'?" in printed
        and "Traceback" not in printed
    )


def idx(path, array):
    shape = np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(bytes([0, 0, 8, array.ndim]) + shape + array.tobytes(), 1))


@pytest.mark.parametrize(
    ("spec", "note"),
    [
        ({}, "all of the test split's 10000 digits; the default reading of the paper's subset"),
        (
            {"split": "train", "images": 10_000},
            "the first of the train split's 60000 digits; the other reading of the paper's subset",
        ),
        ({"split": "train"}, "all of the train split's 60000 digits"),
    ],
)
def test_notes_say_which_digits_were_read(tmp_path, spec, note):
    spec = checked_spec("datasets", "digits", {"kind": "mnist"} | spec)
    count = mnist.IMAGES[spec["split"]]
    files = tmp_path / "images.gz", tmp_path / "labels.gz"
    idx(files[0], np.zeros((count, 28, 28), np.uint8))
    idx(files[1], (np.arange(count) % 10).astype(np.uint8))
    made, notes = mnist.pictures("digits", spec, files, 1, tmp_path)
    assert len(made) == notes[0].found == (spec["images"] or count)
    assert notes[0].note.startswith(note)
    assert ("paper" in notes[0].note) == ("paper" in note)


def test_every_dataset_says_where_it_comes_from():
    for kind in KINDS:
        found = about("mine", {"kind": kind, "path": "some/folder"})
        assert found["title"] and (found["link"] or kind == "synthetic")
    assert found.keys() == {"title", "citation", "link"}
    assert about("mine", {"kind": "folder", "path": "some/folder"})["link"] == "some/folder"


def jpeg(rng):
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def bring_affective(mirror, part, rng):
    """Put a miniature of one of the published archives into the mirror."""
    files = {f"{emotion}_{i}.jpg": jpeg(rng) for emotion in ("awe", "fear") for i in range(3)}
    if part == "abstract":
        rows = ["'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'"]
        rows += [f"'{name}',0,0,{5 if 'awe' in name else 0},0,0,0,3,0" for name in files]
        files["ABSTRACT_groundTruth.csv"] = "\n".join(rows)
    place = mirror / f"www.imageemotion.org/testImages_{part}.zip"
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"testImages_{part}/{name}", data)


def bring_network(mirror):
    """Put a frozen graph in a .tgz into the mirror; return its length.

    Too long for Snakemake to compare contents: by its date alone it would count as changed.
    """
    from depthgauge.networks.tensorflow_whole import tf

    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, 8, 8, 3], name="resized")
        weights = tf.constant(rng.normal(size=(8, 8, 3, 2000)).astype(np.float32))
        tf.nn.conv2d(x, weights, 1, "VALID", name="conv")
    data = graph.as_graph_def().SerializeToString()
    place = mirror / "networks.invalid/old.tgz"
    place.parent.mkdir(parents=True)
    with tarfile.open(place, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("./classify_image_graph_def.pb")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    assert place.stat().st_size > 10**6
    return place.stat().st_size


def test_what_cannot_be_fetched_is_said_and_holds_up_nothing_else(tmp_path):
    rng = np.random.default_rng(1)
    mirror = tmp_path / "mirror"
    bring_affective(mirror, "artphoto", rng)
    length = bring_network(mirror)
    wrong = mirror / "storage.googleapis.com/keras-applications/efficientnetb0_notop.h5"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b"other weights")
    graph = {"kind": "frozen_graph", "url": "http://networks.invalid/old.tgz", "bytes": length}
    graph |= {"input": "resized:0", "size": 8, "layers": {"conv": "conv:0"}, "dims": {"conv": 2000}}
    keras = {"kind": "keras_application", "application": "EfficientNetB0"}
    config = {
        "mirror": "mirror",
        "datasets": {
            "feelings": {"kind": "affective"},
            "shapes": {"kind": "synthetic", "per_class": 3, "size": 32},
            "textures": {"kind": "kylberg", "classes": ["rice1"]},
        },
        "extractors": {"old": graph, "new": keras | {"layers": ["top_activation"]}},
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    downloads = tmp_path / "results/downloads"
    abstract = "results/downloads/affective/testImages_abstract.zip"

    # Everything is tried; what failed is said once more at the end, with the remedy.
    printed = snakemake(tmp_path, "--cores", "4", "data", expect=1)
    assert "Traceback" not in printed
    assert "has md5" in printed and "50bc09e76180e00e4465e1a485ddc09d" in printed
    end = printed[printed.index("Exiting because a job execution failed") :]
    assert re.search(r"datasets\.textures: 1 of 1 files could not be fetched \(rice1-", end)
    assert "take datasets.textures out of the config" in end
    assert re.search(r"extractors\.new: 1 of 1 .*efficientnetb0_notop\.h5", end)
    assert "datasets.feelings: LEFT OUT is testImages_abstract.zip" in end
    assert f"snakemake --cores 1 --force {abstract}" in end
    assert (tmp_path / abstract).read_bytes() == b""
    assert sorted(f.name for f in downloads.rglob("*.*")) == [
        "old.tgz",
        "old.tgz.sha256",
        "testImages_abstract.zip",
        "testImages_artphoto.zip",
        "testImages_artphoto.zip.sha256",
    ]
    assert not (tmp_path / "results/datasets").exists()

    # Without the two, the rest is made from what is there, and the table says what is missing.
    del config["datasets"]["textures"], config["extractors"]["new"], config["mirror"]
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    made = ["results/table_1.csv", "results/networks/old.csv"]
    printed = snakemake(tmp_path, "--cores", "2", *made)
    assert "the part abstract is missing and LEFT OUT" in printed
    assert "datasets.feelings: LEFT OUT is testImages_abstract.zip" in printed
    table = pd.read_csv(tmp_path / "results/table_1.csv").set_index("dataset")
    assert table.samples.to_dict() == {"feelings": 6, "shapes": 12}
    assert "abstract: 0 of 228, missing, left out" in table.note["feelings"]
    assert table.link["feelings"] == "https://www.imageemotion.org/"

    # All is checked anew on request, and nothing that was made from it is made again.
    (mirror / "networks.invalid/old.tgz").unlink()
    snakemake(tmp_path, "--cores", "4", "data", "--forcerun", "download")
    assert "Nothing to be done" in snakemake(tmp_path, "-n", *made)

    # The missing part turns up: what it belongs to is made anew, and nothing else.
    bring_affective(mirror, "abstract", rng)
    config["mirror"] = "mirror"
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    snakemake(tmp_path, "--cores", "1", "--force", abstract)
    assert plan(tmp_path, *made) == {"dataset": 1, "table_1": 1, "total": 2}


def test_nodes_of_a_network_are_listed_in_topological_order(tmp_path):
    from depthgauge.networks.network import build_network

    mirror = tmp_path / "mirror"
    bring_network(mirror)
    spec = {"kind": "frozen_graph", "path": mirror / "networks.invalid/old.tgz", "size": 8}
    spec |= {"input": "resized:0", "layers": {"conv": "conv:0"}}
    files = [tmp_path / name for name in ("net.pb", "net.json", "net.csv")]
    build_network("net", spec, files[0], files[1], nodes=files[2])
    nodes = pd.read_csv(files[2], keep_default_na=False).set_index("name")
    assert nodes.columns.tolist() == ["op", "inputs", "shape"]
    assert nodes["shape"][["input", "conv"]].tolist() == ["8x8x3", "1x1x2000"]
    before, weights = nodes.inputs["conv"].split(";")
    assert before == "input" and nodes.op[weights] == "Const"
    assert nodes["shape"][weights] == "8x8x3x2000"
    for place, inputs in enumerate(nodes.inputs):
        assert set(filter(None, inputs.split(";"))) <= set(nodes.index[:place])
