"""The explorer, in a real browser without a network; misplaced images; maps turned alike."""

import base64
import json
import os
import shutil
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.config import checked_config
from depthgauge.errors import UserError
from depthgauge.figures.misplaced import draw_advised
from depthgauge.plan import Plan
from depthgauge.report.explorer import write_explorer
from depthgauge.report.misplaced import misplaced, write_misplaced
from depthgauge.report.procrustes import align, standardise
from depthgauge.report.sprites import COLUMNS, TILE, sprite_sheets
from PIL import Image
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_samples

LAYERS = ["shallow", "middle", "deep"]
NASTY = '</script><img src=x onerror="document.title=1">, "b"'


def invoke(*arguments):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done


# -- maps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mirror", [1, -1])
def test_a_turned_map_is_turned_back(mirror):
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(40, 2)) * [3, 1]
    angle = 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = 17 * reference @ turn * [1, mirror] + [5, -80]
    found = align(points, reference)
    np.testing.assert_allclose(found, standardise(reference), atol=1e-12)
    assert (found**2).sum(axis=1).mean() == pytest.approx(1)


def test_alignment_is_that_of_scipy_but_for_the_size():
    rng = np.random.default_rng(1)
    reference, points = rng.normal(size=(2, 30, 2))
    _, theirs, _ = procrustes(reference, points)
    np.testing.assert_allclose(align(points, reference), standardise(theirs), atol=1e-12)


def test_images_all_in_one_place_are_no_error():
    assert (align(np.ones((4, 2)), np.arange(8.0).reshape(4, 2)) == 0).all()


# -- misplaced images ----------------------------------------------------------------------


def planted(folder, n=60, wrong=(7, 31)):
    """Write a cell of three clusters of which the images ``wrong`` bear another's label."""
    rng = np.random.default_rng(4)
    codes = np.arange(n) % 3
    points = rng.normal(size=(n, 6)) + 6 * np.eye(6)[codes]
    given = codes.copy()
    given[list(wrong)] = (given[list(wrong)] + 1) % 3
    images = [f"{i:03}.jpg" for i in range(n)]
    manifest = pd.DataFrame({"image": images, "label": [f"c{code}" for code in given]})
    folder.mkdir(parents=True, exist_ok=True)
    manifest.to_csv(folder / "manifest.csv", index=False)
    np.save(folder / "near.npy", pdist(points).astype(np.float32))
    invoke("neighbours", folder / "manifest.csv", folder / "near.npy", "--folder", folder)
    distances = squareform(np.load(folder / "near.npy").astype(float))
    alike = (given[:, None] == given) & ~np.eye(n, dtype=bool)
    goodness = [
        row[given != own].mean() / row[same].mean()
        for row, own, same in zip(distances, given, alike, strict=True)
    ]
    table = manifest.assign(
        goodness=goodness, silhouette=silhouette_samples(distances, given, metric="precomputed")
    )
    return table, pd.read_csv(folder / "near.csv"), distances, given


def test_planted_mislabelled_images_come_first(tmp_path):
    table, near, distances, given = planted(tmp_path)
    found = misplaced(table, near)
    assert sorted(found.image[:2]) == ["007.jpg", "031.jpg"]
    assert found.misplaced.tolist() == [True] * 2 + [False] * 58
    order = np.argsort(distances + np.diag(np.full(60, np.inf)), axis=1, kind="stable")
    for row in found.itertuples():
        image = int(row.image[:3])
        others = (given[order[image, :5]] != given[image]).sum()
        own = table.goodness[given == given[image]].median()
        assert row.neighbours_other == others
        assert row.nearest == f"{order[image, 0]:03}.jpg"
        assert row.relative == pytest.approx(row.goodness / own)
        assert row.misplaced == (others >= 3 and row.goodness < own)
    assert found.neighbours_label[0] != found.label[0]
    # The table of neighbours holds the distances themselves, nearest first.
    apart = near.distance.to_numpy().reshape(60, 8)
    np.testing.assert_allclose(apart, np.take_along_axis(distances, order[:, :8], axis=1))


def test_patches_of_one_photograph_are_no_neighbours(tmp_path):
    planted(tmp_path)
    manifest = pd.read_csv(tmp_path / "manifest.csv")
    manifest.assign(group=np.arange(60) // 6).to_csv(tmp_path / "grouped.csv", index=False)
    invoke("neighbours", tmp_path / "grouped.csv", tmp_path / "near.npy", "--folder", tmp_path)
    near = pd.read_csv(tmp_path / "near.csv")
    assert (near.image.str[:3].astype(int) // 6 != near.neighbour.str[:3].astype(int) // 6).all()


def test_an_image_alone_in_its_class_is_not_judged(tmp_path):
    table, near, _, _ = planted(tmp_path)
    table.loc[5, ["label", "goodness"]] = ["alone", np.nan]
    table.loc[8, "goodness"] = np.inf  # a copy
    found = misplaced(table, near).set_index("image")
    assert not found.misplaced["005.jpg"] and not found.misplaced["008.jpg"]


def test_neighbours_of_other_images_are_refused(tmp_path):
    table, near, _, _ = planted(tmp_path)
    with pytest.raises(UserError, match="not of the images"):
        misplaced(table.iloc[::-1].reset_index(drop=True), near)


@pytest.mark.parametrize("advised", ["shallow", ""])
def test_contact_sheet(tmp_path, advised):
    table, near, _, _ = planted(tmp_path / "cell")
    folder = tmp_path / "images"
    folder.mkdir()
    for image in table.image:
        Image.new("RGB", (20, 30), (200, 30, 60)).save(folder / image)
    for layer in ("shallow", "deep"):
        table.to_csv(tmp_path / f"{layer}.images.csv", index=False)
        near.to_csv(tmp_path / "cell" / f"{layer}.csv", index=False)
        given = [tmp_path / f"{layer}.images.csv", "--neighbours", tmp_path / "cell"]
        invoke("misplaced", *given, "--folder", tmp_path)
        table.loc[7, "label"] = table.label[7 + 3]  # at the second depth another table
    row = {"scope": "depth", "dataset": "d", "extractor": "e", "layer": advised}
    pd.DataFrame([row]).to_csv(tmp_path / "verdict.csv", index=False)
    tables = [tmp_path / "shallow.csv", tmp_path / "deep.csv"]
    stem = tmp_path / "sheet"
    cell = ["--verdict", tmp_path / "verdict.csv", "--dataset", "d", "--extractor", "e"]
    invoke("misplaced-sheet", stem, folder, *tables, *cell)
    drawn = pd.read_csv(stem.with_suffix(".csv"))
    expected = pd.read_csv(tables[0 if advised else 1])
    pd.testing.assert_frame_equal(drawn, expected[expected.misplaced])
    first = stem.with_suffix(".png").read_bytes()
    draw_advised(folder, tables, stem, verdict=tmp_path / "verdict.csv", dataset="d", extractor="e")
    assert stem.with_suffix(".png").read_bytes() == first
    none = expected.assign(misplaced=False)
    none.to_csv(tmp_path / "none.csv", index=False)
    draw_advised(folder, [tmp_path / "none.csv"], stem)  # says so
    assert pd.read_csv(stem.with_suffix(".csv")).empty


def test_neighbours_are_by_the_reading_asked_for(tmp_path):
    rng = np.random.default_rng(6)
    points = {"flat": rng.normal(size=(30, 5)) + 3, "mean": rng.normal(size=(30, 3))}
    images = [f"{i:02}.jpg" for i in range(30)]
    manifest = tmp_path / "manifest.csv"
    pd.DataFrame({"image": images, "label": ""}).to_csv(manifest, index=False)
    for name, pooling in (("pool", "flat"), ("pool.mean", "mean")):
        np.save(tmp_path / f"{name}.npy", pdist(points[pooling]).astype(np.float32))
    rows = pd.DataFrame({"layer": "pool", "pooling": ["flat", "mean"], "metric": "angle"})
    (tmp_path / "rows").mkdir()
    rows.assign(best_reading=[False, True]).to_csv(tmp_path / "rows" / "pool.csv", index=False)

    def nearest(file, *options):
        invoke("neighbours", manifest, tmp_path / file, "--folder", tmp_path / "near", *options)
        found = pd.read_csv(tmp_path / "near" / "pool.csv")
        return found[found["rank"] == 1].neighbour.tolist()

    def expected(pooling, metric):
        x = points[pooling]
        if metric == "angle":
            x = x - x.mean(axis=0)
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
        apart = squareform(pdist(x)) + np.diag(np.full(30, np.inf))
        return [images[place] for place in apart.argmin(axis=1)]

    given = ["pool.npy", "pool.mean.npy"]
    by_angle = expected("mean", "angle")
    assert by_angle not in (expected("mean", "euclidean"), expected("flat", "angle"))
    for file in given:  # whichever file of the layer is named
        assert nearest(file, "--rows", tmp_path / "rows") == by_angle
        assert nearest(file, "--reading", "flat.angle") == expected("flat", "angle")
    assert [nearest(file) for file in given] == [
        expected("flat", "euclidean"),
        expected("mean", "euclidean"),
    ]


def test_images_are_misplaced_by_the_best_reading(tmp_path):
    table, _, _, _ = planted(tmp_path)
    other = table.assign(goodness=table.goodness.to_numpy()[::-1], silhouette=0)
    images, near = tmp_path / "deep.images.csv", tmp_path / "near.csv"
    readings = [("flat", "euclidean"), ("mean", "angle")]
    pd.concat(
        [
            of_reading.assign(pooling=pooling, metric=metric)
            for of_reading, (pooling, metric) in zip((other, table), readings, strict=True)
        ]
    ).to_csv(images, index=False)
    rows = pd.DataFrame(readings, columns=["pooling", "metric"]).assign(layer="deep")
    rows.assign(best_reading=[False, True]).to_csv(tmp_path / "deep.csv", index=False)
    write_misplaced(images, near, tmp_path / "found.csv")
    expected = misplaced(table, pd.read_csv(near))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "found.csv"), expected)
    # A table of one reading needs no row beside it.
    (tmp_path / "deep.csv").unlink()
    table.assign(pooling="mean", metric="angle").to_csv(images, index=False)
    write_misplaced(images, near, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "found.csv").read_bytes()


@pytest.mark.parametrize(
    "others, title",
    [
        ("deep.flat.angle", "d  ·  e  ·  shallow (mean, angle; the depth advised)"),
        ("deep.mean.angle", "d  ·  e  ·  shallow (the depth advised)"),
    ],
)
def test_title_of_the_sheet_names_the_reading_where_there_are_several(
    tmp_path, monkeypatch, others, title
):
    row = {"scope": "depth", "dataset": "d", "extractor": "e", "layer": "shallow"}
    row |= {"pooling": "mean", "metric": "angle", "not_distinguishable": others}
    none = row | {"extractor": "f", "layer": "", "pooling": "", "metric": ""}
    none["not_distinguishable"] = ""
    pd.DataFrame([none, row]).to_csv(tmp_path / "verdict.csv", index=False)
    table, near, _, _ = planted(tmp_path)
    misplaced(table, near).to_csv(tmp_path / "shallow.csv", index=False)
    titles = []
    monkeypatch.setattr(
        "depthgauge.figures.misplaced.draw_misplaced",
        lambda *given, title: titles.append(title),
    )
    given = {"verdict": tmp_path / "verdict.csv", "dataset": "d", "extractor": "e"}
    draw_advised(tmp_path, [tmp_path / "shallow.csv"], tmp_path / "sheet", **given)
    assert titles == [title]


# -- the page ------------------------------------------------------------------------------


def plan_of(birds="all", loose="none", seed=1, layers=LAYERS):
    config = {"seed": seed, "datasets": {"birds": {"kind": "digits"}, "loose": {"kind": "digits"}}}
    net = {"kind": "keras_file", "path": "net.keras", "layers": layers}
    config["extractors"] = {"net": net | {"poolings": ["flat", "mean"]}}
    images = {"birds": 40, "loose": 40}
    return Plan(checked_config(config), images, {"birds": birds, "loose": loose})


PLAN = plan_of()


def colour_of(dataset, place):
    """The colour of an image: no two have the same, nor any of two datasets."""
    return 30 + 60 * (place % 4), 200 * (dataset == "loose"), 25 * (place // 4)


def write_results(results, n=40, layers=LAYERS):
    """Write the tables of two datasets; the first has names meant to break out of the page."""
    rng = np.random.default_rng(2)

    def write(name, rows):
        path = results / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(path, index=False)

    for dataset in ("birds", "loose"):
        images = [f"{dataset}_{i:03}.jpg" for i in range(n)]
        labels = np.array(["heron", "stork"])[np.arange(n) % 2]
        if dataset == "birds":
            images[3] = f"{NASTY.replace('/', '')}.jpg"
            labels = np.where(labels == "stork", NASTY, labels)
        folder = results / "datasets" / dataset / "images"
        folder.mkdir(parents=True)
        for place, image in enumerate(images):
            Image.new("RGB", (64, 48), colour_of(dataset, place)).save(folder / image, quality=95)
        manifest = pd.DataFrame({"image": images, "label": labels if dataset == "birds" else ""})
        write(f"datasets/{dataset}/manifest", manifest)
        cell = {"pooling": "flat", "metric": "euclidean"}
        write(f"clusters/{dataset}/net", [{"layer": layer} | cell for layer in layers])
        for depth, layer in enumerate(layers):
            name = f"{dataset}/net/{layer}"
            points = rng.normal(size=(n, 2)) + 5 * (np.arange(n) % 2)[:, None]
            distances = squareform(pdist(points))
            near = distances.argsort(axis=1, kind="stable")[:, 1:5]
            write(f"embeddings/{name}", manifest.assign(x=points[:, 0] * 9, y=points[:, 1] * 9))
            found = {
                "image": np.repeat(images, 4),
                "rank": np.tile(np.arange(1, 5), n),
                "neighbour": np.array(images)[near.ravel()],
                "distance": np.take_along_axis(distances, near, axis=1).ravel(),
            }
            write(f"neighbours/{name}", found)
            clusters = np.array(["", "1", "2"])[np.arange(n) % 3]  # and noise
            write(f"clusters/{name}", manifest[["image"]].assign(cluster=clusters)[::-1])
            if dataset == "birds":
                goodness = rng.lognormal(size=n)
                goodness[0] = np.nan
                write(f"nulls/{name}.images", manifest.assign(goodness=goodness))
                write(f"nulls/{name}", [{"layer": layer, "goodness": 1.25 + depth, "knn1": 0.5}])
                misplaced = np.arange(n) % 7 == depth
                write(f"misplaced/{name}", manifest.assign(misplaced=misplaced)[::-1])


def data_of(page):
    text = page.read_text("utf-8").split('id="data">')[1].split("</script>")[0]
    return json.loads(text)


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    """The page of a run, and its folder of results."""
    folder = tmp_path_factory.mktemp("explorer") / "results"
    write_results(folder)
    (folder / "plan.json").write_text(PLAN.text())
    invoke("explorer", folder / "plan.json", "--output", folder / "explorer.html")
    return folder / "explorer.html", folder


def shown(results, folder, plan=PLAN, **options):
    """The data of the page that is written of results."""
    (results / "plan.json").write_text(plan.text())
    write_explorer(results / "plan.json", folder / "shown.html", progress=False, **options)
    return data_of(folder / "shown.html")


def test_the_page_is_one_file_and_the_same_twice(explorer, tmp_path):
    page, results = explorer
    write_explorer(results / "plan.json", tmp_path / "again.html", progress=False)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()
    text = page.read_text("utf-8")
    assert "default-src 'none'" in text
    assert NASTY not in text.split("<body>")[1].split('<script type="application/json"')[0]
    birds, loose = (dataset["extractors"][0] for dataset in data_of(page)["datasets"])
    assert [one["name"] for one in birds["colourings"]] == ["cluster", "goodness", "misplaced"]
    assert [one["name"] for one in loose["colourings"]] == ["cluster"]
    assert [layer["name"] for layer in birds["layers"]] == LAYERS


def test_layers_are_in_the_order_of_the_plan(explorer, tmp_path):
    _, results = explorer
    order = ["deep", "shallow"]
    data = shown(results, tmp_path, plan_of(layers=order))
    for dataset in data["datasets"]:
        (net,) = dataset["extractors"]
        assert [layer["name"] for layer in net["layers"]] == order
    assert [layer["facts"][:14] for layer in data["datasets"][0]["extractors"][0]["layers"]] == [
        "goodness 3.250",
        "goodness 1.250",
    ]


def test_maps_are_told_with_their_reading(explorer, tmp_path):
    page, _ = explorer
    plain = data_of(page)["datasets"][0]["extractors"][0]
    results = tmp_path / "results"
    write_results(results)
    readings = [("flat", "euclidean"), ("mean", "angle")]
    for place, layer in enumerate(LAYERS):
        best = place > 0
        for kind in (".csv", ".images.csv"):
            path = results / "nulls" / "birds" / "net" / f"{layer}{kind}"
            found = pd.read_csv(path)
            tables = [found.assign(goodness=found.goodness * 3)] * 2
            tables[best] = found
            named = [
                table.assign(pooling=pooling, metric=metric, best_reading=at == best)
                for at, (table, (pooling, metric)) in enumerate(zip(tables, readings, strict=True))
            ]
            pd.concat(named).to_csv(path, index=False)
    summary = pd.DataFrame({"layer": LAYERS, "pooling": "mean", "metric": "angle"})
    for dataset in ("birds", "loose"):
        summary.to_csv(results / "clusters" / dataset / "net.csv", index=False)
    birds, loose = (dataset["extractors"][0] for dataset in shown(results, tmp_path)["datasets"])
    assert [layer["reading"] for layer in birds["layers"]] == [
        *("flat, euclidean", "mean, angle", "mean, angle")
    ]
    assert [layer["reading"] for layer in loose["layers"]] == ["mean, angle"] * 3
    # All else is that of the best reading, as if there were no other.
    for layer, alone in zip(birds["layers"], plain["layers"], strict=True):
        assert layer == alone | {"reading": layer["reading"]} and alone["reading"] == ""
    assert birds["colourings"] == plain["colourings"]


def test_a_large_dataset_is_sampled_by_class(explorer, tmp_path):
    _, results = explorer
    dataset, _ = shown(results, tmp_path, plan_of(seed=5), images=10)["datasets"]
    assert dataset["note"] == "Shown: 10 of 40 images, drawn by class with seed 5."
    labels = [dataset["classes"][label] for label in dataset["labels"][:10]]
    assert sorted(labels) == sorted([NASTY] * 5 + ["heron"] * 5)
    assert len(dataset["images"]) == 40  # as neighbours the others are named


def values(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.mark.parametrize("images", [10, 40])
def test_all_that_is_shown_of_an_image_is_its_own(explorer, tmp_path, images):
    _, results = explorer
    for dataset in shown(results, tmp_path, images=images)["datasets"]:
        name, (net,) = dataset["name"], dataset["extractors"]
        names = dataset["images"]
        first = names[:images]
        before = None
        if images == 10:  # not simply the first
            assert first != sorted(names)[:10]
        for place, layer in enumerate(net["layers"]):

            def table(folder, name=f"{name}/net/{layer['name']}"):
                found = pd.read_csv(results / folder / f"{name}.csv", keep_default_na=False)
                return found.set_index("image")

            near = table("neighbours")
            found = values(layer["neighbours"], "<u4").reshape(images, layer["k"])
            apart = values(layer["distances"], "<f4").reshape(images, layer["k"])
            for image, of_image, distances in zip(first, found, apart, strict=True):
                assert [names[at] for at in of_image] == near.loc[image].neighbour.tolist()
                np.testing.assert_allclose(distances, near.loc[image].distance, rtol=1e-6)
            maps = table("embeddings")
            points = maps[["x", "y"]].to_numpy()
            before = standardise(points) if before is None else align(points, before)
            expected = pd.DataFrame(before, index=maps.index).loc[first]
            seen = values(layer["xy"], "<f4").reshape(2, images).T
            np.testing.assert_allclose(seen, expected, atol=1e-6)
            columns = {"cluster": table("clusters").cluster}
            if name == "birds":
                of_images = table("nulls", f"birds/net/{layer['name']}.images")
                goodness = pd.to_numeric(of_images.goodness)[first]
                seen = values(layer["goodness"], "<f4")
                np.testing.assert_allclose(seen, goodness, rtol=1e-6)
                words = {True: "misplaced", False: "in place"}
                columns["misplaced"] = table("misplaced").misplaced.map(words)
            for colouring in net["colourings"]:
                if (kind := colouring["name"]) != "goodness":
                    keys = [key["name"] for key in colouring["keys"]]
                    told = [keys[code] for code in values(colouring["codes"][place], "<u2")]
                    assert told == [value or f"no {kind}" for value in columns[kind][first]]
        # The thumbnails, of which no two have one colour.
        (sheet,) = dataset["sheets"]
        pixels = np.asarray(Image.open(BytesIO(base64.b64decode(sheet)))).astype(int)
        order = pd.read_csv(results / f"datasets/{name}/manifest.csv").image.tolist()
        for at, image in enumerate(first):
            seen = pixels[TILE // 2, at * TILE + TILE // 2]
            assert abs(seen - colour_of(name, order.index(image))).max() < 12


def test_labels_proposed_are_shown_of_a_dataset_labelled_in_part_alone(explorer, tmp_path):
    page, _ = explorer
    write_results(tmp_path)
    images = pd.read_csv(tmp_path / "datasets/loose/manifest.csv").image
    proposed = pd.DataFrame({"image": images, "label": np.array(["", "ibis"])[np.arange(40) % 2]})
    (tmp_path / "labels/loose").mkdir(parents=True)
    proposed[::-1].to_csv(tmp_path / "labels/loose/labels.csv", index=False)
    # What a time left when the folder was labelled in part is of no concern.
    assert shown(tmp_path, tmp_path) == data_of(page)
    _, loose = shown(tmp_path, tmp_path, plan_of(loose="some"))["datasets"]
    told = {colouring["name"]: colouring for colouring in loose["colourings"]}
    keys = [key["name"] for key in told["predicted label"]["keys"]]
    codes = values(told["predicted label"]["codes"][0], "<u2")
    assert [keys[code] for code in codes] == ["no label", "ibis"] * 20
    assert list(told) == ["label", "predicted label"]


def test_nothing_of_another_run_is_shown(explorer, tmp_path):
    page, _ = explorer
    results = tmp_path / "results"
    write_results(results)
    (results / "plan.json").write_text(PLAN.text())
    # A larger run: a dataset, a network and a layer more; labels where there were some, or all.
    for folder in ("embeddings", "neighbours", "clusters", "nulls", "misplaced"):
        own = results / folder
        shutil.copytree(own / "birds", own / "gone")
        shutil.copytree(own / "birds/net", own / "birds/former")
        shutil.copy(own / "birds/net/deep.csv", own / "birds/net/layer_9.csv")
        if folder in ("nulls", "misplaced"):
            shutil.copytree(own / "birds", own / "loose")
    for dataset in ("birds", "loose", "gone"):
        (results / "labels" / dataset).mkdir(parents=True)
        fewer = pd.DataFrame({"image": ["older.jpg"], "label": ["of old"]})
        fewer.to_csv(results / "labels" / dataset / "labels.csv", index=False)
    write_explorer(results / "plan.json", tmp_path / "page.html", progress=False)
    assert (tmp_path / "page.html").read_bytes() == page.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("embeddings/birds/net/middle.csv", "neighbours/loose/net/deep.csv"),
        *("clusters/loose/net/shallow.csv", "clusters/loose/net.csv"),
        *("nulls/birds/net/deep.csv", "nulls/birds/net/deep.images.csv"),
        *("misplaced/birds/net/middle.csv", "labels/loose/labels.csv"),
        *("datasets/birds/manifest.csv", "datasets/loose/images/loose_007.jpg"),
    ],
)
def test_a_planned_file_that_is_missing_is_named(explorer, tmp_path, name):
    _, results = explorer
    shutil.copytree(results, tmp_path / "results")
    (tmp_path / "results" / name).unlink(missing_ok=True)
    plan = plan_of(loose="some") if name.startswith("labels") else PLAN
    (tmp_path / "results/plan.json").write_text(plan.text())
    with pytest.raises(UserError, match=str(tmp_path / "results" / name)):
        write_explorer(tmp_path / "results/plan.json", tmp_path / "x.html", progress=False)
    assert not (tmp_path / "x.html").exists()


def test_tables_of_other_images_are_refused(tmp_path):
    write_results(tmp_path)
    path = tmp_path / "embeddings/birds/net/middle.csv"
    pd.read_csv(path)[1:].to_csv(path, index=False)
    with pytest.raises(UserError, match="middle.csv: is not of the images"):
        shown(tmp_path, tmp_path)


def test_thumbnails_stand_in_order(tmp_path):
    count = COLUMNS**2 + 3
    Image.new("RGB", (90, 30), (0, 160, 0)).save(tmp_path / "wide.png")
    Image.new("RGB", (30, 90), (200, 0, 0)).save(tmp_path / "tall.png")
    names = ["tall.png"] + ["wide.png"] * (count - 2) + ["tall.png"]
    sheets = sprite_sheets(tmp_path, names, progress=False)
    sizes = []
    for place, sheet in enumerate(sheets):
        path = tmp_path / f"{place}.jpg"
        path.write_bytes(sheet)
        pixels = np.asarray(Image.open(path)).astype(int)
        sizes.append(pixels.shape[:2])
    assert sizes == [(COLUMNS * TILE, COLUMNS * TILE), (TILE, COLUMNS * TILE)]
    last = pixels[:, 2 * TILE : 3 * TILE]
    assert abs(last[TILE // 2, TILE // 2] - [200, 0, 0]).max() < 12
    assert abs(last[TILE // 2, 2] - 232).max() < 12  # whole, beside it the ground
    assert abs(pixels[TILE // 2, TILE // 2] - [0, 160, 0]).max() < 12


# -- in a browser --------------------------------------------------------------------------


class Reader:
    """A reader at a browser: what they do and what they see."""

    def __init__(self, driver, downloads):
        self.driver, self.downloads = driver, downloads

    def __call__(self, script, *arguments):
        return self.driver.execute_script(f"return {script}", *arguments)

    def element(self, name):
        return self.driver.find_element("css selector", name)

    def text(self, name):
        return self.element(name).get_property("textContent")

    def until(self, script, *arguments):
        end = time.monotonic() + 60
        while not self(script, *arguments):
            assert time.monotonic() < end, f"still not so: {script}"
            time.sleep(0.05)

    def still(self):
        self.until("document.getElementById('map').dataset.moving === 'false'")

    def choose(self, menu, text):
        for option in self.driver.find_elements("css selector", f"#{menu} option"):
            if option.get_property("textContent") == text:
                return option.click()
        raise AssertionError(f"{menu} has no {text}")

    def place(self, image):
        """Where on the screen an image of the first dataset is, by plotly's own axes."""
        return self(
            "((i) => { const box = map.getBoundingClientRect(), l = map._fullLayout;"
            "return [Math.round(box.left + l.xaxis._offset + l.xaxis.l2p(state.x[i])),"
            "Math.round(box.top + l.yaxis._offset + l.yaxis.l2p(state.y[i]))] })(arguments[0])",
            image,
        )

    def mouse(self):
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        return ActionBuilder(self.driver, duration=40)

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()


@pytest.fixture(scope="module")
def reader(explorer, tmp_path_factory):
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("chromium and chromedriver are not on this machine (chromium-driver)")
    downloads = tmp_path_factory.mktemp("downloads")
    options = selenium.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("headless=new", "disable-dev-shm-usage", "window-size=1280,1000"):
        options.add_argument(f"--{argument}")
    options.add_argument("--enable-unsafe-swiftshader")  # WebGL without a graphics card
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which root cannot have
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": 0}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    from selenium.webdriver.chrome.service import Service

    driver = selenium.Chrome(options=options, service=Service(programs[1]))
    driver.get(explorer[0].as_uri())
    yield Reader(driver, downloads)
    # Whatever was done above: nothing went wrong, and nothing was asked of any network.
    complaints = [
        entry
        for entry in driver.get_log("browser")
        if "GPU stall due to ReadPixels" not in entry["message"]  # drawing without a card is slow
    ]
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    driver.quit()
    assert complaints == []
    assert asked and {url.split(":")[0] for url in asked} <= {"file", "blob", "data"}


def test_hover(reader):
    mouse = reader.mouse()
    mouse.pointer_action.move_to_location(*reader.place(3))
    mouse.perform()
    reader.until("!document.getElementById('tip').hidden")
    text = reader.text("#tip")
    assert NASTY in text and f"{NASTY.replace('/', '')}.jpg" in text
    assert "blob:" in reader("document.querySelector('#tip .thumb').style.backgroundImage")
    assert reader("document.title") == "depthgauge explorer"  # no markup came to life
    assert reader("document.querySelectorAll('#tip img').length") == 0


def test_click_shows_the_neighbours_of_the_table(reader, explorer):
    mouse = reader.mouse()
    mouse.pointer_action.move_to_location(*reader.place(8)).click()
    mouse.perform()
    reader.until("document.querySelectorAll('#neighbours button').length === 5")
    page = explorer[0]
    near = pd.read_csv(page.parent / "neighbours" / "birds" / "net" / "shallow.csv")
    near = near[near.image == "birds_008.jpg"]
    cards = reader.driver.find_elements("css selector", "#neighbours button")[1:]
    for card, row in zip(cards, near.itertuples(), strict=True):
        text = card.get_property("textContent")
        assert row.neighbour in text
        assert float(text.split("distance ")[1].split(row.neighbour)[0]) == pytest.approx(
            row.distance, rel=1e-3
        )


def test_walk_by_keys(reader):
    from selenium.webdriver import Keys

    reader("choose(0)")
    reader("document.activeElement.blur()")
    before = reader("Array.from(state.x)")
    assert "1 of 3: shallow · goodness 1.250, nearest neighbour right 50.0%" in reader.text(
        "#layer"
    )
    assert reader("document.getElementById('readings').hidden")  # there is one alone
    reader.press(Keys.ARROW_RIGHT)
    assert "2 of 3: middle" in reader.text("#layer")
    reader.still()
    assert "at middle" in reader.text("#neighbours-title")
    after = reader("Array.from(state.x)")
    drawn = reader("map.data.slice(0, -1).map((trace) => trace.x.length)")
    assert before != after and sum(drawn) == 40
    reader.press(Keys.HOME)
    reader.still()
    assert reader("Array.from(state.x)") == before
    # The slider takes the same keys, once.
    reader("document.getElementById('depth').focus()")
    reader.press(Keys.ARROW_RIGHT)
    assert "2 of 3" in reader.text("#layer")
    reader.still()
    reader.press(Keys.ARROW_LEFT)
    reader.still()


def test_tab_reaches_everything_in_order(reader):
    from selenium.webdriver import Keys

    reader("document.getElementById('dataset').focus()")
    order = []
    for _ in range(7):
        reader.press(Keys.TAB)
        order.append(reader("document.activeElement.id || document.activeElement.parentNode.id"))
    assert order == ["extractor", "depth", "colouring", "drag", "reset", "find", ""]
    assert reader("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert reader("[...document.querySelectorAll('select, input')].every(e => e.labels.length)")


def test_lasso_and_export(reader):
    corners = reader(
        "(() => { const b = map.getBoundingClientRect();"
        "return [b.left + 6, b.top + 6, b.right - 6, b.bottom - 6].map(Math.round) })()"
    )
    left, top, right, bottom = corners
    middle = (left + right) // 2
    mouse = reader.mouse()
    pointer = mouse.pointer_action
    pointer.move_to_location(left, top).pointer_down()
    for x, y in ((middle, top), (middle, bottom), (left, bottom), (left, top)):
        pointer.move_to_location(x, y)
    pointer.pointer_up()
    mouse.perform()
    reader.until("state.selection.size > 0")
    inside = reader(
        "Array.from(state.x.keys()).filter((i) => map.getBoundingClientRect().left"
        f" + map._fullLayout.xaxis._offset + map._fullLayout.xaxis.l2p(state.x[i]) < {middle})"
    )
    assert 0 < len(inside) < 40
    assert sorted(reader("[...state.selection]")) == inside
    assert f"{len(inside)} of 40" in reader.text("#selected")
    reader.element("#save").click()
    path = Path(reader.downloads / "birds_selected.csv")
    end = time.monotonic() + 30
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    saved = pd.read_csv(path)
    assert saved.image.tolist() == [reader(f"state.dataset.images[{i}]") for i in inside]
    assert set(saved.label) <= {"heron", NASTY}
    reader.element("#clear").click()
    assert reader("state.selection.size") == 0


def test_colours(reader):
    counts = {}
    for name in ("cluster", "goodness", "label"):
        reader.choose("colouring", name)
        keys = reader.driver.find_elements("css selector", "#legend button")
        counts[name] = [int(key.find_element("css selector", ".count").text) for key in keys]
        assert sum(counts[name]) == 40
    assert counts["cluster"] == [13, 13, 14]
    assert counts["label"] == [20, 20]
    assert counts["goodness"][-1] == 1  # the one without a value
    reader.element("#legend button").click()  # selection without a mouse's precision
    assert reader("state.selection.size") == 20
    reader.element("#clear").click()


def test_find_and_another_dataset(reader):
    from selenium.webdriver import Keys

    reader.element("#find").send_keys("birds_01", Keys.ENTER)
    assert "birds_010.jpg" in reader.text("#neighbours-title")
    reader.choose("dataset", "loose")
    assert [
        key.get_property("textContent")
        for key in reader.driver.find_elements("css selector", "#legend .name")
    ] == ["no label"]
    assert reader("[...document.querySelectorAll('#colouring option')].length") == 2
    assert "all 40 images" in reader.text("#sample")
    reader.choose("dataset", "birds")


def test_on_a_narrow_screen_nothing_sticks_out(reader):
    reader.driver.set_window_size(500, 900)
    reader.until("innerWidth <= 500")
    assert reader("document.documentElement.scrollWidth <= innerWidth")
    assert reader("map.clientWidth > 0.85 * document.documentElement.clientWidth")
    reader.driver.set_window_size(1280, 1000)
