"""One cell from files to files, and in words."""

import csv
import logging

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.condensed import subset
from depthgauge.errors import UserError
from depthgauge.seeds import derive_seed
from depthgauge.statistics.cell import as_text, write_goodness
from depthgauge.statistics.goodness import goodness
from depthgauge.statistics.halves import halve
from depthgauge.statistics.measures import measures
from depthgauge.statistics.rank_auc import rank_auc
from depthgauge.statistics.spread import SPREAD
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(12)
COLUMNS = (
    "dataset,extractor,layer,depth,dim,images,classes,within,between,goodness,permutations,"
    "null_mean,null_sd,p_value"
)
CELL = {"dataset": "digits", "extractor": "net, big", "layer": "pool", "depth": 2, "dim": 77}
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
    write_goodness(
        *(mine / "d.npy", mine / "manifest.csv"),
        null=out / "pool.npy",
        **files,
        **CELL,
        permutations=99,
        seed=8,
        progress=False,
    )
    condensed = np.load(mine / "d.npy")
    labels = np.repeat(["x", "y", "z"], 12)
    tested = goodness(
        *(condensed, labels),
        permutations=99,
        seed=derive_seed(8, "digits", "permutations"),
        progress=False,
    )
    measured = measures(
        condensed, labels, seed=derive_seed(8, "digits", "measures"), progress=False
    )
    np.testing.assert_array_equal(np.load(out / "pool.npy", allow_pickle=False), tested.null)
    assert files["row"].read_text().startswith(COLUMNS + ",")
    (row,) = csv.DictReader(files["row"].open(newline=""))
    for name, value in CELL.items():
        assert row[name] == str(value)
    for name in COLUMNS.split(",")[5:]:
        assert float(row[name]) == getattr(tested, name), name
    assert float(row["z"]) == tested.z and float(row["p_pearson"]) == tested.p_pearson
    for name in ("auc", "knn1", "knn5", "silhouette", "permdisp_p", "goodness_pca50"):
        assert float(row[name]) == getattr(measured, name), name
    middle = np.sqrt(float(row["goodness_low"]) * float(row["goodness_high"]))
    assert middle == pytest.approx(tested.goodness)

    images = pd.read_csv(files["images"])
    assert images.image.tolist() == [f"{i}.jpg" for i in range(36)]
    np.testing.assert_allclose(images.theta, measured.theta)
    assert images.nearest.tolist() == [f"{i}.jpg" for i in measured.nearest]
    assert (images.nearest_correct == (images.nearest_label == images.label)).all()

    classes = pd.read_csv(files["classes"])
    square = squareform(condensed.astype(float))
    for one, other, pairs, distance, own in classes.itertuples(index=False):
        block = square[np.ix_(labels == one, labels == other)]
        expected = block.sum() / (12 * 11 if one == other else 144)
        assert distance == pytest.approx(expected)
        assert pairs == (66 if one == other else 144)
        assert np.isnan(own) == (one != other)

    halves = pd.read_csv(files["halves"])
    assert len(halves) == 40 and halves.knn1.between(0, 1).all()
    assert set(halves.layer) == {"pool"}


def test_auc_in_halves_is_that_of_the_half_alone_to_first_order(mine):
    labels = np.repeat([0, 1, 2], 100)
    condensed = pdist(RNG.standard_normal((300, 3)) + np.eye(3)[labels])
    np.save(mine / "d.npy", condensed)
    (mine / "labels.csv").write_text("\n".join(map(str, labels)))
    write_goodness(
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
            exact.append(rank_auc(subset(condensed, members), labels[members], progress=False)[0])
    assert np.corrcoef(found, exact)[0, 1] > 0.95
    assert np.abs(found - exact).max() < 0.1 * np.std(exact) + 0.01


def test_files_that_do_not_belong_together(mine):
    (mine / "labels.csv").write_text("x\ny\n")
    with pytest.raises(UserError, match="d.npy.* of 36 images where 2"):
        write_goodness(mine / "d.npy", mine / "labels.csv", progress=False)
    (mine / "labels.csv").write_text("label\n" + '""\n' * 36)
    with pytest.raises(UserError, match="labels.csv: no image has a label"):
        write_goodness(mine / "d.npy", mine / "labels.csv", progress=False)


def test_groups_are_not_passed_over_in_silence(mine, caplog):
    with caplog.at_level(logging.WARNING):
        row = write_goodness(mine / "d.npy", mine / "grouped.csv", permutations=99, progress=False)
    assert "p is too small" in caplog.text and row["permuted"] == "images"
    caplog.clear()
    row = write_goodness(
        mine / "d.npy", mine / "grouped.csv", permute="groups", permutations=99, progress=False
    )
    assert "p is too small" not in caplog.text and row["permuted"] == "groups"


def test_classes_of_one_image_are_named_once(mine, caplog):
    (mine / "labels.csv").write_text("\n".join([*"xy" * 17, "lone", "only"]))
    with caplog.at_level(logging.WARNING):
        write_goodness(mine / "d.npy", mine / "labels.csv", permutations=99, progress=False)
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
    row = write_goodness(mine / "d.npy", mine / "labels.csv", permutations=999, progress=False)
    assert row["p_value"] < 0.01 and row["p_pearson"] < 0.01
    assert row["permdisp_p"] < 0.01
    assert SPREAD in as_text(row)
