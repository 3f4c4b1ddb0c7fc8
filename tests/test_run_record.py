"""The record of a run: the times of the plan's jobs, which are those that Snakemake would run."""

import re
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import checked_config
from depthgauge.plan import Plan, make_plan
from depthgauge.report.run_record import benchmarks, run_record
from PIL import Image

INCEPTION = {"kind": "keras_application", "application": "InceptionV3", "weights": None}
ENCODER = {"kind": "autoencoder", "size": 16, "latent": 4, "channels": [4, 8]}
EVERYTHING = {
    "pairs": 520_000,  # 1,020 images, more than few
    "block_images": 600,
    "labels_per_class": [1, 2],
    "linear_probe": True,
    "claims": "workflow/depthgauge/report/paper_claims.yaml",
    "datasets": {
        "large": {"kind": "affective", "parts": ["abstract", "artphoto"]},
        "small": {"kind": "synthetic", "per_class": 5, "size": 32},
        "some": {"kind": "folder", "path": "some", "unlabelled": "new"},
        "none": {"kind": "folder", "path": "none"},
    },
    "extractors": {
        "given": INCEPTION | {"layers": ["mixed0", "mixed1"], "poolings": ["flat", "mean"]},
        "own": ENCODER,
        "lent": ENCODER | {"trained_on": "small"},
        "components": {"kind": "pca", "size": 16, "components": 4},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with pictures of which some have a label, and others of which none has."""
    folder = tmp_path_factory.mktemp("everything")
    names = ["some/a", "some/b", "some/new", "none"]
    for name in names:
        (folder / name).mkdir(parents=True)
        for place in range(22 if name == "none" else 8):
            Image.new("RGB", (8, 8)).save(folder / name / f"{place}.png")
    (folder / "config.yaml").write_text(yaml.safe_dump(EVERYTHING))
    return folder


@pytest.fixture
def plan(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return make_plan(EVERYTHING)


def test_jobs_are_those_that_snakemake_plans(folder, plan):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-n", "-p", "--directory", str(folder)),
            *("--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", "config.yaml"),
        ],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    # Logs are called as benchmarks are, in every rule.
    logs = re.findall(r"--log (results/logs/\S+)\.log", done.stdout + done.stderr)
    for stage, files in benchmarks(plan).items():
        own = re.compile(rf"results/logs/{stage}(/|$)")
        ran = {log.replace("results/logs", "benchmarks") + ".tsv" for log in logs if own.match(log)}
        assert ran == set(files) != set(), stage
        assert len(files) == len(set(files))
    assert len(logs) == 1 + sum(map(len, benchmarks(plan).values()))  # and the report


def test_times_are_of_the_plan_alone(tmp_path):
    config = {"datasets": {"here": {"kind": "digits"}}, "seed": 3}
    config["extractors"] = {"net": INCEPTION | {"layers": ["a", "b"]}}
    plan = Plan(checked_config(config), {"here": 30}, {"here": "none"})
    # Of a larger run: other layers, networks and datasets, blocks, labels that there were.
    left = ["distances/here/net/c", "distances/here/old", "distances/gone/net"]
    left += ["distance_block/here/net/a/0-0-of-2", "goodness/here/net/a", "verdict"]
    left += ["pca/here/net", "features/here/net/0-of-2", "network/old", "unheard_of", "report"]
    ran = {"distances/here/net": 3.75, "features/here/net/0-of-1": 4}
    for job, seconds in (ran | dict.fromkeys(left, 1000)).items():
        file = tmp_path / "benchmarks" / f"{job}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        # The last row is that of the last run.
        file.write_text(f"s\tmax_rss\n900\t9\n{seconds}\t{seconds * 2}\n")
    record = run_record(tmp_path, plan)
    stages = record[record.part == "stage"]
    assert stages[["name", "jobs", "seconds", "megabytes"]].to_numpy().tolist() == [
        ["distances", 1, 3.75, 7.5],
        ["features", 1, 4, 8],
    ]
    assert record[record.name == "seed"].value.tolist() == [3]
