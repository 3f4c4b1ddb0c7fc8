"""What makes what run again: the table in docs/architecture.md, held against Snakemake's plans."""

import copy
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY
from PIL import Image

BASE = {
    "labels_per_class": [1, 2],
    "linear_probe": False,
    "claims": "workflow/depthgauge/report/paper_claims.yaml",
    "datasets": {
        "drawn": {"kind": "synthetic", "per_class": 15, "size": 32},
        "photos": {"kind": "folder", "path": "photos"},
        "partly": {"kind": "folder", "path": "partly", "unlabelled": "new"},
        "loose": {"kind": "folder", "path": "loose"},
    },
    "extractors": {
        "trained": {"kind": "keras_file", "path": "model.keras", "layers": ["a", "b"]},
        "untrained": {
            **{"kind": "keras_application", "application": "ResNet50", "weights": None},
            **{"layers": ["c"], "poolings": ["flat"]},
        },
        "encoder": {"kind": "autoencoder", "size": 16, "channels": [4, 8], "latent": 4},
        "components": {"kind": "pca", "size": 16, "components": 4},
    },
}


def set_(path, value):
    """A change of a config: the key at ``path``, with dots, gets another value."""

    def change(config):
        *parents, key = path.split(".")
        for parent in parents:
            config = config.setdefault(parent, {})
        config[key] = value

    return change


# The changes that are tried for each row of the table.
CHANGES = {
    "seed": set_("seed", 2),
    "mirror": set_("mirror", "mirror"),
    "jpeg_quality": set_("jpeg_quality", 80),
    "permutations": set_("permutations", 99),
    "permute": set_("permute", {"drawn": "within_groups"}),
    "perplexity": set_("perplexity", 5),
    "labels_per_class": set_("labels_per_class", [1]),
    "label_splits": set_("label_splits", 5),
    "linear_probe": set_("linear_probe", True),
    "metrics": set_("metrics", ["euclidean"]),
    "label_confidence": set_("label_confidence", 0.9),
    "ask": set_("ask", 3),
    "features_dtype": set_("features_dtype", "float16"),
    "precision": set_("precision", "bfloat16"),
    "pairs": set_("pairs", 1000),
    "claims": set_("claims", None),
    "keep_features": set_("keep_features", True),
    "block_images": set_("block_images", 30),
    "a dataset's keys": set_("datasets.drawn.size", 48),
    "another dataset": set_("datasets.digits", {"kind": "digits", "per_class": 3}),
    "`layers`": set_("extractors.trained.layers", ["a", "between", "b"]),
    "`poolings`": set_("extractors.trained.poolings", ["flat"]),
    "`dims`": set_("extractors.trained.dims", {"a": 7}),
    "`size`, `resample`": set_("extractors.trained.resample", "bicubic"),
    "`epochs` and the like": set_("extractors.encoder.epochs", 3),
    "`trained_on`": set_("extractors.encoder.trained_on", "drawn"),
    "another extractor": set_(
        "extractors.more", {"kind": "keras_file", "path": "model.keras", "layers": ["a"]}
    ),
}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """By change what Snakemake would make anew: the rules that begin, and those that follow."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("photos/a", "photos/b", "partly/a", "partly/b", "partly/new", "loose"):
        (folder / name).mkdir(parents=True)
        for place in range(20 if name == "loose" else 12):
            Image.new("RGB", (8, 8)).save(folder / name / f"{place}.png")
    (folder / "model.keras").write_text("a model")
    (folder / "mirror").mkdir()
    configs = {"nothing": (BASE, "")}
    configs |= {name: (changed(BASE, change), "") for name, change in CHANGES.items()}
    configs["a dataset less"] = (changed(BASE, lambda c: c["datasets"].pop("partly")), "")
    configs["an extractor less"] = (changed(BASE, lambda c: c["extractors"].pop("trained")), "")
    return plans_of(folder, configs)


def changed(config, change):
    config = copy.deepcopy(config)
    change(config)
    return config


def plans_of(folder, configs):
    """What Snakemake plans for each of ``configs``, see planned_jobs.py."""
    done = subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "tests/planned_jobs.py")),
            *(str(REPOSITORY / "Snakefile"), str(folder)),
        ],
        input=json.dumps(configs),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def families(rules):
    """Rules without the names of extractors, datasets and poolings that theirs end with."""
    several = "features|clusters|neighbours|misplaced|distances|distance_block|join_blocks"
    several += "|places|figures_of_images|figures_of_results|figures_of_verdict|goodness(?=_of_)"
    return {re.sub(rf"^(?:unlabelled_)?({several})_.*", r"\1", rule) for rule in rules}


def table():
    """The rows of the table in docs/architecture.md: by key the rules that begin."""
    text = (REPOSITORY / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.*?) ?\|$", text[text.index("| Changed |") :], re.M)[2:]
    return {key: set(re.findall(r"`(\w+)`", rules)) for key, rules in rows}


def test_nothing_changed_makes_nothing_anew(planned):
    assert planned["nothing"] == [[], []]


@pytest.mark.parametrize("key", CHANGES)
def test_a_key_makes_anew_what_the_table_says(planned, key):
    begin, _ = planned[key]
    assert families(begin) - {"plan"} == table()[key]


def test_the_table_has_every_key():
    schema = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
    assert set(schema["properties"]) - {"datasets", "extractors"} <= set(table())


def test_pages_are_written_anew_when_something_is_no_longer_in_the_config(planned):
    for what in ("a dataset less", "an extractor less"):
        begin, following = planned[what]
        assert {"plan", "explorer", "report"} <= {*begin, *following}, what


def test_networks_that_a_change_does_not_concern_are_left_alone(planned):
    for key in ("`layers`", "`poolings`", "`size`, `resample`"):
        touched = {rule for rules in planned[key] for rule in rules}
        assert "features_trained" in touched
        assert not {rule for rule in touched if re.match("features_(untrained|encoder)", rule)}
    begin, following = planned["seed"]
    assert "autoencoder" in begin + following and "features_untrained" in begin + following


FILES = {
    **{"labels_per_class": [], "linear_probe": False, "keep_features": True},
    "datasets": {"photos": {"kind": "folder", "path": "photos", "labels": "labels.csv"}},
    "extractors": {
        "own": {"kind": "keras_file", "path": "model.keras", "layers": ["a"]},
        "weighted": {
            **{"kind": "keras_application", "application": "ResNet50", "weights": "best.h5"},
            "layers": ["a"],
        },
        "remote": {
            **{"kind": "frozen_graph", "url": "https://one.org/graph.pb"},
            **{"input": "x:0", "size": 8, "layers": {"a": "a:0"}},
        },
        "checked": {
            **{"kind": "frozen_graph", "url": "https://one.org/checked.pb", "sha256": "0" * 64},
            **{"input": "x:0", "size": 8, "layers": {"a": "a:0"}},
        },
    },
}
for extractor in FILES["extractors"].values():
    extractor["poolings"] = ["flat"]

# By what happens to files or addresses: a change of the config, a command, the rules that begin,
# and the extractors of which features follow.
MADE_ANEW = {
    "another model of an older date": (None, "mv older.keras model.keras", {"network"}, {"own"}),
    "other weights of an older date": (None, "mv older.h5 best.h5", {"network"}, {"weighted"}),
    "the same model of a newer date": (None, "touch model.keras", set(), set()),
    "the same model elsewhere": (
        set_("extractors.own.path", "moved.keras"),
        *("mv model.keras moved.keras", set(), set()),
    ),
    "the same weights elsewhere": (
        set_("extractors.weighted.weights", "moved.h5"),
        *("mv best.h5 moved.h5", set(), set()),
    ),
    "another address without checksum": (
        set_("extractors.remote.url", "https://two.org/graph.pb"),
        *("", {"network"}, {"remote"}),
    ),
    "another address for the same checksum": (
        set_("extractors.checked.url", "https://two.org/checked.pb"),
        *("", set(), set()),
    ),
    "another checksum": (
        set_("extractors.checked.sha256", "1" * 64),
        *("", {"network"}, {"checked"}),
    ),
    "another address and another layer": (
        lambda config: config["extractors"]["checked"].update(
            url="https://two.org/checked.pb", layers={"a": "b:0"}
        ),
        *("", {"network"}, {"checked"}),
    ),
    "a picture rewritten": (
        None,
        "echo more >> photos/3.png",
        {"dataset"},
        set(FILES["extractors"]),
    ),
    "a picture rewritten to the same size": (
        *(None, "printf z | dd of=photos/3.png conv=notrunc status=none"),
        *({"dataset"}, set(FILES["extractors"])),
    ),
    "a picture replaced by an older one": (
        *(None, "mv older.png photos/3.png", {"dataset"}, set(FILES["extractors"])),
    ),
    "a picture renamed": (
        *(None, "mv photos/11.png photos/12.png", {"dataset"}, set(FILES["extractors"])),
    ),
    "another label": (
        *(None, "sed -i 's/0.png,a/0.png,b/' labels.csv", {"dataset"}, set(FILES["extractors"])),
    ),
}


@pytest.fixture(scope="module")
def planned_files(tmp_path_factory):
    """By what happened to files what Snakemake plans: the rules that begin, and those that follow.

    Nothing but a plan is made, so that all files may be of any content.
    """
    folder = tmp_path_factory.mktemp("files")
    (folder / "photos").mkdir()
    for place in range(12):
        (folder / f"photos/{place}.png").write_text(f"{place:02}")
    lines = [f"{place}.png,{'ab'[place % 2]}" for place in range(11)]
    (folder / "labels.csv").write_text("\n".join(["image,label", *lines, ""]))
    for name in ("model.keras", "best.h5"):
        (folder / name).write_text(name)
    for name in ("older.keras", "older.h5", "older.png"):
        (folder / name).write_text("zz")
        os.utime(folder / name, (10**8, 10**8))
    configs = {"nothing": (FILES, "")}
    for name, (change, command, *_) in MADE_ANEW.items():
        configs[name] = (changed(FILES, change) if change else FILES, command)
    return plans_of(folder, configs)


def test_files_as_they_were_make_nothing_anew(planned_files):
    assert planned_files["nothing"] == [[], []]


@pytest.mark.parametrize("what", MADE_ANEW)
def test_files_count_by_what_is_in_them_and_where_they_come_from(planned_files, what):
    *_, expected, of_extractors = MADE_ANEW[what]
    begin, following = planned_files[what]
    assert set(begin) - {"plan"} == expected
    features = {rule.removeprefix("features_") for rule in following if "features_" in rule}
    assert features == of_extractors
