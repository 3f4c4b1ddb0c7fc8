"""The rules of distances: blocks where there are many images, and shards of something else."""

import json
import re
import shutil

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.distances.distances import distances
from depthgauge.fingerprint import fingerprint, read_fingerprint, write_header
from forked_snakemake import run_snakemake
from scipy.spatial.distance import pdist

CELL = "shapes/small/deep"  # a vector
MAP = "shapes/small/shallow"


@pytest.fixture
def folder(tmp_path):
    """A run that has come as far as its features: 40 images, a layer of maps and a vector."""
    results = tmp_path / "results"
    (results / "networks").mkdir(parents=True)
    (results / "datasets" / "shapes" / "images").mkdir(parents=True)
    (tmp_path / "model.keras").write_text("a model")
    config = {
        "keep_features": True,
        "datasets": {"shapes": {"kind": "synthetic", "per_class": 10, "size": 32}},
        "extractors": {
            "small": {"kind": "keras_file", "path": "model.keras", "layers": ["shallow", "deep"]}
        },
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    manifest = results / "datasets" / "shapes" / "manifest.csv"
    manifest.write_text("image,label\n" + "".join(f"{i}.jpg,{i % 4}\n" for i in range(40)))
    (manifest.parent / "notes.csv").write_text("note\n")
    network = results / "networks" / "small"
    flat, mean = (
        {"tensor": name, "dim": dim, "digest": name * 8} for name, dim in (("x", 30), ("y", 5))
    )
    layers = [
        {"layer": "shallow", "shape": [2, 3, 5], "poolings": {"flat": flat, "mean": mean}, **flat},
        {"layer": "deep", "shape": [30], "poolings": {"flat": flat}, **flat},
    ]
    network.with_suffix(".pb").write_text("a graph")
    network.with_suffix(".json").write_text(json.dumps({"layers": layers}))
    network.with_suffix(".csv").write_text("nodes\n")
    values = np.random.default_rng(0).standard_normal((40, 30)).astype(np.float32)
    for name, pooling in (
        *(("shallow", "flat"), ("shallow.mean", "mean")),
        *(("deep", "flat"), ("deep.mean", "flat")),
    ):
        shard = results / "features" / "shapes" / "small" / name / "0-of-1.npy"
        shard.parent.mkdir(parents=True)
        taken = values if pooling == "flat" else values.reshape(40, 6, 5).mean(axis=1)
        with open(shard, "wb") as file:
            layer = name.removesuffix(".mean")
            said = fingerprint(manifest, network.with_suffix(".json"), layer, pooling)
            write_header(file, "float32", taken.shape, said | {"images": [0, 40, 40]})
            file.write(np.ascontiguousarray(taken))
    return tmp_path


def snakemake(folder, *arguments, config=()):
    status, printed = run_snakemake(
        [
            *("--snakefile", str(REPOSITORY / "Snakefile")),
            *("--directory", str(folder), "--configfile", str(folder / "experiment.yaml")),
            *("--rerun-triggers", "mtime", "--cores", "2", *arguments),
            *(["--config", *config] if config else []),
        ],
        folder,
    )
    assert status == 0, printed
    return printed


def test_blocks_are_computed_and_joined(folder):
    output = snakemake(folder, f"results/distances/{CELL}.npy", config=["block_images=30"])
    made = folder / "results" / "distances" / f"{CELL}.npy"
    shard = folder / "results" / "features" / CELL / "0-of-1.npy"
    distances([shard], folder / "one.npy", progress=False)
    np.testing.assert_array_equal(np.load(made), np.load(folder / "one.npy"))
    said = read_fingerprint(made)
    assert said["layer"] == "deep" and said["pooling"] == "flat" and said["code"]
    assert re.search(r"^distance_block +3$", output, re.MULTILINE)
    assert "\nfeatures_small " not in output
    assert not list((folder / "results" / "blocks").rglob("*.npy"))


def test_poolings_of_a_layer_are_made_in_one_job(folder):
    files = {}
    for blocks in (20_000, 30):
        output = snakemake(
            folder,
            *("results/distances/" + name + ".npy" for name in (MAP, CELL)),
            *("--forcerun", "distances_of_small" if blocks > 40 else "join_blocks"),
            config=[f"block_images={blocks}"],
        )
        jobs = "distances_of_small +1" if blocks > 40 else "join_blocks +2"
        assert re.search(rf"^{jobs}$", output, re.M)
        for name in (MAP, f"{MAP}.mean", CELL, f"{CELL}.mean"):
            files.setdefault(name, []).append(
                (folder / "results" / "distances" / f"{name}.npy").read_bytes()
            )
    assert all(one == other for one, other in files.values())  # in blocks as at once
    assert files[MAP] != files[f"{MAP}.mean"] and files[CELL] == files[f"{CELL}.mean"]
    mean = np.load(folder / "results" / "features" / f"{MAP}.mean" / "0-of-1.npy")
    made = np.load(folder / "results" / "distances" / f"{MAP}.mean.npy")
    np.testing.assert_allclose(made, pdist(mean.astype(float)), rtol=1e-5)


def test_a_shard_of_something_else_is_made_anew(folder):
    target = f"results/distances/{CELL}.npy"
    first = snakemake(folder, target, "--dry-run")
    assert "\ndistances_of_small " in first and "\nfeatures_small " not in first
    manifest = folder / "results" / "datasets" / "shapes" / "manifest.csv"
    shard = folder / "results" / "features" / CELL / "0-of-1.npy"
    shutil.copy2(manifest, folder / "before.csv")
    manifest.write_text(manifest.read_text().replace("39.jpg", "40.jpg"))
    shard.touch()  # newer than the manifest: dates do not tell
    (shard.parents[1] / "shallow" / "0-of-1.npy").touch()
    output = snakemake(folder, target, "--dry-run")
    assert f"features/{CELL}/0-of-1.npy: damaged, or made from another" in output
    assert "\nfeatures_small " in output and "\ndistances_of_small " in output
    shutil.copy2(folder / "before.csv", manifest)
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "\nfeatures_small " in snakemake(folder, target, "--dry-run")
