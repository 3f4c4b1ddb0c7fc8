"""Mistakes in a config: each is answered at the dry run, by one message that names the key."""

import copy
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile

import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import checked_config
from depthgauge.errors import UserError
from depthgauge.plan import make_plan, own_contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

INPUT = {"input": "x:0", "size": 8}
# A config of every kind of dataset and of network.
EVERY_KIND = {
    **{"seed": 3, "mirror": "mirror", "jpeg_quality": 90, "permutations": 99, "perplexity": 5.5},
    **{"permute": {"drawn": "groups"}, "labels_per_class": [1, 2], "label_splits": 5},
    **{"label_confidence": 0.5, "block_images": 30, "pairs": 100_000, "claims": "claims.yaml"},
    "datasets": {
        "drawn": {"kind": "synthetic", "per_class": 20, "size": 32},
        "digits": {"kind": "digits", "per_class": 20},
        "mnist": {"kind": "mnist", "split": "train", "images": 100, "choose": "stratified"},
        "photos": {"kind": "folder", "path": "photos", "unlabelled": "new", "per_class": 8},
        "sorted": {"kind": "folder", "path": "sorted"},
        "textures": {"kind": "kylberg", "urls": ["https://a.org/{class}.zip"], "per_class": 8},
        "emotions": {"kind": "affective", "parts": ["abstract"]},
    },
    "extractors": {
        "known": {
            **{"kind": "keras_application", "application": "ResNet50", "weights": None},
            **{"layers": {"first": "a", "second": "b"}, "dims": {"first": 5}, "size": [64, 32]},
        },
        "own": {
            **{"kind": "keras_file", "path": "net.keras", "layers": ["a", "b"], "size": 32},
            "preprocessing": {"channels": "bgr", "mean": [1.5, 2, 3], "scale": 0.5},
        },
        "graph": {"kind": "frozen_graph", "path": "net.pb", "layers": {"y": "y:0"}} | INPUT,
        "fetched": {
            **{"kind": "frozen_graph", "url": ["https://a.org/net.pb"], "layers": 3} | INPUT,
            **{"sha256": "0" * 64, "bytes": 9},
        },
        "onnx": {"kind": "onnx", "path": "net.onnx", "layers": "auto", "shortest_edge": 40},
        "encoder": {"kind": "autoencoder", "size": 16, "channels": [4, 8], "latent": 4},
        "components": {"kind": "pca", "size": 16, "components": 4, "trained_on": "drawn"},
    },
}
SHIPPED = ["config.yaml", "paper.yaml", "tests/configs/mnist.yaml"]
CONFIGS = [yaml.safe_load((REPOSITORY / path).read_text()) for path in SHIPPED]
CONFIGS[-1]["mirror"] = "mirror"  # in place of what this machine may not have
for spec in CONFIGS[-1]["extractors"].values():
    spec["path"] = "any.pb"
CONFIGS += [EVERY_KIND] * 3  # the longest by far

ODD = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2, 7, 10**9, 10**30, -(10**30), 10**5000),
        *(0.5, 199.0, -1.5, 1e308, float("inf"), float("-inf"), float("nan")),
        *("", " ", "a b", "auto", "pooling", "nope", "a\n", "a\x00b", "é", "a" * 60, "ab" * 40),
        *("/nope", "~nouser", "~", "..", "a" * 5000, "/a" * 2500, "file:///a/b", "http://h/.."),
        *("ftp://a.org/x", "http://[", "\ud800", "README.md", "photos", "net.pb", "=cmd()"),
        *([], {}, [1], ["a", "a"], [None], [[]], {"a": 1}, {1: 2}, {"a": {"b": [float("nan")]}}),
        *(b"raw", {"a"}, yaml.safe_load("2020-01-01")),
    ]
)
KEYS = st.sampled_from(
    [1, 1.5, None, True, (1, 2), "nope", "", "a\n", "a b", "a" * 300, "a" * 60, "pat", "kind"]
)


def field(number, data):
    """A field of a Protocol Buffers message: up to 127 bytes."""
    return bytes([number << 3 | 2, len(data)]) + data


def keras_layer(name):
    return {"module": "keras.layers", "class_name": "ReLU", "config": {"name": name}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "mirror").mkdir()
    for name in ("photos/a", "photos/b", "photos/new", "sorted/a", "sorted/b"):
        (folder / name).mkdir(parents=True)
        for place in range(12):
            Image.new("RGB", (8, 8)).save(folder / name / f"{place}.png")
    (folder / "any.pb").write_text("a network")
    nodes = b"".join(field(1, field(1, name) + field(2, b"Relu")) for name in (b"x", b"y"))
    (folder / "net.pb").write_bytes(nodes)  # a GraphDef: of each node name and operation
    node = field(1, b"x") + field(2, b"sum") + field(3, b"Sum_7") + field(4, b"Sum")
    (folder / "net.onnx").write_bytes(b"\x08\x08" + field(7, field(1, node)))  # after its version
    inner = {"class_name": "Sequential", "config": {"name": "b", "layers": [keras_layer("c")]}}
    model = {"class_name": "Functional", "config": {"layers": [keras_layer("a"), inner]}}
    with zipfile.ZipFile(folder / "net.keras", "w") as file:
        file.writestr("config.json", json.dumps(model))
    claims = REPOSITORY / "workflow/depthgauge/report/paper_claims.yaml"
    (folder / "claims.yaml").write_text(claims.read_text())
    return folder


def places(value, path=()):
    """All places of a config: where a value could be another, and a key."""
    yield path
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, one in inner:
        yield from places(one, (*path, key))


@st.composite
def mutated(draw):
    """A config with one mistake, or something that could be one, and the keys that lead to it."""
    config = copy.deepcopy(draw(st.sampled_from(CONFIGS)))
    path = draw(st.sampled_from([path for path in places(config) if path]))
    parent = config
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    names = [name for name in path if isinstance(name, str)]
    how = draw(st.sampled_from(["value", "value", "value", "less", "key", "more", "typo"]))
    if how == "value":
        parent[key] = draw(ODD)
    elif how == "less":
        del parent[key]
    elif isinstance(parent, dict):
        new = f"{key}x" if how == "typo" else draw(KEYS)
        parent[new] = draw(ODD) if how == "more" else parent.pop(key)
        names.append(str(new)[:20].strip() or repr(new))
    return config, names


def answer(config):
    """Return None where a config can be planned, else the one message."""
    began = time.monotonic()
    try:
        plan = make_plan(config)
        own_contents(plan, {})
        plan.needed(), plan.targets(), plan.text()
        [plan.shards(name) for name in plan.datasets]
        return None
    except UserError as error:
        return str(error)
    finally:
        assert time.monotonic() - began < 20


@settings(
    max_examples=400,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(case=mutated())
def test_a_config_is_planned_or_its_mistake_is_named(folder, monkeypatch, case):
    monkeypatch.chdir(folder)
    config, names = case
    said = answer(config)
    if said:
        assert any(name in said for name in [*names, "config:"]), (names, said)
        assert len(said) < 5000 and "Traceback" not in said and "schemas\n" not in said, said
        assert "not valid under any" not in said, said


def test_all_configs_can_be_planned(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for config in CONFIGS:
        assert answer(config) is None


def refused(folder, monkeypatch, **changes):
    """The message by which the config of every kind is refused, with some keys changed."""
    monkeypatch.chdir(folder)
    config = copy.deepcopy(EVERY_KIND)
    for path, value in changes.items():
        *parents, key = path.split("__")
        parent = config
        for name in parents:
            parent = parent[name]
        parent[key] = value
    said = answer(config)
    assert said is not None
    return said


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("perplexity", float("inf"), "perplexity: inf is not a finite number"),
        ("permutations", 199.0, "permutations: 199.0 is not an integer; write 199"),
        ("permutations", 10**30, "permutations: .* is more than the maximum of 10,000,000"),
        ("label_splits", 10**12, "label_splits: .* more than the maximum of 10,000"),
        ("datasets__drawn__per_class", 10**9, "datasets.drawn.per_class: .* the maximum"),
        ("datasets__photos__path", "~nouser", "photos.path: .* no home of a user ~nouser"),
        ("datasets__photos__path", "a" * 5000, "photos.path: .* has 5,000 characters"),
        ("datasets__photos__path", "nope", "datasets.photos: nope: does not exist"),
        ("extractors__own__preprocessing__scale", 0, "own.preprocessing.scale: 0 is not"),
        ("extractors__own__preprocessing__application", "resnet5", "did you mean 'resnet50'"),
        ("extractors__known__application", "resnet5", "known.application.* mean 'ResNet50'"),
        ("extractors__known__dims", {"frist": 5}, "known.dims: .*did you mean 'first'"),
        ("extractors__known__layers", "pooling", "known.layers: .pooling. means"),
        ("datasets__photos__group", "(a", r"photos.group: '\(a' is neither .* \(missing \), "),
        (
            "datasets__photos__group",
            "[ab]",
            r"photos.group: '\[ab\]' is neither .* a capture group",
        ),
        ("permute", {"sorted": "groups"}, "permute.sorted: groups needs .* datasets.sorted.group"),
        ("datasets__photos__nuisance", "(x)", r"photos.nuisance: '\(x\)' tells nothing"),
        ("datasets__photos__split", "folders", "photos.split: .* of folder, none, null; did you"),
        ("extractors__known__weights", "ImageNet", "known.weights: .*; did you mean 'imagenet'"),
        (
            "extractors__own__preprocessing__application",
            "vgg16",
            "preprocessing: .* says all of it",
        ),
        (
            "extractors__own__path",
            "net.pb",
            "own.kind: net.pb is not .* keras_file, but of frozen_gr",
        ),
        ("extractors__graph__path", "net.onnx", "graph.kind: .* frozen_graph, but of onnx"),
        (
            "extractors__onnx__path",
            "net.keras",
            "onnx.kind: .* of the kind onnx, but of keras_file",
        ),
        ("extractors__graph__sha256", "0" * 64, "graph: sha256 and bytes .* there is no `url`"),
        ("extractors__own__layers", ["a", "nope"], "own.layers.1: .* 'nope'; it has: a, b, b/c"),
        ("extractors__own__layers", {"in": "b/d"}, "own.layers.in: .* 'b/d'; it has: a, b, b/c"),
        ("extractors__graph__layers", {"y": "z:0"}, "graph.layers.y: .* 'z:0'; it has: x, y"),
        ("extractors__graph__input", "image:0", "graph.input: .* 'image:0'; it has: x, y"),
        ("extractors__onnx__layers", ["summ"], "onnx.layers.0: .*'summ'; it has: sum, Sum_7"),
        ("extractors__known__layers", "autoo", "known.layers: .* did you mean 'auto'"),
        ("extractors__known__layers", {1: "a"}, "known.layers: the key 1 is not text"),
        ("extractors__known__size", "big", "known.size: 'big' is not an integer or a list"),
        ("extractors__fetched__url", "file:///a/b", "fetched.url: .*`path`"),
        ("extractors__fetched__url", "http://h/..", "fetched.url: .* not the address of a file"),
        ("datasets__textures__urls", ["x/{class}"], "textures.urls: 'x/{class}' does not begin"),
        ("mirror", "/nope", "mirror: there is no folder /nope"),
        ("claims", "photos/a/0.png", "claims: photos/a/0.png: line 1: is not in UTF-8"),
        ("claims", "nope", "claims: there is no file nope"),
    ],
)
def test_mistakes_that_were_once_planned(folder, monkeypatch, key, value, message):
    said = refused(folder, monkeypatch, **{key: value})
    assert re.search(message, said), said


def test_a_name_that_snakemake_would_take_for_a_loop_is_refused(folder, monkeypatch):
    said = refused(folder, monkeypatch, **{f"datasets__{'ab' * 30}": {"kind": "digits"}})
    assert "comes more than 18 times in a row" in said


def test_counts_that_promise_months_are_refused_by_the_key(folder, monkeypatch):
    large = {"kind": "mnist", "split": "train"}
    said = refused(
        folder,
        monkeypatch,
        datasets__mnist=large,
        permutations=10**7,
        pairs=None,
        block_images=20000,
    )
    assert said.startswith("permutations: 10,000,000 take a job some")
    many = {"kind": "synthetic", "per_class": 10**7}
    said = refused(folder, monkeypatch, datasets__drawn=many, pairs=None)
    assert said.startswith("datasets.drawn: 40,000,000 images") and "jobs" in said


def test_snakemake_adds_no_words_of_its_own(tmp_path):
    (tmp_path / "c.yaml").write_text("perplexity: .inf\ndatasets: {}\nextractors: {}\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            *("--directory", str(tmp_path), "--configfile", str(tmp_path / "c.yaml")),
            *("--workflow-profile", "none", "--cores", "1", "--dry-run"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("ERROR: The config cannot be used:\n  - perplexity: inf is not")
    assert "line " not in done.stderr and "Error in" not in done.stderr


def test_the_config_beside_the_snakefile_is_told_by_its_line(tmp_path):
    shutil.copy(REPOSITORY / "Snakefile", tmp_path)
    (tmp_path / "workflow").symlink_to(REPOSITORY / "workflow")
    (tmp_path / "config.yaml").write_text("datasets:\n  d: {kind: digits\nextractors: {}\n")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"ERROR: {tmp_path}/config.yaml: line 3: is no YAML: expected ','")


def test_what_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(UserError, match="too deep"):
        checked_config({"metrics": loop})
