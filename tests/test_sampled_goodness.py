"""Samples of images, and the goodness that they tell of all of them."""

import csv
import itertools

import numpy as np
import pandas as pd
import pytest
from depthgauge.config import checked_config
from depthgauge.datasets import make_dataset
from depthgauge.datasets.sampling import LEAST, sample_size, stratified_sample
from depthgauge.distances.angle import write_angles
from depthgauge.distances.matrix import Distances, pairs
from depthgauge.errors import UserError
from depthgauge.figures import depths
from depthgauge.figures.depths import draw_depths
from depthgauge.manifest import read_manifest
from depthgauge.plan import Plan
from depthgauge.readings import Reading
from depthgauge.statistics.comparison import write_comparisons
from depthgauge.statistics.layer import write_layer
from depthgauge.statistics.multiplicity import max_t, write_goodness_table
from depthgauge.statistics.sampled_goodness import sampled_goodness, write_sampled_goodness
from depthgauge.statistics.verdict import write_verdict
from depthgauge.summary import print_summary
from depthgauge.tables import read_table
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
    return sampled_goodness(
        Distances(condensed).among(chosen).condensed, LABELS[chosen], population, progress=False
    )


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
    square = squareform(Distances(condensed).among(chosen).condensed.astype(float))
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
    low, high = np.array([(f.low, f.high) for f in found]).T
    covered = (low < between / within) & (between / within < high)
    assert 0.92 < covered.mean() < 0.975
    np.testing.assert_allclose(np.log(high / low), 2 * 1.96 * error / goodness, rtol=1e-4)
    assert np.sqrt((error**2).mean()) == pytest.approx(goodness.std(), rel=0.1)


def test_error_shrinks_with_more_pairs(whole):
    errors = [estimate(whole[0], 1, count).standard_error for count in (500, 2000, 20000, 79000)]
    assert (np.diff(errors) < 0).all() and errors[-1] > 0


def test_copies_within_classes_are_infinitely_good():
    condensed = pdist(np.repeat([[0.0], [1.0]], 6, axis=0)).astype(np.float32)
    found = sampled_goodness(condensed, ["a"] * 6 + ["b"] * 6, [9] * 12, progress=False)
    assert found.within == 0 and found.goodness == np.inf
    assert np.isnan([found.standard_error, found.low, found.high]).all()


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


def test_estimates_for_the_dataset_stand_beside_the_rows_of_the_sample(whole, tmp_path):
    condensed = {"flat": whole[0], "mean": pdist(np.random.default_rng(0).normal(size=(400, 2)))}
    chosen = stratified_sample(LABELS, 1200, np.random.default_rng(7))
    population = [SIZES[label] for label in LABELS[chosen]]
    expected = {}
    for pooling, name in (("flat", "d"), ("mean", "d.mean")):
        distances = Distances(condensed[pooling]).among(chosen)
        np.save(tmp_path / f"{name}.npy", distances.condensed)
        write_angles(tmp_path / f"{name}.npy", tmp_path / f"angle {name}.npy")
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
        estimates = ("within", "between", "goodness", "standard_error", "low", "high")
        names = ["population_images", *(f"population_{name}" for name in estimates)]
        assert list(written[0]) == [*rows[0], *names]
        assert len(written) == 4
        for row, given in zip(written, rows, strict=True):
            found = expected[row["pooling"], row["metric"]]
            assert {name: row[name] for name in given} == {k: str(v) for k, v in given.items()}
            assert row["population_images"] == "400"
            for name in estimates:
                assert float(row[f"population_{name}"]) == getattr(found, name)
    assert len(read_manifest(tmp_path / "manifest.csv")) == 50


@pytest.fixture(scope="module")
def measured(whole, tmp_path_factory):
    """The tables of a run on 50 of 400 images, one layer, and those of an unsampled dataset."""
    folder = tmp_path_factory.mktemp("measured")
    chosen = np.sort(stratified_sample(LABELS, 1200, np.random.default_rng(7)))
    manifest = pd.DataFrame({"image": [f"{i}.jpg" for i in chosen], "label": LABELS[chosen]})
    tables = {
        "sampled": manifest.assign(population=[SIZES[label] for label in manifest.label]),
        "all": manifest,
    }
    rows, halves = [], []
    for dataset, table in tables.items():
        stem = folder / "nulls" / dataset / "net" / "layer"
        stem.parent.mkdir(parents=True)
        table.to_csv(folder / f"{dataset}.csv", index=False)
        distances = folder / f"{dataset}.npy"
        np.save(distances, Distances(whole[0]).among(chosen).condensed)
        files = {name: stem.with_suffix(f".{name}.csv") for name in ("classes", "images", "halves")}
        write_layer(
            *(distances, folder / f"{dataset}.csv"),
            **{"null": stem.with_suffix(".npy"), "row": stem.with_suffix(".csv")},
            **files,
            **{"dataset": dataset, "extractor": "net", "layer": "layer", "depth": 1},
            dims={"flat": 6},
            readings=[Reading("flat", "euclidean")],
            permutations=199,
            progress=False,
        )
        rows.append(stem.with_suffix(".csv"))
        halves.append(files["halves"])
    tables = [folder / f"{name}.csv" for name in ("comparisons", "ranking")]
    write_comparisons(rows, tables[0], ranking=tables[1])
    estimates = folder / "estimates.csv"
    write_sampled_goodness(
        rows[0], folder / "sampled.npy", folder / "sampled.csv", estimates, progress=False
    )
    table = folder / "goodness.csv"
    write_goodness_table([estimates, rows[1]], table, nulls=folder / "nulls")
    write_verdict(table, tables[1], halves, folder / "verdict.csv")
    return folder


def test_every_number_of_a_sample_is_the_samples(measured):
    """But for the columns of the population, which a dataset of all images leaves empty."""
    sampled, every = read_table(measured / "goodness.csv").to_dict("records")
    named = {name for name in sampled if name.startswith("population_")}
    assert len(named) == 7 and np.isnan([every[name] for name in named]).all()
    # Other permutations and halves: their seed follows from the dataset's name.
    seeded = {"dataset", "null_mean", "null_sd", "p_value", "p_holm", "p_max_t", "permdisp_p"}
    for name in sampled.keys() - named - seeded:
        assert sampled[name] == every[name], name
    assert sampled["population_goodness"] != sampled["goodness"]
    assert sampled["population_low"] < sampled["population_goodness"] < sampled["population_high"]


def test_corrected_p_is_of_the_samples_statistic(measured):
    sampled = read_table(measured / "goodness.csv").iloc[0]
    null = np.load(measured / "nulls/sampled/net/layer.npy")
    assert sampled.p_max_t == max_t([-1 / sampled.goodness], -1 / null)[0]
    # Far from what the test is of, the estimate changes nothing.
    estimates = pd.read_csv(measured / "estimates.csv", dtype=str)
    for estimate in ("0.5", "9"):
        changed = measured / f"{estimate}.csv"
        estimates.assign(population_goodness=estimate).to_csv(changed, index=False)
        write_goodness_table([changed], measured / "changed.csv", nulls=measured / "nulls")
        assert read_table(measured / "changed.csv").p_max_t[0] == sampled.p_max_t
    assert max_t([-1 / 0.5], -1 / null)[0] != sampled.p_max_t


def test_figure_draws_the_interval_of_the_number_that_it_draws(measured, monkeypatch):
    cells, advised = (read_table(measured / f"{name}.csv") for name in ("goodness", "verdict"))
    cells, advised = (table[table.dataset == "sampled"] for table in (cells, advised))
    draw_depths(cells, advised, measured / "depths")
    drawn = pd.read_csv(measured / "depths.csv").set_index("measure")
    # The oracle: goodness of the sample, each image left out in turn.
    square = squareform(np.load(measured / "sampled.npy").astype(float))
    labels = read_manifest(measured / "sampled.csv").label.to_numpy()

    def log_goodness(kept):
        same = squareform(labels[kept][:, None] == labels[kept], checks=False)
        distances = squareform(square[np.ix_(kept, kept)], checks=False)
        return np.log(distances[~same].mean() / distances[same].mean())

    n = len(labels)
    theta = np.array([log_goodness(np.delete(np.arange(n), i)) for i in range(n)])
    error = np.sqrt((n - 1) / n * ((theta - theta.mean()) ** 2).sum())
    value = log_goodness(np.arange(n))
    expected = np.exp(value + error * np.array([0, -1.959964, 1.959964]))
    found = drawn.loc["goodness", ["value", "low", "high"]].astype(float)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Wilson's of the sample's n solve |p - share| = z sqrt(p (1 - p) / n).
    share, *ends = drawn.loc["knn1", ["value", "low", "high"]].astype(float)
    for p in ends:
        assert abs(p - share) == pytest.approx(1.959964 * np.sqrt(p * (1 - p) / n))
    monkeypatch.setattr(depths, "save", lambda figure, *_: saved.append(figure))
    saved = []
    draw_depths(cells, advised, measured / "depths")
    assert "n = 50 of 400 images" in saved[0]._supxlabel.get_text()


def test_terminal_names_the_estimate_and_its_error(measured, capsys):
    net = {"kind": "keras_file", "path": "net.keras", "layers": ["layer"]}
    datasets = {name: {"kind": "digits"} for name in ("sampled", "all")}
    config = checked_config({"datasets": datasets, "extractors": {"net": net}})
    plan = Plan(config, dict.fromkeys(datasets, 50), dict.fromkeys(datasets, "all"), ["sampled"])
    (measured / "plan.json").write_text(plan.text())
    print_summary(measured, table=True)
    said = capsys.readouterr().out
    row = read_table(measured / "goodness.csv").iloc[0]
    words = " ".join(said.split())
    whole = f"{row.population_goodness:.4f} ± {row.population_standard_error:.2g}"
    assert f"{row.knn1:.3f} {row.knn1_half:.3f} {row.goodness:.4f} {whole} " in words
    assert "sampled net layer 6 50 " in words
    assert "all net layer 6 50 " in words and words.count("±") == 1
    assert "sampled: 50 of its 400 images were measured (`pairs`)" in words


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
