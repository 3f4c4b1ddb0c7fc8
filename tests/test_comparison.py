"""Paired comparisons against a direct jackknife, and their intervals by simulation."""

import numpy as np
import pandas as pd
import pytest
from depthgauge.distances.passes import class_sums
from depthgauge.errors import UserError
from depthgauge.statistics import comparison as module
from depthgauge.statistics.comparison import compare, write_comparisons
from depthgauge.statistics.goodness import log_goodness_without, standard_error
from depthgauge.statistics.jackknife import covariance
from scipy.spatial.distance import pdist
from scipy.stats import binomtest, norm

RNG = np.random.default_rng(6)


def test_difference_and_its_error_are_the_paired_jackknife():
    without = RNG.standard_normal((50, 3))
    values = np.array([1.0, 3.0, 2.0])
    for groups in (None, np.repeat(range(10), 5)):
        found = compare(values, without, groups=groups)
        assert list(zip(found.a, found.b, strict=True)) == [(0, 1), (0, 2), (1, 2)]
        for row in found.itertuples():
            assert row.difference == values[row.a] - values[row.b]
            paired = without[:, row.a] - without[:, row.b]
            assert row.se == pytest.approx(standard_error(paired, groups), rel=1e-9)
            assert (row.low + row.high) / 2 == pytest.approx(row.difference)


def test_one_pair_is_the_normal_interval():
    without = RNG.standard_normal((80, 2)) / 80
    found = compare(np.array([0.3, 0.0]), without).iloc[0]
    assert found.high - found.difference == pytest.approx(1.96 * found.se, rel=0.02)
    expected = 2 * norm.sf(abs(found.difference / found.se))
    assert found.p_adjusted == pytest.approx(expected, rel=0.05, abs=2e-4)


def test_intervals_agree_with_p_and_widen_with_the_pairs():
    without = RNG.standard_normal((80, 6)) / 80
    values = np.linspace(0, 0.6, 6)
    found = compare(values, without)
    outside = (found.low > 0) | (found.high < 0)
    np.testing.assert_array_equal(outside, found.p_adjusted <= 0.05)
    assert 0 < outside.sum() < len(found)
    width = ((found.high - found.difference) / found.se).to_numpy()
    np.testing.assert_allclose(width, width[0])
    assert width[0] == pytest.approx(2.85, abs=0.05)  # Tukey's, of 6: q(.95) / sqrt 2


@pytest.mark.parametrize("rounding", [1e-15, 1e-12])
def test_copies_but_for_rounding_are_copies_and_leave_other_intervals_alone(rounding):
    rng = np.random.default_rng(3)
    without = rng.standard_normal((60, 2))
    copied = without[:, 0] * (1 + rounding * rng.standard_normal(60))
    (alone,) = compare(np.array([1.0, 2.0]), without).itertuples()
    found = compare(np.array([1.0, 2.0, 1.0]), np.column_stack([without, copied]))
    pair = found[(found.a == 0) & (found.b == 2)].iloc[0]
    assert pair.se == pair.low == pair.high == 0 and pair.p_adjusted == 1
    for row in found[found.b - found.a == 1].itertuples():
        # Of one pair and its copy, by other draws.
        assert row.se == pytest.approx(alone.se) and row.p_adjusted == pytest.approx(
            alone.p_adjusted, abs=0.01
        )
        assert row.high - row.low == pytest.approx(alone.high - alone.low, rel=0.02)


def test_copies_and_cells_that_are_not_finite():
    without = RNG.standard_normal((40, 3)) / 40
    without[:, 1] = without[:, 0]
    without[3, 2] = np.inf
    found = compare(np.array([1.0, 1.0, np.inf]), without).set_index(["a", "b"])
    assert found.loc[(0, 1), ["difference", "se", "p_adjusted"]].tolist() == [0, 0, 1]
    assert found.loc[[(0, 2), (1, 2)], ["se", "low", "p_adjusted"]].isna().all(axis=None)


def test_few_groups_give_differences_and_no_intervals():
    without, values = RNG.standard_normal((36, 3)), np.array([1.0, 3.0, 2.0])
    found = compare(values, without, groups=np.arange(36) % 9)
    assert found.difference.tolist() == [-2, -1, 1]
    assert found[["se", "low", "high", "p_adjusted"]].isna().all(axis=None)


def test_coverage_of_intervals_of_log_goodness(monkeypatch):
    """Three layers of one set of images; the truth is that of very many images.

    Of each layer by itself, and of all differences at once.
    """
    monkeypatch.setattr(module, "DRAWS", 5_000)

    def cells(rng, count):
        labels = np.repeat(range(3), count)
        signal = rng.standard_normal((3 * count, 4)) + 1.2 * np.eye(4)[labels]
        noise = rng.standard_normal((3 * count, 4))
        layers = [pdist(np.hstack([signal, t * noise])) for t in (0, 0.5, 1)]
        sums = [class_sums(layer, labels, progress=False) for layer in layers]
        return np.array([log_goodness(s, labels) for s in sums]), labels, sums

    def log_goodness(sums, labels):
        own = np.take_along_axis(sums, labels[:, None], axis=1).sum()
        sizes = np.bincount(labels)[labels]
        between = (sums.sum() - own) / (len(labels) - sizes).sum()
        return np.log(between / (own / (sizes - 1).sum()))

    truth, _, _ = cells(np.random.default_rng(0), 700)
    trials = 150
    alone, together = 0, 0
    for trial in range(trials):
        values, labels, sums = cells(np.random.default_rng(trial), 20)
        without = np.stack([log_goodness_without(s, labels) for s in sums], axis=1)
        errors = [standard_error(column) for column in without.T]
        alone += (np.abs(values - truth) <= 1.96 * np.array(errors))[trial % 3]
        found = compare(values, without, seed=trial)
        true = truth[found.a] - truth[found.b]
        together += ((found.low <= true) & (true <= found.high)).all()
    assert binomtest(int(alone), trials, 0.95).pvalue > 1e-3
    assert binomtest(int(together), trials, 0.95).pvalue > 1e-3


def test_all_pairs_by_brute_force(monkeypatch):
    """One pair after the other; and the same draws in other blocks, to the bit."""
    without = RNG.standard_normal((30, 5)) / 30
    values = RNG.standard_normal(5) / 5
    found = compare(values, without, seed=3)
    known = covariance(without)
    eigenvalues, vectors = np.linalg.eigh(known)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0))
    drawn = root @ np.random.default_rng(3).standard_normal((5, module.DRAWS))
    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    t = [abs(drawn[a] - drawn[b]) / se for (a, b), se in zip(pairs, found.se, strict=True)]
    largest = np.max(t, axis=0)
    critical = np.quantile(largest, 0.95)
    np.testing.assert_allclose(found.high, found.difference + critical * found.se, rtol=1e-12)
    beaten = [np.sum(largest >= one) for one in abs(found.difference) / found.se]
    p = (1 + np.array(beaten)) / (1 + module.DRAWS)
    np.testing.assert_allclose(found.p_adjusted, p)
    monkeypatch.setattr(module, "_BLOCK", 777)
    pd.testing.assert_frame_equal(compare(values, without, seed=3), found)


READINGS = [("flat", "euclidean"), ("mean", "angle")]


def test_files(tmp_path):
    rows, cells, tables = [], [], []
    for layer in ("01", "2"):
        row = tmp_path / "d" / "net" / f"{layer}.csv"
        row.parent.mkdir(parents=True, exist_ok=True)
        images = []
        for pooling, metric in READINGS:
            cell = {"dataset": "d", "extractor": "net", "layer": layer, "pooling": pooling}
            cells.append(cell | {"metric": metric, "goodness": 1.5 + len(cells), "auc": 0.7})
            images.append(
                pd.DataFrame(
                    {
                        "pooling": pooling,
                        "metric": metric,
                        "image": [f"{i}.jpg" for i in range(30)],
                        "nearest_correct": RNG.random(30) < 0.5 + 0.1 * len(cells),
                        "nearest_expected": RNG.random(30),
                        "theta": RNG.standard_normal(30) / 30,
                        "auc_theta": RNG.standard_normal(30) / 30,
                    }
                )
            )
        tables += images
        pd.concat(images).to_csv(tmp_path / "d" / "net" / f"{layer}.images.csv", index=False)
        pd.DataFrame(cells[-2:]).to_csv(row, index=False)
        rows.append(row)
    write_comparisons(rows, tmp_path / "comparisons.csv", seed=1)
    found = pd.read_csv(tmp_path / "comparisons.csv", dtype={"layer_a": str, "layer_b": str})
    assert ",".join(found.columns) == (
        "dataset,measure,extractor_a,layer_a,pooling_a,metric_a,"
        "extractor_b,layer_b,pooling_b,metric_b,difference,se,low,high,p_adjusted"
    )
    assert (
        found.measure.tolist()
        == ["log_goodness"] * 6 + ["auc"] * 6 + ["knn1"] * 6 + ["knn1_half"] * 6
    )
    keys = {(c["layer"], c["pooling"], c["metric"]): i for i, c in enumerate(cells)}
    ends = [
        [keys[key] for key in zip(*(found[f"{name}_{end}"] for name in names), strict=True)]
        for names in [("layer", "pooling", "metric")]
        for end in "ab"
    ]
    assert list(zip(*ends, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] * 4
    for row, a, b in zip(found.itertuples(), *ends, strict=True):
        one, other = tables[a], tables[b]
        if row.measure == "log_goodness":
            ratio = cells[a]["goodness"] / cells[b]["goodness"]
            assert row.difference == pytest.approx(np.log(ratio))
            paired = one.theta - other.theta
        elif row.measure == "auc":
            paired = one.auc_theta - other.auc_theta
        else:
            name = {"knn1": "nearest_correct", "knn1_half": "nearest_expected"}[row.measure]
            paired = one[name].astype(float) - other[name].astype(float)
            assert row.difference == pytest.approx(paired.mean())
            paired = paired / 29  # of delete-one means
        assert row.se == pytest.approx(standard_error(paired.to_numpy()))

    pd.concat(images[::-1]).iloc[::-1].to_csv(tmp_path / "d" / "net" / "2.images.csv", index=False)
    with pytest.raises(UserError, match="2.csv: its images are not those of"):
        write_comparisons(rows, tmp_path / "comparisons.csv", seed=1)
