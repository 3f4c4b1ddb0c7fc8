"""Clusters without labels: planted ones, none, and what is said of them."""

import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.clusters import clusters as module
from depthgauge.clusters.cluster_agreement import cluster_agreement
from depthgauge.clusters.cluster_table import write_cluster_table
from depthgauge.clusters.clusters import map_clusters, stability, write_clusters
from depthgauge.distances.matrix import Distances
from depthgauge.errors import UserError
from depthgauge.figures.contact_sheet import draw_contact_sheet, draw_most_stable
from depthgauge.maps.embedding import embed
from PIL import Image
from scipy.spatial.distance import pdist
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

N, CLASSES = 120, 4


@pytest.fixture(autouse=True)
def two_resamples(monkeypatch):
    """Fewer than are used, which saves time and changes nothing else."""
    monkeypatch.setattr(module, "RESAMPLES", 2)


def condensed(features):
    return pdist(features).astype(np.float32)


@pytest.fixture(scope="module")
def planted():
    """Four classes of different sizes in 20 dimensions: classes, distances and map."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(CLASSES), [20, 25, 35, 40])
    features = rng.standard_normal((N, 20)) + 2 * rng.standard_normal((CLASSES, 20))[codes]
    distances = condensed(features)
    return codes, distances, embed(Distances(distances), seed=1, progress=False)


@pytest.fixture(scope="module")
def blob():
    distances = condensed(np.random.default_rng(1).standard_normal((N, 20)))
    return distances, embed(Distances(distances), seed=1, progress=False)


@pytest.fixture
def cell(tmp_path, planted):
    """Files of a cell, as the stages before write them."""
    return write_cell(tmp_path, planted[1], planted[2], [f"class {code}" for code in planted[0]])


def write_cell(folder, distances, points, labels):
    names = [f"{i:03}.jpg" for i in range(len(points))]
    table = pd.DataFrame({"image": names, "label": labels, "x": points[:, 0], "y": points[:, 1]})
    (folder / "maps").mkdir()
    (folder / "distances").mkdir()
    table.to_csv(folder / "maps" / "deep.csv", index=False)
    table[["image", "label"]].to_csv(folder / "manifest.csv", index=False)
    np.save(folder / "distances" / "deep.npy", distances)
    return folder


def run(folder, layers=("deep",), **options):
    """Write the clusters of a cell; return those of its last layer and their row."""
    write_clusters(
        [folder / "maps" / f"{layer}.csv" for layer in layers],
        [folder / "distances" / f"{layer}.npy" for layer in layers],
        folder / "clusters",
        folder / "summary.csv",
        folder / "agreement.csv",
        **{"dataset": "data", "extractor": "net"} | options,
    )
    rows = pd.read_csv(folder / "summary.csv")
    assert rows.layer.tolist() == list(layers)
    return read(folder / "clusters" / f"{layers[-1]}.csv"), rows.iloc[-1]


def read(path):
    return pd.read_csv(path, dtype={"image": str, "cluster": str}, keep_default_na=False)


def test_planted_clusters_are_found_without_their_number(planted):
    codes, _, points = planted
    clusters, probabilities = map_clusters(points)
    assert adjusted_rand_score(codes, clusters) > 0.95
    sizes = np.bincount(clusters)[1:]
    assert len(sizes) == CLASSES
    assert (np.diff(sizes) <= 0).all()
    assert ((probabilities > 0) == (clusters > 0)).all()
    assert probabilities.max() == 1


def test_partition_is_that_of_scikit_learn():
    points = np.random.default_rng(3).standard_normal((200, 2)) ** 3
    expected = HDBSCAN(min_cluster_size=14, min_samples=5, copy=True).fit(points)
    clusters, probabilities = map_clusters(points)
    assert expected.labels_.max() > 0
    assert (expected.labels_ < 0).any()
    np.testing.assert_array_equal(clusters == 0, expected.labels_ < 0)
    assert adjusted_rand_score(expected.labels_, clusters) == 1
    np.testing.assert_array_equal(probabilities, expected.probabilities_)


def test_far_images_belong_to_no_cluster():
    rng = np.random.default_rng(4)
    points = rng.standard_normal((100, 2)) + np.repeat([[0, 0], [30, 0]], 50, axis=0)
    far = [[15, 60], [15, -60], [90, 0]]
    clusters, probabilities = map_clusters(np.vstack([points, far]))
    assert set(clusters[:100]) >= {1, 2}
    assert clusters[100:].tolist() == [0, 0, 0]
    assert probabilities[100:].tolist() == [0, 0, 0]


def test_planted_clusters_are_stable_and_arbitrary_ones_are_not(planted):
    _, distances, points = planted
    agreements = stability(Distances(distances), map_clusters(points)[0], seed=1, progress=False)
    assert agreements.shape == (2,)
    assert agreements.min() > 0.9
    halves = 1 + (np.arange(N) % 2)  # clusters that nothing in the distances speaks for
    assert abs(stability(Distances(distances), halves, seed=1, progress=False).mean()) < 0.1


def test_stability_is_the_same_for_any_number_of_threads(planted):
    _, distances, points = planted
    halves = 1 + (points[:, 0] > 0)
    one, three = (
        stability(Distances(distances), halves, seed=5, threads=threads, progress=False)
        for threads in (1, 3)
    )
    assert one.tobytes() == three.tobytes()


def test_whole_groups_are_drawn_and_clusters_compared_with_them(cell, planted):
    codes, groups = planted[0], np.arange(N) // 6
    for seed in range(5):
        drawn = module._drawn(N, 96, groups, np.random.default_rng(seed))
        assert len(drawn) == 96 and len(np.unique(groups[drawn])) == 16
        assert (np.diff(drawn) > 0).all()
    table = pd.read_csv(cell / "manifest.csv").assign(group=codes)
    table.to_csv(cell / "manifest.csv", index=False)
    _, row = run(cell, manifest=cell / "manifest.csv")
    assert row.group_ami == pytest.approx(row.ami) and row.ami > 0.8


def test_one_blob_is_said_to_be_maybe_one_cluster_or_none(tmp_path, blob):
    _, row = run(write_cell(tmp_path, *blob, [""] * N))
    assert not row.stability >= module.STABLE
    assert "one cluster, or none" in row.note


def test_a_map_without_gaps_has_no_clusters(tmp_path, blob):
    grid = np.indices((12, 10)).reshape(2, -1).T
    table, row = run(write_cell(tmp_path, blob[0], grid, [""] * N))
    assert (table.cluster == "").all()
    assert row[["clusters", "noise_share", "labelled"]].tolist() == [0, 1, 0]
    assert np.isnan(row[["stability", "ari", "ami"]].astype(float)).all()
    assert row.note.startswith("no two groups lie apart")


def test_summary_compares_with_the_labels(cell, planted):
    table, row = run(cell)
    assert table.columns.tolist() == ["image", "cluster", "probability"]
    assert table.image.tolist() == pd.read_csv(cell / "manifest.csv").image.tolist()
    assert row.ari == pytest.approx(adjusted_rand_score(planted[0], table.cluster))
    assert row[["clusters", "images", "labelled", "depth"]].tolist() == [CLASSES, N, N, 1]
    assert row.stability > 0.9
    assert pd.isna(row.note)


def test_unlabelled_images_are_not_compared(tmp_path, planted):
    codes, distances, points = planted
    labels = [f"{code}" if i % 3 else "" for i, code in enumerate(codes)]
    table, row = run(write_cell(tmp_path, distances, points, labels))
    known = np.arange(N) % 3 > 0
    assert row.labelled == known.sum()
    assert row.ari == pytest.approx(adjusted_rand_score(codes[known], table.cluster[known]))


def test_few_images_are_not_looked_for_clusters(tmp_path):
    points = np.random.default_rng(0).standard_normal((9, 2))
    table, row = run(write_cell(tmp_path, condensed(points), points, ["a"] * 9))
    assert (table.cluster == "").all()
    assert row.note.startswith("fewer than 10 images")
    assert np.isnan(row.ari)


@pytest.mark.parametrize("n", [10, 12, 13])
def test_ten_images_and_little_more_are_clustered(tmp_path, n):
    points = np.random.default_rng(0).standard_normal((n, 2)) + 50 * (np.arange(n) % 2)[:, None]
    table, row = run(write_cell(tmp_path, condensed(points), points, [""] * n))
    assert row.clusters == 2
    assert str(row.note).startswith("too few") == (n < 13)  # of 13, ten can be drawn
    assert adjusted_rand_score(table.cluster, np.arange(n) % 2) == 1


@pytest.mark.parametrize("distance", [0, 1])
def test_images_equally_far_apart_have_no_clusters(tmp_path, planted, distance):
    distances = np.full(N * (N - 1) // 2, distance, np.float32)
    table, row = run(write_cell(tmp_path, distances, planted[2], [""] * N))
    assert (table.cluster == "").all()
    assert "equally far apart" in row.note


def test_copies_are_one_cluster():
    points = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]], 20, axis=0)
    clusters, _ = map_clusters(points)
    assert adjusted_rand_score(clusters, np.repeat(np.arange(3), 20)) == 1


def test_a_map_of_other_images_is_refused(cell):
    np.save(cell / "distances" / "deep.npy", condensed(np.eye(5)))
    with pytest.raises(UserError, match="5 images where 120"):
        run(cell)


def test_a_map_without_coordinates_is_refused(cell):
    cell.joinpath("maps", "deep.csv").write_text("image,label\na,b\n")
    with pytest.raises(UserError, match="deep.csv: not a map"):
        run(cell)
    with pytest.raises(UserError, match="distances of the same layers"):
        write_clusters([cell / "a.csv"], [cell / "b.npy"], cell, cell / "c", cell / "d")


def table_of(clusters):
    names = [f"{i}.jpg" for i in range(len(clusters))]
    return pd.DataFrame({"image": names, "cluster": list(clusters), "probability": 1.0})


def test_agreement_of_depths():
    depths = {"a": list("1122"), "b": list("2211"), "c": [""] * 4, "d": [""] * 4}
    found = cluster_agreement({layer: table_of(depth) for layer, depth in depths.items()})
    assert (found.layer + found.other).tolist() == ["ab", "ac", "ad", "bc", "bd", "cd"]
    np.testing.assert_array_equal(found.ari, [1, 0, 0, 0, 0, np.nan])
    np.testing.assert_allclose(found.ami, [1, 0, 0, 0, 0, np.nan], atol=1e-9)


def test_agreement_needs_the_same_images():
    with pytest.raises(UserError, match="of a and of b are of different images"):
        cluster_agreement({"a": table_of("111"), "b": table_of("1111")})


def test_table_has_goodness_where_it_is_known(tmp_path):
    for layer in ("pool", "last"):
        row = {"dataset": "d", "extractor": "e", "layer": layer, "pooling": "mean"}
        row |= {"metric": "angle", "ami": "0.30", "note": ""}
        pd.DataFrame([row]).to_csv(tmp_path / f"{layer}.csv", index=False)
    cell = {"dataset": "d", "extractor": "e", "layer": "last", "pooling": "mean", "p_value": 1}
    goodness = pd.DataFrame(
        [
            cell | {"metric": "euclidean", "goodness": "1.20"},
            cell | {"metric": "angle", "goodness": "1.50"},
        ]
    )
    goodness.to_csv(tmp_path / "goodness.csv", index=False)
    files = [tmp_path / "pool.csv", tmp_path / "last.csv"]
    write_cluster_table(files, tmp_path / "out.csv", goodness=tmp_path / "goodness.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "dataset,extractor,layer,pooling,metric,ami,goodness,note"
    assert lines[1:] == ["d,e,pool,mean,angle,0.30,,", "d,e,last,mean,angle,0.30,1.50,"]
    write_cluster_table(files, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[2] == "d,e,last,mean,angle,0.30,,"


def draw_images(folder, names):
    folder.mkdir()
    for i, name in enumerate(names):
        Image.new("RGB", (12, 8), (i % 256, 99, 0)).save(folder / name)
    return folder


def test_contact_sheet_shows_each_cluster_at_equal_steps(tmp_path):
    n = 60
    clusters = pd.DataFrame(
        {
            "image": [f"{i}.jpg" for i in range(n)],
            "cluster": ["1"] * 30 + ["2"] * 25 + [""] * 5,
            "probability": [*np.linspace(0.1, 1, 30), *np.ones(25), *np.zeros(5)],
        }
    )
    labels = ["cat"] * 27 + ["dog"] * 33
    manifest = tmp_path / "manifest.csv"
    clusters[["image"]].assign(label=labels).to_csv(manifest, index=False)
    images = draw_images(tmp_path / "images", clusters.image)
    draw_contact_sheet(images, manifest, clusters, tmp_path / "sheet", title="t", note="a note")
    drawn = pd.read_csv(tmp_path / "sheet.csv", keep_default_na=False, dtype=str)
    assert drawn.groupby("row").size().tolist() == [10, 10, 5]
    assert drawn.groupby("row")["size"].first().tolist() == ["30", "25", "5"]
    assert drawn.cluster[drawn.row == "2"].unique().tolist() == [""]
    first = drawn[drawn.row == "0"]
    assert first.image.tolist() == [f"{i}.jpg" for i in range(28, 0, -3)]
    assert (tmp_path / "sheet.png").stat().st_size > 10_000
    assert "a note" in (tmp_path / "sheet.txt").read_text()
    with pytest.raises(UserError, match="other images"):
        draw_contact_sheet(images, manifest, clusters[::-1], tmp_path / "sheet")


def test_contact_sheet_is_of_the_most_stable_depth(tmp_path):
    names = [f"{i}.jpg" for i in range(12)]
    images = draw_images(tmp_path / "images", names)
    manifest, summary = tmp_path / "manifest.csv", tmp_path / "summary.csv"
    pd.DataFrame({"image": names, "label": ""}).to_csv(manifest, index=False)
    rows = []
    for layer, stable in (("a", 0.4), ("b", 0.9), ("c", 0.9), ("d", np.nan)):
        found = table_of("111111222222" if stable > 0 else [""] * 12)
        found.to_csv(tmp_path / f"{layer}.csv", index=False)
        rows.append({"dataset": "x", "extractor": "7", "layer": layer, "images": 12})
        rows[-1] |= {"clusters": found.cluster.nunique(), "noise_share": 0.0, "note": ""}
        rows[-1] |= {"stability": stable, "ari": np.nan, "ami": np.nan}
    rows[-1]["clusters"] = 0
    for chosen, expected in ((rows, "x, 7, c (the most stable"), (rows[3:], "d (the deepest")):
        pd.DataFrame(chosen).to_csv(summary, index=False)
        draw_most_stable(images, manifest, summary, tmp_path, tmp_path / "sheet", seed=7)
        caption = (tmp_path / "sheet.txt").read_text()
        assert expected in caption
        assert "seed 7" in caption
    # Without labels the layer is given, however stable others are.
    pd.DataFrame(rows).to_csv(summary, index=False)
    draw_most_stable(images, manifest, summary, tmp_path, tmp_path / "sheet", layer="a")
    assert "a (five sixths of the depth" in (tmp_path / "sheet.txt").read_text()


def test_commands_work_on_all_layers(cell):
    for kind in ("maps/{}.csv", "distances/{}.npy"):
        shutil.copy(cell / kind.format("deep"), cell / kind.format("pool"))
    images = draw_images(cell / "images", pd.read_csv(cell / "manifest.csv").image)
    summary, folder = cell / "summary.csv", cell / "clusters"
    maps = [cell / "maps" / f"{layer}.csv" for layer in ("pool", "deep")]
    files = ["--summary", summary, "--agreement", cell / "agreement.csv", "--folder", folder]
    names = ["--dataset", "d", "--extractor", "e"]
    given = [f"--distances={cell / 'distances' / layer}.npy" for layer in ("pool", "deep")]
    for command in [
        ["clusters", *maps, *given, *files, *names],
        ["cluster-table", summary, "-o", cell / "clusters.csv"],
        ["contact-sheet", cell / "sheet", images, cell / "manifest.csv", summary, folder],
    ]:
        result = CliRunner().invoke(main, [str(word) for word in command])
        assert result.exit_code == 0, result.output
    table = pd.read_csv(cell / "clusters.csv")
    assert table.layer.tolist() == ["pool", "deep"]
    assert table.depth.tolist() == [1, 2]
    assert table.clusters.tolist() == [CLASSES] * 2
    pd.testing.assert_frame_equal(read(folder / "pool.csv"), read(folder / "deep.csv"))
    assert pd.read_csv(cell / "agreement.csv").ari.tolist() == [1]
    assert len(read(cell / "sheet.csv")) == 10 * CLASSES
