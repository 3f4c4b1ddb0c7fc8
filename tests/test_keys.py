"""What makes what run again: the table in docs/architecture.md, held against Snakemake's plans."""

import copy
import json
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
    for name in ("photos/a", "photos/b", "partly/a", "partly/b", "partly/new"):
        (folder / name).mkdir(parents=True)
        for place in range(12):
            Image.new("RGB", (8, 8)).save(folder / name / f"{place}.png")
    (folder / "model.keras").write_text("a model")
    configs = {"nothing": BASE}
    for name, change in CHANGES.items():
        configs[name] = copy.deepcopy(BASE)
        change(configs[name])
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
    """Rules without the names of extractors and poolings that theirs end with."""
    several = "features|clusters|neighbours|misplaced|distances|distance_block|join_blocks"
    return {re.sub(rf"^({several})_.*", r"\1", rule) for rule in rules}


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


def test_networks_that_a_change_does_not_concern_are_left_alone(planned):
    for key in ("`layers`", "`poolings`", "`size`, `resample`"):
        touched = {rule for rules in planned[key] for rule in rules}
        assert "features_trained" in touched or key == "`poolings`"
        assert not {rule for rule in touched if re.match("features_(untrained|encoder)", rule)}
    begin, following = planned["seed"]
    assert "autoencoder" in begin + following and "features_untrained" in begin + following
