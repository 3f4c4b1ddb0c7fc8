"""Disk and memory, held against what a run is going to take."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import REPOSITORY
from depthgauge import capacity
from depthgauge.capacity import (
    bytes_under,
    check_disk,
    check_features_disk,
    check_memory,
    distance_bytes,
    feature_bytes,
    size,
)
from depthgauge.cli import main
from depthgauge.distances.matrix import pairs
from depthgauge.errors import UserError
from forked_snakemake import run_snakemake


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_estimates_are_the_sizes_of_arrays(dtype):
    features = [np.zeros((7, dim), dtype) for dim in (3, 5)]
    assert feature_bytes(7, (3, 5), dtype) == sum(array.nbytes for array in features)
    assert distance_bytes(7) == np.zeros(pairs(7), np.float32).nbytes


def test_what_fits_to_the_last_byte_passes_and_one_more_does_not(tmp_path):
    needs = {"features of mnist": 114 * 10**9, "distances": 29 * 10**9, "images": 0}
    check_disk(tmp_path, needs, free=143 * 10**9)
    with pytest.raises(UserError) as refused:
        check_disk(tmp_path / "not" / "there", needs, free=143 * 10**9 - 1)
    message = str(refused.value)
    for said in ("143 GB of disk", "features of mnist 114 GB, distances 29 GB", "float16", "pairs"):
        assert said in message
    assert "images 0" not in message
    assert message.startswith(f"{tmp_path}:")


def test_free_disk_and_memory_are_asked_of_the_system(tmp_path):
    with pytest.raises(UserError, match=r"1\.1 TB of disk|1.1e\+|PB|TB of disk"):
        check_disk(tmp_path, {"all": shutil.disk_usage(tmp_path).total + 10**12})
    check_disk(tmp_path, {"nothing": 1})
    check_memory({"small": 1})
    check_memory({})
    with pytest.raises(UserError, match="huge: needs about 1e"):
        check_memory({"small": 1, "huge": 10**18})


def test_largest_job_counts_not_the_sum():
    check_memory({"one": 6, "other": 7}, total=7)
    with pytest.raises(UserError, match=r"distances of mnist: needs about 23 GB .* 16 GB.*`pairs"):
        check_memory({"one": 1, "distances of mnist": 23 * 10**9}, total=16 * 10**9)


def test_features_that_are_there_need_no_room(tmp_path):
    outputs = [tmp_path / layer / "1-of-2.npy" for layer in ("pool", "pool_3")]
    check_features_disk(outputs, 10, [300, 20], "float32", free=12_800)
    with pytest.raises(UserError, match=r"features of 10 images with 320 values each 12\.8 kB"):
        check_features_disk(outputs, 10, [300, 20], "float32", free=12_799)
    outputs[0].parent.mkdir()
    (tmp_path / "pool" / "0-of-2.npy").write_bytes(bytes(6_000))
    assert bytes_under(tmp_path) == 6_000
    check_features_disk(outputs, 10, [300, 20], "float32", free=6_800)
    with pytest.raises(UserError):
        check_features_disk(outputs, 10, [300, 20], "float32", free=6_799)


def test_features_stop_before_the_first_image(tmp_path, monkeypatch, caplog):
    """With the layers' real dimensions; no graph or image need even be there."""
    layers = {"layers": [{"layer": "pool", "dim": 10**6, "poolings": {"flat": {"dim": 10**6}}}]}
    (tmp_path / "layers.json").write_text(json.dumps(layers))
    (tmp_path / "manifest.csv").write_text("image,label\na.jpg,a\nb.jpg,b\n")
    usage = shutil.disk_usage(tmp_path)._replace(free=7_999_999)
    monkeypatch.setattr(capacity.shutil, "disk_usage", lambda folder: usage)
    paths = [str(tmp_path / name) for name in ("none.pb", "layers.json", "none", "manifest.csv")]
    done = CliRunner().invoke(main, ["features", *paths, str(tmp_path / "pool" / "0-of-1.npy")])
    assert done.exit_code == 1
    assert "8 MB of disk are needed there and 8 MB are free" in caplog.text
    assert not (tmp_path / "pool").exists()


def test_sizes_as_a_person_writes_them():
    found = [size(count) for count in (12, 4_100, 9_990_000, 114_000_000_000, 1.9e12)]
    assert found == ["0.012 kB", "4.1 kB", "9.99 MB", "114 GB", "1.9 TB"]


def test_run_stops_before_its_first_job_and_a_dry_run_warns(tmp_path):
    (tmp_path / "model.keras").touch()
    extractor = {"kind": "keras_file", "path": "model.keras", "layers": ["deep"]}
    config = {
        "datasets": {"shapes": {"kind": "synthetic"}},
        "extractors": {"small": extractor | {"dims": {"deep": 10**15}}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def snakemake(*arguments):
        options = ["--snakefile", REPOSITORY / "Snakefile", "--directory", tmp_path]
        options += ["--configfile", tmp_path / "config.json", "--workflow-profile", "none"]
        return run_snakemake([*options, "--cores", "1", *arguments], tmp_path)

    code, printed = snakemake()
    assert code == 1 and "features of shapes by small 3.2e+06 TB" in printed, printed
    assert "Traceback" not in printed and not (tmp_path / "results").exists()
    code, printed = snakemake("--dry-run")
    assert code == 0 and "WARNING: the whole run does not fit here" in printed, printed
    code, printed = snakemake("results/datasets/shapes/manifest.csv")  # which does
    assert code == 0, printed
    assert (tmp_path / "results/datasets/shapes/manifest.csv").exists()
