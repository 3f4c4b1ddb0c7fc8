"""Damaged files: the next stage refuses each, or makes of it what it made of the whole one."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from depthgauge.config import checked_spec
from depthgauge.datasets import make_dataset
from depthgauge.distances.distances import layer_distances
from depthgauge.errors import UserError
from depthgauge.files import atomic, check_whole
from depthgauge.fingerprint import fingerprint, writing
from depthgauge.maps.embedding import write_embedding
from depthgauge.networks.description import write_description
from depthgauge.networks.pixels import load_stack
from depthgauge.plan import make_plan, read_plan
from depthgauge.report.neighbour_table import write_neighbours
from depthgauge.statistics.comparison import write_comparisons
from depthgauge.statistics.layer import goodness
from depthgauge.statistics.multiplicity import write_goodness_table
from depthgauge.statistics.verdict import write_verdict

LAYERS, READING = ("shallow", "deep"), {"poolings": ["flat"], "metrics": ["euclidean"]}
QUIET = {"progress": False}


def stages(results, out):
    """What each stage does with files of ``results``; it writes to the folder ``out``."""
    manifest, layers = results / "datasets/drawn/manifest.csv", results / "networks/net.json"
    nulls, distances = results / "nulls/drawn/net", results / "distances/drawn/net"
    rows = [nulls / f"{layer}.csv" for layer in LAYERS]

    def distances_():
        for layer in LAYERS:
            layer_distances(
                [results / f"features/drawn/net/{layer}/0-of-1.npy"],
                [out / f"distances/drawn/net/{layer}.npy"],
                **{"manifest": manifest, "layers": layers, "layer": layer},
            )

    def goodness_():
        for layer in LAYERS:
            goodness(
                distances / f"{layer}.npy",
                manifest,
                **{"layer": layer, "layers": layers, "dataset": "drawn", "extractor": "net"},
                **{"permutations": 19, "null": out / f"nulls/drawn/net/{layer}.npy"},
                row=out / f"nulls/drawn/net/{layer}.csv",
                **{
                    name: out / f"nulls/drawn/net/{layer}.{name}.csv"
                    for name in ("classes", "images", "halves")
                },
                **READING | QUIET,
            )

    def maps():
        options = {"extractor": "net", "dataset": "drawn", "perplexity": 3}
        for layer in LAYERS:
            path = out / f"embeddings/drawn/net/{layer}.csv"
            write_embedding(
                distances / f"{layer}.npy", manifest, path, layer=layer, rows=nulls, **options
            )
        files = [distances / f"{layer}.npy" for layer in LAYERS]
        write_neighbours(manifest, files, folder=out / "neighbours", rows=nulls, **QUIET)

    return {
        "pixels": lambda: np.save(
            out / "stack.npy",
            load_stack(results / "datasets/drawn/images", sorted(images_of(results)), 16),
        ),
        "distances": distances_,
        "goodness": goodness_,
        "maps": maps,
        "table": lambda: write_goodness_table(
            rows, nulls=results / "nulls", output=out / "goodness.csv"
        ),
        "compare": lambda: write_comparisons(
            rows, output=out / "comparisons.csv", ranking=out / "ranking.csv", seed=1
        ),
        "verdict": lambda: write_verdict(
            results / "goodness.csv",
            results / "ranking.csv",
            [nulls / f"{layer}.halves.csv" for layer in LAYERS],
            output=out / "verdict.csv",
        ),
        "plan": lambda: (out / "plan").write_text(read_plan(results / "plan.json").text()),
    }


def images_of(results):
    return [file.name for file in (results / "datasets/drawn/images").glob("*.jpg")]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a small run, without a network: features are planted."""
    results = tmp_path_factory.mktemp("run") / "results"
    spec = checked_spec("datasets", "drawn", {"kind": "synthetic", "per_class": 5, "size": 32})
    folder = results / "datasets/drawn"
    manifest, layers = folder / "manifest.csv", results / "networks/net.json"
    make_dataset("drawn", spec, folder / "images", manifest, seed=1, **QUIET)
    results.joinpath("networks").mkdir()
    (results / "networks/net.pb").write_text("a graph")
    described = [
        {"layer": layer, "tensor": layer, "shape": [60], "dim": 60}
        | {"poolings": {"flat": {"tensor": layer, "dim": 60}}}
        for layer in LAYERS
    ]
    digests = {layer: f"digest of {layer}" for layer in LAYERS}
    write_description(layers, "net", results / "networks/net.pb", {"size": 16}, described, digests)
    rng = np.random.default_rng(3)
    for layer in LAYERS:
        values = rng.standard_normal((20, 60)).astype(np.float32)
        values[:, :4] += 2 * np.eye(4)[np.arange(20) // 5]
        said = fingerprint(manifest, layers, layer) | {"images": [0, 20, 20], "precision": "x"}
        path = results / f"features/drawn/net/{layer}/0-of-1.npy"
        with atomic(path) as beside, writing(beside, "<f4", values.shape, said, "sums") as write:
            write(values[:7])
            write(values[7:])
    config = {"datasets": {"drawn": {"kind": "synthetic"}}, "extractors": {"p": {"kind": "pca"}}}
    (results / "plan.json").write_text(make_plan(config).text())
    for stage in ("distances", "goodness", "maps", "table", "compare", "verdict"):
        stages(results, results)[stage]()
    return results


def written(results, stage, out):
    """Run a stage; return the bytes of all that it writes."""
    out.mkdir()
    stages(results, out)[stage]()
    return {
        str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()
    }


def cut(data, share):
    return data[: int(len(data) * share)]


def flipped(data, share, bit=0):
    place = min(len(data) - 1, int(len(data) * share))
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def reordered(data):
    if data[:6] == b"\x93NUMPY":
        begin = data.index(b"\n") + 1
        half = begin + (len(data) - begin) // 8 * 4
        return data[:begin] + data[half:] + data[begin:half]
    if b"\n" not in data[:-1] or not data.isascii():
        return data[::-1]
    first, *lines = data.splitlines(keepends=True)
    return b"".join([first, *reversed(lines)])


DAMAGE = {
    "emptied": lambda data, sibling: b"",
    **{f"cut at {share}": lambda data, _, share=share: cut(data, share) for share in (0.34, 0.67)},
    "cut at a line": lambda data, _: data[: data.rfind(b"\n", 0, len(data) * 2 // 3) + 1],
    **{
        f"bit {bit} flipped at {share}": lambda data, _, at=(share, bit): flipped(data, *at)
        for share, bit in ((0.1, 1), (0.3, 0), (0.5, 3), (0.7, 7), (0.9, 2), (1, 5))
    },
    "longer": lambda data, sibling: data + b"0",
    "re-ordered": lambda data, sibling: reordered(data),
    "that of a sibling": lambda data, sibling: sibling,
}
NULLS = "nulls/drawn/net"
# A file, a sibling, and the stages that read it.
FILES = {
    "features/drawn/net/shallow/0-of-1.npy": ("features/drawn/net/deep/0-of-1.npy", ["distances"]),
    "distances/drawn/net/shallow.npy": ("distances/drawn/net/deep.npy", ["goodness", "maps"]),
    "datasets/drawn/manifest.csv": ("datasets/drawn/manifest.csv", ["distances", "goodness"]),
    "networks/net.json": ("plan.json", ["distances", "goodness"]),
    f"{NULLS}/shallow.csv": (f"{NULLS}/deep.csv", ["maps", "table", "compare"]),
    f"{NULLS}/shallow.npy": (f"{NULLS}/deep.npy", ["table"]),
    f"{NULLS}/shallow.images.csv": (f"{NULLS}/deep.images.csv", ["compare"]),
    f"{NULLS}/shallow.halves.csv": (f"{NULLS}/deep.halves.csv", ["verdict"]),
    "goodness.csv": ("ranking.csv", ["verdict"]),
    "ranking.csv": ("goodness.csv", ["verdict"]),
    "plan.json": ("networks/net.json", ["plan"]),
    "datasets/drawn/images/IMAGE": ("datasets/drawn/images/OTHER", ["pixels"]),
}


@pytest.mark.parametrize("file", FILES)
def test_damage_is_refused_or_changes_nothing(results, tmp_path, file):
    sibling, of = FILES[file]
    first, second, *_ = sorted(images_of(results))
    file, sibling = (
        name.replace("IMAGE", first).replace("OTHER", second) for name in (file, sibling)
    )
    whole = {stage: written(results, stage, tmp_path / stage) for stage in of}
    kept, other = (results / file).read_bytes(), (results / sibling).read_bytes()
    refused = 0
    try:
        for place, (name, damage) in enumerate(DAMAGE.items()):
            data = damage(kept, other)
            if data == kept:
                continue
            (results / file).write_bytes(data)
            for stage in of:
                try:
                    found = written(results, stage, tmp_path / f"{stage}.{place}")
                    assert found == whole[stage], (name, stage)
                except UserError as error:
                    refused += 1
                    assert Path(file).name in str(error) or "manifest" in str(error), error
    finally:
        (results / file).write_bytes(kept)
    assert refused >= 8 * len(of)


def test_what_an_earlier_version_wrote_is_taken_as_it_is(results, tmp_path):
    old = shutil.copytree(results, tmp_path / "results")
    for seal in old.rglob(".*.crc32"):
        seal.unlink()
    for file in [*old.rglob("distances/**/*.npy"), *old.rglob("nulls/**/*.npy")]:
        np.save(file, np.load(file))
    whole = {stage: written(results, stage, tmp_path / stage) for stage in ("maps", "table")}
    for stage, expected in whole.items():
        assert written(old, stage, tmp_path / f"old {stage}") == expected


def test_a_table_that_says_nothing_of_itself_may_not_be_cut(results, tmp_path):
    old = shutil.copytree(results, tmp_path / "results")
    row = old / NULLS / "shallow.csv"
    row.with_name(f".{row.name}.crc32").unlink()
    row.write_bytes(cut(row.read_bytes(), 0.67))
    with pytest.raises(UserError, match="shallow.csv: cut short"):
        written(old, "table", tmp_path / "out")


def test_distances_may_be_taken_elsewhere(results, tmp_path):
    """To another place they are anybody's; labels of the same images may be others."""
    mine = shutil.copy(results / "distances/drawn/net/deep.npy", tmp_path / "mine.npy")
    labels = (results / "datasets/drawn/manifest.csv").read_text().splitlines()
    (tmp_path / "labels.csv").write_text(
        "image,label\n"
        + "".join(f"{line.split(',')[0]},{i % 2}\n" for i, line in enumerate(labels[1:]))
    )
    goodness(mine, tmp_path / "labels.csv", permutations=9, row=tmp_path / "row.csv", **QUIET)
    assert (tmp_path / "row.csv").exists()


def test_a_seal_that_is_cut_says_nothing(tmp_path):
    with atomic(tmp_path / "t.csv") as beside:
        beside.write_text("a\n1\n")
    (tmp_path / ".t.csv.crc32").write_text("12")
    check_whole(tmp_path / "t.csv")
    (tmp_path / ".t.csv.crc32").write_text("00000000 4\n")
    with pytest.raises(UserError, match=r"t\.csv: damaged"):
        check_whole(tmp_path / "t.csv")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 kB, and what makes it larger."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root mounts a disk")
    larger = ["mount", "-o", "remount,size=10m", str(disk)]
    yield disk, lambda: subprocess.run(larger, check=True)
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_is_said_and_the_stage_done_again(small_disk, tmp_path):
    disk, larger = small_disk
    spec = checked_spec("datasets", "drawn", {"kind": "synthetic", "per_class": 40, "size": 64})

    def make(folder):
        make_dataset("drawn", spec, folder / "images", folder / "manifest.csv", seed=1, **QUIET)
        values = np.random.default_rng(0).standard_normal((160, 300)).astype(np.float32)
        said = {"images": [0, 160, 160]}
        path = folder / "0-of-1.npy"
        with atomic(path) as beside, writing(beside, "<f4", values.shape, said, "sums") as write:
            write(values)
        with atomic(folder / "table.csv") as beside:
            beside.write_text("a\n" * 10**5)
        return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    with pytest.raises(UserError, match="no space left on the disk.*goes on from there"):
        make(disk)
    assert not [file for file in disk.rglob("*") if file.is_file()]  # of what is half written
    larger()
    (tmp_path / "whole").mkdir()
    assert make(disk) == make(tmp_path / "whole")


@pytest.mark.parametrize("written", ["array", "table"])
def test_an_array_and_a_table_that_do_not_fit_are_said(small_disk, written):
    disk, _ = small_disk
    with pytest.raises(UserError, match="no space left"), atomic(disk / "a.csv") as beside:
        if written == "table":
            beside.write_text("a\n" * 10**6)
        else:
            with writing(beside, "<f4", (10**6,), {}) as write:
                write(np.zeros(10**6, "<f4"))
    assert not list(disk.iterdir())
