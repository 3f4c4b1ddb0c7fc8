"""Samples of images, and the goodness that they tell of all of them."""

import csv
import itertools

import numpy as np
import pytest
from depthgauge.condensed import pairs, subset
from depthgauge.datasets import make_dataset
from depthgauge.datasets.sampling import LEAST, sample_size, stratified_sample
from depthgauge.distances.angle import write_angles
from depthgauge.errors import UserError
from depthgauge.manifest import read_manifest
from depthgauge.statistics.sampled_goodness import sampled_goodness, write_sampled_goodness
from scipy.spatial.distance import pdist, squareform

# Classes of unequal size and spread, one rare, one of a single image.
SIZES = {"rare": 7, "few": 30, "many": 160, "most": 202, "single": 1}
LABELS = np.repeat(list(SIZES), list(SIZES.values()))


@pytest.fixture(scope="module")
def whole():
    """All distances of 400 images of unequal classes; the true means within and between."""
    rng = np.random.default_rng(4)
    centres = {label: rng.normal(0, 1.2, 6) for label in SIZES}
    spread = dict(zip(SIZES, (0.5, 1.5, 1.0, 1.2, 1.0), strict=True))
    points = [rng.normal(centres[label], spread[label]) for label in LABELS]
    condensed = pdist(points).astype(np.float32)
    same = LABELS[:, None] == LABELS[None, :]
    within = squareform(same & ~np.eye(len(LABELS), dtype=bool)).astype(bool)
    return condensed, condensed[within].mean(dtype=float), condensed[~within].mean(dtype=float)


def estimate(condensed, seed, count=1200):
    chosen = stratified_sample(LABELS, count, np.random.default_rng(seed))
    population = [SIZES[label] for label in LABELS[chosen]]
    return sampled_goodness(subset(condensed, chosen), LABELS[chosen], population, progress=False)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 999, 1000, 10**12])
def test_sample_is_the_smallest_that_has_the_pairs(count):
    size = sample_size(count)
    assert pairs(size) >= count > pairs(size - 1)


def test_every_class_is_in_a_sample_and_large_ones_in_proportion():
    chosen = stratified_sample(LABELS, pairs(110), np.random.default_rng(0))
    assert len(chosen) == 110 and len(set(chosen)) == 110 and (np.diff(chosen) > 0).all()
    counts = {label: int((LABELS[chosen] == label).sum()) for label in SIZES}
    assert counts["single"] == 1 and counts["rare"] >= LEAST
    share = (110 - 1 - 4 * LEAST) / (400 - 1 - 4 * LEAST)
    for label in ("rare", "few", "many", "most"):
        assert abs(counts[label] - LEAST - share * (SIZES[label] - LEAST)) < 1


def test_every_image_of_a_class_is_as_likely():
    """Over 2,000 samples; the binomial's standard deviation is 0.01."""
    times = np.zeros(len(LABELS))
    for seed in range(2000):
        times[stratified_sample(LABELS, pairs(110), np.random.default_rng(seed))] += 1
    for label in SIZES:
        shares = times[label == LABELS] / 2000
        assert np.abs(shares - shares.mean()).max() < 0.05


def test_small_dataset_and_unlabelled_one():
    assert stratified_sample(LABELS, 10**6, np.random.default_rng(0)).tolist() == list(range(400))
    assert len(stratified_sample([""] * 300, pairs(50), np.random.default_rng(0))) == 50


def test_too_many_classes_for_the_sample_are_refused():
    labels = np.repeat(np.arange(100), 10)
    with pytest.raises(UserError, match=r"birds: `pairs: 1000`.*100 classes.*`pairs` of 124750"):
        stratified_sample(labels, 1000, np.random.default_rng(0), source="birds")
    assert len(stratified_sample(labels, 124750, np.random.default_rng(0))) == 500


def test_all_images_give_the_full_matrix_without_error(whole):
    condensed, within, between = whole
    found = sampled_goodness(condensed, LABELS, [SIZES[label] for label in LABELS], progress=False)
    assert found.within == pytest.approx(within, rel=1e-6)
    assert found.between == pytest.approx(between, rel=1e-6)
    assert found.goodness == pytest.approx(between / within, rel=1e-6)
    assert found.standard_error == 0


def test_estimates_are_the_weighted_means_of_the_sample(whole):
    condensed = whole[0]
    chosen = stratified_sample(LABELS, 1200, np.random.default_rng(3))
    square = squareform(subset(condensed, chosen).astype(float))
    within = between = 0
    for a, n_a in SIZES.items():
        for b, n_b in SIZES.items():
            block = square[np.ix_(LABELS[chosen] == a, LABELS[chosen] == b)]
            if a < b:
                between += n_a * n_b * block.mean()
            elif a == b and n_a > 1:
                m = len(block)
                within += n_a * (n_a - 1) / 2 * block.sum() / (m * (m - 1))
    within_pairs = sum(pairs(size) for size in SIZES.values())
    found = estimate(condensed, 3)
    assert found.within == pytest.approx(within / within_pairs, rel=1e-9)
    assert found.between == pytest.approx(between / (pairs(400) - within_pairs), rel=1e-9)


def test_means_are_unbiased_over_every_sample():
    """All 10 * 6 * 3 * 1 samples of 3 of 5, 2 of 4, 2 of 3 and 1 of 1 images."""
    labels = np.array(list("aaaaabbbbcccd"))
    points = np.random.default_rng(2).normal(size=(13, 2)) * np.where(labels == "a", 3, 1)[:, None]
    square = squareform(pdist(points))
    same = labels[:, None] == labels
    combinations = [
        itertools.combinations(np.flatnonzero(labels == label), count)
        for label, count in zip("abcd", (3, 2, 2, 1), strict=True)
    ]
    found = []
    for parts in itertools.product(*combinations):
        chosen = np.concatenate(parts)
        population = [np.count_nonzero(labels == label) for label in labels[chosen]]
        distances = squareform(square[np.ix_(chosen, chosen)])
        found.append(sampled_goodness(distances, labels[chosen], population, progress=False)[:2])
    assert len(found) == 180
    truth = square[same & ~np.eye(13, dtype=bool)].mean(), square[~same].mean()
    np.testing.assert_allclose(np.mean(found, axis=0), truth, rtol=1e-12)


def test_intervals_cover_the_full_matrix_as_often_as_they_say(whole):
    """Over 600 samples; the binomial's standard deviation is 0.009."""
    condensed, within, between = whole
    found = [estimate(condensed, seed, pairs(100)) for seed in range(1000, 1600)]
    goodness, error = np.array([(f.goodness, f.standard_error) for f in found]).T
    covered = np.abs(goodness - between / within) < 1.96 * error
    assert 0.92 < covered.mean() < 0.975
    assert np.sqrt((error**2).mean()) == pytest.approx(goodness.std(), rel=0.1)


def test_error_shrinks_with_more_pairs(whole):
    errors = [estimate(whole[0], 1, count).standard_error for count in (500, 2000, 20000, 79000)]
    assert (np.diff(errors) < 0).all() and errors[-1] > 0


def test_copies_within_classes_are_infinitely_good():
    condensed = pdist(np.repeat([[0.0], [1.0]], 6, axis=0)).astype(np.float32)
    found = sampled_goodness(condensed, ["a"] * 6 + ["b"] * 6, [9] * 12, progress=False)
    assert found.within == 0 and found.goodness == np.inf and np.isnan(found.standard_error)


@pytest.mark.parametrize(
    ("labels", "population", "message"),
    [
        ("aabb", [5, 6, 2, 2], "'a' is said to have"),
        ("aabb", [1, 1, 2, 2], "'a' is said to have 1 images, and 2 are in"),
        ("aaab", [3, 3, 3, 2], "'b' is said to have 2 images, and 1 are in"),
        ("abcd", [1, 1, 1, 1], "no two images"),
    ],
)
def test_sizes_that_contradict_the_sample_are_refused(labels, population, message):
    with pytest.raises(UserError, match=message):
        sampled_goodness(np.ones(6, np.float32), list(labels), population, progress=False)


def test_rows_of_the_sample_become_those_of_the_dataset(whole, tmp_path):
    condensed = {"flat": whole[0], "mean": pdist(np.random.default_rng(0).normal(size=(400, 2)))}
    chosen = stratified_sample(LABELS, 1200, np.random.default_rng(7))
    population = [SIZES[label] for label in LABELS[chosen]]
    expected = {}
    for pooling, name in (("flat", "d"), ("mean", "d.mean")):
        np.save(tmp_path / f"{name}.npy", subset(condensed[pooling], chosen))
        write_angles(np.load(tmp_path / f"{name}.npy"), tmp_path / f"angle {name}.npy")
        for metric, file in (("euclidean", name), ("angle", f"angle {name}")):
            distances = np.load(tmp_path / f"{file}.npy")
            found = sampled_goodness(distances, LABELS[chosen], population, progress=False)
            expected[pooling, metric] = found
    assert len(set(expected.values())) == 4
    with open(tmp_path / "manifest.csv", "w") as file:
        file.write("image,label,population\n")
        file.writelines(f"{i}.jpg,{LABELS[i]},{SIZES[LABELS[i]]}\n" for i in chosen)
    rows = [
        {"dataset": "x", "pooling": pooling, "metric": metric}
        | {"images": 50, "within": 1, "between": 2, "goodness": 2, "p_value": 0.01}
        | {"best_reading": metric == "angle"}
        for pooling, metric in expected
    ]
    with open(tmp_path / "row.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for distances in ("d.npy", "d.mean.npy"):  # whichever pooling is named
        paths = [tmp_path / name for name in ("row.csv", distances, "manifest.csv", "out.csv")]
        write_sampled_goodness(*paths, progress=False)
        with open(tmp_path / "out.csv", newline="") as file:
            written = list(csv.DictReader(file))
        assert list(written[0]) == [*rows[0], "sampled_images", "pairs", "standard_error"]
        assert len(written) == 4
        for row, given in zip(written, rows, strict=True):
            found = expected[row["pooling"], row["metric"]]
            assert (row["images"], row["sampled_images"]) == ("400", "50")
            assert (row["pairs"], row["p_value"]) == ("1225", "0.01")
            assert row["best_reading"] == str(given["best_reading"])
            for name in ("within", "between", "goodness", "standard_error"):
                assert float(row[name]) == getattr(found, name)
    assert len(read_manifest(tmp_path / "manifest.csv")) == 50


def test_dataset_made_with_pairs_is_a_sample_that_knows_the_whole(tmp_path):
    spec = {"kind": "synthetic", "per_class": 60, "size": 16}
    made = []
    for run in ("a", "b"):
        folder = tmp_path / run
        paths = {"notes": folder / "notes.csv", "seed": 3, "progress": False, "pairs": 1000}
        make_dataset("shapes", spec, folder / "images", folder / "manifest.csv", **paths)
        made.append((folder / "manifest.csv").read_bytes())
    assert made[0] == made[1]
    manifest = read_manifest(tmp_path / "a" / "manifest.csv")
    assert len(manifest) == sample_size(1000) == 46
    assert manifest.label.value_counts().between(11, 12).all()
    assert (manifest.population == "60").all()
    assert sorted(file.name for file in (tmp_path / "a/images").iterdir()) == sorted(manifest.image)
    assert '240,46,"chosen at random' in (tmp_path / "a/notes.csv").read_text()
