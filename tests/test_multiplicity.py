"""Corrections for many cells, against their definitions and by simulation."""

import numpy as np
import pandas as pd
import pytest
from depthgauge.statistics.multiplicity import holm, max_t, write_goodness_table
from scipy.stats import binomtest, rankdata

RNG = np.random.default_rng(4)


def test_holm_by_definition():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.03]), [0.04, np.nan, 0.04])


def test_max_t_by_definition():
    nulls = RNG.standard_normal((3, 500)) * [[1], [10], [0.1]] + [[0], [5], [2]]
    truths = np.array([2.5, 20, 2.0])
    t = (truths - nulls.mean(axis=1)) / nulls.std(axis=1)
    every = (nulls - nulls.mean(axis=1, keepdims=True)) / nulls.std(axis=1, keepdims=True)
    expected = [(1 + sum(every.max(axis=0) >= value)) / 501 for value in t]
    np.testing.assert_allclose(max_t(truths, nulls), expected)


def test_max_t_of_copies_is_the_p_value_of_one():
    null = RNG.standard_normal(999)
    found = max_t([1.5] * 4, [null] * 4)
    assert (found == (1 + np.sum(null >= 1.5)) / 1000).all()
    assert np.isnan(max_t([1.0, 2.0], [np.ones(9), np.full(9, np.inf)])).all()


def test_any_false_positive_in_five_per_cent():
    """Ten cells that correlate, of which none is true: both corrections keep to the level."""
    trials, m = 400, 199
    false = {"holm": 0, "max_t": 0}
    for _ in range(trials):
        drawn = RNG.standard_normal((10, m + 1)) + RNG.standard_normal(m + 1)
        p = 1 - (rankdata(drawn, axis=1)[:, 0] - 1) / (m + 1)
        false["holm"] += (holm(p) <= 0.05).any()
        false["max_t"] += (max_t(drawn[:, 0], drawn[:, 1:]) <= 0.05).any()
    assert binomtest(false["max_t"], trials, 0.05).pvalue > 1e-3
    assert false["holm"] <= 0.05 * trials + 3 * np.sqrt(0.05 * 0.95 * trials)


def test_table_of_all_cells(tmp_path):
    rows = []
    for place, (dataset, layer) in enumerate([("d", "x"), ("d", "y"), ("e", "x")]):
        folder = tmp_path / "nulls" / dataset / "net"
        folder.mkdir(parents=True, exist_ok=True)
        null = RNG.uniform(0.9, 1.1, 99)
        np.save(folder / f"{layer}.npy", null)
        cell = {"dataset": dataset, "extractor": "net", "layer": layer, "goodness": 1.05 + place}
        cell |= {"p_value": (1 + (null >= cell["goodness"]).sum()) / 100, "p_pearson": 0.02}
        pd.DataFrame([cell]).to_csv(folder / f"{layer}.csv", index=False)
        rows.append(folder / f"{layer}.csv")
    write_goodness_table(rows, tmp_path / "goodness.csv", nulls=tmp_path / "nulls")
    found = pd.read_csv(tmp_path / "goodness.csv")
    assert found.layer.tolist() == ["x", "y", "x"]
    np.testing.assert_allclose(found.p_holm, holm(found.p_value))
    np.testing.assert_allclose(found.p_pearson_holm, [0.06] * 3)
    assert found.p_max_t[2] == pytest.approx(0.01)  # alone in its dataset
    assert found.p_max_t[0] >= found.p_value[0]
