"""The verdict on cells whose answer is known."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from depthgauge.statistics.halves import half_accuracies, halve
from depthgauge.statistics.verdict import choose, verdicts, write_verdict
from depthgauge.summary import summary
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(8)


def cell(layer, knn1, *, extractor="net", auc=0.7, goodness=1.2, p=0.001, warning=False, depth=1):
    return {
        "dataset": "birds",
        "extractor": extractor,
        "layer": layer,
        "depth": depth,
        "goodness": goodness,
        "goodness_pca50": goodness,
        "auc": auc,
        "knn1": knn1,
        "p_value": p,
        "p_max_t": p,
        "spread_warning": warning,
    }


def told_apart(cells, se=0.01):
    """Comparisons in which accuracies differ where they are more than 2.5 se apart."""
    rows = []
    for a, b in combinations(cells, 2):
        difference = a["knn1"] - b["knn1"]
        row = {"dataset": "birds", "measure": "knn1", "difference": difference, "se": se}
        row |= {"low": difference - 2.5 * se, "high": difference + 2.5 * se, "p_adjusted": 0.5}
        for end, one in (("a", a), ("b", b)):
            row |= {f"extractor_{end}": one["extractor"], f"layer_{end}": one["layer"]}
        rows.append(row)
    columns = ["dataset", "measure", "extractor_a", "layer_a", "extractor_b", "layer_b"]
    return pd.DataFrame(rows, columns=[*columns, "difference", "se", "low", "high", "p_adjusted"])


def in_halves(cells, *orders):
    """Accuracies and AUC in halves, which rank layers as each of ``orders`` says."""
    return pd.DataFrame(
        [
            {name: one[name] for name in ("dataset", "extractor", "layer")}
            | {"split": i // 2, "half": i % 2, "knn1": order[place], "auc": order[place]}
            for i, order in enumerate(orders)
            for place, one in enumerate(cells)
        ]
    )


def test_most_accurate_layer_and_those_that_cannot_be_told_from_it():
    cells = [
        cell("a", 0.70, goodness=1.5),
        cell("b", 0.90, auc=0.9, depth=2),
        cell("c", 0.89, auc=0.6, depth=3),
        cell("d", 0.80, depth=4),
    ]
    halves = in_halves(cells, *[[0.1, 0.9, 0.8, 0.7]] * 3, [0.1, 0.8, 0.9, 0.7])
    (found,) = verdicts(pd.DataFrame(cells), told_apart(cells), halves).to_dict("records")
    assert (found["scope"], found["layer"], found["depth"]) == ("depth", "b", 2)
    assert found["not_distinguishable"] == "c"
    assert found["stability"] == 0.75
    assert (found["by_auc"], found["by_goodness"], found["agree"]) == ("b", "a", False)
    assert found["sentence"] == (
        "birds, net: use b (leave-one-out 1-NN accuracy 0.900, AUC 0.900; chosen again in 75% of 4 "
        "halves of the images). Not distinguishable from it at 5 %: c. Measures disagree: goodness "
        "after PCA and goodness would take a."
    )


def test_ties_in_accuracy_go_to_the_higher_auc():
    cells = [cell("a", 0.9, auc=0.7), cell("b", 0.9, auc=0.8), cell("c", 0.5, auc=0.99)]
    halves = in_halves(cells, [0.9, 0.9, 0.1], [0.8, 0.9, 0.1])
    (found,) = verdicts(pd.DataFrame(cells), told_apart(cells), halves).to_dict("records")
    assert (found["layer"], found["not_distinguishable"], found["by_auc"]) == ("b", "a", "c")
    assert choose(np.array([0.9, 0.9, 0.1]), np.array([0.6, 0.7, 0.9])) == 1
    assert choose(np.array([0.9, 0.8, 0.1]), np.array([0.6, 0.7, 0.9])) == 0


def test_no_depth_is_advised_where_labels_cluster_at_none():
    cells = [cell("a", 0.3, p=0.4), cell("b", 0.4, p=0.06)]
    found = verdicts(pd.DataFrame(cells), told_apart(cells), in_halves(cells, [0, 1]))
    assert found.layer.tolist() == [""]
    assert "no depth is advised" in found.sentence[0] and "0.06" in found.sentence[0]


def test_networks_are_compared_by_their_best_layers():
    cells = [
        cell("a", 0.7, extractor="one"),
        cell("b", 0.8, extractor="one"),
        cell("a", 0.9, extractor="two"),
        cell("a", 0.85, extractor="three", p=0.9),
    ]
    halves = in_halves(cells, [0.7, 0.8, 0.9, 1], [0.7, 0.9, 0.8, 1])
    found = verdicts(pd.DataFrame(cells), told_apart(cells), halves).set_index("scope")
    network = found.loc["network"]
    assert (network.extractor, network.layer, network.stability) == ("two", "a", 0.5)
    assert network.not_distinguishable == ""
    assert "birds: use two/a" in network.sentence and "All others differ" in network.sentence
    assert found.loc["depth"].extractor.tolist() == ["one", "two", "three"]


def test_one_layer_and_a_warning_of_spread():
    cells = [cell("a", 0.7, warning=True)]
    found = verdicts(pd.DataFrame(cells), told_apart(cells), in_halves(cells, [0.7]))
    assert found.spread_warning.tolist() == ["a"]
    assert "classes differ in spread more than in place" in found.sentence[0]


def test_files_and_summary(tmp_path):
    cells = [cell("1", 0.7), cell("2", 0.9)]
    table = pd.DataFrame(cells).assign(dim=7, images=10)
    table.to_csv(tmp_path / "goodness.csv", index=False)
    told_apart(cells).to_csv(tmp_path / "comparisons.csv", index=False)
    in_halves(cells, [0, 1]).to_csv(tmp_path / "halves.csv", index=False)
    write_verdict(
        *(tmp_path / name for name in ("goodness.csv", "comparisons.csv")),
        [tmp_path / "halves.csv"],
        tmp_path / "verdict.csv",
    )
    found = pd.read_csv(tmp_path / "verdict.csv", dtype=str)
    assert found.layer.tolist() == ["2"]
    assert found.sentence[0] in summary(tmp_path / "goodness.csv", tmp_path / "verdict.csv")


@pytest.mark.parametrize("groups", [None, np.arange(80) // 2])
def test_accuracy_in_halves_is_that_of_each_half_alone(groups):
    codes = np.arange(80) % 3
    condensed = pdist(RNG.standard_normal((80, 2)) + codes[:, None])
    found, halves = half_accuracies(condensed, codes, groups=groups, seed=3, progress=False)
    square = squareform(condensed) + np.diag(np.full(80, np.inf))
    if groups is not None:
        square[groups[:, None] == groups] = np.inf
    rng = np.random.default_rng(3)
    for split, drawn in zip(found, halves, strict=True):
        half = halve(codes, rng)
        np.testing.assert_array_equal(drawn, half)
        for part in (0, 1):
            members = np.flatnonzero(half == part)
            nearest = members[square[np.ix_(members, members)].argmin(axis=1)]
            assert split[part] == pytest.approx(np.mean(codes[nearest] == codes[members]))


def test_halves_are_stratified():
    codes = RNG.permutation(np.repeat([0, 1, 2, 3], [1, 7, 20, 33]))
    half = halve(codes, np.random.default_rng(0))
    counts = np.array([[np.sum((codes == c) & (half == h)) for h in (0, 1)] for c in range(4)])
    assert np.abs(counts[:, 0] - counts[:, 1]).max() <= 1
    assert abs(counts.sum(axis=0)[0] - counts.sum(axis=0)[1]) <= 1
