"""The heat map of class distances and the picture of all depths: they hold what was computed."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.figures.depths import draw_depths
from depthgauge.figures.heatmap import draw_heatmap
from legends import read_legend
from PIL import Image

RNG = np.random.default_rng(3)


def classes(names, sizes):
    one, other = np.indices((len(names),) * 2).reshape(2, -1)
    distance = RNG.uniform(1, 2, (len(names),) * 2)
    distance += distance.T
    pairs = np.outer(sizes, sizes) - np.diag(sizes * (sizes + 1) // 2)
    return pd.DataFrame(
        {
            "class": np.array(names)[one],
            "other": np.array(names)[other],
            "pairs": pairs.ravel(),
            "distance": np.where(pairs > 0, distance, np.nan).ravel(),
            "goodness": np.nan,
        }
    )


@pytest.mark.parametrize("count", [2, 28])
def test_heatmap(tmp_path, count):
    sizes = RNG.integers(2, 9, count)
    sizes[0] = 1  # nothing within the first class
    tables = {layer: classes([f"{i}" for i in range(count)], sizes) for layer in ("a", "b")}
    files = []
    for layer, table in tables.items():
        files.append(str(tmp_path / f"{layer}.classes.csv"))
        table.to_csv(files[-1], index=False)
    stem = tmp_path / "heat"
    done = CliRunner().invoke(main, ["heatmap", str(stem), *files])
    assert done.exit_code == 0, done.output
    drawn = pd.read_csv(stem.with_suffix(".csv"), dtype={"class": str, "other": str})
    for layer, table in tables.items():
        found = drawn[drawn.layer == layer]
        np.testing.assert_allclose(found.distance, table.distance)
        once = (table["class"] <= table.other) & (table.pairs > 0)
        mean = (table.distance * table.pairs)[once].sum() / table.pairs[once].sum()
        np.testing.assert_allclose(found.relative, table.distance / mean)
    assert np.ptp(np.asarray(Image.open(stem.with_suffix(".png")))) > 100
    first = stem.with_suffix(".pdf").read_bytes()
    draw_heatmap(
        {
            layer: pd.read_csv(file, dtype={"class": str, "other": str})
            for layer, file in zip(tables, files, strict=True)
        },
        stem,
    )
    assert stem.with_suffix(".pdf").read_bytes() == first


def drawn_figure(cells, advised, monkeypatch):
    with monkeypatch.context() as patch:
        figures = []
        patch.setattr("depthgauge.figures.depths.save", lambda figure, *_: figures.append(figure))
        draw_depths(cells, advised, "unused")
    return figures[0]


def test_heatmap_is_of_the_best_reading(tmp_path, caplog):
    readings = [("flat", "euclidean"), ("mean", "angle")]
    given, files = {}, []
    for layer, best in (("a", 1), ("b", 0)):
        tables = [classes(["x", "y", "z"], np.array([3, 4, 5])) for _ in readings]
        named = [
            table.assign(pooling=pooling, metric=metric)
            for table, (pooling, metric) in zip(tables, readings, strict=True)
        ]
        given[layer] = tables[best]
        files.append(tmp_path / f"{layer}.classes.csv")
        pd.concat(named).to_csv(files[-1], index=False)
        rows = pd.DataFrame(readings, columns=["pooling", "metric"]).assign(layer=layer)
        rows["best_reading"] = rows.index == best
        rows.to_csv(tmp_path / f"{layer}.csv", index=False)
    command = ["heatmap", str(tmp_path / "heat"), *map(str, files)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    drawn = pd.read_csv(tmp_path / "heat.csv")
    for layer, table in given.items():
        np.testing.assert_allclose(drawn[drawn.layer == layer].distance, table.distance)
    assert drawn[drawn.layer == "a"].pooling.unique().tolist() == ["mean"]
    (tmp_path / "a.csv").unlink()
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1 and "a.csv was expected beside it" in caplog.text


def test_depths(tmp_path, monkeypatch):
    cells = pd.DataFrame(
        [
            {
                "dataset": "d",
                "extractor": extractor,
                "layer": f"layer{depth}",
                "pooling": "flat",
                "metric": "euclidean",
                "best_reading": True,
                "depth": depth,
                "images": 100,
                "classes": 4,
                "goodness": np.inf if depth == 2 else 1 + depth / 10,
                "goodness_low": np.nan if depth == 2 else 1.05,
                "goodness_high": np.nan if depth == 2 else 1.5,
                "auc": 0.6,
                "auc_se": 0.02,
                "knn1": 0.5 if depth == 1 else 1.0,
            }
            for extractor in ("one", "another")
            for depth in (1, 2, 3)
        ]
    )
    advised = pd.DataFrame(
        {
            "scope": ["dataset", "depth", "depth"],
            "dataset": "d",
            "extractor": ["one", "one", "another"],
            "layer": ["layer2", "layer2", "layer2"],
            "pooling": "flat",
            "metric": "euclidean",
            "not_distinguishable": [
                "one/layer1.flat.euclidean;another/layer3.flat.euclidean",
                "layer1.flat.euclidean",
                "layer1.flat.euclidean;layer3.flat.euclidean",
            ],
        }
    )
    stem = tmp_path / "depths"
    draw_depths(cells, advised, stem)
    assert drawn_figure(cells, advised, monkeypatch).legends == []  # one reading needs no name
    drawn = pd.read_csv(stem.with_suffix(".csv"), keep_default_na=False)
    verdict = drawn[drawn.measure == "knn1"].set_index(["extractor", "layer"]).verdict
    # One ring, of all networks; what is said of a network by itself is not drawn.
    assert verdict["one"].tolist() == ["not distinguishable", "use", ""]
    assert verdict["another"].tolist() == ["", "", "not distinguishable"]
    knn = drawn[drawn.measure == "knn1"].iloc[0]  # Wilson's interval of 50 in 100
    assert (float(knn.low), float(knn.high)) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert np.ptp(np.asarray(Image.open(stem.with_suffix(".png")))) > 100


def several_readings():
    """Rows of goodness.csv: two layers of four readings, then a vector, of two; and the verdict."""
    cells = pd.DataFrame(
        [
            {
                "dataset": "d",
                "extractor": "net",
                "layer": layer,
                "pooling": pooling,
                "metric": metric,
                "depth": depth,
                "images": 100,
                "classes": 4,
                **{name: RNG.uniform(1, 2) for name in ("goodness", "goodness_low")},
                "goodness_high": 2.5,
                "auc": RNG.uniform(0.5, 1),
                "auc_se": 0.01,
                "knn1": RNG.integers(40, 100) / 100,
            }
            for depth, layer in enumerate(("shallow", "middle", "head", "logits"), start=1)
            for pooling in ("flat", "mean")[: 1 if depth > 2 else 2]
            for metric in ("euclidean", "angle")
        ]
    )
    # Never the first row of a layer that has four.
    cells["best_reading"] = cells.index.isin([3, 6, 8, 11])
    advised = pd.DataFrame(
        {
            "scope": "dataset",
            "dataset": "d",
            "extractor": "net",
            "layer": ["middle"],
            "pooling": "mean",
            "metric": "euclidean",
            "not_distinguishable": "net/middle.mean.angle;net/shallow.mean.angle",
        }
    )
    return cells, advised


def test_depths_are_of_the_dataset_asked_for_alone(tmp_path):
    cells, advised = several_readings()
    values = ["goodness", "auc", "knn1"]
    others = [
        cells.assign(dataset=name, extractor=extractor, **dict.fromkeys(values, 0.5))
        for name, extractor in (("before", "net"), ("d2", "net"), ("e", "other"))
    ]
    told = [advised.assign(dataset=name, layer="shallow") for name in ("before", "d2")]
    pd.concat([others[0], cells, *others[1:]]).to_csv(tmp_path / "goodness.csv", index=False)
    pd.concat([told[0], advised, told[1]]).to_csv(tmp_path / "verdict.csv", index=False)
    files = [tmp_path / name for name in ("depths", "goodness.csv", "verdict.csv")]
    done = CliRunner().invoke(main, ["depths", *map(str, files), "--dataset", "d"])
    assert done.exit_code == 0, done.output
    drawn = pd.read_csv(tmp_path / "depths.csv", keep_default_na=False)
    assert set(drawn.dataset) == {"d"} and set(drawn.extractor) == {"net"}
    for measure in values:
        of_measure = drawn[drawn.measure == measure]
        np.testing.assert_array_equal(of_measure.value, cells[measure])
        assert set(of_measure[of_measure.verdict == "use"].layer) == {"middle"}


def test_the_accuracy_is_as_sure_as_its_groups_make_it(tmp_path):
    cells, advised = several_readings()
    cells = cells.assign(knn1=0.5, groups=20, knn1_se=np.repeat([0.05, 0.1, 0.5, 0.01], 3))
    draw_depths(cells, advised, tmp_path / "depths")
    drawn = pd.read_csv(tmp_path / "depths.csv")
    width = (drawn.high - drawn.low)[drawn.measure == "knn1"].to_numpy()[::3]
    # As 100 images, 25, as 20 groups at least, and as the 100 images at most.
    alone = [2 * 1.96 * 0.5 / np.sqrt(n + 1.96**2) for n in (100, 25, 20, 100)]
    np.testing.assert_allclose(width, alone, rtol=1e-3)
    cells[["groups", "knn1_se"]] = np.nan  # those of another dataset
    draw_depths(cells, advised, tmp_path / "depths")
    again = pd.read_csv(tmp_path / "depths.csv")
    assert (again.high - again.low)[0] == pytest.approx(width[0])


def test_a_nuisance_has_a_row(tmp_path, monkeypatch):
    cells, advised = several_readings()
    assert len(drawn_figure(cells, advised, monkeypatch).axes) == 3
    cells["robustness"] = np.linspace(0.2, 0.9, len(cells))
    figure = drawn_figure(cells, advised, monkeypatch)
    assert [axes.get_ylabel() for axes in figure.axes][3:] == ["robustness index\nclass / nuisance"]
    draw_depths(cells, advised, tmp_path / "depths")
    drawn = pd.read_csv(tmp_path / "depths.csv")
    drawn = drawn[drawn.measure == "robustness"]
    np.testing.assert_allclose(drawn.value, cells.robustness)
    assert drawn.low.isna().all()


def test_depths_without_intervals(tmp_path, monkeypatch):
    cells, advised = several_readings()
    cells = cells.assign(groups=5, auc_se=np.nan, goodness_low=np.nan, goodness_high=np.nan)
    draw_depths(cells, advised, tmp_path / "depths")
    drawn = pd.read_csv(tmp_path / "depths.csv")
    assert drawn[["low", "high"]].isna().all(axis=None) and drawn.value.notna().all()
    figure = drawn_figure(cells, advised, monkeypatch)
    said = " ".join(figure._supxlabel.get_text().split())
    assert "come in 5 groups, and by fewer than 10 no interval can be trusted" in said
    assert "95" not in said
    bars = [bar[2][0].get_segments() for axes in figure.axes for bar in axes.containers]
    assert not np.isfinite(np.concatenate([np.ravel(b) for bar in bars for b in bar])[1::2]).any()


def test_depths_of_several_readings(tmp_path, monkeypatch):
    cells, advised = several_readings()
    files = [tmp_path / "goodness.csv", tmp_path / "verdict.csv"]
    for table, file in zip((cells, advised), files, strict=True):
        table.to_csv(file, index=False)
    stem = tmp_path / "depths"
    done = CliRunner().invoke(main, ["depths", *map(str, (stem, *files)), "--dataset", "d"])
    assert done.exit_code == 0, done.output
    drawn = pd.read_csv(stem.with_suffix(".csv"), keep_default_na=False)
    names = "dataset,extractor,layer,pooling,metric,depth,measure,value,low,high,best_reading"
    assert ",".join(drawn.columns) == f"{names},verdict"
    assert drawn.measure.unique().tolist() == ["knn1", "auc", "goodness"]
    for measure, of_measure in drawn.groupby("measure"):
        np.testing.assert_array_equal(of_measure.value, cells[measure])
        assert of_measure.best_reading.tolist() == cells.best_reading.tolist()
    knn1 = drawn[drawn.measure == "knn1"].set_index(["layer", "pooling", "metric"]).verdict
    assert knn1["middle", "mean", "euclidean"] == "use"
    assert knn1[knn1 == "not distinguishable"].index.tolist() == [
        ("shallow", "mean", "angle"),
        ("middle", "mean", "angle"),
    ]

    figure = drawn_figure(cells, advised, monkeypatch)
    assert read_legend(figure) == [
        *("flat, euclidean", "flat, angle", "mean, euclidean", "mean, angle")
    ]
    top = figure.axes[0]
    # Bars and points stand at the best readings, and there alone.
    best = cells[cells.best_reading].sort_values("depth")
    bars = [bar for bars in top.containers for bar in bars[2][0].get_segments()]
    assert sorted(bar[0][0] for bar in bars) == [1, 2, 3, 4]
    *points, ring = top.collections
    at = [tuple(place) for one in points for place in one.get_offsets()]
    assert set(zip(best.depth, best.knn1, strict=True)) <= set(at)
    (place,) = ring.get_offsets()
    assert tuple(place) == (2, cells.knn1[6])
    # The line of a mean leads to the vector beside it, and between vectors there is one line.
    values = cells.set_index(["layer", "pooling", "metric"]).knn1
    lines = [line.get_ydata() for line in top.lines if line.get_linestyle() != "None"]
    layers = ("shallow", "middle", "head", "logits")
    expected = []
    for pooling in ("flat", "mean"):
        for metric in ("euclidean", "angle"):
            line = [values.get((layer, pooling, metric), np.nan) for layer in layers]
            line[2] = values["head", "flat", metric]
            expected.append(line)
    np.testing.assert_array_equal(lines, expected)
