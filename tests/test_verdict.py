"""The verdict on cells whose answer is known."""

import json
from itertools import product

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
from depthgauge.statistics.verdict import verdicts, write_verdict
from depthgauge.statistics.wording import OPINIONS, of_100
from depthgauge.summary import print_summary
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(8)


KEYS = ["extractor", "layer", "pooling", "metric"]
READINGS = [(pooling, metric) for pooling in ("flat", "mean") for metric in ("euclidean", "angle")]
PCA = {"pca": "the pixels alone (16 principal components)"}


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
        "dim": 100,
        "images": 200,
        "goodness": goodness,
        "goodness_pca50": goodness,
        "auc": auc,
        "knn1": knn1,
        "knn1_half": knn1,
        "p_value": p,
        "p_max_t": p,
        "spread_warning": False,
        "largest_class": 50,
    } | of


def read(layer, *accuracies, **of):
    """The cells of a layer in all of READINGS, with these accuracies."""
    pairs = zip(accuracies, READINGS, strict=True)
    return [cell(layer, knn1, auc=knn1, goodness=knn1, reading=r, **of) for knn1, r in pairs]


def ranked(cells, reach=0.025):
    """A ranking in which cells may be the best that are no more than ``reach`` below it."""
    cells = pd.DataFrame(cells)
    families = [("all", cells)] + [("extractor", own) for _, own in cells.groupby("extractor")]
    parts = []
    for family, own in families:
        worse = own.knn1_half.max() - own.knn1_half
        rank = own[["dataset", *KEYS, "knn1_half"]].assign(family=family, worse_by=worse)
        rank = rank.assign(worse_low=np.maximum(worse - reach, 0), worse_high=worse + reach)
        parts.append(rank.assign(may_be_best=(worse <= reach).astype(int)))
    return pd.concat(parts)


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


def found_of(cells, halves=None, controls=None, **of):
    """Return the verdicts on ``cells``, as dicts, that on the dataset first.

    In halves cells rank as in all.
    """
    halves = in_halves(cells, *[[one["knn1"] for one in cells]] * 4) if halves is None else halves
    return verdicts(pd.DataFrame(cells), ranked(cells, **of), halves, controls).to_dict("records")


# The verdict in words, one case each.


def test_firm():
    cells = [cell("a", 0.5), cell("b", 0.98, auc=0.9, goodness=1.4, depth=2, dim=1024)]
    found, of_net = found_of(cells)
    assert (found["scope"], found["answer"], found["certainty"]) == ("dataset", "use", "firm")
    assert found["headline"] == "Use net, layer b."
    assert found["detail"] == (
        "It tells your classes apart very well: for about 98 of 100 pictures the most similar "
        "picture is of the same class, where guessing gets 25. The other layer does worse. This "
        "layer was chosen again in 4 of 4 random halves of your pictures."
    )
    assert found["numbers"] == (
        "Accuracy of the nearest neighbour 98.0%, leave-one-out, and 98.0% expected in half of the "
        "images, which closes 97% of the gap between guessing and perfect; AUC 0.900; goodness "
        "1.4; p 0.001, corrected for all that was tried. Next is net/a.flat.euclidean, in half of "
        "the images worse than the best by 48.0 points (95 % interval 45.5 to 50.5)."
    )
    assert found["sentence"] == f"birds: use{found['headline'][3:]} {found['detail']}"
    assert (of_net["scope"], of_net["headline"]) == ("depth", "Use layer b.")
    assert of_net["sentence"].startswith("birds, net: use layer b. It tells")
    assert (found["guessing"], found["quality"], found["halves"]) == (0.25, "very well", 4)
    assert (found["next"], found["agree"]) == ("net/a.flat.euclidean", True)


def test_likely():
    cells = [cell("a", 0.80), cell("b", 0.82, depth=2), cell("c", 0.3, depth=3)]
    order, other = [0.80, 0.82, 0.3], [0.9, 0.82, 0.3]
    found = found_of(cells, in_halves(cells, order, order, order, other))[0]
    assert (found["certainty"], found["layer"], found["layer_stability"]) == ("likely", "b", 0.75)
    assert found["headline"] == "Use net, layer b."
    assert found["detail"] == (
        "It tells your classes apart fairly well: for about 82 of 100 pictures the most similar "
        "picture is of the same class, where guessing gets 25. net/a may be just as good. This "
        "layer was chosen again in 3 of 4 random halves of your pictures."
    )
    assert found["not_distinguishable"] == "net/a.flat.euclidean"
    # However many halves agree, it is not firm while another layer may be the best.
    assert found_of(cells)[0]["certainty"] == "likely"
    # And where none may, it is not firm while halves do not agree.
    found = found_of(cells, in_halves(cells, order, order, order, other), reach=0.001)[0]
    assert found["certainty"] == "likely" and "Every other layer does worse." in found["detail"]


def test_toss_up_takes_the_practical_cell():
    cells = [
        cell("a", 0.455, dim=341056),
        cell("b", 0.450, dim=1024, depth=3),
        cell("c", 0.449, dim=1024, depth=2),
        cell("d", 0.440, dim=16, depth=4),
    ]
    orders = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    found = found_of(cells, in_halves(cells, *orders))[0]
    # Of the cells within a point that of the fewest values, then the shallowest: d is beyond.
    assert (found["certainty"], found["layer"], found["most_accurate"]) == (
        "toss-up",
        "c",
        "net/a.flat.euclidean",
    )
    assert found["headline"] == (
        "Nothing tried does well; take net, layer c: it is a toss-up between this and others."
    )
    assert found["detail"] == (
        "It tells your classes apart somewhat: for about 45 of 100 pictures the most similar "
        "picture is of the same class, where guessing gets 25. Any of the other 3 layers may "
        "be just as good. This layer was chosen in only 1 of 4 random halves of your pictures: "
        "more pictures would help."
    )
    assert "net/a.flat.euclidean is the most accurate by less than a point" in found["numbers"]
    assert "Next is net/a.flat.euclidean" in found["numbers"]


def test_weak():
    cells = [cell("a", 0.33), cell("b", 0.5, depth=2), cell("c", 0.32, extractor="pca")]
    found, of_net, _ = found_of(cells, controls=PCA)
    assert found["headline"] == "Nothing tried does well; the best is net, layer b."
    assert "apart somewhat: for about 50 of 100" in found["detail"]
    assert "closes 33% of the gap between guessing and perfect" in found["numbers"]
    assert of_net["headline"] == "Nothing tried does well; the best is layer b."
    found = found_of([cells[0], cells[2] | {"knn1": 0.34, "knn1_half": 0.34}], controls=PCA)[0]
    assert found["headline"] == (
        "Nothing tried does well, and no network better than the pixels alone (16 principal "
        "components)."
    )


def test_control_is_what_must_be_beaten():
    cells = [cell("a", 0.5), cell("b", 0.975, depth=2), cell("c", 0.97, extractor="pca", dim=16)]
    found, of_net, of_pca = found_of(cells, controls=PCA)
    assert (found["answer"], found["extractor"], found["beats_control"]) == ("control", "pca", "no")
    assert found["headline"] == (
        "You need no network: the pixels alone (16 principal components) will do as well."
    )
    assert (
        "for about 97 of 100 pictures" in found["detail"]
        and "components) 97" not in found["detail"]
    )
    assert (of_net["answer"], of_net["headline"]) == ("use", "Use layer b.")
    assert of_pca["headline"] == "The best of this control is layer c."

    untrained = [one | {"extractor": "raw"} if one["layer"] == "c" else one for one in cells]
    found = found_of(untrained, controls={"raw": "InceptionV3 with random weights"})[0]
    assert found["headline"] == (
        "You need no trained network: InceptionV3 with random weights will do as well."
    )
    found = found_of(cells[2:], controls=PCA)[0]
    assert found["headline"] == (
        "Only controls were tried; the best is pca: the pixels alone (16 principal components)."
    )


def test_control_that_is_beaten_or_perhaps():
    cells = [cell("a", 0.95), cell("b", 0.93, extractor="pca", dim=16)]
    found = found_of(cells, controls=PCA)[0]
    assert (found["answer"], found["extractor"], found["control"]) == (
        "use",
        "net",
        "pca/b.flat.euclidean",
    )
    assert found["beats_control"] == "not told" and found["control_knn1_half"] == 0.93
    assert found["detail"].endswith(
        "Whether it beats the pixels alone (16 principal components) cannot be told for certain."
    )
    found = found_of(cells, controls=PCA, reach=0.001)[0]
    assert found["beats_control"] == "yes" and "cannot be told" not in found["detail"]
    beside = "where guessing gets 25, and the pixels alone (16 principal components) 93."
    assert beside in found["detail"]
    # One at which labels do not cluster is beaten, too; and is no answer, however accurate.
    for knn1, beats in ((0.5, "yes"), (0.99, "not told")):
        other = cells[1] | {"knn1": knn1, "knn1_half": knn1, "p_max_t": 0.5}
        found = found_of([cells[0], other], controls=PCA, reach=0.001)[0]
        assert (found["answer"], found["beats_control"]) == ("use", beats)
    # Without the knowledge that it is one, it competes.
    assert found_of(cells[::-1])[0]["control"] != found["control"]


def test_nothing_clusters():
    cells = [cell("a", 0.3, p=0.4), cell("b", 0.4, p=0.06)]
    found, of_net = found_of(cells)
    assert [found[name] for name in ("layer", "pooling", "metric", "recipe")] == [""] * 4
    assert (found["answer"], found["certainty"]) == ("none", "")
    assert found["not_distinguishable"] == "net/a.flat.euclidean;net/b.flat.euclidean"
    assert found["headline"] == "Nothing tried tells your classes apart."
    assert found["detail"] == (
        "Pictures of one class lie no nearer together than pictures of shuffled classes, at any "
        "layer. Look at the pictures, or at how the classes were made; more pictures may help, too."
    )
    assert found["numbers"] == "The least p is 0.06, corrected for the depths."
    assert of_net["headline"] == "No layer of net tells your classes apart."
    found = found_of([cells[0], cells[1] | {"metric": "angle"}])[0]
    assert found["numbers"] == "The least p is 0.06, corrected for the depths and readings."


def test_few_groups_tell_nothing_apart():
    cells = [*read("a", 0.9, 0.2, 0.2, 0.2, groups=4), *read("b", 0.1, 0.1, 0.1, 0.1, groups=4)]
    ranking = ranked(cells).assign(worse_low=np.nan, worse_high=np.nan, may_be_best=np.nan)
    halves = in_halves(cells, *[[one["knn1"] for one in cells]] * 4)
    found = verdicts(pd.DataFrame(cells), ranking, halves).to_dict("records")[0]
    assert (found["layer"], found["certainty"]) == ("a", "likely")
    assert found["not_distinguishable"].count(";") == 6
    assert (
        "Whether the others are any worse cannot be told: the images come in 4 groups, and by "
        "fewer than 10 no interval can be trusted."
    ) in found["detail"]
    assert "interval 0" not in found["numbers"] and "by 80.0 points." in found["numbers"]


def test_sample_is_told():
    found = found_of([cell("a", 0.7, population_images=10_000.0)])[0]
    assert found["detail"].endswith("Measured were 200 of your 10,000 pictures.")


@pytest.mark.parametrize(
    ("knn1", "word"), [(0.9, "very well"), (0.8, "fairly well"), (0.5, "somewhat"), (0.3, "poorly")]
)
def test_quality_is_between_guessing_and_all(knn1, word):
    found = found_of([cell("a", knn1)])[0]  # guessing gets 0.25
    assert (
        found["quality"] == word
        and f"apart {word}: for about {100 * knn1:.0f} of" in found["detail"]
    )


def test_nearly_all_is_said_so():
    found = found_of([cell("a", 0.996)])[0]
    assert "very well: for practically all pictures the most similar picture is" in found["detail"]


def test_all_of_100_is_said_of_all_alone():
    assert [of_100(share) for share in (1, 0.999, 0.985, 0.001, 0)] == [100, 99, 98, 1, 0]


# The choice.


def test_most_accurate_layer_and_those_that_cannot_be_told_from_it():
    cells = [
        cell("a", 0.70, goodness=1.5),
        cell("b", 0.90, auc=0.9, depth=2),
        cell("c", 0.89, auc=0.6, depth=3),
        cell("d", 0.80, depth=4),
    ]
    halves = in_halves(cells, *[[0.1, 0.9, 0.8, 0.7]] * 3, [0.1, 0.8, 0.9, 0.7])
    of_all, found = found_of(cells, halves)
    assert of_all["extractor"] == "net" and of_all["not_distinguishable"] == "net/c.flat.euclidean"
    assert (found["scope"], found["layer"], found["depth"]) == ("depth", "b", 2)
    assert (found["pooling"], found["metric"]) == READINGS[0]
    assert found["not_distinguishable"] == "c.flat.euclidean"
    assert found["stability"] == found["layer_stability"] == 0.75
    assert (found["by_auc"], found["by_goodness"]) == ("b.flat.euclidean", "a.flat.euclidean")
    assert found["agree"] is False
    assert found["recipe"] == "Take all values of b and compare by Euclidean distance."
    assert "elsewhere: a.flat.euclidean by goodness after PCA and goodness." in found["numbers"]


def test_verdict_is_on_layer_and_reading():
    cells = [
        *read("a", 0.70, 0.72, 0.80, 0.88),
        *read("b", 0.80, 0.895, 0.80, 0.91, depth=2),
        *read("c", 0.50, 0.90, 0.90, 0.90, depth=3),
        *read("d", 0.50, 0.50, 0.90, 0.50, depth=4),
    ]
    cells[5]["auc"] = 0.99  # b, flat by angle
    orders = [[float(i == place) for i in range(16)] for place in (7, 7, 4, 15)]
    found = found_of(cells, in_halves(cells, *orders))[1]
    assert (found["layer"], found["pooling"], found["metric"]) == ("b", "mean", "angle")
    assert found["not_distinguishable"].split(";") == [
        "b.flat.angle",
        *("c.flat.angle", "c.mean.euclidean", "c.mean.angle", "d.mean.euclidean"),
    ]
    assert found["by_auc"] == "b.flat.angle"
    assert (found["stability"], found["layer_stability"]) == (0.5, 0.75)
    assert found["headline"] == "Use layer b, averaged over positions and compared by angle."
    assert (
        "may be just as good. This layer was chosen again in 3 of 4 random halves of your "
        "pictures, and read in this way in 2."
    ) in found["detail"]
    assert "average them over all positions" in found["recipe"]
    again = found_of(cells, in_halves(cells, *orders[:1] * 4))[1]["detail"]
    assert "This layer, read in this way, was chosen again in 4 of 4 random halves" in again


def test_words_stay_few_with_many_layers():
    cells = [one for i in range(20) for one in read(f"layer_{i}", 0.9, 0.9, 0.9, 0.9)]
    found = found_of(cells[:-4] + read("layer_19", 0.9, 0.9, 0.9, 0.5))[1]
    assert found["not_distinguishable"].count(";") == 77
    assert "Any of the other 19 layers may be just as good." in found["detail"]
    found = found_of([*cells, cell("bad", 0.1)])[1]
    assert len(found["detail"]) < 400 and " and 17 more may be just as good." in found["detail"]


def test_pooling_of_a_vector_is_not_named():
    cells = [
        *read("map", 0.5, 0.5, 0.5, 0.7),
        cell("fc", 0.9, auc=0.8, goodness=2),
        cell("fc", 0.88, auc=0.9, goodness=2, reading=READINGS[1]),
    ]
    assert found_of(cells)[1]["headline"] == "Use layer fc, compared by Euclidean distance."
    assert found_of(cells)[0]["headline"] == "Use net, layer fc, compared by Euclidean distance."
    assert found_of(cells[:4])[1]["headline"] == (
        "Use layer map, averaged over positions and compared by angle."
    )
    # Of a vector it is that of the first that was asked for, of maps that are read so it is told.
    means = [one | {"pooling": "mean"} for one in cells[4:]]
    assert "averaged over positions and compared by Euclidean" in found_of(means)[1]["headline"]
    block = [cell("block", knn1, reading=(p, "angle")) for p, knn1 in (("cls", 0.8), ("mean", 0.1))]
    found = found_of([*means, *block])[1]
    assert found["headline"] == "Use layer fc, compared by Euclidean distance."
    cells = [means[0] | {"knn1": 0.2, "knn1_half": 0.2}, *block]
    found = found_of(cells)[1]
    assert found["headline"] == "Use layer block, its class token compared by angle."


def test_ties_in_accuracy_go_to_the_higher_auc():
    cells = [cell("a", 0.9, auc=0.7), cell("b", 0.9, auc=0.8), cell("c", 0.5, auc=0.99)]
    found = found_of(cells, in_halves(cells, *[[0.9, 0.95, 0.1], [0.8, 0.9, 0.1]] * 2))[1]
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
    found = found_of(cells, in_halves(cells, *[[0.1, 0.9, 0.1, 0.2, 0.1]] * 4))[1]
    assert found["layer"] == "stage_2"
    chosen = ".".join(found[key] for key in KEYS[1:])
    assert {found[f"by_{name}"] for name in OPINIONS} == {chosen}
    assert found["agree"] is True
    assert "would take" not in found["numbers"]


def test_networks_compete_by_all_their_cells():
    cells = [
        *read("a", 0.5, 0.6, 0.65, 0.7, extractor="one"),
        cell("b", 0.8, extractor="one", reading=("flat", "angle")),
        cell("a", 0.9, extractor="two", reading=("mean", "angle")),
        cell("a", 0.1, extractor="two"),
        cell("a", 0.95, extractor="three", p=0.9),
    ]
    orders = [[0, 0, 0, 0, 0.8, 0.9, 0, 1], [0, 0, 0, 0, 0.9, 0.8, 0, 1]]
    found = found_of(cells, in_halves(cells, *orders), reach=0.06)
    assert (found[0]["extractor"], found[0]["layer"], found[0]["stability"]) == ("two", "a", 0.5)
    assert (found[0]["pooling"], found[0]["metric"]) == ("mean", "angle")
    assert found[0]["by_auc"] == "two/a.mean.angle"
    assert [one["extractor"] for one in found[1:]] == ["one", "two", "three"]
    assert [one["answer"] for one in found[1:]] == ["use", "use", "none"]


def test_one_layer_and_a_warning_of_spread():
    found = found_of([cell("a", 0.7, spread_warning=True)])[1]
    assert found["spread_warning"] == "a"
    assert "classes differ in spread more than in place" in found["numbers"]
    cells = read("a", 0.1, 0.2, 0.3, 0.4, spread_warning=True) + read("b", 0.5, 0.6, 0.7, 0.8)
    found = found_of(cells)[1]
    # Beside a layer that is not advised it stands in the table alone.
    assert found["spread_warning"] == "a" and "Beware" not in found["numbers"]
    assert "Beware at a:" in found_of(cells[:4])[1]["numbers"]


def test_files_and_summary(tmp_path, capsys):
    cells = [*read("1", 0.7, 0.1, 0.1, 0.1), *read("2", 0.1, 0.1, 0.1, 0.9)]
    table = pd.DataFrame(cells).assign(dim=7, images=10)
    table["best_reading"] = table.knn1 > 0.5
    table.to_csv(tmp_path / "goodness.csv", index=False)
    ranked(cells).to_csv(tmp_path / "ranking.csv", index=False)
    halves = in_halves(cells, range(8))
    for place in (0, 1):
        own = halves[halves.layer == str(place + 1)]
        own.to_csv(tmp_path / f"{place}.halves.csv", index=False)
    write_verdict(
        *(tmp_path / name for name in ("goodness.csv", "ranking.csv")),
        [tmp_path / "0.halves.csv", tmp_path / "1.halves.csv"],
        tmp_path / "verdict.csv",
    )
    found = pd.read_csv(tmp_path / "verdict.csv", dtype=str)
    assert list(found)[:7] == [*("scope", "dataset", "extractor"), *KEYS[1:], "depth"]
    assert found.scope.tolist() == ["dataset", "depth"]
    assert found.loc[0, KEYS].tolist() == ["net", "2", "mean", "angle"]
    net = {"kind": "keras_file", "path": "net.keras", "layers": ["1", "2"]}
    config = {"datasets": {"birds": {"kind": "digits"}}, "extractors": {"net": net}}
    plan = Plan(checked_config(config), {"birds": 10}, {"birds": "all"})
    (tmp_path / "plan.json").write_text(plan.text())
    print_summary(tmp_path)
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(
        "birds: 10 pictures certainty of the choice: firm Use net, layer 2, averaged over"
    )
    assert f"{found.headline[0]} {found.detail[0]} Where to look:" in said
    print_summary(tmp_path, table=True)
    lines = capsys.readouterr().out.splitlines()
    words = [" ".join(line.split()) for line in lines[1:3]]
    assert words[0] == "birds net 1 flat, euclidean 7 10 0.700 0.700 0.7000 0.001"
    assert words[1] == "2 mean, angle 7 10 0.900 0.900 0.9000 0.001"
    assert "Each layer in its best reading; goodness.csv has all 8 cells." in lines

    one = table[table.index % 4 == 0].assign(best_reading=True)
    one.to_csv(tmp_path / "goodness.csv", index=False)
    print_summary(tmp_path, table=True)
    numbers = capsys.readouterr().out.split("certainty")[0]
    assert "reading" not in numbers and "euclidean" not in numbers


@pytest.mark.parametrize("groups", [None, np.arange(80) // 2])
def test_accuracy_in_halves_is_that_of_each_half_alone(groups):
    codes = np.arange(80) % 3
    condensed = pdist(RNG.standard_normal((80, 2)) + codes[:, None])
    measured = measures(Labelled(condensed, codes.astype(str), groups=groups), progress=False)
    found, halves = half_accuracies(measured.neighbours, codes, groups=groups, seed=3)
    square = squareform(condensed) + np.diag(np.full(80, np.inf))
    if groups is not None:
        square[groups[:, None] == groups] = np.inf
    rng = np.random.default_rng(3)
    for split, drawn in zip(found, halves, strict=True):
        half = halve(codes, rng, groups)
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
    found = found_of(cells, in_halves(cells, [0.85, 0.88]))[1]
    assert (found["layer"], found["knn1"], found["knn1_half"]) == ("b", 0.90, 0.88)
    assert "Accuracy of the nearest neighbour 90.0%" in found["numbers"]


def test_halves_are_stratified():
    codes = RNG.permutation(np.repeat([0, 1, 2, 3], [1, 7, 20, 33]))
    half = halve(codes, np.random.default_rng(0))
    counts = np.array([[np.sum((codes == c) & (half == h)) for h in (0, 1)] for c in range(4)])
    assert np.abs(counts[:, 0] - counts[:, 1]).max() <= 1
    assert abs(counts.sum(axis=0)[0] - counts.sum(axis=0)[1]) <= 1


def test_a_group_is_in_one_half():
    rng = np.random.default_rng(5)
    groups = rng.permutation(np.repeat(np.arange(24), [1, 2, 3, 6] * 6))
    codes = groups % 3
    half = halve(codes, rng, groups)
    of_group = [np.unique(half[groups == group]) for group in range(24)]
    assert all(len(parts) == 1 for parts in of_group)
    for code in range(3):
        assert np.sum(of_group[code::3]) == 4


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
    tables = [
        tmp_path / f"{name}.csv" for name in ("goodness", "comparisons", "verdict", "ranking")
    ]
    lines.append(["goodness-table", *rows, "--nulls", tmp_path / "nulls", "-o", tables[0]])
    lines.append(["compare", *rows, "-o", tables[1], "--ranking", tables[3]])
    lines.append(["verdict", tables[0], tables[3], *halves, "-o", tables[2]])
    for line in lines:
        done = CliRunner().invoke(main, [*map(str, line)])
        assert done.exit_code == 0, (done.output, done.exception)
    found = pd.read_csv(tables[2]).to_dict("records")[1]
    others = {"one": "other", "other": "one"}
    assert found["not_distinguishable"] == f"{others[found['layer']]}.flat.euclidean"
    assert f"{others[found['layer']]} may be just as good." in found["detail"]
    pairs = pd.read_csv(tables[1])
    pairs = pairs[(pairs.layer_a == "one") & (pairs.layer_b == "other")]
    assert len(pairs) == 4 and (pairs[["difference", "se", "low", "high"]] == 0).all(axis=None)
    assert (pairs.p_adjusted == 1).all()
