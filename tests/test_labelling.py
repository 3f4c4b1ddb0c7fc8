"""Few labels: methods held to dense solves and scikit-learn, curves, and labels for the rest."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.distances.matrix import Distances
from depthgauge.errors import UserError
from depthgauge.figures.label_curves import draw_label_curves
from depthgauge.labelling import nearest_labelled, propagation
from depthgauge.labelling.calibration import calibration
from depthgauge.labelling.label_accuracy import label_accuracy, write_label_accuracy
from depthgauge.labelling.label_splits import label_splits
from depthgauge.labelling.label_summary import label_summary
from depthgauge.labelling.labelling import (
    Candidate,
    best,
    decided_labels,
    expected_accuracy,
    wilson,
    write_labels,
)
from depthgauge.labelling.linear_probe import write_linear_probe
from depthgauge.labelling.neighbour_graph import neighbour_graph
from depthgauge.seeds import derive_seed
from depthgauge.tables import write_table
from scipy.spatial.distance import pdist, squareform
from scipy.stats import binomtest, ttest_1samp
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading


def planted(sizes, apart=6.0, dim=5, seed=0):
    """Features around centres ``apart`` from the origin, and their classes."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    centres = apart * np.eye(len(sizes), dim)
    return centres[codes] + rng.standard_normal((len(codes), dim)), codes


def graph_of(points, k=5):
    condensed = pdist(points).astype(np.float32)
    return neighbour_graph(condensed, k, progress=False)


def dense_weights(points, k):
    """W of Calder et al., by brute force."""
    square = squareform(pdist(points).astype(np.float32)).astype(np.float64)
    np.fill_diagonal(square, np.inf)
    directed = np.zeros_like(square)
    for i, row in enumerate(square):
        near = np.argsort(row, kind="stable")[:k]
        directed[i, near] = np.exp(-4 * row[near] ** 2 / row[near[-1]] ** 2)
    return (directed + directed.T) / 2


def dense_scores(method, weights, labelled, given, classes, mass=None):
    """The same equations, solved densely, for a connected graph; a mass for each label."""
    degree = weights.sum(axis=1)
    mass = np.ones(len(given)) if mass is None else mass
    y = np.eye(classes)[given]
    sources = np.zeros((len(weights), classes))
    if method == "label_spreading":
        sources[labelled] = mass[:, None] * y
        similarity = weights / np.sqrt(np.outer(degree, degree))
        return np.linalg.solve(np.eye(len(weights)) - 0.99 * similarity, sources)
    sources[labelled] = mass[:, None] * (y - np.average(y, axis=0, weights=mass))
    u = np.linalg.lstsq(np.diag(degree) - weights, sources, rcond=None)[0]
    return u - degree @ u / degree.sum()


@pytest.mark.parametrize("method", propagation.METHODS)
def test_scores_solve_the_equations_and_leaving_out_solves_them_anew(method):
    points, codes = planted([20, 15, 25], apart=2.0)
    graph, weights = graph_of(points), dense_weights(points, 5)
    assert graph.component.max() == 0
    labelled = np.array([0, 3, 7, 21, 30, 36, 40, 59])
    given = codes[labelled]
    scores = propagation.METHODS[method](graph, labelled, given, 3)
    expected = dense_scores(method, weights, labelled, given, 3)
    np.testing.assert_allclose(scores, expected, atol=1e-4 * np.abs(expected).max())
    evaluated = np.array([0, 2, 4, 7])
    left_out = propagation.leave_one_out(method, graph, labelled, given, 3, evaluated)
    for row, place in zip(left_out, evaluated, strict=True):
        keep = np.arange(len(labelled)) != place
        size = np.count_nonzero(given == given[place])
        mass = np.where(given == given[place], size / (size - 1), 1)[keep]
        anew = dense_scores(method, weights, labelled[keep], given[keep], 3, mass)
        anew = anew[labelled[place]]
        np.testing.assert_allclose(row, anew, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", propagation.METHODS)
def test_leaving_out_a_group_solves_anew_without_it(method):
    points, codes = planted([20, 15, 25], apart=2.0)
    graph, weights = graph_of(points), dense_weights(points, 5)
    labelled = np.array([0, 3, 7, 21, 30, 36, 40, 59])
    given, groups = codes[labelled], np.array(list("xxyxyyzw"))
    evaluated = np.array([0, 4, 6])
    found = propagation.leave_one_out(method, graph, labelled, given, 3, evaluated, groups)
    for row, place in zip(found, evaluated, strict=True):
        keep = groups != groups[place]
        mass = np.bincount(given)[given[keep]] / np.bincount(given[keep])[given[keep]]
        anew = dense_scores(method, weights, labelled[keep], given[keep], 3, mass)[labelled[place]]
        np.testing.assert_allclose(row, anew, atol=1e-4 * np.abs(anew).max())


def test_label_spreading_decides_as_scikit_learn_does():
    points, codes = planted([30, 30, 30], apart=1.5)
    weights = dense_weights(points, 5)
    labels = np.full(90, -1)
    labelled = np.array([1, 2, 31, 32, 61, 62])
    labels[labelled] = codes[labelled]
    model = LabelSpreading(
        kernel=lambda x, y: weights, alpha=propagation.ALPHA, max_iter=20_000, tol=1e-12
    )
    model.fit(points, labels)
    scores = propagation.label_spreading(graph_of(points), labelled, codes[labelled], 3)
    ranked = np.sort(scores, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 1e-4 * ranked[:, -1]
    assert clear.sum() > 80
    np.testing.assert_array_equal(scores.argmax(axis=1)[clear], model.transduction_[clear])


@pytest.mark.parametrize("method", propagation.METHODS)
def test_a_component_without_label_stays_unlabelled_and_one_class_takes_its_component(method):
    points, codes = planted([12, 12, 12], apart=100.0)
    graph = graph_of(points)
    assert graph.component.max() == 2
    labelled = np.array([0, 12, 13])
    scores = propagation.METHODS[method](graph, labelled, codes[labelled], 3)
    assert np.isneginf(scores[24:]).all()
    np.testing.assert_array_equal(scores[:24].argmax(axis=1), codes[:24])
    assert np.isfinite(scores[:24]).any(axis=1).all()
    left_out = propagation.leave_one_out(
        method, graph, labelled, codes[labelled], 3, np.arange(len(labelled))
    )
    assert np.isneginf(left_out[0]).all()
    assert left_out[1:].argmax(axis=1).tolist() == [1, 1]


def test_copies_do_not_harm_the_graph():
    points, codes = planted([12, 12])
    points[:8] = points[0]
    graph = graph_of(points)
    assert np.isfinite(graph.similarity.data).all()
    scores = propagation.poisson_learning(graph, np.array([0, 12]), codes[[0, 12]], 2)
    assert np.isfinite(scores[:8]).any(axis=1).all()


@pytest.mark.parametrize(("name", "k"), [("1-NN", 1), ("5-NN", 5)])
def test_nearest_labelled_decide_as_scikit_learn_does(name, k):
    points, codes = planted([30, 30, 30], apart=1.0)
    condensed = pdist(points)
    labelled = np.random.default_rng(1).permutation(90)[:25]
    near = Distances(condensed).rows(labelled)
    model = KNeighborsClassifier(k, weights="distance", metric="precomputed")
    model.fit(squareform(condensed)[np.ix_(labelled, labelled)], codes[labelled])
    scores = nearest_labelled.METHODS[name](near, codes[labelled], 3)
    np.testing.assert_array_equal(scores.argmax(axis=1), model.predict(near.T))
    if k > 1:
        shares = np.where(np.isfinite(scores), scores, 0)
        np.testing.assert_allclose(shares, model.predict_proba(near.T), atol=1e-12)


def test_splits_are_stratified_nested_and_follow_from_the_seed(caplog):
    codes = np.array([0] * 9 + [1] * 6 + [2] * 30)
    counts, draws = label_splits(codes, [1, 2, 5, 6, 50], 7, 3)
    assert counts == [1, 2, 5] and draws.shape == (7, 3, 5)
    assert "6, 50 labels per class: skipped" in caplog.text and "6 images" in caplog.text
    for split in draws:
        assert (codes[split] == np.arange(3)[:, None]).all()
        assert len(np.unique(split)) == split.size
    assert len({split.tobytes() for split in draws}) == 7
    np.testing.assert_array_equal(draws, label_splits(codes, [1, 2, 5], 7, 3)[1])
    assert (draws != label_splits(codes, [5], 7, 4)[1]).any()


def test_groups_are_labelled_or_hidden():
    codes = np.repeat([0, 1, 2], 24)
    groups = np.arange(72) // 4
    counts, draws = label_splits(codes, [2, 12, 13], 5, 3, groups)
    assert counts == [2, 12]
    square = squareform(pdist(np.random.default_rng(0).standard_normal((72, 2))))
    condensed = squareform(square).astype(np.float32)
    table = label_accuracy(
        Distances(condensed), codes, counts, draws, groups=groups, progress=False
    )
    for row in table[table.method == "1-NN"].itertuples():
        labelled = draws[row.split, :, : row.labels_per_class].ravel()
        hidden = np.flatnonzero(~np.isin(groups, groups[draws[row.split].ravel()]))
        assert row.hidden == len(hidden) == 36
        nearest = codes[labelled][square[np.ix_(hidden, labelled)].argmin(axis=1)]
        assert row.accuracy == (nearest == codes[hidden]).mean()


def test_accuracy_is_that_of_the_hidden_images_whatever_the_threads():
    points, codes = planted([25, 25, 25], apart=3.0)
    condensed = pdist(points).astype(np.float32)
    counts, draws = label_splits(codes, [1, 5], 4, 0)
    table = label_accuracy(Distances(condensed), codes, counts, draws, progress=False)
    other = label_accuracy(Distances(condensed), codes, counts, draws, threads=3, progress=False)
    pd.testing.assert_frame_equal(table, other, check_exact=True)
    square = squareform(condensed)
    for row in table[table.method == "1-NN"].itertuples():
        labelled = draws[row.split, :, : row.labels_per_class].ravel()
        hidden = np.setdiff1d(np.arange(75), labelled)
        nearest = codes[labelled][square[np.ix_(hidden, labelled)].argmin(axis=1)]
        assert row.hidden == len(hidden) and row.accuracy == (nearest == codes[hidden]).mean()
    means = table[table.labels_per_class == 1].groupby("method").accuracy.mean()
    assert means["poisson_learning"] > means["1-NN"]


def test_what_is_not_reached_counts_as_wrong():
    points, codes = planted([12, 24], apart=100.0)
    points[24:] += 1000  # a component of its own, of the second class
    counts, draws = label_splits(codes, [1], 6, 0)
    table = label_accuracy(
        Distances(pdist(points).astype(np.float32)), codes, counts, draws, progress=False
    )
    spread = table[table.method == "label_spreading"]
    assert (spread.coverage < 1).all()
    np.testing.assert_array_equal(spread.accuracy, spread.coverage)


def test_summary_has_students_interval_and_pairs():
    rng = np.random.default_rng(0)
    trials = pd.DataFrame(
        [
            (layer, method, count, split, 50, 1.0, rng.random())
            for layer in ("a", "b")
            for method in ("1-NN", "poisson_learning")
            for count in (1, 2)
            for split in range(6)
        ],
        columns=["layer", "method", "labels_per_class", "split", "hidden", "coverage", "accuracy"],
    )
    curves, differences = label_summary(trials.sample(frac=1, random_state=1))
    values = trials.set_index(["layer", "method", "labels_per_class"]).accuracy
    assert len(curves) == 8 and len(differences) == 2 * (2 + 2)
    for row in curves.itertuples():
        x = values[row.layer, row.method, row.labels_per_class]
        interval = ttest_1samp(x, 0).confidence_interval(0.95)
        expected = [x.mean(), max(interval.low, 0), min(interval.high, 1)]
        np.testing.assert_allclose([row.accuracy, row.low, row.high], expected)
    for row in differences.itertuples():
        x = values[row.layer, row.method, row.labels_per_class].to_numpy()
        x = x - values[row.other_layer, row.other_method, row.labels_per_class].to_numpy()
        interval = ttest_1samp(x, 0).confidence_interval(0.95)
        expected = [x.mean(), *interval]
        np.testing.assert_allclose([row.difference, row.low, row.high], expected)


def test_calibrated_probabilities_are_the_share_that_is_right():
    rng = np.random.default_rng(0)
    margins = rng.random(4000)
    right = rng.random(4000) < 0.3 + 0.6 * margins
    probability = calibration(margins, right)
    for low, high in [(0, 0.3), (0.3, 0.7), (0.7, 1)]:
        part = (margins >= low) & (margins < high)
        assert abs(probability(margins[part]).mean() - right[part].mean()) < 0.04
    assert (np.diff(probability(np.linspace(0, 1, 9))) >= 0).all()
    sure = calibration(margins[:10], np.ones(10, bool))(margins)
    assert ((sure > 0.85) & (sure < 1)).all()


@pytest.mark.parametrize("margins", [np.full(25, np.inf), np.linspace(0.2, 0.4, 25)])
def test_where_all_are_right_every_margin_is_as_sure(margins):
    sure = calibration(margins, np.ones(25, bool))(np.array([0, 0.3, 9, np.inf]))
    assert np.ptp(sure) == 0
    assert binomtest(25, 25).proportion_ci(method="wilson").low < sure[0] < 1


def test_margins_are_read_no_further_than_the_data_go():
    rng = np.random.default_rng(1)
    margins = np.r_[rng.uniform(1, 2, 99), np.inf]
    right = rng.random(100) < margins - 1
    probability = calibration(margins, right)
    least, largest = margins.min(), margins[:-1].max()
    np.testing.assert_array_equal(
        probability(np.array([0, largest + 5, np.inf])),
        probability(np.array([least, largest, largest])),
    )
    assert probability(np.array([least]))[0] < 0.3 < 0.7 < probability(np.array([np.inf]))[0]


def test_probabilities_are_on_average_not_below_what_those_left_out_support():
    rng = np.random.default_rng(2)
    classes = np.array(["a", "b"], object)
    for _ in range(30):
        e = rng.integers(6, 40)
        codes = np.r_[np.zeros(e, int), np.full(50, -1)]
        margins = rng.random(e)
        right = rng.random(e) < 0.3 + 0.7 * margins
        # Images without label of which the margins are small: they have probabilities of their own.
        sure = np.r_[margins, 0.1 * rng.random(50)]
        candidate = Candidate(right, margins, np.zeros(e + 50, int), sure)
        probability, _ = decided_labels(candidate, codes, classes, 0.5)
        low = binomtest(int(right.sum()), int(e)).proportion_ci(method="wilson").low
        assert probability[e:].mean() > low - 1e-6 and (probability[e:] < 1).all()


def test_the_interval_is_of_those_left_out_and_those_without_label():
    for right, count in ((3, 7), (0, 5), (12, 12)):
        expected = binomtest(right, count).proportion_ci(method="wilson")
        np.testing.assert_allclose(wilson(right / count, count), expected, atol=1e-6)
    codes, label = np.r_[np.zeros(20, int), np.full(20, -1)], np.full(40, "a", object)
    found = expected_accuracy(np.full(40, 0.9), label, codes, np.ones(20, bool), 0.0)
    assert found[0] == pytest.approx(0.9) and found[3:5] == (20, 20)
    caution = 1 - 20.5 / 21
    np.testing.assert_allclose(found[1:3], wilson(0.9 + caution, 10))
    sure = expected_accuracy(np.full(40, 20.5 / 21), label, codes, np.ones(20, bool), 0.0)
    assert sure[2] == 1


def test_the_best_of_many_guesses_is_seen_through():
    """Forty guesses that have nothing in common: most of what flatters the best is taken off."""
    rng = np.random.default_rng(0)
    apparent, corrected = [], []
    for _ in range(30):
        guesses = rng.random((40, 50)) < 0.5
        chosen, optimism = best(guesses, rng)
        assert chosen == np.flatnonzero(guesses.sum(axis=1) == guesses.sum(axis=1).max())[-1]
        apparent.append(guesses[chosen].mean() - 0.5)
        corrected.append(apparent[-1] - optimism)
    assert np.mean(apparent) > 0.12 and np.mean(corrected) < 0.6 * np.mean(apparent)
    assert best(np.vstack([guesses, np.ones((1, 50), bool)]), rng) == (40, 0.0)


def test_the_optimism_is_that_of_all_draws():
    """The oracle: the mean over all ways to draw four images from four."""
    right = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 1, 1]], bool)
    flattered = []
    for drawn in np.ndindex(4, 4, 4, 4):
        shares = right[:, drawn].mean(axis=1)
        pick = np.flatnonzero(shares == shares.max())[-1]
        flattered.append(shares[pick] - right[pick].mean())
    chosen, optimism = best(right, np.random.default_rng(3))
    assert chosen == 2 and optimism == pytest.approx(np.mean(flattered), abs=0.02)


@pytest.fixture
def cells(tmp_path):
    """Two layers of one network, the second of which parts the classes better."""
    points, codes = planted([40, 40, 40], apart=4.0)
    noise = np.random.default_rng(5).standard_normal(points.shape)
    paths = []
    for layer, features in (("noise", noise), ("deep", points)):
        paths.append(tmp_path / "net" / f"{layer}.npy")
        paths[-1].parent.mkdir(exist_ok=True)
        np.save(paths[-1], pdist(features).astype(np.float32))
    np.save(tmp_path / "shard.npy", points.astype(np.float32))
    names = np.array(["NA", "b", "c"])[codes]
    images = [f"{i}.jpg" for i in range(120)]
    write_table(pd.DataFrame({"image": images, "label": names}), tmp_path / "full.csv")
    return tmp_path, paths, images, names


def few_labels(folder, images, names, kept):
    labels = np.where(np.isin(np.arange(len(names)), kept), names, "")
    table = pd.DataFrame({"image": images, "label": labels, "source": images})
    write_table(table, folder / "few.csv")
    return folder / "few.csv"


def test_labels_for_all_by_the_better_depth_whatever_the_threads(cells):
    folder, paths, images, names = cells
    kept = np.r_[0:5, 40:45, 80:85]
    manifest = few_labels(folder, images, names, kept)
    made = []
    for threads in (1, 3):
        outputs = [folder / f"labels{threads}.csv", folder / f"accuracy{threads}.csv"]
        write_labels(manifest, paths, *outputs, dataset="x", threads=threads, progress=False)
        made.append([file.read_bytes() for file in outputs])
    assert made[0] == made[1]
    table = pd.read_csv(outputs[0], keep_default_na=False, dtype={"label": str})
    assert table.columns.tolist() == ["image", "label", "probability", "origin", "source"]
    assert table.image.tolist() == images
    assert np.flatnonzero(table.origin == "given").tolist() == kept.tolist()
    assert (table.label[kept] == names[kept]).all()
    taken = table.origin == "propagated"
    assert ((table.label != "") == (taken | (table.origin == "given"))).all()
    assert (table.probability[taken] >= 0.5).all()
    assert (table.probability[table.origin == "unlabelled"] < 0.5).all()
    accuracy = pd.read_csv(outputs[1])
    assert len(accuracy) == 8 and accuracy.layer[0] == "deep"
    assert accuracy.expected_accuracy.notna().tolist() == [True] + [False] * 7
    first = accuracy.iloc[0]
    right = (table.label == names)[taken].mean()
    assert abs(first.propagated_accuracy - right) < 0.1
    assert first.low <= right
    assert first.propagated == taken.sum() and first.unlabelled == 105


def test_labels_are_not_expected_to_be_right_for_the_sake_of_a_group(tmp_path):
    """Films of which labels say nothing: a frame is labelled by its film, a film by none."""
    rng = np.random.default_rng(3)
    films = np.repeat(np.arange(30), 4)
    points = 9 * rng.standard_normal((30, 3))[films] + 0.1 * rng.standard_normal((120, 3))
    (tmp_path / "net").mkdir()
    np.save(tmp_path / "net" / "deep.npy", pdist(points).astype(np.float32))
    table = pd.DataFrame({"image": [f"{i}.jpg" for i in range(120)]})
    table["label"] = np.where(films < 20, np.array(list("ab"))[films % 2], "")
    expected = {}
    for name in ("alone", "group"):
        write_table(table.assign(**{name: films}), tmp_path / "few.csv")
        outputs = tmp_path / "labels.csv", tmp_path / "accuracy.csv"
        write_labels(
            tmp_path / "few.csv", [tmp_path / "net" / "deep.npy"], *outputs, progress=False
        )
        expected[name] = pd.read_csv(outputs[1]).iloc[0]
    assert expected["alone"].left_out_accuracy == 1
    assert expected["group"].left_out_accuracy < 0.8
    assert expected["group"].low < 0.5 < expected["group"].high


def test_the_interval_holds_what_comes_true_in_few_groups_without_label():
    """Films that are right or wrong as a whole: 60 with a label, one frame each, and 20 without."""
    rng, labels = np.random.default_rng(5), np.array([""] * 460)
    codes = np.repeat([0, -1], [60, 400])
    covered = {None: [], 20: []}
    for _ in range(400):
        right, truth = rng.random(60) < 0.7, np.repeat(rng.random(20) < 0.7, 20).mean()
        probability = np.full(460, right.mean())
        for unseen, held in covered.items():
            _, low, high, *_ = expected_accuracy(probability, labels, codes, right, 0, 60, unseen)
            held.append(low <= truth <= high)
    assert np.mean(covered[None]) < 0.8 and 0.9 < np.mean(covered[20]) < 0.99


def test_five_labels_of_clear_classes_label_all(tmp_path):
    """All methods at both depths have all right: the deepest is taken, by Poisson learning."""
    points, codes = planted([20] * 5, apart=60.0)
    (tmp_path / "net").mkdir()
    paths = [tmp_path / "net" / f"{layer}.npy" for layer in ("first", "deep")]
    for path in paths:
        np.save(path, pdist(points).astype(np.float32))
    names = np.array(list("abcde"))[codes]
    manifest = few_labels(
        tmp_path, [f"{i}.jpg" for i in range(100)], names, np.flatnonzero(np.arange(100) % 20 < 5)
    )
    outputs = tmp_path / "labels.csv", tmp_path / "accuracy.csv"
    write_labels(manifest, paths, *outputs, progress=False)
    table, accuracy = pd.read_csv(outputs[0]), pd.read_csv(outputs[1])
    assert (table.label == names).all() and (table.origin == "propagated").sum() == 75
    assert (accuracy.left_out_accuracy == 1).any()
    first = accuracy.iloc[0]
    assert (first.layer, first.method) == ("deep", "poisson_learning")
    assert first.expected_accuracy > 0.95 and first.high == 1
    assert first.low == pytest.approx(wilson(1, 1 / (1 / 25 + 1 / 75))[0])


@pytest.mark.parametrize("confidence", [0, 0.5])
def test_images_that_no_label_reaches_take_none(confidence):
    right = np.ones(6, bool)
    candidate = Candidate(right, np.ones(6), np.array([0, 1, -1, 1]), np.ones(4))
    codes, classes = np.array([0, 1, -1, -1]), np.array(["a", "b"], object)
    probability, label = decided_labels(candidate, codes, classes, confidence)
    assert label.tolist() == ["a", "b", "", "b"] and probability[2] == 0


@pytest.mark.parametrize("confidence", ["0", "0.5"])
def test_labels_go_no_further_than_the_graph_reaches(tmp_path, confidence):
    """Two lines of images side by side, with few labels each, and a heap far from both."""
    line = np.arange(0, 30, 0.25)
    points = np.concatenate(
        [
            np.column_stack([line, np.zeros_like(line)]),
            np.column_stack([line, np.full_like(line, 4)]),
            np.random.default_rng(2).normal([0, 1000], 0.1, (20, 2)),
        ]
    )
    kinds = np.repeat(["near", "far", ""], [len(line), len(line), 20])
    # The nearest labelled images lie on the other line: no method but those of the graph is right.
    kept = np.r_[[0, 40, 80], len(line) + np.array([20, 60, 100])]
    images = [f"{i}.jpg" for i in range(len(points))]
    few_labels(tmp_path, images, kinds, kept)
    (tmp_path / "net").mkdir()
    np.save(tmp_path / "net" / "layer.npy", pdist(points).astype(np.float32))
    line = ["labels", "few.csv", "net/layer.npy", "-o", "labels.csv", "--accuracy", "accuracy.csv"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(main, [*line, "--confidence", confidence])
    assert done.exit_code == 0, (done.output, done.exception)
    accuracy = pd.read_csv(tmp_path / "accuracy.csv").set_index("method").left_out_accuracy
    assert accuracy.index[0] in propagation.METHODS and accuracy.iloc[0] == 1
    assert (accuracy[list(nearest_labelled.METHODS)] < 1).all()
    table = pd.read_csv(tmp_path / "labels.csv", keep_default_na=False)
    reached = kinds != ""
    np.testing.assert_array_equal(table.label[reached], kinds[reached])
    assert (table.label[~reached] == "").all() and (table.probability[~reached] == 0).all()
    assert set(table.origin[~reached]) == {"unlabelled"}
    assert set(table.origin[reached]) == {"given", "propagated"}


def test_thin_evidence_leaves_images_unlabelled(cells):
    folder, paths, images, names = cells
    manifest = few_labels(folder, images, names, np.r_[0:5, 40:45, 80:85])
    outputs = folder / "labels.csv", folder / "accuracy.csv"
    write_labels(manifest, paths[:1], *outputs, dataset="x", confidence=0.9, progress=False)
    table = pd.read_csv(outputs[0], keep_default_na=False)
    assert (table.origin == "unlabelled").sum() > 90  # noise
    assert pd.read_csv(outputs[1]).expected_accuracy[0] < 0.6


@pytest.mark.parametrize(
    ("kept", "says"),
    [([], "no labels"), ([0, 1, 2], "only label is 'NA'"), ([0, 40, 80], "no two images")],
)
def test_labels_that_tell_nothing_are_refused(cells, kept, says):
    folder, paths, images, names = cells
    manifest = few_labels(folder, images, names, kept)
    with pytest.raises(UserError, match=says) as error:
        write_labels(manifest, paths, folder / "l.csv", folder / "a.csv", dataset="x")
    assert str(manifest) in str(error.value) and not (folder / "l.csv").exists()


def test_the_probe_meets_the_same_trials(cells):
    folder, paths, _, _ = cells
    options = {"dataset": "x", "labels_per_class": [1, 5, 500], "splits": 3}
    write_label_accuracy(folder / "full.csv", paths, folder / "t.csv", **options, progress=False)
    write_linear_probe(
        folder / "full.csv", [folder / "shard.npy"], folder / "p.csv", layer="deep", **options
    )
    trials, probe = pd.read_csv(folder / "t.csv"), pd.read_csv(folder / "p.csv")
    assert trials.columns.tolist() == probe.columns.tolist()
    assert len(trials) == 2 * 4 * 2 * 3 and len(probe) == 2 * 3
    assert probe[probe.labels_per_class == 5].accuracy.mean() > 0.9
    np.save(folder / "wide.npy", np.zeros((120, 4097), np.float32))
    write_linear_probe(
        folder / "full.csv", [folder / "wide.npy"], folder / "w.csv", layer="deep", **options
    )
    assert pd.read_csv(folder / "w.csv").empty


def test_the_probe_takes_features_of_any_place_and_size_alike(tmp_path):
    """The oracle: the classifier on features that are scaled by the definition."""
    points, codes = planted([40, 40, 40], apart=1.5, seed=7)
    points *= [30, 1, 1, 1, 1]
    write_table(pd.DataFrame({"image": np.arange(120), "label": codes}), tmp_path / "full.csv")
    found = []
    for scale, place in ((1, 0), (1e-4, 0), (1e4, 0), (1, 500)):
        np.save(tmp_path / "shard.npy", (scale * points + place).astype(np.float32))
        line = ["linear-probe", "full.csv", "shard.npy", "-o", "probe.csv", "--layer", "deep"]
        line += ["--labels", "5", "--splits", "4", "--dataset", "x", "--seed", "1"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            done = CliRunner().invoke(main, line)
        assert done.exit_code == 0, (done.output, done.exception)
        found.append(pd.read_csv(tmp_path / "probe.csv").accuracy.to_numpy())
    centred = points - points.mean(axis=0)
    unit = centred / np.sqrt((centred**2).sum(axis=1).mean())
    _, draws = label_splits(codes, [5], 4, derive_seed(1, "x", "labels"))

    def accuracies(features):
        for labelled in draws.reshape(4, -1):
            hidden = np.setdiff1d(np.arange(120), labelled)
            model = LogisticRegression(C=1.0, max_iter=1000)
            model.fit(features[labelled], codes[labelled])
            yield model.score(features[hidden], codes[hidden])

    expected = list(accuracies(unit))
    assert expected != list(accuracies(points)) and expected != list(accuracies(1e-4 * points))
    np.testing.assert_allclose(found, [expected] * 4, rtol=1e-12)


def test_curves_from_the_command_line_and_without_any_point(cells):
    folder, paths, _, _ = cells
    for counts in (["--labels", "1", "--labels", "5"], ["--labels", "40"]):
        for line in (
            ["label-accuracy", folder / "full.csv", *paths, "-o", folder / "t.csv", *counts],
            [
                *("label-curves", folder / "figure", folder / "t.csv", "--curves"),
                *(folder / "c.csv", "--differences", folder / "d.csv"),
            ],
        ):
            done = CliRunner().invoke(main, [*map(str, line), "--seed", "1"])
            assert done.exit_code == 0, (done.output, done.exception)
        drawn = pd.read_csv(folder / "figure.csv")
        pd.testing.assert_frame_equal(drawn, pd.read_csv(folder / "c.csv"))
        assert len(drawn) == (16 if len(counts) > 2 else 0)
        assert (folder / "figure.png").stat().st_size > 0


def test_a_figure_of_more_layers_than_fit_in_a_row(tmp_path):
    row = {"method": "1-NN", "labels_per_class": 1, "splits": 20, "hidden": 9, "accuracy": 0.5}
    row |= {"low": 0.4, "high": 0.6}
    curves = pd.DataFrame([{"layer": f"layer{i}", **row} for i in range(5)])
    draw_label_curves(curves, tmp_path / "f", title="x", seed=1)
    assert pd.read_csv(tmp_path / "f.csv").layer.tolist() == curves.layer.tolist()
