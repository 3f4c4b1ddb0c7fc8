"""The explorer, in a real browser without a network; misplaced images; maps turned alike."""

import base64
import json
import os
import shutil
import time
from io import BytesIO, StringIO
from pathlib import Path
from urllib.parse import quote

import depthgauge.report
import numpy as np
import pandas as pd
import pytest
from accessibility import complaints
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.clusters.clusters import STABLE, _note
from depthgauge.config import checked_config
from depthgauge.datasets.folder import check_folder
from depthgauge.errors import UserError
from depthgauge.figures.misplaced import draw_advised
from depthgauge.plan import Plan
from depthgauge.report.explorer import _advised, _keys, write_explorer
from depthgauge.report.misplaced import misplaced, write_misplaced
from depthgauge.report.procrustes import align, standardise
from depthgauge.report.sprites import TILES, columns, sprite_sheets
from PIL import Image
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_samples

LAYERS = ["shallow", "middle", "deep"]
KNN1 = [0.5, 0.7, 0.6]
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
        ("deep.flat.angle", "d  ·  e  ·  shallow (mean, angle; the depth advised for it)"),
        ("deep.mean.angle", "d  ·  e  ·  shallow (the depth advised for it)"),
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


DOUBTED = [14, 2, 9]


def write_results(results, n=40, layers=LAYERS):
    """Write the tables of two datasets; the first has names meant to break out of the page.

    Misplaced at the layer of depth d are the images d, d + 7, d + 14 ..., the last the worst. The
    labels of DOUBTED are doubted, the first most.
    """
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
        manifest["source"] = [f"nest {place % 4}/{place}, so.png" for place in range(n)]
        write(f"datasets/{dataset}/manifest", manifest)
        if dataset == "birds":
            ranked = [*DOUBTED, *(place for place in range(n) if place not in DOUBTED)]
            doubts = manifest.assign(likely=np.where(labels == "heron", NASTY, "heron"))
            doubts = doubts.iloc[ranked].assign(doubt=0.2 - 0.07 * np.arange(n))
            write("misplaced/birds", doubts.assign(rank=np.arange(1, n + 1)))
        cell = {"pooling": "flat", "metric": "euclidean"}
        notes = {"middle": _note(n, 2, STABLE - 0.1, False)}
        found = [{"layer": layer, **cell, "note": notes.get(layer, "")} for layer in layers]
        write(f"clusters/{dataset}/net", found)
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
                write(
                    f"nulls/{name}",
                    [{"layer": layer, "goodness": 1.25 + depth, "knn1_half": KNN1[depth]}],
                )
                found = manifest.assign(misplaced=np.arange(n) % 7 == depth)
                found = found.assign(neighbours_label=labels[np.arange(n) % 3])[::-1]
                write(
                    f"misplaced/{name}",
                    found.sort_values("misplaced", ascending=False, kind="stable"),
                )


def data_of(page):
    text = page.read_text("utf-8").split('id="data">')[1].split("</script>")[0]
    return json.loads(text)


def advise(results, layer, *, extractor="net", dataset="birds"):
    row = {"scope": "dataset", "dataset": dataset, "extractor": extractor, "layer": layer}
    row |= {"pooling": "flat", "metric": "euclidean"}
    rows = [row, row | {"scope": "depth"}]
    pd.DataFrame(rows).to_csv(results / "verdict.csv", index=False)


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    """The page of a run, and its folder of results."""
    folder = tmp_path_factory.mktemp("explorer") / "results"
    write_results(folder)
    (folder / "plan.json").write_text(PLAN.text())
    advise(folder, "shallow")
    invoke("explorer", folder / "plan.json", "--output", folder / "explorer.html")
    return folder / "explorer.html", folder


def shown(results, folder, plan=PLAN, **options):
    """The data of the page that is written of results."""
    (results / "plan.json").write_text(plan.text())
    write_explorer(results / "plan.json", folder / "shown.html", progress=False, **options)
    return data_of(folder / "shown.html")


def test_the_page_is_one_file_and_the_same_twice(explorer):
    page, results = explorer
    again = results / "again.html"
    write_explorer(results / "plan.json", again, progress=False)
    assert again.read_bytes() == page.read_bytes()
    text = page.read_text("utf-8")
    assert "default-src 'none'" in text and "unsafe" not in text.split("<title>")[0]
    assert len(text) - len(text.split('id="data">')[1]) < 80_000  # what is not data
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
    layers = data["datasets"][0]["extractors"][0]["layers"]
    assert [(layer["accuracy"], layer["mean_goodness"]) for layer in layers] == [
        *((0.6, 3.25), (0.5, 1.25))
    ]


def test_the_depth_advised_is_starred(explorer, tmp_path):
    _, results = explorer
    folder = tmp_path / "results"
    shutil.copytree(results, folder)

    def told():
        birds, loose = shown(folder, tmp_path)["datasets"]
        assert loose["advised"] is None
        assert not any(layer["advised"] for layer in loose["extractors"][0]["layers"])
        layers = birds["extractors"][0]["layers"]
        return birds["advised"], [layer["name"] for layer in layers if layer["advised"]]

    assert told() == (["net", "shallow"], ["shallow"])
    advise(folder, "deep")
    assert told() == (["net", "deep"], ["deep"])
    for row in ({"layer": ""}, {"layer": "former"}, {"layer": "deep", "extractor": "other"}):
        advise(folder, **row)  # none is advised, or what another run has left
        assert told() == (None, [])
    advise(folder, "deep", dataset="loose")  # which has no labels any more
    assert told() == (None, [])
    (folder / "verdict.csv").unlink()
    with pytest.raises(UserError, match="verdict.csv: there is no such table"):
        told()


def test_of_several_networks_the_one_advised_is_named(tmp_path):
    rows = [
        {"scope": scope, "dataset": "birds", "extractor": extractor, "layer": layer}
        for scope, extractor, layer in (
            ("depth", "net", "deep"),
            ("depth", "pca", "components_16"),
            ("dataset", "net", "deep"),
        )
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "verdict.csv", index=False)
    config = PLAN.config | {"extractors": PLAN.config["extractors"] | {"pca": {"kind": "pca"}}}
    plan = Plan(checked_config(config), PLAN.images, PLAN.labelled)
    layers = {"net": "deep", "pca": plan.layers["pca"][0]}
    rows[1]["layer"] = layers["pca"]
    pd.DataFrame(rows).to_csv(tmp_path / "verdict.csv", index=False)
    assert _advised(tmp_path / "verdict.csv", plan, "birds") == (layers, ["net", "deep"])


def test_what_has_no_label_looks_like_no_class(explorer):
    for dataset in data_of(explorer[0])["datasets"]:
        for net in dataset["extractors"]:
            for colouring in [*dataset["colourings"], *net["colourings"]]:
                *named, none = colouring["keys"]
                assert none["symbol"] == "ring" and "ring" not in {key["symbol"] for key in named}
    keys = _keys([str(name) for name in range(10)], "no label")
    assert all(
        max(pair) - min(pair) > 60 for pair in zip(greys(keys)[:-1], greys(keys)[1:], strict=True)
    )


def greys(keys):
    """The lightness of the keys that have no colour, in order."""
    colours = [[int(key["colour"][at : at + 2], 16) for at in (1, 3, 5)] for key in keys[:-1]]
    return sorted(sum(rgb) / 3 for rgb in colours if max(rgb) - min(rgb) < 20)


def test_maps_are_told_with_their_reading(explorer, tmp_path):
    page, _ = explorer
    plain = data_of(page)["datasets"][0]["extractors"][0]
    results = tmp_path / "results"
    write_results(results)
    advise(results, "shallow")
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
    summary = pd.read_csv(results / "clusters/birds/net.csv")
    summary[["pooling", "metric"]] = ["mean", "angle"]
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
    assert dataset["note"] == "Shown: 10 of 40 pictures, drawn by class with seed 5."
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
            told_of = {"cluster": table("clusters").cluster}
            if name == "birds":
                of_images = table("nulls", f"birds/net/{layer['name']}.images")
                goodness = pd.to_numeric(of_images.goodness)[first]
                seen = values(layer["goodness"], "<f4")
                np.testing.assert_allclose(seen, goodness, rtol=1e-6)
                words = {True: "among another class", False: "not among another"}
                found = table("misplaced")
                told_of["misplaced"] = found.misplaced.map(words)
                told = [dataset["classes"][at] for at in values(layer["suggested"], "<u2")]
                assert told == found.neighbours_label[first].tolist()
                worst = [image for image in found.index[found.misplaced] if image in first]
                assert [first[at] for at in values(layer["worst"], "<u4")] == worst
            for colouring in net["colourings"]:
                if (kind := colouring["name"]) != "goodness":
                    keys = [key["name"] for key in colouring["keys"]]
                    told = [keys[code] for code in values(colouring["codes"][place], "<u2")]
                    assert told == [value or f"no {kind}" for value in told_of[kind][first]]
        if name == "birds":  # whose labels are doubted, by all images, shown or not
            doubted = [f"birds_{place:03}.jpg" for place in DOUBTED]
            assert [names[at] for at in values(dataset["doubted"], "<u4")] == doubted
            likely = [dataset["classes"][at] for at in values(dataset["likely"], "<u2")]
            assert likely == [NASTY, NASTY, "heron"]
        else:
            assert "doubted" not in dataset
        # The thumbnails, of which no two have one colour.
        (sheet,) = dataset["sheets"]
        pixels = np.asarray(Image.open(BytesIO(base64.b64decode(sheet)))).astype(int)
        manifest = pd.read_csv(results / f"datasets/{name}/manifest.csv")
        order = manifest.image.tolist()
        assert dataset["sources"] == manifest.set_index("image").source[names].tolist()
        side = TILES[0]
        for at, image in enumerate(first):
            row, column = divmod(at, columns(side))
            seen = pixels[row * side + side // 2, column * side + side // 2]
            assert abs(seen - colour_of(name, order.index(image))).max() < 12


def test_labels_proposed_are_shown_of_a_dataset_labelled_in_part_alone(explorer, tmp_path):
    page, _ = explorer
    write_results(tmp_path)
    advise(tmp_path, "shallow")
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
    proposal = [loose["classes"][code] for code in values(loose["suggested"], "<u2")]
    assert proposal == ["", "ibis"] * 20


def test_nothing_of_another_run_is_shown(explorer, tmp_path):
    page, _ = explorer
    results = tmp_path / "results"
    write_results(results)
    (results / "plan.json").write_text(PLAN.text())
    advise(results, "shallow")
    # A larger run: a dataset, a network and a layer more; labels where there were some, or all.
    for folder in ("embeddings", "neighbours", "clusters", "nulls", "misplaced"):
        own = results / folder
        shutil.copytree(own / "birds", own / "gone")
        shutil.copytree(own / "birds/net", own / "birds/former")
        shutil.copy(own / "birds/net/deep.csv", own / "birds/net/layer_9.csv")
        if folder in ("nulls", "misplaced"):
            shutil.copytree(own / "birds", own / "loose")
    shutil.copy(results / "misplaced/birds.csv", results / "misplaced/loose.csv")
    for dataset in ("birds", "loose", "gone"):
        (results / "labels" / dataset).mkdir(parents=True)
        fewer = pd.DataFrame({"image": ["older.jpg"], "label": ["of old"]})
        fewer.to_csv(results / "labels" / dataset / "labels.csv", index=False)
    write_explorer(results / "plan.json", results / "page.html", progress=False)
    assert (results / "page.html").read_bytes() == page.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("embeddings/birds/net/middle.csv", "neighbours/loose/net/deep.csv"),
        *("clusters/loose/net/shallow.csv", "clusters/loose/net.csv"),
        *("nulls/birds/net/deep.csv", "nulls/birds/net/deep.images.csv"),
        *("misplaced/birds/net/middle.csv", "misplaced/birds.csv", "labels/loose/labels.csv"),
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


@pytest.mark.parametrize("name", ["embeddings/birds/net/middle.csv", "misplaced/birds.csv"])
def test_tables_of_other_images_are_refused(tmp_path, name):
    write_results(tmp_path)
    advise(tmp_path, "deep")
    path = tmp_path / name
    found = pd.read_csv(path)
    found.loc[0, "image"] = "other.jpg"
    found.to_csv(path, index=False)
    with pytest.raises(UserError, match=f"{path.name}: is not of the images"):
        shown(tmp_path, tmp_path)


def test_thumbnails_stand_in_order(tmp_path):
    side, across = TILES[1], columns(TILES[1])
    count = across**2 + 3
    Image.new("RGB", (90, 30), (0, 160, 0)).save(tmp_path / "wide.png")
    Image.new("RGB", (30, 90), (200, 0, 0)).save(tmp_path / "tall.png")
    names = ["tall.png"] + ["wide.png"] * (count - 2) + ["tall.png"]
    sheets = sprite_sheets(tmp_path, names, side, progress=False)
    sizes = []
    for place, sheet in enumerate(sheets):
        path = tmp_path / f"{place}.jpg"
        path.write_bytes(sheet)
        pixels = np.asarray(Image.open(path)).astype(int)
        sizes.append(pixels.shape[:2])
    assert sizes == [(across * side, across * side), (side, across * side)]
    last = pixels[:, 2 * side : 3 * side]
    assert abs(last[side // 2, side // 2] - [200, 0, 0]).max() < 12
    assert abs(last[side // 2, 2] - 232).max() < 12  # whole, beside it the ground
    assert abs(pixels[side // 2, side // 2] - [0, 160, 0]).max() < 12


def test_of_few_images_the_pictures_are_larger(explorer, tmp_path, monkeypatch):
    _, results = explorer
    assert shown(results, tmp_path)["tile"] == 96
    monkeypatch.setattr("depthgauge.report.explorer._FEW", 79)
    data = shown(results, tmp_path)
    assert (data["tile"], data["columns"]) == (48, 50)


def test_links_lead_from_where_the_page_is(explorer, tmp_path):
    page, results = explorer
    assert data_of(page)["results"] == "."
    (results.parent / "elsewhere").mkdir()
    write_explorer(results / "plan.json", results.parent / "elsewhere/x.html", progress=False)
    assert data_of(results.parent / "elsewhere/x.html")["results"] == "../results"


# -- in a browser --------------------------------------------------------------------------


class Reader:
    """A reader at a browser: what they do and what they see."""

    def __init__(self, driver, downloads, page):
        self.driver, self.downloads, self.page = driver, downloads, page

    def __call__(self, script, *arguments):
        return self.driver.execute_script(f"return {script}", *arguments)

    def element(self, name):
        return self.driver.find_element("css selector", name)

    def elements(self, name):
        return self.driver.find_elements("css selector", name)

    def text(self, name):
        return self.element(name).get_property("textContent")

    def texts(self, name):
        return [found.get_property("textContent") for found in self.elements(name)]

    def until(self, script, *arguments):
        end = time.monotonic() + 60
        while not self(script, *arguments):
            assert time.monotonic() < end, f"still not so: {script}"
            time.sleep(0.02)

    def still(self):
        self.until("panes.every((pane) => pane.root.dataset.moving === 'false' && !pane.waiting)")

    def open(self, address=""):
        """Open the page at an address, as a reader who comes by a link."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.page.as_uri()}{address}")
        self.still()

    def choose(self, menu, text):
        for option in self.elements(f"#{menu} option"):
            if option.get_property("textContent") == text:
                return option.click()
        raise AssertionError(f"{menu} has no {text}")

    def place(self, image, pane=0):
        """Where on the screen an image is."""
        return self(
            "(([i, p]) => { const box = panes[p].over.getBoundingClientRect();"
            "const [x, y] = panes[p].place(i);"
            "return [Math.round(box.left + x), Math.round(box.top + y)] })(arguments[0])",
            [image, pane],
        )

    def colour(self, image):
        """The colour in the middle of an image on the map."""
        return self(
            "((i) => { const r = devicePixelRatio, [x, y] = panes[0].place(i);"
            "return [...panes[0].dots.getContext('2d')"
            ".getImageData(Math.round(x * r), Math.round(y * r), 1, 1).data].slice(0, 3) })"
            "(arguments[0])",
            image,
        )

    def selected(self):
        return sorted(self("[...state.selection]"))

    def mouse(self):
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        return ActionBuilder(self.driver, duration=20)

    def point(self, image, pane=0):
        mouse = self.mouse()
        mouse.pointer_action.move_to_location(*self.place(image, pane))
        mouse.perform()

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def shift_click(self, element):
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).key_down(Keys.SHIFT).click(element).key_up(Keys.SHIFT).perform()

    def media(self, **features):
        given = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": given})

    def saved(self, name):
        """The file that was saved, once it is whole."""
        path = Path(self.downloads / name)
        end = time.monotonic() + 30
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.02)
        text = path.read_text("utf-8")
        path.unlink()
        return text


@pytest.fixture(scope="module")
def browser(explorer, tmp_path_factory):
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("chromium and chromedriver are not on this machine (chromium-driver)")
    downloads = tmp_path_factory.mktemp("downloads")
    options = selenium.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("headless=new", "disable-dev-shm-usage", "window-size=1280,800"):
        options.add_argument(f"--{argument}")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which root cannot have
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": 0}
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    from selenium.webdriver.chrome.service import Service

    driver = selenium.Chrome(options=options, service=Service(programs[1]))
    yield Reader(driver, downloads, explorer[0])
    # Whatever was done above: nothing went wrong, and nothing was asked of any network.
    complaints = driver.get_log("browser")
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    driver.quit()
    assert complaints == []
    assert asked and {url.split(":")[0] for url in asked} <= {"file", "blob", "data", "about"}


@pytest.fixture
def reader(browser):
    browser.media()
    browser.open()
    yield browser
    browser("localStorage.clear()")


def test_opens_at_the_depth_advised(reader):
    assert reader("document.title") == "depthgauge explorer"
    assert "1 of 3: shallow" in reader.text(".facts") and "advised" in reader.text(".facts")
    assert "same class for 50 of 100 pictures" in reader.text(".facts")
    assert reader.texts(".depths button") == [
        "shallow ★50 of 100",
        "middle70 of 100",
        "deep60 of 100",
    ]
    pressed = reader.element(".depths [aria-pressed=true]")
    assert pressed.get_attribute("aria-label") == "shallow, 50 of 100, advised"
    assert reader("location.hash") == "#birds/net/shallow/-"
    assert reader("document.getElementById('readings').hidden")  # there is one alone
    assert reader("document.getElementById('report').href").endswith("/results/report.html")
    # Without labels at the deepest.
    reader.open("#loose")
    assert "3 of 3: deep" in reader.text(".facts") and reader.text(".depths .of") == ""
    assert reader.texts("#legend .name") == ["no label"]
    assert len(reader.elements("#colouring option")) == 2
    assert reader.text("#sample") == "Shown: all 40 pictures."


def test_hover(reader):
    reader.point(3)
    reader.until("!document.getElementById('tip').hidden")
    text = reader.text("#tip")
    assert NASTY in text and "nest 3/3, so.png" in text
    assert "blob:" in reader("document.querySelector('#tip .thumb').style.backgroundImage")
    assert reader("document.querySelectorAll('img').length") == 0  # no markup came to life


def test_click_shows_the_neighbours_of_the_table(reader, explorer):
    _, results = explorer
    reader.point(8)
    mouse = reader.mouse()
    mouse.pointer_action.move_to_location(*reader.place(8)).click()
    mouse.perform()
    reader.until("document.querySelectorAll('#neighbours button').length === 5")
    near = pd.read_csv(results / "neighbours" / "birds" / "net" / "shallow.csv")
    near = near[near.image == "birds_008.jpg"]
    sources = pd.read_csv(results / "datasets/birds/manifest.csv").set_index("image").source
    for card, row in zip(reader.elements("#neighbours button")[1:], near.itertuples(), strict=True):
        text = card.get_property("textContent")
        assert text.endswith(sources[row.neighbour])
        assert float(text.split("distance ")[1].split("nest")[0]) == pytest.approx(
            row.distance, rel=1e-3
        )
    jpeg = results / "datasets" / "birds" / "images" / "birds_008.jpg"
    assert reader("document.getElementById('jpeg').href") == jpeg.as_uri()
    assert "image=birds_008.jpg" in reader("location.hash")


def test_walk_by_keys(reader):
    from selenium.webdriver import Keys

    reader("choose(0)")
    before = reader("Array.from(panes[0].x)")
    reader.press(Keys.ARROW_RIGHT)
    assert "2 of 3: middle" in reader.text(".facts")
    reader.until("panes[0].root.dataset.moving === 'true' || panes[0].x !== null")
    reader.still()
    assert "at middle" in reader.text("#near-title")
    assert reader("location.hash").startswith("#birds/net/middle/-/")
    assert "middle" in reader.text("#told")
    assert before != reader("Array.from(panes[0].x)")
    reader.press(Keys.END)
    reader.still()
    assert "3 of 3" in reader.text(".facts")
    reader.press(Keys.HOME)
    reader.still()
    assert reader("Array.from(panes[0].x)") == before
    # Who wants less motion sees none.
    reader.media(**{"prefers-reduced-motion": "reduce"})
    reader("walk(panes[0], 1)")
    assert reader("panes[0].root.dataset.moving") == "false"
    # On the map the same keys go from image to image.
    reader("panes[0].over.focus()")
    x = reader("panes[0].place(state.chosen)[0]")
    reader.press(Keys.ARROW_RIGHT)
    assert reader("panes[0].place(state.chosen)[0]") > x and "2 of 3" in reader.text(".facts")
    assert reader("source(state.chosen)") in reader.text("#told")
    reader.press(Keys.ENTER)
    assert reader.selected() == [reader("state.chosen")]
    reader.press(Keys.ESCAPE)
    assert reader.selected() == []


def test_tab_reaches_everything_in_order(reader):
    from selenium.webdriver import Keys

    reader("document.getElementById('report').focus()")
    order = []
    while "gallery" not in order and len(order) < 30:
        reader.press(Keys.TAB)
        order.append(
            reader("document.activeElement.id || document.activeElement.closest('ul')?.id || ''")
        )
        assert reader("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert [name for name in order if name] == [
        *("dataset", "colouring", "points", "drag", "beside", "find", "help"),
        *("which", "by-label", "by-cluster", "legend", "legend"),
        *("adding", "save", "gallery"),
    ]
    # In the gallery the arrows go on.
    reader.press(Keys.ARROW_RIGHT)
    second = DOUBTED[1]
    assert reader("document.activeElement.closest('li').dataset.image") == str(second)
    reader.press(Keys.ENTER)
    assert reader("state.chosen") == second


def lasso(reader, *, shift=False):
    """Draw around the left half of the map; return the images that lie in it."""
    from selenium.webdriver import ActionChains, Keys

    left, top, right, bottom = reader(
        "(() => { const b = panes[0].over.getBoundingClientRect();"
        "return [b.left + 3, b.top + 3, b.right - 3, b.bottom - 3].map(Math.round) })()"
    )
    middle = (left + right) // 2
    if shift:
        ActionChains(reader.driver).key_down(Keys.SHIFT).perform()
    mouse = reader.mouse()
    pointer = mouse.pointer_action
    pointer.move_to_location(left, top).pointer_down()
    for x, y in ((middle, top), (middle, bottom), (left, bottom), (left, top)):
        pointer.move_to_location(x, y)
    pointer.pointer_up()
    mouse.perform()
    if shift:
        ActionChains(reader.driver).key_up(Keys.SHIFT).perform()
    return [image for image in range(40) if reader.place(image)[0] < middle]


def test_lasso_and_list(reader):
    inside = lasso(reader)
    reader.until("state.selection.size > 0")
    assert 0 < len(inside) < 40 and reader.selected() == inside
    assert reader.text("#gallery-title") == f"Selected: {len(inside)} of 40"
    counts = pd.Series(reader("arguments[0].map(told)", inside)).value_counts()
    assert sorted(reader.texts("#counts li")) == sorted(f"{a}: {b}" for a, b in counts.items())
    reader.element("#save").click()
    saved = pd.read_csv(StringIO(reader.saved("birds_list.csv")))
    assert sorted(saved.image) == sorted(reader("arguments[0].map(source)", inside))
    assert set(saved.label) <= {"heron", NASTY}
    # Shift adds to what a name among the colours has selected.
    reader.element("#clear").click()
    reader.elements("#legend button")[1].click()
    herons = reader.selected()
    assert len(herons) == 20 and reader.element("#legend [aria-pressed=true]")
    lasso(reader, shift=True)
    assert reader.selected() == sorted({*herons, *inside})


def test_what_is_pressed_again_is_taken_away(reader):
    reader.elements("#legend button")[1].click()
    assert len(reader.selected()) == 20
    reader.shift_click(reader.elements("#legend button")[0])
    assert len(reader.selected()) == 40
    reader.shift_click(reader.elements("#legend button")[1])
    odd = reader("everyone().filter((i) => label(i) !== 'heron')")
    assert reader.selected() == odd
    reader.element("#only").click()
    assert reader("state.visible.reduce((a, b) => a + b)") == 20
    assert reader.texts("#legend .count") == ["20 of 20"]
    reader.element("#only").click()
    assert reader("state.visible.reduce((a, b) => a + b)") == 40
    reader.elements("#legend button")[0].click()
    assert reader.selected() == []


def test_labels_doubted_are_those_of_the_report(reader):
    from selenium.webdriver import Keys

    report = Path(depthgauge.report.__file__).parent / "page" / "report.html"
    link = report.read_text("utf-8").split("explorer.html#{{ d.name | urlencode }}////")[1]
    reader.open("#birds////" + link.split('"')[0])
    assert reader("part('which').value") == "doubted" and "/doubted" in reader("location.hash")
    assert reader.text("#gallery-title") == "Label doubted: 3, worst first"
    told = "[...document.querySelectorAll('#gallery li')].map((li) => +li.dataset.image)"
    assert reader(told) == DOUBTED
    assert reader("part('gallery').querySelectorAll('.reason').length") == 0
    others = ["heron" if place % 2 else NASTY for place in DOUBTED]
    assert reader.texts("#gallery .is") == [f"relabel as {label}" for label in others]
    reader.press(Keys.END)  # at each depth the same
    assert reader(told) == DOUBTED
    reader.choose("by-label", "heron")
    assert reader.text("#gallery-title") == "Label doubted: 2 of 3, worst first"
    assert "label doubted: rather" in reader("words(14).join()")
    reader.open("#birds")  # so does the page open
    assert reader.text("#gallery-title") == "Label doubted: 3, worst first"
    # Where not all have labels there is no such list.
    reader.open("#loose////doubted")
    assert reader("[part('which').value, location.hash]") == ["", "#loose/net/deep/-"]
    assert "doubted" not in "".join(reader.texts("#which option"))


def test_gallery_shows_the_misplaced_worst_first(reader, explorer):
    _, results = explorer
    for layer in ("shallow", "deep"):
        reader.open(f"#birds/net/{layer}/-/misplaced")
        found = pd.read_csv(results / f"misplaced/birds/net/{layer}.csv")
        found = found[found.misplaced]
        title = f"Among another class: {len(found)}, worst first"
        assert reader.text("#gallery-title") == title
        told = [entry.get_attribute("title") for entry in reader.elements("#gallery .picture")]
        assert told == found.source.tolist()
        # Of a label that is doubted the report's suggestion stands there.
        doubted = found.image.isin([f"birds_{place:03}.jpg" for place in DOUBTED])
        likely = np.where(found.label == "heron", NASTY, "heron")
        suggestions = found.neighbours_label.where(~doubted, likely)
        suggestions = suggestions[suggestions != found.label]
        assert reader.texts("#gallery .is") == [f"relabel as {label}" for label in suggestions]
        none = len(found) - len(suggestions)
        assert reader.texts("#gallery .reason") == ["neighbours differ"] * none
    reader.choose("which", "not among another")
    assert set(reader.texts("#gallery .reason")) == {"neighbours agree"}
    assert len(reader.elements("#gallery .is, #gallery .reason")) == len(
        reader.elements("#gallery .picture")
    )


def test_filters(reader):
    seen = "everyone().filter((i) => state.listed[i])"
    reader.choose("which", "among another class, at this depth")
    assert reader(seen) == list(range(0, 40, 7))
    reader.choose("by-label", "heron")
    assert reader(seen) == list(range(0, 40, 14))
    assert sorted(reader.texts("#legend .count")) == ["0 of 20", "3 of 20"]
    reader.choose("which", "not among another")
    assert reader(seen) == [i for i in range(0, 40, 2) if i % 14]
    reader.choose("by-label", "all")
    reader.choose("by-cluster", "2")
    assert reader(seen) == [i for i in range(2, 40, 3) if i % 7]
    reader.choose("which", "all pictures")
    assert len(reader(seen)) == 13
    assert reader.text("#gallery-title") == "13 pictures"


def test_what_is_not_listed_is_pale_until_it_is_hidden(reader):
    def strongest(image):
        return max(reader.colour(image)) - min(reader.colour(image))

    # Each image at a place of its own, so that neither another nor a name lies on it.
    reader(
        "(() => { const { centre, span } = extent(panes[0].extractor);"
        "panes[0].x = panes[0].x.map((_, i) => centre.x + span[0] * ((i % 8) / 8 - 0.4));"
        "panes[0].y = panes[0].y.map((_, i) => centre.y + span[1] * (Math.floor(i / 8) / 5 - 0.4));"
        "panes[0].nameGroups = () => {}; panes[0].paint(); })()"
    )
    before = strongest(1)
    reader.choose("which", "label doubted, as in the report")
    reader.still()
    assert len(reader("panes[0].inside")) == 40
    assert 0 < strongest(1) < before / 2 and strongest(9) == before  # of one class
    # A ring of ink is around those listed, and around no other.
    ring = (
        "((i) => { const r = devicePixelRatio, [x, y] = panes[0].place(i);"
        "const far = panes[0].size() / 2 + 2.5, context = panes[0].dots.getContext('2d');"
        "const at = context.getImageData(Math.round((x + far) * r), Math.round(y * r), 1, 1).data;"
        "return at[0] + at[1] + at[2] < 382 })(arguments[0])"
    )
    assert [image for image in range(40) if reader(ring, image)] == sorted(DOUBTED)
    # What is pale is there for the mouse, so that one sees among what an image lies.
    reader.point(1)
    reader.until("state.hover === 1")
    # Around the whole map only what is listed is selected.
    reader("(panes[0].drawn = [[0, 0], [4000, 0], [4000, 4000], [0, 4000]])")
    assert sorted(reader("panes[0].within()")) == sorted(DOUBTED)
    reader("panes[0].drawn = null")
    reader.element("#only").click()
    reader.still()
    assert sorted(reader("panes[0].inside")) == sorted(DOUBTED)
    assert "only" in reader("location.hash").split("/")
    reader.choose("which", "among another class, at this depth")
    assert reader("everyone().filter((i) => state.visible[i])") == list(range(0, 40, 7))
    reader.open(reader("location.hash"))
    assert reader("everyone().filter((i) => state.visible[i])") == list(range(0, 40, 7))
    reader.choose("which", "all pictures")
    assert reader("state.visible.every(Boolean) && !state.only")


def test_names_cover_nothing_that_is_listed_and_stay_on_the_map(reader):
    # All of one class in the middle of the map, or at its edge, where its name would stand.
    for middle in (True, False):
        reader(
            "((middle) => { const { centre: { x, y }, span } = extent(panes[0].extractor);"
            "const left = middle ? x : x - span[0] / 2;"
            "panes[0].x = panes[0].x.map((_, i) => (i % 2 ? x + span[0] / 3 : left + i / 1000));"
            "panes[0].y = panes[0].y.map((_, i) => y + (i % 4) / 20); })(arguments[0])",
            middle,
        )
        reader("(state.label = 'heron', refresh(), panes[0].paint())")
        near = (
            "panes[0].named.flatMap(({ at, below, half }) => everyone().filter(lit).filter((i) => {"
            "const [x, y] = panes[0].place(i); const r = panes[0].size() / 2 + 3;"
            "return Math.abs(x - at) < half + r && Math.abs(y - below) < 6 + r; }))"
        )
        assert reader("panes[0].named.length") and reader(near) == []
        assert reader(
            "panes[0].named.every(({ at, below, half }) => at - half >= 0 && below > 6 &&"
            "at + half <= panes[0].width && below < panes[0].height - 6)"
        )


def test_corrections_are_read_by_a_folder_dataset(reader, explorer, tmp_path):
    _, results = explorer
    manifest = pd.read_csv(results / "datasets/birds/manifest.csv")
    first = reader.element("#gallery .is")
    wrong = reader("Number(document.querySelector('#gallery .is').closest('li').dataset.image)")
    said = first.get_property("textContent").removeprefix("relabel as ")
    assert not reader.element("#corrections").is_enabled()
    first.click()
    # Another two by the name of their label, which is new.
    assert reader.text("#really") == "This picture is really:"
    reader("select([4, 5])")
    assert reader.text("#really") == "These 2 pictures are really:"
    reader.element("#right").send_keys(' new, "odd" ')
    reader.element("#mark").click()
    assert "3 pictures corrected" in reader.text("#marked")
    # Marks outlive the page.
    reader.open()
    assert "3 pictures corrected" in reader.text("#marked")
    assert reader.element("#gallery .is").get_attribute("aria-pressed") == "true"
    reader.element("#corrections").click()
    table = tmp_path / "corrections.csv"
    table.write_text(reader.saved("corrections.csv"), encoding="utf-8")
    folder = tmp_path / "photos"
    for source in manifest.source:
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        (folder / source).touch()
    expected = dict(zip(manifest.source, manifest.label, strict=True))
    expected[manifest.source[wrong]] = said
    expected[manifest.source[4]] = expected[manifest.source[5]] = 'new, "odd"'
    read = {
        path.relative_to(folder).as_posix(): label
        for label, paths in check_folder(folder, table).items()
        for path in paths
    }
    assert read == expected
    changed = pd.read_csv(table, keep_default_na=False).query("was != ''")
    assert sorted(changed.image) == sorted(manifest.source[[wrong, 4, 5]])
    # A key marks what is chosen, another takes the mark away.
    reader.element("#unmark").click()
    assert reader("state.marks.size") == 0
    reader("(choose(arguments[0]), panes[0].over.focus())", wrong)
    reader.press("w")
    assert reader("[...state.marks]") == [[wrong, said]]
    reader.press("u")
    assert reader("state.marks.size") == 0


@pytest.mark.parametrize("drawn", [False, True])
def test_the_page_says_how_to_run_again_with_corrections(reader, drawn):
    reader("Object.assign(state.dataset, { folder: true, drawn: arguments[0] })", drawn)
    reader("mark([4], 'stork')")
    assert "Save them" in reader.text("#marked")
    reader.element("#corrections").click()
    assert ",stork,heron" in reader.saved("corrections.csv")
    lines = ["depthgauge run PHOTOS", "depthgauge run PHOTOS --labels FOLDER/corrections.csv"]
    for place in ("#marked", "#how-to-use"):
        assert reader.texts(f"{place} code") == [*lines, "labels: corrections.csv"]
        assert "under birds." in reader.text(place)
        assert ("not drawn for this run" in reader.text(place)) == drawn
    reader("(state.dataset.folder = false, refresh())")
    assert "not read from a folder" in reader.text("#marked")
    assert reader.texts("#marked code") == []


def test_the_address_brings_everything_back(reader):
    reader.open("#birds/net/deep/-/misplaced=no/label=heron/colour=cluster/image=birds_004.jpg")
    assert "3 of 3: deep" in reader.text(".facts")
    seen = "everyone().filter((i) => state.listed[i] && state.visible[i])"
    assert reader(seen) == [i for i in range(0, 40, 2) if i % 7 != 2]
    assert reader("[state.colour, state.chosen]") == ["cluster", 4]
    assert reader.element("#by-label").get_property("value") != ""
    address = reader("location.hash")
    reader.open(address)
    assert reader("location.hash") == address and reader(seen)[:2] == [0, 4]
    reader.open(f"#birds////select=birds_004.jpg,{quote(NASTY.replace('/', ''))}.jpg/only")
    assert reader.selected() == [3, 4] and reader(seen) == [3, 4]
    assert "1 of 3: shallow" in reader.text(".facts")
    # In the open page, too.
    reader("location.hash = '#birds/net/middle/-/points=pictures'")
    reader.until("panes[0].layer.name === 'middle'")
    reader.still()
    assert reader("state.points") == "pictures" and reader.selected() == []
    reader.open("#birds/net/gone/-/select=none.jpg/nonsense")
    assert "gone, none.jpg, nonsense" in reader.text("#status")
    assert "1 of 3: shallow" in reader.text(".facts")


def test_two_depths_beside_each_other(reader):
    reader.element("#beside").click()
    assert reader("panes.map((pane) => pane.layer.name)") == ["shallow", "middle"]
    assert "beside=net%2Fmiddle" in reader("location.hash")
    reader.elements(".pane")[1].find_elements("css selector", ".depths button")[2].click()
    reader.still()
    assert reader("panes.map((pane) => pane.layer.name)") == ["shallow", "deep"]
    reader.point(6, pane=1)
    reader.until("state.hover === 6")
    inside = lasso(reader)
    assert reader.selected() == inside
    address = reader("location.hash")
    reader.open(address)
    assert reader("panes.map((pane) => pane.layer.name)") == ["shallow", "deep"]
    reader.element("#beside").click()
    assert reader("panes.length") == 1 and "beside" not in reader("location.hash")


def test_dots_have_their_colours_and_pictures_their_images(reader):
    keys = reader("colouring('label').keys.map((key) => key.colour)")
    for image in (0, 1):  # of two labels
        reader("select([arguments[0]])", image)
        reader.still()
        colour = keys[reader("codes('label')[arguments[0]]", image)]
        assert reader.colour(image) == [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    reader.choose("points", "pictures")
    order = reader("state.dataset.images")
    for image in (3, 17, 38):
        reader("select([arguments[0]])", image)
        reader.until("panes[0].picture > 0 && sheets.values().next().value?.picture?.complete")
        reader("panes[0].paint()")
        assert order[image].startswith(("birds", "<script"))
        assert np.abs(np.subtract(reader.colour(image), colour_of("birds", image))).max() < 14
    # Many are copied pixel by pixel, and are the same.
    reader("(select([]), panes[0].small(14))")
    seen = reader(
        "[0, 1, 39].map((i) => [...new Uint8Array(panes[0].small(14).full[0].slice("
        "14 * 14 * DATA.columns * Math.floor(i / DATA.columns) + 7 * 14 * DATA.columns"
        " + 14 * (i % DATA.columns) + 7).buffer).slice(0, 3)])"
    )
    for image, colour in zip((0, 1, 39), seen, strict=True):
        assert np.abs(np.subtract(colour, colour_of("birds", image))).max() < 14
    # Near enough, dots become pictures by themselves.
    reader.choose("points", "dots or pictures")
    reader.still()
    assert reader("panes[0].picture") == 0
    reader("(panes[0].zoom(6), panes[0].paint())")
    assert reader("panes[0].picture") > 0


def test_names_stand_where_most_of_their_images_lie(reader):
    # Of the herons most lie in one place, and fewer in another.
    reader(
        "(panes[0].x = panes[0].x.map((_, i) => (i % 2 ? 0.5 : i < 12 ? -1 : 1)),"
        "panes[0].y = panes[0].y.map(() => 0))"
    )
    heron, stork = reader(
        "(() => { const names = colouring('label').keys.map((key) => key.name);"
        "const found = panes[0].middles(colouring('label').keys, codes('label'));"
        "return ['heron', arguments[0]].map((name) => found[names.indexOf(name)]) })()",
        NASTY,
    )
    assert heron == [1, 0] and stork == [0.5, 0]


def test_a_map_fits_again_after_its_window_changed(reader):
    places = "everyone().map((i) => panes[0].place(i))"

    def fits():
        x, y = np.array(reader(places)).T
        width, height = reader("[panes[0].width, panes[0].height]")
        assert x.min() >= 0 and y.min() >= 0 and x.max() <= width and y.max() <= height
        return np.ptp(x), np.ptp(y)

    before = reader(places)
    across = fits()
    reader.driver.set_window_size(700, 800)
    reader.until("innerWidth <= 700 && panes[0].width < 700")
    narrow = fits()
    # Circles stay circles: both axes shrink alike.
    assert narrow[0] / across[0] == pytest.approx(narrow[1] / across[1], rel=1e-3)
    reader.driver.set_window_size(1280, 800)
    reader.until("panes[0].width > 700")
    assert reader(places) == before


def test_a_wheel_zooms_about_the_pointer(reader):
    before = reader.place(5)
    origin = reader(
        "(() => { const b = panes[0].over.getBoundingClientRect(); return [b.left, b.top] })()"
    )
    x, y = before[0] - origin[0], before[1] - origin[1]
    reader("panes[0].zoom(3, arguments[0], arguments[1])", x, y)
    assert np.abs(np.subtract(reader.place(5), before)).max() <= 1
    reader.element(".whole").click()
    assert reader("panes[0].view.zoom") == 1


def test_fingers_move_and_zoom_the_map(reader):
    left, top = reader(
        "(() => { const b = panes[0].over.getBoundingClientRect(); return [b.left, b.top] })()"
    )

    def touch(kind, *points):
        at = [{"x": left + x, "y": top + y, "id": name} for name, (x, y) in enumerate(points)]
        reader.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    before = np.array(reader("[0, 1].map((image) => panes[0].place(image))"))
    touch("touchStart", (200, 200), (300, 200))
    touch("touchMove", (200, 200), (400, 200))
    touch("touchEnd")
    # Twice as far apart, whatever draws a lasso with one finger; and nothing was selected.
    after = np.array(reader("[0, 1].map((image) => panes[0].place(image))"))
    np.testing.assert_allclose(np.diff(after, axis=0), 2 * np.diff(before, axis=0), rtol=1e-6)
    assert reader.selected() == [] and reader("state.chosen") is None
    reader.choose("drag", "moves the map")
    touch("touchStart", (200, 200))
    touch("touchMove", (230, 190))
    touch("touchEnd")
    moved = np.array(reader("[0, 1].map((image) => panes[0].place(image))"))
    np.testing.assert_allclose(moved - after, [[30, -10]] * 2, atol=1e-6)


def test_search_selects_all_hits_in_names_and_labels(reader):
    from selenium.webdriver import Keys

    for text, hits in (
        ("birds_01", range(10, 20)),
        ("HERON", range(0, 40, 2)),
        ("nest 3/", range(3, 40, 4)),
    ):
        reader("document.getElementById('find').value = ''")
        reader.element("#find").send_keys(text, Keys.ENTER)
        assert reader.selected() == list(hits)
        assert f"{len(hits)} pictures with “{text}”" in reader.text("#status")
    reader("document.getElementById('find').value = ''")
    reader.element("#find").send_keys("no such", Keys.ENTER)
    assert reader.selected() == [] and "No picture" in reader.text("#status")
    # An answer does not outlive what it was about.
    reader.elements("#legend button")[0].click()
    assert reader.text("#status") == "" and "find" not in reader("location.hash")
    reader.choose("dataset", "loose")
    assert reader.text("#status") == "" and reader("document.getElementById('find').value") == ""


def test_clusters_that_are_not_stable_are_called_so(reader, explorer):
    for dataset in data_of(explorer[0])["datasets"]:
        (net,) = dataset["extractors"]
        assert [layer["unstable"] for layer in net["layers"]] == [False, True, False]
    for depth, said in enumerate(["cluster", "cluster (not stable)", "cluster"]):
        reader("walk(panes[0], arguments[0])", depth)
        assert said in reader.texts("#colouring option") and reader.text("#cluster-word") == said
        reader.choose("colouring", said)
        assert reader.text("#legend-title") == f"Colours: {said} (3)"
        assert reader("state.colour") == "cluster"


def test_what_is_pressed_says_what_it_does(reader):
    names = ["only", "clear", "save", "corrections", "beside", "mark", "unmark"]
    names += ["which", "by-label", "by-cluster", "colouring", "points", "drag"]
    titles = reader("arguments[0].map((id) => part(id).title)", names)
    assert all(len(title) > 20 for title in titles), dict(zip(names, titles, strict=True))
    titles = set()
    for option in reader.elements("#colouring option"):
        option.click()
        titles.add(reader("part('colouring').title"))
    assert len(titles) == 4
    told = reader.text("#helping")
    for word in ("cluster", "goodness", "Save this list", "Only these", "not among another"):
        assert word in told
    assert "the report’s “same class”" in " ".join(told.split())
    page = reader("document.body.innerText") + told
    assert "image" not in page.lower()  # one word for one thing


def test_colours(reader):
    counts = {}
    for name in ("cluster", "goodness", "class"):
        reader.choose("colouring", name)
        counts[name] = [int(text) for text in reader.texts("#legend .count")]
        assert sum(counts[name]) == 40
    assert counts["cluster"] == [13, 13, 14]
    assert counts["class"] == [20, 20]
    assert counts["goodness"][-1] == 1  # the one without a value


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_operate_the_page(reader, scheme):
    reader.media(**{"prefers-color-scheme": scheme})
    reader.element("#gallery .is").click()
    reader("select([0, 1, 2])")
    reader("choose(4)")
    assert complaints(reader.driver) == []
    reader.element("#help").click()
    assert complaints(reader.driver) == []
    ground = reader("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    # No symbol is lost on the ground, and all in a legend stand out from it.
    edges = reader(
        "colouring('label').keys.map(({ colour }) => contrast(edge("
        "colour, COLOURS.ground, COLOURS.ink), COLOURS.ground))"
    )
    assert min(edges) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_button_just_pressed_can_be_read_under_the_pointer(reader, scheme):
    from selenium.webdriver import ActionChains

    reader.media(**{"prefers-color-scheme": scheme})
    for name in ("#beside", "#gallery .is", "#legend button", "#gallery-title", ".depths button"):
        button = reader.element(name)
        ActionChains(reader.driver).click(button).perform()
        reader.until("document.querySelector(arguments[0]).matches(':hover')", name)
        assert complaints(reader.driver) == [], name


@pytest.mark.parametrize("width, height", [(390, 844), (844, 390)])
def test_on_a_phone_nothing_sticks_out(reader, width, height):
    given = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
    reader.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", given)
    reader.until("innerWidth === arguments[0] && panes[0].width < innerWidth", width)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    try:
        assert reader(fits) and reader("document.documentElement.scrollHeight <= innerHeight")
        assert reader("panes[0].width > 0.5 * innerWidth && panes[0].height > 0.3 * innerHeight")
        tabs = "['gallery', 'legend', 'near', 'marked']"
        visible = f"{tabs}.filter((id) => part(id).checkVisibility())"
        assert reader(visible) == ["gallery"]
        reader.element("#tabs [data-tab=colours]").click()
        assert reader(visible) == ["legend"]
        reader("choose(3)")
        assert reader(visible) == ["near"]
        reader.element("#beside").is_displayed() or reader.element("#options").click()
        assert reader.element("#find").is_displayed() and reader(fits)
        reader.element("#beside").click()
        assert reader("panes.every(({ width, height }) => width > 120 && height > 60)")
    finally:
        reader.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width, height", [(1280, 800), (390, 844)])
def test_no_text_is_cut(reader, width, height):
    given = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    reader.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", given)
    reader.until("innerWidth === arguments[0] && panes[0].width < innerWidth", width)
    # What is too wide for its box: of a menu the option that is chosen, beside its arrow.
    cut = (
        "(() => { const pen = document.createElement('canvas').getContext('2d');"
        "const wide = (one) => { const { font, paddingLeft } = getComputedStyle(one);"
        "pen.font = font; const text = one.placeholder ?? one.selectedOptions[0].textContent;"
        "return pen.measureText(text).width + 2 * parseFloat(paddingLeft)"
        "+ 14 > one.clientWidth; };"  # for an arrow or a cross
        "const seen = (kind) => [...document.querySelectorAll(kind)].filter((one) =>"
        "one.checkVisibility());"
        "return [...seen('select, input[placeholder]').filter(wide),"
        "...seen('header, .bar, .depths, .facts, .filters, .row').filter((one) =>"
        "one.scrollWidth > one.clientWidth)].map((one) => one.id || one.className); })()"
    )
    try:
        reader("state.dataset.extractors[0].name = 'efficientnet'")
        reader("(state.which = 'misplaced', state.colour = 'cluster', walk(panes[0], 1), menus())")
        reader.still()
        assert reader(cut) == []
        reader.element("#beside").is_displayed() or reader.element("#options").click()
        reader.element("#beside").click()
        assert reader(cut) == []
        for tab in ("colours", "marks", "near"):
            reader("tab(arguments[0])", tab)
            assert reader(cut) == []
    finally:
        reader("state.dataset.extractors[0].name = 'net'")
        reader.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_long_legend_says_that_it_goes_on(reader):
    reader(
        "(() => { const own = colouring('label'); own.keys = Array(40).fill(own.keys[0]);"
        "codes('label').forEach((_, i, all) => { all[i] = i; }); refresh(); })()"
    )
    assert "more below" in reader.text("#legend-more")
    reader("document.getElementById('legend').scrollTo(0, 1e6)")
    reader.until("document.getElementById('legend-more').textContent.includes('above')")
