"""One cell from files to files, and in words."""

import csv
import logging

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.distances.labelled import Labelled
from depthgauge.distances.matrix import Distances
from depthgauge.distances.reading import open_distances
from depthgauge.errors import UserError
from depthgauge.readings import METRICS, Reading, choose
from depthgauge.seeds import derive_seed
from depthgauge.statistics import layer as module
from depthgauge.statistics.accuracy import halve
from depthgauge.statistics.auc import rank_auc
from depthgauge.statistics.cell import as_text
from depthgauge.statistics.geometry import SPREAD
from depthgauge.statistics.goodness import goodness
from depthgauge.statistics.layer import write_layer
from depthgauge.statistics.measures import measures
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(12)
COLUMNS = (
    "dataset,extractor,layer,pooling,metric,depth,dim,images,classes,within,between,goodness,permutations,"
    "null_mean,null_sd,p_value"
)
CELL = {"dataset": "digits", "extractor": "net, big", "layer": "pool", "depth": 2}
FILES = ("row", "classes", "images", "halves")


@pytest.fixture
def mine(tmp_path):
    """Distances, labels and a manifest with groups, in files."""
    labels = np.repeat(["x", "y", "z"], 12)
    x = RNG.standard_normal((36, 3)) + np.eye(3)[np.repeat(range(3), 12)]
    np.save(tmp_path / "d.npy", pdist(x).astype(np.float32))
    np.save(tmp_path / "square.npy", squareform(pdist(x).astype(np.float32)))
    table = pd.DataFrame({"image": [f"{i}.jpg" for i in range(36)], "label": labels})
    table.to_csv(tmp_path / "manifest.csv", index=False)
    table.assign(group=np.arange(36) // 2).to_csv(tmp_path / "grouped.csv", index=False)
    (tmp_path / "labels.csv").write_text("\n".join(labels))
    return tmp_path


def test_files_of_a_cell(mine):
    out = mine / "out"
    files = {name: out / f"pool.{name}.csv" for name in FILES}
    (mine / "d.npy").rename(mine / "pool.npy")
    write_layer(
        *(mine / "pool.npy", mine / "manifest.csv"),
        null=out / "pool.npy",
        **files,
        **CELL,
        dims={"flat": 77},
        readings=[Reading("flat", "euclidean")],
        permutations=99,
        seed=8,
        progress=False,
    )
    condensed = np.load(mine / "pool.npy")
    labels = np.repeat(["x", "y", "z"], 12)
    data = Labelled(condensed, labels)
    tested = goodness(
        data,
        permutations=99,
        seed=derive_seed(8, "digits", "permutations"),
        progress=False,
    )
    measured = measures(data, seed=derive_seed(8, "digits", "measures"), progress=False)
    np.testing.assert_array_equal(np.load(out / "pool.npy", allow_pickle=False), [tested.null])
    assert files["row"].read_text().startswith(COLUMNS + ",")
    (row,) = csv.DictReader(files["row"].open(newline=""))
    named = {"pooling": "flat", "metric": "euclidean", "dim": 77, "best_reading": True}
    for name, value in (CELL | named).items():
        assert row[name] == str(value)
    for name in COLUMNS.split(",")[7:]:
        assert float(row[name]) == getattr(tested, name), name
    assert float(row["z"]) == tested.z and float(row["p_pearson"]) == tested.p_pearson
    for name in ("auc", "knn1", "knn5", "silhouette", "permdisp_p", "goodness_pca50"):
        assert float(row[name]) == getattr(measured, name), name
    middle = np.sqrt(float(row["goodness_low"]) * float(row["goodness_high"]))
    assert middle == pytest.approx(tested.goodness)

    images = pd.read_csv(files["images"])
    assert images.image.tolist() == [f"{i}.jpg" for i in range(36)]
    np.testing.assert_allclose(images.theta, measured.theta)
    assert images.nearest.tolist() == [f"{i}.jpg" for i in measured.neighbours[:, 0]]
    assert (images.nearest_correct == (images.nearest_label == images.label)).all()

    classes = pd.read_csv(files["classes"])
    square = squareform(condensed.astype(float))
    assert set(classes.pooling) == {"flat"} and set(classes.metric) == {"euclidean"}
    for _, _, one, other, pairs, distance, own in classes.itertuples(index=False):
        block = square[np.ix_(labels == one, labels == other)]
        expected = block.sum() / (12 * 11 if one == other else 144)
        assert distance == pytest.approx(expected)
        assert pairs == (66 if one == other else 144)
        assert np.isnan(own) == (one != other)

    halves = pd.read_csv(files["halves"])
    assert len(halves) == 40 and halves.knn1_half.between(0, 1).all()
    assert set(halves.layer) == {"pool"}


def test_auc_in_halves_is_that_of_the_half_alone_to_first_order(mine):
    labels = np.repeat([0, 1, 2], 100)
    condensed = pdist(RNG.standard_normal((300, 3)) + np.eye(3)[labels])
    np.save(mine / "d.npy", condensed)
    (mine / "labels.csv").write_text("\n".join(map(str, labels)))
    write_layer(
        *(mine / "d.npy", mine / "labels.csv"),
        halves=mine / "halves.csv",
        permutations=9,
        progress=False,
    )
    found = pd.read_csv(mine / "halves.csv").auc.to_numpy()
    rng = np.random.default_rng(derive_seed(0, "", "halves"))
    exact = []
    for _ in range(20):
        half = halve(labels, rng)
        for part in (0, 1):
            members = np.flatnonzero(half == part)
            own = Distances(condensed).among(members).condensed
            exact.append(rank_auc(own, labels[members], progress=False)[0])
    assert np.corrcoef(found, exact)[0, 1] > 0.95
    assert np.abs(found - exact).max() < 0.1 * np.std(exact) + 0.01


def test_files_that_do_not_belong_together(mine):
    (mine / "labels.csv").write_text("x\ny\n")
    with pytest.raises(UserError, match="labels.csv: has labels for 2 .*d.npy.* of 36") as caught:
        write_layer(mine / "d.npy", mine / "labels.csv", progress=False)
    assert "heading" not in str(caught.value) and "emove" not in str(caught.value)
    (mine / "labels.csv").write_text("species\n" + "x\ny\n" * 18)
    with pytest.raises(UserError, match="'species' in its first line is a heading"):
        write_layer(mine / "d.npy", mine / "labels.csv", progress=False)
    (mine / "labels.csv").write_text("label\n" + '""\n' * 36)
    with pytest.raises(UserError, match="labels.csv: no image has a label"):
        write_layer(mine / "d.npy", mine / "labels.csv", progress=False)


def test_na_is_no_label_unless_that_is_said(mine, caplog):
    (mine / "labels.csv").write_text("label\n" + "NA\nb\n" * 18)
    command = ["goodness", str(mine / "d.npy"), str(mine / "labels.csv"), "--permutations", "9"]
    assert CliRunner().invoke(main, command).exit_code == 1
    assert "18 images have 'NA'" in caplog.text and "--no-label ''" in caplog.text
    assert "18 of 36 images have no label" in caplog.text
    done = CliRunner().invoke(main, [*command, "--no-label", ""])
    assert done.exit_code == 0 and "36 of 2 classes" in done.output, done.output


def test_groups_are_not_passed_over_in_silence(mine, caplog):
    with caplog.at_level(logging.WARNING):
        (row,) = write_layer(mine / "d.npy", mine / "grouped.csv", permutations=99, progress=False)
    assert "p is too small" in caplog.text and row["permuted"] == "images"
    caplog.clear()
    (row,) = write_layer(
        mine / "d.npy", mine / "grouped.csv", permute="groups", permutations=99, progress=False
    )
    assert "p is too small" not in caplog.text and row["permuted"] == "groups"


def test_what_is_permuted_follows_from_the_groups_and_is_said(mine, caplog):
    options = {"permute": "auto", "permutations": 9, "progress": False}
    with caplog.at_level(logging.INFO):
        (plain,) = write_layer(mine / "d.npy", mine / "manifest.csv", **options)
        assert plain["permuted"] == "images" and "permuting" not in caplog.text
        (row,) = write_layer(mine / "d.npy", mine / "grouped.csv", **options)
    assert row["permuted"] == "groups"
    assert "permuting groups, since each group has one label" in caplog.text


def test_few_groups_have_no_intervals_and_the_terminal_says_why(mine):
    table = pd.read_csv(mine / "manifest.csv").assign(group=np.arange(36) % 6)
    table.to_csv(mine / "grouped.csv", index=False)
    (few,) = write_layer(
        mine / "d.npy", mine / "grouped.csv", row=mine / "row.csv", permutations=9, progress=False
    )
    empty = ["goodness_low", "goodness_high", "log_goodness_se", "auc_se"]
    assert np.isnan([few[name] for name in empty]).all() and few["groups"] == 6
    with open(mine / "row.csv", newline="") as file:
        (written,) = csv.DictReader(file)
    assert all(written[name] == "" for name in empty) and written["groups"] == "6"
    said = as_text(few)
    assert "no interval: the images come in 6 groups, and by fewer than 10" in said
    assert "95 %" not in said and "nan" not in said


def test_an_image_without_a_group_stands_alone(mine):
    table = pd.read_csv(mine / "manifest.csv", dtype=str)
    rows = []
    for alone in (table.image, ""):
        group = np.where(np.arange(36) < 20, (np.arange(36) // 2).astype(str), alone)
        table.assign(group=group).to_csv(mine / "grouped.csv", index=False)
        rows += write_layer(mine / "d.npy", mine / "grouped.csv", permutations=9, progress=False)
    pd.testing.assert_frame_equal(*[pd.DataFrame([row]) for row in rows])
    assert rows[0]["groups"] == 26


def test_classes_of_one_image_are_named_once(mine, caplog):
    (mine / "labels.csv").write_text("\n".join([*"xy" * 17, "lone", "only"]))
    with caplog.at_level(logging.WARNING):
        write_layer(mine / "d.npy", mine / "labels.csv", permutations=99, progress=False)
    assert caplog.text.count("one image") == caplog.text.count("lone, only") == 1


def test_anybodys_matrix_is_described_in_the_terminal(mine):
    texts = []
    for distances, labels in (("d.npy", "manifest.csv"), ("square.npy", "labels.csv")):
        done = CliRunner().invoke(
            main, ["goodness", str(mine / distances), str(mine / labels), "--permutations", "99"]
        )
        assert done.exit_code == 0, done.output
        texts.append(done.stdout)
    assert texts[0] == texts[1]
    assert "36 of 3 classes" in texts[0] and "of 99 permutations" in texts[0]
    assert SPREAD not in texts[0]


def test_classes_that_differ_in_spread_alone_are_said_to(mine):
    """One place, two spreads, unequal sizes: goodness is significant, and the text says why not."""
    spread = np.repeat([0.2, 2.0], [60, 20])
    np.save(mine / "d.npy", pdist(spread[:, None] * RNG.standard_normal((80, 3))))
    (mine / "labels.csv").write_text("\n".join(np.repeat(["tight", "loose"], [60, 20])))
    (row,) = write_layer(mine / "d.npy", mine / "labels.csv", permutations=999, progress=False)
    assert row["p_value"] < 0.01 and row["p_pearson"] < 0.01
    assert row["permdisp_p"] < 0.01
    assert SPREAD in as_text(row)


@pytest.fixture
def layer(mine):
    """Distances of a layer in two poolings, of which the mean, by angle, tells classes apart."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(3), 12)
    flat = rng.standard_normal((36, 8)) + 0.7 * np.eye(3, 8)[labels]
    mean = rng.standard_normal((36, 4)) * 0.15 + np.eye(3, 4)[labels]
    mean = mean * rng.uniform(0.2, 5, (36, 1))
    for name, features in (("pool", flat), ("pool.mean", mean)):
        np.save(mine / f"{name}.npy", pdist(features).astype(np.float32))
    return mine


READINGS = [Reading(pooling, metric) for pooling in ("flat", "mean") for metric in METRICS]


def measure(folder, readings, **options):
    out = folder / "out"
    files = {name: out / f"pool.{name}.csv" for name in FILES}
    write_layer(
        *(folder / "pool.npy", folder / "manifest.csv"),
        **{"null": out / "pool.npy", **files, **CELL, "dims": {"flat": 8, "mean": 4}},
        **{"permutations": 49, "readings": readings, "progress": False, **options},
    )
    return {file.name: file.read_bytes() for file in [out / "pool.npy", *files.values()]}


def test_all_readings_of_a_layer_stand_one_after_another(layer):
    measure(layer, READINGS)
    rows = pd.read_csv(layer / "out" / "pool.row.csv")
    assert list(zip(rows.pooling, rows.metric, strict=True)) == READINGS
    assert rows.dim.tolist() == [8, 8, 4, 4]
    assert rows.best_reading.tolist() == [False, False, False, True]
    assert choose(rows.knn1_half, rows.auc) == 3
    nulls = np.load(layer / "out" / "pool.npy", allow_pickle=False)
    images = pd.read_csv(layer / "out" / "pool.images.csv")
    for place, (reading, row) in enumerate(zip(READINGS, rows.itertuples(), strict=True)):
        with open_distances(layer / "pool.npy", reading) as distances:
            data = Labelled(distances, np.repeat(["x", "y", "z"], 12))
            measured = measures(data, seed=derive_seed(0, "digits", "measures"), progress=False)
        assert row.knn1 == measured.knn1 and row.auc == measured.auc
        assert row.p_value == (1 + (nulls[place] >= row.goodness).sum()) / 50
        own = images[(images.pooling == reading.pooling) & (images.metric == reading.metric)]
        np.testing.assert_array_equal(own.theta, measured.theta)


def test_only_readings_that_are_new_are_measured(layer, monkeypatch):
    whole = measure(layer, READINGS)
    (layer / "out" / "pool.npy").unlink()
    measure(layer, READINGS[:2])
    measured = []
    original = module.measured_cell

    def counted(condensed, manifest, names, **options):
        measured.append((names["pooling"], names["metric"]))
        return original(condensed, manifest, names, **options)

    monkeypatch.setattr(module, "measured_cell", counted)
    assert measure(layer, READINGS) == whole  # to the byte
    assert measured == READINGS[2:]
    measured.clear()
    assert measure(layer, READINGS) == whole and measured == []
    # Other distances, other labels, another seed, another code: measured anew.
    np.save(layer / "pool.mean.npy", 1.5 * np.load(layer / "pool.mean.npy"))
    measure(layer, READINGS)
    assert measured == READINGS[2:]
    for change in ({"seed": 1}, {"permutations": 50}):
        measured.clear()
        measure(layer, READINGS, **change)
        assert measured == READINGS
    measured.clear()
    monkeypatch.setattr(module, "code_digest", lambda *names: "another")
    measure(layer, READINGS, permutations=50)
    assert measured == READINGS
    measured.clear()
    row = layer / "out" / "pool.row.csv"
    row.write_bytes(row.read_bytes()[:-200])  # cut short
    measure(layer, READINGS, permutations=50)
    assert measured == READINGS


def test_a_reading_in_which_all_images_coincide_is_left_out(layer, caplog):
    np.save(layer / "pool.mean.npy", np.zeros(36 * 35 // 2, np.float32))
    with caplog.at_level(logging.WARNING):
        measure(layer, READINGS)
    rows = pd.read_csv(layer / "out" / "pool.row.csv")
    assert rows.pooling.tolist() == ["flat", "flat"] and rows.best_reading.sum() == 1
    assert caplog.text.count("all images coincide") == 2
    with pytest.raises(UserError, match="all are zero.*Leave this layer out"):
        measure(layer, READINGS[2:])


def test_both_metrics_of_anybodys_matrix_in_the_terminal(mine):
    metrics = [f"--metric={metric}" for metric in METRICS]
    texts = []
    for distances in ("d.npy", "square.npy"):
        arguments = [str(mine / distances), str(mine / "manifest.csv"), "--permutations", "99"]
        done = CliRunner().invoke(main, ["goodness", *arguments, *metrics])
        assert done.exit_code == 0, done.output
        texts.append(done.stdout)
    assert texts[0] == texts[1] and "\nangle:\n" in texts[0]
