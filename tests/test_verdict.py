"""The verdict on cells whose answer is known."""

import json
import re
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.config import checked_config
from depthgauge.distances.labelled import Labelled
from depthgauge.plan import Plan
from depthgauge.readings import choose
from depthgauge.statistics.accuracy import expected_in_half, half_accuracies, halve
from depthgauge.statistics.measures import measures
from depthgauge.statistics.verdict import OPINIONS, verdicts, write_verdict
from depthgauge.summary import print_summary
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(8)


KEYS = ["extractor", "layer", "pooling", "metric"]
READINGS = [(pooling, metric) for pooling in ("flat", "mean") for metric in ("euclidean", "angle")]


def cell(
    layer, knn1, *, extractor="net", auc=0.7, goodness=1.2, p=0.001, reading=READINGS[0], **of
):
    return {
        "dataset": "birds",
        "extractor": extractor,
        "layer": layer,
        "pooling": reading[0],
        "metric": reading[1],
        "depth": 1,
        "goodness": goodness,
        "goodness_pca50": goodness,
        "auc": auc,
        "knn1": knn1,
        "knn1_half": knn1,
        "p_value": p,
        "p_max_t": p,
        "spread_warning": False,
    } | of


def read(layer, *accuracies, **of):
    """The cells of a layer in all of READINGS, with these accuracies."""
    pairs = zip(accuracies, READINGS, strict=True)
    return [cell(layer, knn1, auc=knn1, goodness=knn1, reading=r, **of) for knn1, r in pairs]


def told_apart(cells, se=0.01):
    """Comparisons in which accuracies differ where they are more than 2.5 se apart."""
    rows = []
    for a, b in combinations(cells, 2):
        difference = a["knn1"] - b["knn1"]
        row = {"dataset": "birds", "measure": "knn1_half", "difference": difference, "se": se}
        row |= {"low": difference - 2.5 * se, "high": difference + 2.5 * se, "p_adjusted": 0.5}
        for end, one in (("a", a), ("b", b)):
            row |= {f"{key}_{end}": one[key] for key in KEYS}
        rows.append(row)
    columns = ["dataset", "measure", *(f"{key}_{end}" for end in "ab" for key in KEYS)]
    return pd.DataFrame(rows, columns=[*columns, "difference", "se", "low", "high", "p_adjusted"])


def in_halves(cells, *orders):
    """Accuracies and AUC in halves, which rank cells as each of ``orders`` says."""
    return pd.DataFrame(
        [
            {name: one[name] for name in ("dataset", *KEYS)}
            | {"split": i // 2, "half": i % 2, "knn1_half": order[place], "auc": order[place]}
            for i, order in enumerate(orders)
            for place, one in enumerate(cells)
        ]
    )


def found_of(cells, halves=None):
    """Return the verdicts on ``cells``, as dicts; in halves they rank as in all."""
    halves = in_halves(cells, [one["knn1"] for one in cells]) if halves is None else halves
    return verdicts(pd.DataFrame(cells), told_apart(cells), halves).to_dict("records")


def test_most_accurate_layer_and_those_that_cannot_be_told_from_it():
    cells = [
        cell("a", 0.70, goodness=1.5),
        cell("b", 0.90, auc=0.9, depth=2),
        cell("c", 0.89, auc=0.6, depth=3),
        cell("d", 0.80, depth=4),
    ]
    halves = in_halves(cells, *[[0.1, 0.9, 0.8, 0.7]] * 3, [0.1, 0.8, 0.9, 0.7])
    (found,) = found_of(cells, halves)
    assert (found["scope"], found["layer"], found["depth"]) == ("depth", "b", 2)
    assert (found["pooling"], found["metric"]) == READINGS[0]
    assert found["not_distinguishable"] == "c.flat.euclidean"
    assert found["stability"] == found["layer_stability"] == 0.75
    assert (found["by_auc"], found["by_goodness"]) == ("b.flat.euclidean", "a.flat.euclidean")
    assert found["agree"] is False
    assert found["recipe"] == "Take all values of b and compare by Euclidean distance."
    # There is but one reading, which need not be named.
    assert found["sentence"] == (
        "birds, net: use b (leave-one-out 1-NN accuracy 0.900, AUC 0.900; chosen again in 75% of 4 "
        "halves of the images). Not distinguishable from it at 5 %: c. Measures disagree: goodness "
        "after PCA and goodness would take a."
    )


def test_verdict_is_on_layer_and_reading():
    cells = [
        *read("a", 0.70, 0.72, 0.80, 0.88),
        *read("b", 0.80, 0.895, 0.80, 0.91, depth=2),
        *read("c", 0.50, 0.90, 0.90, 0.90, depth=3),
        *read("d", 0.50, 0.50, 0.90, 0.50, depth=4),
    ]
    cells[5]["auc"] = 0.99  # b, flat by angle
    orders = [[float(i == place) for i in range(16)] for place in (7, 7, 4, 15)]
    (found,) = found_of(cells, in_halves(cells, *orders))
    assert (found["layer"], found["pooling"], found["metric"]) == ("b", "mean", "angle")
    assert found["not_distinguishable"].split(";") == [
        "b.flat.angle",
        *("c.flat.angle", "c.mean.euclidean", "c.mean.angle", "d.mean.euclidean"),
    ]
    assert found["by_auc"] == "b.flat.angle"
    assert (found["stability"], found["layer_stability"]) == (0.5, 0.75)
    assert found["sentence"] == (
        "birds, net: use b, averaged over positions and compared by angle (leave-one-out 1-NN "
        "accuracy 0.910, AUC 0.910; the layer was chosen again in 75% of 4 halves of the images, "
        "with this reading in 50%). Not distinguishable from it at 5 %: the same layer read "
        "otherwise (all its values by angle), and the layers c and d. Measures disagree: AUC would "
        "take the same layer, all its values by angle."
    )
    assert "average them over all positions" in found["recipe"]


def test_sentence_stays_short_with_four_readings_a_layer():
    layers = [f"layer_{i}" for i in range(20)]
    one = [cell(layer, 0.9) for layer in layers]
    four = [found for layer in layers for found in read(layer, 0.9, 0.9, 0.9, 0.9)]
    (of_one,), (of_four,) = found_of(one), found_of(four)
    assert of_four["not_distinguishable"].count(";") == 78
    assert len(of_four["sentence"]) < len(of_one["sentence"]) + 150
    for layer in layers[:-1]:  # the last is chosen
        assert len(re.findall(rf"\b{layer}\b", of_four["sentence"])) == 1
    assert "the same layer in any reading, and the layers" in of_four["sentence"]


def test_pooling_of_a_vector_is_not_named():
    cells = [
        *read("map", 0.5, 0.5, 0.5, 0.6),
        cell("fc", 0.9, auc=0.8, goodness=2),
        cell("fc", 0.88, auc=0.9, goodness=2, reading=READINGS[1]),
    ]
    (found,) = found_of(cells)
    assert "use fc, compared by Euclidean distance (" in found["sentence"]
    assert "at 5 %: the same layer in any reading." in found["sentence"]
    assert "AUC would take the same layer, by angle." in found["sentence"]
    (found,) = found_of(cells[:4])
    assert "use map, averaged over positions and compared by angle (" in found["sentence"]
    # Of a vector it is that of the first that was asked for, of maps that are read so it is told.
    means = [one | {"pooling": "mean"} for one in cells[4:]]
    (found,) = found_of(means)
    assert "use fc, averaged over positions and compared by Euclidean" in found["sentence"]
    block = [cell("block", knn1, reading=(p, "angle")) for p, knn1 in (("cls", 0.8), ("mean", 0.1))]
    (found,) = found_of([*means, *block])
    assert "use fc, compared by Euclidean distance (" in found["sentence"]
    (found,) = found_of([means[0] | {"knn1_half": 0.2}, *block])
    assert "use block, its class token compared by angle (" in found["sentence"]


def test_ties_in_accuracy_go_to_the_higher_auc():
    cells = [cell("a", 0.9, auc=0.7), cell("b", 0.9, auc=0.8), cell("c", 0.5, auc=0.99)]
    (found,) = found_of(cells, in_halves(cells, [0.9, 0.9, 0.1], [0.8, 0.9, 0.1]))
    assert found["layer"] == "b"
    assert found["not_distinguishable"] == "a.flat.euclidean"
    assert found["by_auc"] == "c.flat.euclidean"


def test_less_than_a_hundredth_of_a_point_is_a_tie():
    assert choose([0.99999, 1 - 1e-9, 0.9998], [0.8, 0.7, 0.9]) == 0
    assert choose([0.9001, 0.9002], [0.8, 0.7]) == 1


def test_ties_are_never_disagreement():
    first = cell("stage_1", 0.9, auc=0.7, goodness=np.inf)
    cells = [first, cell("stage_2", 0.9, auc=0.8, goodness=np.inf), cell("stage_3", 0.5)]
    cells += [one | {"metric": "angle"} for one in cells[1:]]  # the same, read otherwise
    (found,) = found_of(cells)
    assert found["layer"] == "stage_2"
    chosen = ".".join(found[key] for key in KEYS[1:])
    assert {found[f"by_{name}"] for name in OPINIONS} == {chosen}
    assert found["agree"] is True
    assert "disagree" not in found["sentence"] and "would take" not in found["sentence"]


def test_no_depth_is_advised_where_labels_cluster_at_none():
    cells = [cell("a", 0.3, p=0.4), cell("b", 0.4, p=0.06)]
    (found,) = found_of(cells)
    assert [found[name] for name in ("layer", "pooling", "metric", "recipe")] == [""] * 4
    assert found["not_distinguishable"] == "a.flat.euclidean;b.flat.euclidean"
    assert found["sentence"] == (
        "birds, net: no depth is advised. At none are labels shown to cluster (least p 0.06, "
        "corrected for the depths)."
    )
    (found,) = found_of([cells[0], cells[1] | {"metric": "angle"}])
    assert "corrected for the depths and readings" in found["sentence"]


def test_networks_are_compared_by_their_best_cells():
    cells = [
        *read("a", 0.5, 0.6, 0.65, 0.7, extractor="one"),
        cell("b", 0.8, extractor="one", reading=("flat", "angle")),
        cell("a", 0.9, extractor="two", reading=("mean", "angle")),
        cell("a", 0.1, extractor="two"),
        cell("a", 0.85, extractor="three", p=0.9),
    ]
    orders = [[0, 0, 0, 0, 0.8, 0.9, 0, 1], [0, 0, 0, 0, 0.9, 0.8, 0, 1]]
    found = pd.DataFrame(found_of(cells, in_halves(cells, *orders))).set_index("scope")
    network = found.loc["network"]
    assert (network.extractor, network.layer, network.stability) == ("two", "a", 0.5)
    assert (network.pooling, network.metric) == ("mean", "angle")
    assert network.not_distinguishable == "" and network.by_auc == "two/a.mean.angle"
    assert "birds: use two/a, averaged over positions and compared by angle" in network.sentence
    assert "chosen again in 50% of 2 halves" in network.sentence
    assert "All others differ" in network.sentence
    assert found.loc["depth"].extractor.tolist() == ["one", "two", "three"]


def test_networks_that_cannot_be_told_apart_are_named_with_the_layer():
    cells = [cell("a", 0.9, extractor="one"), cell("a", 0.91, extractor="two")]
    network = found_of(cells)[-1]
    assert network["not_distinguishable"] == "one/a.flat.euclidean"
    assert "Not distinguishable from it at 5 %: one/a." in network["sentence"]


def test_one_layer_and_a_warning_of_spread():
    (found,) = found_of([cell("a", 0.7, spread_warning=True)])
    assert found["spread_warning"] == "a"
    assert "classes differ in spread more than in place" in found["sentence"]
    cells = read("a", 0.1, 0.2, 0.3, 0.4, spread_warning=True) + read("b", 0.5, 0.6, 0.7, 0.8)
    (found,) = found_of(cells)
    assert found["spread_warning"] == "a" and "Beware at a:" in found["sentence"]


def test_few_groups_tell_nothing_apart():
    cells = [*read("a", 0.9, 0.2, 0.2, 0.2, groups=4), *read("b", 0.1, 0.1, 0.1, 0.1, groups=4)]
    differ = told_apart(cells).assign(se=np.nan, low=np.nan, high=np.nan, p_adjusted=np.nan)
    halves = in_halves(cells, [one["knn1"] for one in cells])
    (found,) = verdicts(pd.DataFrame(cells), differ, halves).to_dict("records")
    assert found["layer"] == "a" and found["not_distinguishable"].count(";") == 6
    said = "Whether the others differ from it cannot be told: the images come in 4 groups, and by "
    assert said + "fewer than 10 no interval can be trusted." in found["sentence"]
    assert "at 5 %" not in found["sentence"]


def test_files_and_summary(tmp_path, capsys):
    cells = [*read("1", 0.7, 0.1, 0.1, 0.1), *read("2", 0.1, 0.1, 0.1, 0.9)]
    table = pd.DataFrame(cells).assign(dim=7, images=10)
    table["best_reading"] = table.knn1 > 0.5
    table.to_csv(tmp_path / "goodness.csv", index=False)
    told_apart(cells).to_csv(tmp_path / "comparisons.csv", index=False)
    halves = in_halves(cells, range(8))
    for place in (0, 1):
        own = halves[halves.layer == str(place + 1)]
        own.to_csv(tmp_path / f"{place}.halves.csv", index=False)
    write_verdict(
        *(tmp_path / name for name in ("goodness.csv", "comparisons.csv")),
        [tmp_path / "0.halves.csv", tmp_path / "1.halves.csv"],
        tmp_path / "verdict.csv",
    )
    found = pd.read_csv(tmp_path / "verdict.csv", dtype=str)
    assert list(found)[:7] == [*("scope", "dataset", "extractor"), *KEYS[1:], "depth"]
    assert found.loc[0, KEYS].tolist() == ["net", "2", "mean", "angle"]
    net = {"kind": "keras_file", "path": "net.keras", "layers": ["1", "2"]}
    config = {"datasets": {"birds": {"kind": "digits"}}, "extractors": {"net": net}}
    plan = Plan(checked_config(config), {"birds": 10}, {"birds": "all"})
    (tmp_path / "plan.json").write_text(plan.text())
    print_summary(tmp_path)
    said = capsys.readouterr().out
    assert found.sentence[0] in said
    lines = said.splitlines()
    words = [" ".join(line.split()) for line in lines[1:3]]
    assert words[0] == "birds net 1 flat, euclidean 7 10 0.7000 0.001 0.700"
    assert words[1] == "2 mean, angle 7 10 0.9000 0.001 0.900"
    assert "Each layer in its best reading; goodness.csv has all 8 cells." in lines

    one = table[table.index % 4 == 0].assign(best_reading=True)
    one.to_csv(tmp_path / "goodness.csv", index=False)
    print_summary(tmp_path)
    numbers = capsys.readouterr().out.split(found.sentence[0])[0]
    assert "reading" not in numbers and "euclidean" not in numbers


@pytest.mark.parametrize("groups", [None, np.arange(80) // 2])
def test_accuracy_in_halves_is_that_of_each_half_alone(groups):
    codes = np.arange(80) % 3
    condensed = pdist(RNG.standard_normal((80, 2)) + codes[:, None])
    measured = measures(Labelled(condensed, codes.astype(str), groups=groups), progress=False)
    found, halves = half_accuracies(measured.neighbours, codes, seed=3)
    square = squareform(condensed) + np.diag(np.full(80, np.inf))
    if groups is not None:
        square[groups[:, None] == groups] = np.inf
    rng = np.random.default_rng(3)
    for split, drawn in zip(found, halves, strict=True):
        half = halve(codes, rng)
        np.testing.assert_array_equal(drawn, half)
        for part in (0, 1):
            members = np.flatnonzero(half == part)
            ranked = members[square[np.ix_(members, members)].argsort(axis=1)][:, :-2]
            right = codes[ranked] == codes[members][:, None]
            expected = expected_in_half(right).mean()
            # Only 32 neighbours are looked at, half of them in the half: what is left is 2^-10.
            assert split[part] == pytest.approx(expected, abs=2e-3)


def test_expected_accuracy_is_that_of_all_halves():
    right = np.array([[True, False, True], [False, False, True]])
    # Each subset of three neighbours equally likely; the nearest of those that are there counts.
    subsets = [s for s in product((False, True), repeat=3) if any(s)]
    exact = [[row[np.argmax(s)] for s in subsets] for row in right]
    np.testing.assert_allclose(expected_in_half(right), np.mean(exact, axis=1))


def test_the_steadier_accuracy_chooses():
    cells = [cell("a", 0.91, knn1_half=0.85), cell("b", 0.90, knn1_half=0.88)]
    (found,) = found_of(cells, in_halves(cells, [0.85, 0.88]))
    assert (found["layer"], found["knn1"], found["knn1_half"]) == ("b", 0.90, 0.88)
    assert "use b (leave-one-out 1-NN accuracy 0.900" in found["sentence"]


def test_halves_are_stratified():
    codes = RNG.permutation(np.repeat([0, 1, 2, 3], [1, 7, 20, 33]))
    half = halve(codes, np.random.default_rng(0))
    counts = np.array([[np.sum((codes == c) & (half == h)) for h in (0, 1)] for c in range(4)])
    assert np.abs(counts[:, 0] - counts[:, 1]).max() <= 1
    assert abs(counts.sum(axis=0)[0] - counts.sum(axis=0)[1]) <= 1


def test_copies_are_not_distinguishable_from_one_another(tmp_path):
    """Every command from distances to the verdict, on two copies of a layer and one of noise."""
    rng = np.random.default_rng(4)
    labels = np.arange(48) % 4
    pd.DataFrame({"image": np.arange(48), "label": labels}).to_csv(tmp_path / "m.csv", index=False)
    copied = pdist(rng.normal(size=(48, 6)) + 1.5 * np.eye(6)[labels]).astype(np.float32)
    layers = {"noise": pdist(rng.normal(size=(48, 6))), "one": copied, "other": copied}
    stems = [tmp_path / "nulls" / "d" / "net" / layer for layer in layers]
    stems[0].parent.mkdir(parents=True)
    described = [{"layer": layer, "poolings": {"flat": {"dim": 6}}} for layer in layers]
    (tmp_path / "net.json").write_text(json.dumps({"layers": described}))
    lines = []
    for (layer, distances), stem in zip(layers.items(), stems, strict=True):
        np.save(tmp_path / f"{layer}.npy", distances)
        kinds = {"null": ".npy", "row": ".csv", "classes": ".classes.csv"}
        kinds |= {"images": ".images.csv", "halves": ".halves.csv"}
        written = [f"--{kind}={stem}{suffix}" for kind, suffix in kinds.items()]
        names = ["--dataset=d", "--extractor=net", f"--layer={layer}", "--pooling=flat"]
        names += [f"--layers={tmp_path / 'net.json'}", "--permutations=99"]
        lines.append(["goodness", tmp_path / f"{layer}.npy", tmp_path / "m.csv", *written, *names])
    rows, halves = ([f"{stem}{suffix}" for stem in stems] for suffix in (".csv", ".halves.csv"))
    tables = [tmp_path / f"{name}.csv" for name in ("goodness", "comparisons", "verdict")]
    lines.append(["goodness-table", *rows, "--nulls", tmp_path / "nulls", "-o", tables[0]])
    lines.append(["compare", *rows, "-o", tables[1]])
    lines.append(["verdict", *tables[:2], *halves, "-o", tables[2]])
    for line in lines:
        done = CliRunner().invoke(main, [*map(str, line)])
        assert done.exit_code == 0, (done.output, done.exception)
    (found,) = pd.read_csv(tables[2]).to_dict("records")
    others = {"one": "other", "other": "one"}
    assert found["not_distinguishable"] == f"{others[found['layer']]}.flat.euclidean"
    assert f"Not distinguishable from it at 5 %: {others[found['layer']]}." in found["sentence"]
    pairs = pd.read_csv(tables[1])
    pairs = pairs[(pairs.layer_a == "one") & (pairs.layer_b == "other")]
    assert len(pairs) == 4 and (pairs[["difference", "se", "low", "high"]] == 0).all(axis=None)
    assert (pairs.p_adjusted == 1).all()
