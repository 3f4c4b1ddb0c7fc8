"""What shards say that they were made from, and what becomes of those made from something else."""

import json

import numpy as np
import pytest
from depthgauge.distances.distances import distances
from depthgauge.errors import UserError
from depthgauge.fingerprint import fingerprint, is_foreign, read_fingerprint, write_header


@pytest.fixture
def made_from(tmp_path):
    (tmp_path / "manifest.csv").write_text("manifest.csv")
    layers = [
        {"layer": "pool", "poolings": {"flat": {"digest": "01ab"}, "mean": {"digest": "23cd"}}},
        {"layer": "vector", "poolings": {"flat": {"digest": "45ef"}}},
    ]
    (tmp_path / "layers.json").write_text(json.dumps({"layers": layers}))
    return fingerprint(tmp_path / "manifest.csv", tmp_path / "layers.json", "pool")


def write(path, values, made_from):
    with open(path, "wb") as file:
        write_header(file, values.dtype, values.shape, made_from)
        file.write(values)
    return path


def shards_of(folder, made_from, n=10, parts=3, **changes):
    values = np.random.default_rng(0).standard_normal((n, 7)).astype(np.float32)
    paths = []
    for part in range(parts):
        first, last = part * n // parts, (part + 1) * n // parts
        said = made_from | {"images": [first, last, n]} | changes
        paths.append(write(folder / f"{part}-of-{parts}.npy", values[first:last], said))
    return paths


@pytest.mark.parametrize("shape", [(1, 1), (123, 4567), (10**9, 341_056)])
@pytest.mark.parametrize("layer", ["a", "l" * 60, "l" * 61, "l" * 120])
def test_header_is_one_that_numpy_reads(tmp_path, shape, layer, made_from):
    said = made_from | {"layer": layer, "images": [0, shape[0], shape[0]]}
    with open(tmp_path / "x.npy", "wb") as file:
        write_header(file, "float16", shape, said)
        assert file.tell() % 64 == 0
    with open(tmp_path / "x.npy", "rb") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file) == (shape, False, np.float16)
    assert read_fingerprint(tmp_path / "x.npy") == said


def test_values_are_there(tmp_path, made_from):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    path = write(tmp_path / "x.npy", values, made_from)
    for mode in (None, "r"):
        np.testing.assert_array_equal(np.load(path, mmap_mode=mode, allow_pickle=False), values)


def test_manifest_layer_and_pooling_count(tmp_path, made_from):
    manifest, layers = tmp_path / "manifest.csv", tmp_path / "layers.json"
    assert made_from["network"] == "01ab" and made_from["pooling"] == "flat"
    mean = fingerprint(manifest, layers, "pool", "mean")
    assert mean == made_from | {"network": "23cd", "pooling": "mean"}
    vector = fingerprint(manifest, layers, "vector", "mean")
    assert vector == made_from | {"network": "45ef", "layer": "vector"}
    manifest.write_text("changed")
    changed = fingerprint(manifest, layers, "pool")
    assert [key for key in changed if changed[key] != made_from[key]] == ["manifest"]


def test_what_does_not_say_says_nothing(tmp_path):
    np.save(tmp_path / "plain.npy", np.zeros((2, 3), np.float32))
    assert read_fingerprint(tmp_path / "plain.npy") == {}
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY # depthgauge: {")
    assert read_fingerprint(tmp_path / "short.npy") == {}


def test_shards_of_their_own_are_taken(tmp_path, made_from):
    paths = shards_of(tmp_path, made_from)
    distances(paths, tmp_path / "out.npy", made_from=made_from, progress=False)
    assert len(np.load(tmp_path / "out.npy")) == 45
    assert not any(is_foreign(path, made_from, i, 3) for i, path in enumerate(paths))


def foreign(tmp_path, paths, made_from, match):
    with pytest.raises(UserError, match=match) as refusal:
        distances(paths, tmp_path / "out.npy", made_from=made_from, progress=False)
    assert not (tmp_path / "out.npy").exists()
    return str(refusal.value)


@pytest.mark.parametrize("key", ["manifest", "network", "layer"])
def test_shards_of_something_else_are_named(tmp_path, made_from, key):
    paths = shards_of(tmp_path, made_from)
    values = np.load(paths[1])
    write(paths[1], values, read_fingerprint(paths[1]) | {key: "other"})
    message = foreign(tmp_path, paths, made_from, f"it is of another {key}")
    assert message.startswith(f"{paths[1]}: ") and "remove 1-of-3.npy there" in message
    assert [is_foreign(path, made_from, i, 3) for i, path in enumerate(paths)] == [0, 1, 0]


def test_shards_that_do_not_say_are_refused(tmp_path, made_from):
    paths = shards_of(tmp_path, made_from)
    np.save(paths[2], np.load(paths[2]))
    foreign(tmp_path, paths, made_from, "2-of-3.npy.* says of none")
    assert is_foreign(paths[2], made_from, 2, 3)
    distances(paths, tmp_path / "out.npy", progress=False)  # unless nothing was asked of them


def test_all_images_must_be_there_in_order(tmp_path, made_from):
    paths = shards_of(tmp_path, made_from)
    foreign(tmp_path, [paths[1], paths[0], paths[2]], made_from, "1-of.*images 4 to 6 of 10")
    foreign(tmp_path, paths[:2], made_from, "end at image 6 of 10")
    foreign(tmp_path, [*paths, paths[0]], made_from, "0-of.*from 11 on were expected")
    paths[0].write_bytes(paths[1].read_bytes())
    foreign(tmp_path, paths, made_from, "0-of-3.npy: holds images 4 to 6")
    assert is_foreign(paths[0], made_from, 0, 3)


def test_shards_of_two_precisions_do_not_mix(tmp_path, made_from):
    paths = shards_of(tmp_path, made_from, precision="float32")
    distances(paths, tmp_path / "out.npy", made_from=made_from, progress=False)
    (tmp_path / "out.npy").unlink()
    said = read_fingerprint(paths[2]) | {"precision": "bfloat16"}
    write(paths[2], np.load(paths[2]), said)
    message = foreign(tmp_path, paths, made_from, "2-of-3.npy: computed in bfloat16")
    assert "remove 2-of-3.npy there" in message


def test_damaged_shards_are_to_be_made_anew(tmp_path, made_from):
    path = shards_of(tmp_path, made_from)[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert is_foreign(path, made_from, 0, 3)
    assert is_foreign(tmp_path / "none.npy", made_from, 0, 3)


def test_missing_files_and_layers_are_named(tmp_path, made_from):
    manifest, layers = tmp_path / "manifest.csv", tmp_path / "layers.json"
    with pytest.raises(UserError, match="no layer 'poll'; it has pool, vector"):
        fingerprint(manifest, layers, "poll")
    manifest.unlink()
    with pytest.raises(UserError, match="manifest.csv: there is no such file"):
        fingerprint(manifest, layers, "pool")
    with pytest.raises(UserError, match="none.json: there is no such file"):
        fingerprint(manifest, tmp_path / "none.json", "pool")


def test_header_is_text_that_a_person_can_read(tmp_path, made_from):
    line = shards_of(tmp_path, made_from)[0].read_bytes().split(b"\n")[0].decode("latin-1")
    assert json.dumps(made_from)[1:-1] in line
