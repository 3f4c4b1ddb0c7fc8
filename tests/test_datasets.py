import csv
import gzip
import hashlib
import io
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from depthgauge import datasets
from depthgauge.config import checked_spec
from depthgauge.datasets import KINDS, make_dataset, mnist
from depthgauge.datasets.picture import file_stems, natural_key, stratified
from depthgauge.datasets.synthetic import SHAPES, draw
from depthgauge.errors import UserError
from depthgauge.manifest import read_manifest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits


def filled(spec, name="data"):
    """Return what the config makes of ``spec``."""
    return checked_spec("datasets", name, spec)


def image_count(name, spec):
    return datasets.look(name, filled(spec, name))["images"]


def folder_fingerprint(path, labels=None):
    given = {"kind": "folder", "path": str(path), "labels": labels and str(labels)}
    return datasets.look("x", filled(given))["fingerprint"]


def sources(name, spec):
    return datasets.sources(name, filled(spec, name))


def make(folder, spec, name="data", seed=1, **options):
    """Make a dataset in ``folder``; return (manifest, rows of notes.csv)."""
    paths = folder / "images", folder / "manifest.csv"
    notes = folder / "notes.csv"
    make_dataset(
        name, filled(spec, name), *paths, seed=seed, notes=notes, progress=False, **options
    )
    manifest = read_manifest(paths[1])
    assert sorted(f.name for f in paths[0].iterdir()) == sorted(manifest.image)
    for image, digest in zip(manifest.image, manifest.sha256, strict=True):
        assert hashlib.sha256((paths[0] / image).read_bytes()).hexdigest() == digest
    # Nothing half-made lies about.
    assert {f.name for f in folder.iterdir() if f.suffix != ".crc32"} == {
        "images",
        "manifest.csv",
        "notes.csv",
    }
    return manifest, list(csv.DictReader(notes.open(encoding="utf-8")))


def everything(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


# Choosing and naming


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), st.data())
def test_stratified_choice_is_proportional_to_a_rounding(strata, data):
    count = data.draw(st.integers(1, len(strata)))
    chosen = stratified(strata, count, np.random.default_rng(0))
    assert len(chosen) == count == len(set(chosen))
    assert chosen == sorted(chosen)
    for stratum in set(strata):
        share = count * strata.count(stratum) / len(strata)
        assert abs([strata[i] for i in chosen].count(stratum) - share) < 1


@given(st.lists(st.text(max_size=30), max_size=30))
def test_file_stems_are_safe_and_unique_and_leave_good_names_alone(names):
    stems = file_stems(names)
    assert len({stem.casefold() for stem in stems}) == len(names)
    for stem in stems:
        assert stem and len(stem) <= 120 and stem[0] not in ".-"
        assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    again = file_stems(stems)
    assert [s for s in again if not s.endswith((".", "-", "_"))] == [
        s for s in stems if not s.endswith((".", "-", "_"))
    ]


def test_file_stems_by_example():
    names = ["cat__a 1", "cat__a-1", "cat__A-1", "cat__a-1-2", "é__Ü'\"", "日本", "../../x"]
    assert file_stems(names) == [
        *("cat__a-1", "cat__a-1-2", "cat__A-1-3", "cat__a-1-2-2", "e__U", "image", "x")
    ]


@given(st.lists(st.text("ab019. ", max_size=6), max_size=20))
def test_natural_order_is_total_and_counts(names):
    there = sorted(names, key=natural_key)
    names.reverse()
    assert there == sorted(names, key=natural_key)
    assert sorted(["b10", "b9", "b", "a11", "b1x"], key=natural_key) == [
        *("a11", "b", "b1x", "b9", "b10")
    ]


# What the config says


def test_what_is_wrong_with_a_spec_is_said():
    for spec, words in [
        ({}, ["kind", *KINDS]),
        ({"kind": "synthetc"}, ["synthetc", "did you mean 'synthetic'"]),
        ({"kind": "synthetic", "perclass": 2}, ["perclass", "did you mean 'per_class'"]),
        ({"kind": "synthetic", "per_class": 0}, ["per_class: 0", "minimum of 1"]),
        ({"kind": "synthetic", "per_class": True}, ["per_class: True is not an integer"]),
        ({"kind": "synthetic", "per_class": 2.0}, ["per_class: 2.0 is not an integer"]),
        ({"kind": "synthetic", 3: 2}, ["the key 3 is not text"]),
        ({"kind": "synthetic", "size": 5000}, ["size: 5000", "maximum of 4,096"]),
        ({"kind": "digits", "per_class": 175}, ["per_class: 175", "maximum of 174"]),
        ({"kind": "mnist", "split": "tset"}, ["split", "tset", "did you mean 'test'"]),
        ({"kind": "mnist", "images": 10_001}, ["images: 10001", "maximum of 10,000", "test"]),
        (
            {"kind": "mnist", "split": "train", "images": 60_001},
            ["images: 60001", "maximum of 60,000", "train"],
        ),
        ({"kind": "mnist", "choose": "last"}, ["choose", "last", "stratified"]),
        ({"kind": "folder"}, ["lacks the key path"]),
        ({"kind": "folder", "path": ""}, ["path: ''", "The folder that holds the images"]),
        ({"kind": "folder", "path": 3}, ["path: 3 is not text"]),
        ({"kind": "digits", "per_class": "2"}, ["per_class: '2' is not an integer or null"]),
    ]:
        with pytest.raises(UserError) as error:
            filled(spec, "mine")
        assert all(word in str(error.value) for word in ["mine", *words])
        assert str(error.value).count("  - ") == 1


def test_the_number_of_images_is_known_beforehand(tmp_path):
    for i, spec in enumerate(
        [
            {"kind": "synthetic", "per_class": 3, "size": 32},
            {"kind": "digits", "per_class": 2},
            {"kind": "digits"},
        ]
    ):
        assert sources("x", spec) == []
        assert image_count("x", spec) == len(make(tmp_path / str(i), spec)[0])
    assert image_count("x", {"kind": "synthetic"}) == 800
    assert image_count("x", {"kind": "mnist"}) == 10_000
    assert image_count("x", {"kind": "mnist", "split": "train"}) == 60_000
    assert image_count("x", {"kind": "kylberg"}) == 4_480
    assert image_count("x", {"kind": "affective", "parts": ["abstract"]}) == 228


def test_nothing_is_left_of_a_dataset_that_fails(tmp_path, monkeypatch):
    make(tmp_path, {"kind": "digits", "per_class": 1})
    before = everything(tmp_path)

    def fail(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UserError, match="no space left"):
        make(tmp_path, {"kind": "digits", "per_class": 2})
    monkeypatch.undo()
    assert everything(tmp_path) == before


def test_a_smaller_dataset_replaces_a_larger(tmp_path):
    make(tmp_path, {"kind": "digits", "per_class": 5})
    manifest, _ = make(tmp_path, {"kind": "digits", "per_class": 2})
    assert len(manifest) == 20


# Synthetic


def test_synthetic_is_the_same_whatever_the_threads_and_another_by_another_seed(tmp_path):
    spec = {"kind": "synthetic", "per_class": 6, "size": 64}
    for threads in (1, 2, 5):
        make(tmp_path / str(threads), spec, threads=threads)
    assert everything(tmp_path / "1") == everything(tmp_path / "2") == everything(tmp_path / "5")
    one = set(make(tmp_path / "6", spec)[0].sha256)
    assert one.isdisjoint(make(tmp_path / "7", spec, seed=2)[0].sha256)
    assert one.isdisjoint(make(tmp_path / "8", spec, name="other")[0].sha256)
    # More images: those that were there before stay as they were.
    assert one < set(make(tmp_path / "9", spec | {"per_class": 7})[0].sha256)


def test_synthetic_is_as_the_paper_has_it(tmp_path):
    manifest, notes = make(tmp_path, {"kind": "synthetic", "per_class": 2})
    assert list(manifest.columns) == ["image", "label", "source", "source_sha256", "sha256"]
    assert manifest.label.tolist() == sorted(list(SHAPES) * 2)
    for image in manifest.image:
        with Image.open(tmp_path / "images" / image) as opened:
            assert opened.size == (299, 299) and opened.mode == "RGB"
    assert notes[0]["found"] == "8"


def _ink(shape, size, seed):
    grey = np.asarray(draw(shape, size, seed).convert("L"), float)
    return (grey.max() - grey) / (
        grey.max() - np.asarray(Image.new("RGB", (1, 1), (31, 58, 95)).convert("L"))
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_objects_lie_inside_in_the_middle_and_vary_in_size(shape):
    areas = []
    for seed in range(60):
        ink = _ink(shape, 96, seed)
        assert ink[[0, -1]].max() == ink[:, [0, -1]].max() == 0
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        assert abs(rows[0] + rows[-1] - 95) <= 2 and abs(columns[0] + columns[-1] - 95) <= 2
        # Anti-aliased: between paper and ink there are many shades.
        assert len(np.unique(ink)) > 10
        areas.append(ink.sum() / 96**2)
    sides = np.sqrt(areas)
    assert 0.155 < sides.min() < 0.2 and 0.5 < sides.max() < 0.545


def test_all_objects_have_the_same_ink_at_the_same_size():
    rng = np.random.default_rng(0)
    for seed in rng.integers(0, 1 << 32, 5):
        areas = [_ink(shape, 200, seed).sum() for shape in SHAPES]
        assert np.ptp(areas) < 0.02 * np.mean(areas)


def test_no_object_turns_into_another():
    # Turning keeps the share of its smallest enclosing circle that an object fills.
    radii = [np.linalg.norm(o - (o.max(0) + o.min(0)) / 2, axis=1).max() for o in SHAPES.values()]
    corners = [len(outline) for outline in SHAPES.values()]
    assert len(set(corners)) == len(SHAPES) == 4
    assert len(set(np.round(radii, 2))) == 4


# Digits


def test_digits_are_those_of_scikit_learn(tmp_path):
    manifest, _ = make(tmp_path, {"kind": "digits", "per_class": 4}, quality=100)
    digits = load_digits()
    assert manifest.label.value_counts().tolist() == [4] * 10
    assert manifest.label.is_monotonic_increasing
    for row in manifest.itertuples():
        i = int(row.source.split()[-1])
        assert str(digits.target[i]) == row.label
        with Image.open(tmp_path / "images" / row.image) as image:
            assert image.mode == "L" and image.size == (8, 8)
            assert np.abs(np.asarray(image) - digits.images[i] * 255 / 16).max() < 3
    other, _ = make(tmp_path, {"kind": "digits", "per_class": 4}, seed=2)
    assert set(other.source) != set(manifest.source)


# MNIST


def idx(array, *, magic=None, shape=None):
    head = magic or bytes([0, 0, 8, array.ndim])
    return head + struct.pack(f">{array.ndim}I", *(shape or array.shape)) + array.tobytes()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Two files as the test split's, with pixels and labels of our own."""
    folder = tmp_path_factory.mktemp("mnist")
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, (10_000, 28, 1), dtype=np.uint8), 28, axis=2)
    labels = rng.choice(10, 10_000, p=np.arange(1, 11) / 55).astype(np.uint8)
    paths = folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz"
    for path, array in zip(paths, (pixels, labels), strict=True):
        path.write_bytes(gzip.compress(idx(array), 1))
    return paths, pixels, labels


@pytest.mark.parametrize("choose", ["first", "stratified"])
def test_mnist_first_and_stratified(tmp_path, digits, choose):
    paths, pixels, labels = digits
    spec = {"kind": "mnist", "images": 110, "choose": choose}
    manifest, notes = make(tmp_path, spec, sources=paths)
    indices = manifest.source.str.split().str[-1].astype(int)
    assert (labels[indices].astype(str) == manifest.label).all()
    assert manifest.label.is_monotonic_increasing
    if choose == "first":
        assert sorted(indices) == list(range(110))
    else:
        shares = np.bincount(labels) * 110 / 10_000
        counts = np.bincount(labels[indices])
        assert (np.abs(counts - shares) < 1).all()
        assert indices.max() > 1000
    for image, i in zip(manifest.image, indices, strict=True):
        with Image.open(tmp_path / "images" / image) as opened:
            assert opened.mode == "L" and opened.size == (28, 28)
            assert np.abs(np.asarray(opened).astype(int) - pixels[i]).max() < 25
    assert "test split" in notes[0]["note"] and ("first" in notes[0]["note"]) == (choose == "first")
    assert notes[0]["found"] == "110"


def test_mnist_files_that_are_wrong(tmp_path, digits):
    (images, labels), _, numbers = digits
    bad = tmp_path / "bad.gz"
    good = gzip.decompress(labels.read_bytes())
    for data, words in [
        (labels.read_bytes()[:500], "not a whole gzip"),
        (b"<html>", "not a whole gzip"),
        (gzip.compress(b""), "not an IDX file"),
        (gzip.compress(good[:6]), "not an IDX file"),
        (gzip.compress(good[:-1]), "9999 values .* 10000"),
        (gzip.compress(good + b"1"), "10001 values .* 10000"),
        (gzip.compress(idx(numbers, magic=bytes([0, 0, 13, 1]))), "00000d01, expected 00000801"),
        (gzip.compress(idx(numbers, shape=[2**32 - 1])), "4294967295"),
        (gzip.compress(idx(numbers[:50])), "50 labels"),
        (images.read_bytes(), "not an IDX file"),
    ]:
        bad.write_bytes(data)
        with pytest.raises(UserError, match=words) as error:
            make(tmp_path / "made", {"kind": "mnist", "images": 5}, sources=[images, bad])
        assert str(bad) in str(error.value)
    assert not (tmp_path / "made" / "images").exists()


def test_mnist_names_its_sources():
    for split in mnist.FILES:
        files = sources("x", {"kind": "mnist", "split": split})
        assert len(files) == 2
        for file in files:
            assert len(file.urls) == 3
            assert all(url.endswith(Path(file.path).name) for url in file.urls)
            assert len(file.checks["content_md5"]) == 32


def test_the_real_digits(tmp_path):
    base = Path(__file__).parents[2] / "shared/mirror/ossci-datasets.s3.amazonaws.com/mnist"
    if not base.is_dir():
        pytest.skip("no ../shared/mirror with MNIST's test digits here")
    spec = {"kind": "mnist", "images": 60}
    files = [base / Path(source.path).name for source in sources("x", spec)]
    manifest, _ = make(tmp_path, spec, sources=files)
    first = manifest[manifest.source == "MNIST test 0"].iloc[0]
    assert first.label == "7"
    assert manifest.label.value_counts()["7"] == sum(
        label == 7 for label in gzip.decompress(files[1].read_bytes())[8:68]
    )


def test_the_log_says_what_was_made(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        make(tmp_path, {"kind": "digits", "per_class": 3}, "few")
    assert "few: 30 images, 0 3, 1 3" in caplog.text


def test_jpeg_quality_is_honoured(tmp_path):
    sizes = []
    for quality in (20, 95):
        manifest, _ = make(tmp_path, {"kind": "synthetic", "per_class": 1}, quality=quality)
        sizes.append(sum((tmp_path / "images" / i).stat().st_size for i in manifest.image))
        with Image.open(io.BytesIO((tmp_path / "images" / manifest.image[0]).read_bytes())) as i:
            assert max(i.quantization[0]) > (100 if quality == 20 else 0)
    assert sizes[0] < sizes[1]
