"""The heat map of class distances and the picture of all depths: they hold what was computed."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.figures.depths import draw_depths
from depthgauge.figures.heatmap import draw_heatmap
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


def test_depths(tmp_path):
    cells = pd.DataFrame(
        [
            {
                "dataset": "d",
                "extractor": extractor,
                "layer": f"layer{depth}",
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
            "scope": ["depth", "depth", "network"],
            "dataset": "d",
            "extractor": ["one", "another", "one"],
            "layer": ["layer2", np.nan, "layer2"],
            "not_distinguishable": ["layer1;layer3", "layer1;layer2;layer3", np.nan],
        }
    )
    stem = tmp_path / "depths"
    draw_depths(cells, advised, stem)
    drawn = pd.read_csv(stem.with_suffix(".csv"), keep_default_na=False)
    verdict = drawn[drawn.measure == "knn1"].set_index(["extractor", "layer"]).verdict
    assert verdict["one"].tolist() == ["not distinguishable", "use", "not distinguishable"]
    assert verdict["another"].tolist() == ["", "", ""]
    knn = drawn[drawn.measure == "knn1"].iloc[0]  # Wilson's interval of 50 in 100
    assert (float(knn.low), float(knn.high)) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert np.ptp(np.asarray(Image.open(stem.with_suffix(".png")))) > 100
