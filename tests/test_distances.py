"""Distances against brute force, on what is hard for a Gram matrix."""

import math
import os
import time
import tracemalloc

import numpy as np
import pytest
from depthgauge.distances import blocks as cutting
from depthgauge.distances import distances as module
from depthgauge.distances import panels, products
from depthgauge.distances.blocks import join_blocks
from depthgauge.distances.distances import distance_block, distances
from depthgauge.errors import UserError
from scipy.spatial.distance import pdist

RNG = np.random.default_rng(7)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def save(folder, features, splits=1):
    """Write features as shards and return their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for part in np.array_split(features, splits):
        paths.append(folder / f"{len(paths):03}.npy")
        np.save(paths[-1], part)
    return paths


def run(folder, features, splits=1, **options):
    output = folder / "distances.npy"
    distances(save(folder / "shards", features, splits), output, progress=False, **options)
    return np.load(output)


def brute(features):
    """Sums of squared differences, in double precision, exactly rounded sums for few columns."""
    x = features.astype(np.float64)
    if x.shape[1] > 64:
        return pdist(x)
    n = len(x)
    return np.array(
        [math.sqrt(math.fsum((x[i] - x[j]) ** 2)) for i in range(n) for j in range(i + 1, n)]
    )


def near_duplicates():
    x = normal(60, 3000)
    x[30:] = x[:30] * np.float32(1 + 1e-5)
    x[5] = x[7]
    x[5, 100] = np.nextafter(x[7, 100], np.float32(9))
    return x


def clusters():
    """Three clusters a thousand times as far apart as they are wide."""
    return np.repeat(normal(3, 2000) * 1000, 30, axis=0) + normal(90, 2000)


def outlier():
    x = normal(80, 1500)
    x[11] *= np.float32(1e12)
    return x


def heavy_tails():
    x = RNG.standard_cauchy((100, 2500)).astype(np.float32)
    x[:, ::50] *= 1e6
    return x


def rectified():
    """Features as a network gives them: positive, sparse, on scales of their own."""
    scale = RNG.lognormal(0, 2, 4000)
    classes = np.repeat(normal(5, 4000), 20, axis=0)
    return np.maximum((normal(100, 4000) + classes) * scale, 0).astype(np.float32)


def equal_columns():
    """All products of a row pair are equal: their roundings go one way."""
    return np.repeat(RNG.uniform(-1, 1, (60, 1)).astype(np.float32), 5000, axis=1)


def equal_columns_of_uneven_pairs():
    x = equal_columns()
    x[:, ::2] *= np.float32(0.3)
    x[:30, 1::2] *= np.float32(-0.7)
    return x


CASES = {
    "normal": lambda: normal(120, 4000),
    "near duplicates": near_duplicates,
    "clusters": clusters,
    "outlier": outlier,
    "heavy tails": heavy_tails,
    "rectified": rectified,
    "equal columns": equal_columns,
    "equal columns, uneven": equal_columns_of_uneven_pairs,
    "offset": lambda: normal(80, 1000) + np.float32(1e5),
    "offset of one column": lambda: normal(80, 1000) + np.float32(1e7) * (np.arange(1000) == 3),
    "tiny": lambda: normal(50, 700) * np.float32(1e-20),
    "huge": lambda: normal(50, 700) * np.float32(1e20),
    "tiny and huge rows": lambda: normal(60, 600) * np.logspace(-18, 18, 60).astype("f4")[:, None],
    "tiny and huge columns": lambda: normal(60, 600) * np.logspace(-18, 18, 600).astype("f4"),
    "largest float32": lambda: np.float32([[3e38, 0], [-3e38, 0], [1, 1e38]]) / 2,
    "half precision": lambda: normal(70, 900).astype(np.float16),
    "half precision, near duplicates": lambda: near_duplicates().astype(np.float16),
    "one column": lambda: normal(50, 1),
    "two images": lambda: normal(2, 300),
    "two images, one column": lambda: np.float32([[1], [4]]),
    "columns that are constant": lambda: normal(50, 300) * (np.arange(300) % 2),
    "more images than columns": lambda: normal(1100, 3),
}


@pytest.mark.parametrize("name", CASES)
def test_within_1e_5_of_brute_force(tmp_path, name):
    features = CASES[name]()
    features = features if features.dtype == np.float16 else features.astype(np.float32)
    expected = brute(features)
    found = run(tmp_path, features, splits=2, threads=2)
    assert found.dtype == np.float32
    assert np.all(expected > 0) or name in {"half precision, near duplicates"}
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=0)


def test_duplicates_are_at_zero(tmp_path):
    x = normal(40, 2000) + np.float32(3)
    x[[3, 17, 39]] = x[20]
    expected = brute(x)
    found = run(tmp_path, x, splits=3)
    assert (expected == 0).sum() == 6
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("value", [0, 0.1, -1e30])
def test_identical_images(tmp_path, value):
    x = np.full((150, 700), value, np.float32)
    np.testing.assert_array_equal(run(tmp_path, x), 0)


def test_error_bound_holds_before_anything_is_recomputed(tmp_path, monkeypatch):
    """What is not called a close pair is right by itself; most pairs are not called so."""
    seen = {}

    def squared_distances(totals, tiles, *args):
        close = original(totals, tiles, *args)
        n = tiles[-1].bottom
        seen["squared"] = np.zeros((n, n))
        for total, (top, bottom, left, right) in zip(totals, tiles, strict=True):
            seen["squared"][top:bottom, left:right] = total
        seen["squared"] = seen["squared"][np.triu_indices(n, 1)]
        seen["passed"] = seen["squared"] > 0
        return close

    original = module.squared_distances
    monkeypatch.setattr(module, "squared_distances", squared_distances)
    passed = {}
    for name in ("normal", "rectified", "equal columns, uneven", "clusters", "heavy tails"):
        features = CASES[name]().astype(np.float32)
        run(tmp_path, features)
        sure = seen["passed"]
        passed[name] = sure.mean()
        error = np.sqrt(seen["squared"][sure]) / brute(features)[sure] - 1
        assert np.abs(error).max() < 1e-5, name
    assert passed["normal"] == 1
    assert passed["rectified"] > 0.5  # 0.72 to 0.99 from draw to draw
    assert 0 < passed["equal columns, uneven"] < 1
    assert passed["clusters"] < 0.7


def test_same_bits_for_any_threads_and_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL", 1 << 18)
    monkeypatch.setattr(panels, "LEAST", 1)  # five panels, more than there is room for at once
    features = np.concatenate([normal(500, 12_000), near_duplicates().repeat(4, axis=1)])
    first = run(tmp_path, features)
    for threads, splits in [(2, 1), (3, 4), (1, 60), (5, 7)]:
        again = run(tmp_path, features, splits=splits, threads=threads)
        np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, brute(features), rtol=1e-5)


def test_panels_stay_until_the_slowest_product_is_made(tmp_path, monkeypatch):
    def slow(x, y, out, *, add):
        if y is not x and not add:
            time.sleep(0.1)
        original(x, y, out, add=add)

    original = products.inner_products
    monkeypatch.setattr(panels, "PANEL", 1 << 18)
    monkeypatch.setattr(panels, "LEAST", 1)
    features = normal(60, 15_000)
    expected = run(tmp_path, features)
    monkeypatch.setattr(products, "inner_products", slow)
    np.testing.assert_array_equal(run(tmp_path, features, threads=8), expected)


def test_memory_is_a_fraction_of_the_features(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL", 1 << 18)
    monkeypatch.setattr(panels, "LEAST", 1)
    features = normal(200, 40_000)
    features[5] = features[6]
    paths = save(tmp_path / "x", features)
    tracemalloc.start()
    distances(paths, tmp_path / "out.npy", threads=2, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < features.nbytes / 4


def test_columns_are_read_once_and_only_a_few_rows_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(panels, "PANEL", 1 << 18)
    monkeypatch.setattr(panels, "LEAST", 1)
    features = normal(300, 6000)
    features[200] = features[100]
    read = []

    def counting(original):
        def counted(file, places, into, columns, *others):
            done = original(file, places, into, columns, *others)
            read.append(done * columns)
            return done

        return counted

    monkeypatch.setattr(panels, "read_pieces", counting(panels.read_pieces))
    monkeypatch.setattr(panels, "read_centred", counting(panels.read_centred))
    run(tmp_path, features)
    assert sum(read) == (300 + products.ORIGIN + 2) * 6000


def test_goes_on_after_a_signal_while_it_reads(tmp_path, monkeypatch):
    """Which cuts the reading of a piece short: it is read once more, and the rest after it."""
    features = normal(30, 2000)
    expected = run(tmp_path, features)
    attempts = []

    def interrupted(file, places, *others):
        attempts.append(len(places))
        some = places[:2] if len(attempts) % 2 else places
        return original(file, some, *others)

    original = panels.read_centred
    monkeypatch.setattr(panels, "read_centred", interrupted)
    np.testing.assert_array_equal(run(tmp_path, features), expected)
    assert len(attempts) == 2 * panels.TASKS


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_says_so_if_a_shard_is_cut_short_while_it_is_read(tmp_path, monkeypatch, dtype):
    paths = save(tmp_path / "x", normal(30, 2000).astype(dtype), 3)

    def cut(opened, *others):
        os.truncate(paths[1], os.path.getsize(paths[1]) - 10)
        return original(opened, *others)

    original = module.products
    monkeypatch.setattr(module, "products", cut)
    assert "001.npy" in refused(tmp_path, paths, "cut short while it was read")


def refused(tmp_path, paths, match, **options):
    output = tmp_path / "refused.npy"
    with pytest.raises(UserError, match=match) as refusal:
        distances(paths, output, progress=False, **options)
    assert not output.exists()
    assert not list(tmp_path.glob(".refused*"))
    return str(refusal.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_refuses_what_is_not_finite(tmp_path, value, dtype):
    features = normal(30, 2000).astype(dtype)
    features[23, 1900] = value
    message = refused(tmp_path, save(tmp_path / "x", features, 3), "row 4")
    assert "002.npy" in message and "feature 1901" in message and str(value) in message


def test_refuses_bad_shards(tmp_path):
    good = save(tmp_path / "good", normal(10, 20), 2)
    bad = tmp_path / "bad.npy"
    paths = [*good, bad]
    assert "bad.npy" in refused(tmp_path, paths, "no such")
    np.save(bad, normal(5, 21))
    assert "bad.npy" in refused(tmp_path, paths, "21 features an image where .* has 20")
    np.save(bad, normal(5, 20).astype(np.float64))
    assert "bad.npy" in refused(tmp_path, paths, "float64")
    np.save(bad, normal(100))
    assert "bad.npy" in refused(tmp_path, paths, "shape")
    np.save(bad, np.asfortranarray(normal(5, 20)))
    assert "bad.npy" in refused(tmp_path, paths, "C order")
    np.save(bad, np.full((5, 20), None), allow_pickle=True)
    assert "bad.npy" in refused(tmp_path, paths, "not a complete")
    np.save(bad, normal(5, 20))
    whole = bad.read_bytes()
    for content in (whole[:-1], whole[:50], b"", b"GIF89a"):
        bad.write_bytes(content)
        assert "bad.npy" in refused(tmp_path, paths, "not a complete")
    bad.write_bytes(whole + b"x")
    assert "bad.npy" in refused(tmp_path, paths, "longer")


def test_refuses_wrong_numbers_of_images(tmp_path):
    paths = save(tmp_path / "x", normal(10, 20), 2)
    refused(tmp_path, paths, "hold 10 images where 11", rows=11)
    refused(tmp_path, [], "no shards")
    np.save(tmp_path / "one.npy", normal(1, 20))
    refused(tmp_path, [tmp_path / "one.npy"], "one image")


def test_refuses_distances_beyond_float32(tmp_path):
    features = np.full((3, 50), 3e38, np.float32) * np.float32([[1], [-1], [0]])
    refused(tmp_path, save(tmp_path / "x", features), "exceed")


def block_files(tmp_path, paths, k, threads=1):
    files = []
    for a in range(k):
        for b in range(a, k):
            files.append(tmp_path / f"{a}-{b}-of-{k}.npy")
            distance_block(paths, files[-1], (a, b, k), threads=threads, progress=False)
    return files


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_blocks_joined_are_what_one_job_makes(tmp_path, monkeypatch, k):
    """To the last bit, whatever is computed once more, and however wide panels are."""
    monkeypatch.setattr(cutting, "SIDE", 23)
    monkeypatch.setattr(cutting, "BAND", 10)
    monkeypatch.setattr(module, "BAND", 7)
    monkeypatch.setattr(panels, "PANEL", 5 << 20)  # two runs of all images, more of a block's
    monkeypatch.setattr(panels, "LEAST", 1)
    features = np.concatenate([normal(70, 3000), near_duplicates(), rectified()[:, :3000]])
    features = features.repeat(4, axis=1)
    features[[3, 99, 180]] = features[55]
    paths = save(tmp_path / "x", features, 4)
    distances(paths, tmp_path / "one.npy", progress=False)
    files = block_files(tmp_path, paths, k, threads=2)
    join_blocks(files, tmp_path / "joined.npy")
    assert (tmp_path / "joined.npy").read_bytes() == (tmp_path / "one.npy").read_bytes()
    np.testing.assert_allclose(np.load(tmp_path / "one.npy"), brute(features), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 17, 499, 500, 501, 999, 1000, 1001, 2001, 60_000])
def test_tiles_cover_every_pair_once(n):
    for k in {1, cutting.parts(n, 7), cutting.parts(n, 400), cutting.parts(n, 20_000)}:
        blocks = [cutting.block(n, a, b, k) for a in range(k) for b in range(a, k)]
        if n < 3000:
            seen = np.zeros((n, n), int)
            for rows, cut in blocks:
                for top, bottom, left, right in cut:
                    seen[np.ix_(rows[top:bottom], rows[left:right])] += 1
            assert (seen[np.triu_indices(n)] == 1).all()
        for _, cut in blocks:
            assert all(b - a <= cutting.SIDE and d - c <= cutting.SIDE for a, b, c, d in cut)


def test_refuses_bad_blocks(tmp_path):
    files = block_files(tmp_path, save(tmp_path / "x", normal(9, 20)), 2)
    output = tmp_path / "joined.npy"

    def refused(files, match):
        with pytest.raises(UserError, match=match):
            join_blocks(files, output)
        assert not output.exists()

    refused(files[:2], "2 were given")
    refused([files[0], files[2], files[1]], "1-1-of-2.npy: distances of shape")
    content = files[1].read_bytes()
    files[1].write_bytes(content[:-1])
    refused(files, "0-1-of-2.npy: not a complete")
    np.save(files[1], np.zeros((4, 5)))
    refused(files, "0-1-of-2.npy: holds float64")
    files[1].unlink()
    refused(files, "0-1-of-2.npy: there is no such")
