"""Claims of the paper, against planted results: borne out, contradicted, or lacking parts."""

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from conftest import REPOSITORY
from depthgauge.cli import main
from depthgauge.errors import UserError
from depthgauge.report.claims import evaluate, read_claims, write_claims
from depthgauge.statistics.comparison import compare
from scipy.stats import norm

PAPER = REPOSITORY / "workflow" / "depthgauge" / "report" / "paper_claims.yaml"
DIMS = {"pool": 341056, "mixed_3_pool": 83232, "mixed_8_pool": 49152, "pool_3": 2048}
FLAT = {"pooling": "flat", "metric": "euclidean"}
AS_CLAIMED = {
    "synthetic": ([1.1, 1.2, 1.3, 1.5], 800, 4),
    "mnist": ([1.2, 1.15, 1.3, 1.6], 10_000, 10),
    "affective": ([1.02, 1.018, 1.01, 1.015], 1429, 8),
    "kylberg": ([1.3, 1.5, 1.8, 2.4], 4480, 28),
}


def results(found=AS_CLAIMED, margin=0.001, extractor="network", permutations=9999):
    """Return goodness.csv, comparisons.csv and table_1.csv of given goodness at the four layers."""
    cells, pairs, datasets = [], [], []
    for dataset, (goodness, images, classes) in found.items():
        datasets.append({"dataset": dataset, "samples": images, "classes": classes, "note": ""})
        of_layers = dict(zip(DIMS, goodness, strict=False))
        for depth, (layer, value) in enumerate(of_layers.items(), start=1):
            cells.append(
                {
                    **{"dataset": dataset, "extractor": extractor, "layer": layer, "depth": depth},
                    **FLAT,
                    **{"dim": DIMS[layer], "images": images, "classes": classes},
                    **{"goodness": value, "permutations": permutations},
                    **{"p_value": 1 / (1 + permutations), "log_goodness_se": margin / 2},
                }
            )
        names = list(of_layers)
        for i, a in enumerate(names):
            for b in names[i + 1 :]:
                difference = np.log(of_layers[a] / of_layers[b])
                for measure, sign in (("log_goodness", 1), ("auc", -1)):
                    pairs.append(
                        {
                            **{"dataset": dataset, "measure": measure},
                            **{"extractor_a": extractor, "layer_a": a},
                            **{"extractor_b": extractor, "layer_b": b},
                            **{f"{key}_{end}": FLAT[key] for key in FLAT for end in "ab"},
                            **{"difference": sign * difference},
                            **{"low": sign * difference - margin},
                            **{"high": sign * difference + margin},
                        }
                    )
    return pd.DataFrame(cells), pd.DataFrame(pairs), pd.DataFrame(datasets)


def outcomes(*tables):
    found = evaluate(read_claims(PAPER), *tables)
    return found.set_index("id")


def changed(dataset, goodness=None, images=None):
    old = AS_CLAIMED[dataset]
    return AS_CLAIMED | {dataset: (goodness or old[0], images or old[1], old[2])}


def test_paper_is_reproduced_where_all_is_as_claimed():
    found = outcomes(*results())
    assert len(found) == 17
    assert (found.outcome == "reproduced").all()
    ordered = found.index.str.contains("rises|peaks|beats|best|lowest")
    assert (found.certain[ordered] == "yes").all() and (found.certain[~ordered] == "").all()


@pytest.mark.parametrize(
    "found, contradicted",
    [
        (changed("synthetic", [1.1, 1.3, 1.2, 1.5]), {"synthetic-rises"}),
        (changed("synthetic", [1.1, 1.2, 1.5, 1.4]), {"synthetic-rises", "synthetic-peaks-last"}),
        (changed("mnist", [1.1, 1.15, 1.3, 1.6]), {"mnist-first-beats-second"}),
        (changed("mnist", [1.2, 1.15, 1.7, 1.6]), {"mnist-peaks-last"}),
        (changed("affective", [1.02, 1.03, 1.01, 1.0]), {"affective-best-first"}),
        (changed("affective", [1.9, 1.8, 1.7, 1.0]), {"affective-lowest"}),
        (changed("kylberg", [1.3, 1.3, 1.8, 2.4]), {"kylberg-rises"}),  # equal does not rise
        (changed("affective", images=1035), {"affective-size"}),
    ],
)
def test_what_is_otherwise_is_not_reproduced(found, contradicted):
    rows = outcomes(*results(found))
    assert set(rows.index[rows.outcome == "not reproduced"]) == contradicted
    assert not (rows.outcome == "not testable here").any()


def test_numbers_and_intervals_are_those_of_the_tables():
    row = outcomes(*results()).loc["mnist-first-beats-second"]
    assert row.numbers == "pool 1.2, mixed_3_pool 1.15"
    low, high = 1.2 / 1.15 * np.exp([-0.001, 0.001])
    assert row.intervals == f"pool / mixed_3_pool {1.2 / 1.15:.4g} ({low:.4g} to {high:.4g})"


@pytest.mark.parametrize("margin, certain", [(0.01, "yes"), (0.5, "no")])
def test_intervals_decide_certainty_and_not_the_outcome(margin, certain):
    for goodness, outcome in (([1.2, 1.15], "reproduced"), ([1.15, 1.2], "not reproduced")):
        row = outcomes(*results(changed("mnist", [*goodness, 1.3, 1.6]), margin=margin))
        row = row.loc["mnist-first-beats-second"]
        assert (row.outcome, row.certain) == (outcome, certain)


def test_without_an_interval_nothing_is_said_of_certainty():
    for goodness, outcome in (([1.2, 1.15], "reproduced"), ([1.15, 1.2], "not reproduced")):
        cells, pairs, datasets = results(changed("mnist", [*goodness, 1.3, 1.6]))
        cells.loc[cells.dataset == "mnist", "log_goodness_se"] = np.nan
        pairs.loc[pairs.dataset == "mnist", ["low", "high"]] = np.nan
        found = outcomes(cells, pairs, datasets)
        row = found.loc["mnist-first-beats-second"]
        assert (row.outcome, row.certain) == (outcome, "")
        assert row.reason.endswith("there is no interval of pool / mixed_3_pool to be certain by.")
        assert found.certain["affective-lowest"] == "" and found.certain["kylberg-rises"] == "yes"


def test_direction_is_that_of_the_comparisons():
    rng = np.random.default_rng(0)
    values = np.log([1.2, 1.1])
    pairs = compare(values, values + rng.normal(0, 1e-4, (50, 2)))
    cells, _, datasets = results(changed("mnist", [1.2, 1.1]))
    names = {"dataset": "mnist", "measure": "log_goodness"}
    names |= {"extractor_a": "network", "extractor_b": "network"}
    names |= {f"{key}_{end}": FLAT[key] for key in FLAT for end in "ab"}
    layers = {f"layer_{end}": np.array(list(DIMS))[pairs[end]] for end in "ab"}
    row = outcomes(cells, pairs.assign(**names, **layers), datasets)
    row = row.loc["mnist-first-beats-second"]
    assert (row.outcome, row.certain) == ("reproduced", "yes")


def other_readings(tables):
    """Return the tables with readings of the same layers in which nothing is as claimed."""
    cells, pairs, datasets = tables
    wrong = {"goodness": 1.1, "p_value": 0.9, "dim": 64}
    mapped = cells[cells.layer != "pool_3"]
    others = [mapped.assign(**wrong, pooling="mean")]
    others += [table.assign(**wrong, metric="angle") for table in (cells, others[0])]
    wide = pairs.assign(low=-0.1, high=0.1)
    mixed = [
        wide.assign(pooling_a="mean"),
        wide.assign(metric_a="angle"),
        wide.assign(metric_b="angle"),
    ]
    return pd.concat([*others, cells]), pd.concat([*mixed, pairs]), datasets


def test_other_readings_do_not_count():
    pd.testing.assert_frame_equal(outcomes(*other_readings(results())), outcomes(*results()))


def test_vector_is_flat_by_any_name():
    found = {"mnist": ([1.2, 1.15, 1.3, 1.6], 10_000, 10)}
    cells, pairs, datasets = other_readings(results(found))
    vector = cells.layer == "pool_3"
    cells.loc[vector, "pooling"] = "mean"
    for end in "ab":
        pairs.loc[pairs[f"layer_{end}"] == "pool_3", f"pooling_{end}"] = "mean"
    row = outcomes(cells, pairs, datasets).loc["mnist-peaks-last"]
    assert (row.outcome, row.certain) == ("reproduced", "yes")


def test_claims_are_not_testable_where_their_reading_is_missing():
    cells, pairs, datasets = results()
    rows = outcomes(cells.assign(metric="angle"), pairs, datasets)
    tested = rows.index.str.endswith("size")
    assert (rows.outcome[~tested] == "not testable here").all()
    assert (rows.extractor[~tested] == "network").all()
    assert rows.reason["kylberg-rises"] == (
        "Of kylberg there is no pool, mixed_3_pool, mixed_8_pool, pool_3 here that is read flat, "
        "by Euclidean distance."
    )
    # Means of maps are not what the claims are of, though there is but one pooling.
    rows = outcomes(cells.assign(pooling="mean"), pairs, datasets)
    assert (rows.outcome[~tested] == "not testable here").all()


def test_missing_datasets_and_layers_make_claims_not_testable():
    found = {"mnist": ([1.2, 1.15, 1.3], 10_000, 10)}  # three of the layers
    rows = outcomes(*results(found))
    tested = {"mnist-size", "mnist-first-beats-second"}
    assert set(rows.index[rows.outcome == "reproduced"]) == tested
    assert (rows.outcome[~rows.index.isin(tested)] == "not testable here").all()
    assert "no pool_3" in rows.reason["mnist-peaks-last"]
    assert "kylberg" in rows.reason["kylberg-rises"]


def test_too_few_permutations_cannot_test_significance():
    rows = outcomes(*results(permutations=199))
    significant = rows.index.str.contains("significant")
    assert (rows.outcome[significant] == "not testable here").all()
    assert "199 permutations" in rows.reason["mnist-significant"]


def test_p_above_the_claimed_is_named():
    cells, *rest = results()
    cells.loc[(cells.dataset == "kylberg") & (cells.layer == "pool"), "p_value"] = 0.02
    row = outcomes(cells, *rest).loc["kylberg-significant"]
    assert row.outcome == "not reproduced" and "at pool;" in row.reason


def test_every_network_with_the_layers_is_judged_by_itself():
    one = results()
    other = results(changed("mnist", [1.1, 1.15, 1.3, 1.6]), extractor="other")
    elsewhere = results(extractor="elsewhere")[0].replace({"layer": dict.fromkeys(DIMS, "x")})
    tables = [pd.concat([a, b]) for a, b in zip(one, other, strict=True)]
    tables[0] = pd.concat([tables[0], elsewhere])
    found = evaluate(read_claims(PAPER), *tables[:2], one[2])
    rows = found[found.id == "mnist-first-beats-second"].set_index("extractor")
    assert rows.outcome.to_dict() == {"network": "reproduced", "other": "not reproduced"}


def test_table_is_written_from_files(tmp_path):
    names = ("goodness", "comparisons", "table_1")
    for name, table in zip(names, results(), strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    files = [tmp_path / f"{name}.csv" for name in names]
    write_claims(PAPER, *files, tmp_path / "claims.csv")
    found = pd.read_csv(tmp_path / "claims.csv")
    assert (found.outcome == "reproduced").all()
    assert found.columns[:5].tolist() == ["id", "claim", "dataset", "extractor", "outcome"]


@pytest.mark.parametrize("others", [["mnist"], ["synthetic", "mnist", "kylberg"]])
def test_intervals_of_several_comparisons_are_wider_than_of_one(tmp_path, others):
    """A difference of 2.2 standard errors, beyond the interval of one and within that of three."""
    claim = {"id": "lowest", "claim": "The lowest.", "check": "lowest", "dataset": "affective"}
    claim |= {"others": others, "layers": ["pool"]}
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump([claim]))
    cells, *rest = results()
    cells["log_goodness_se"] = 0.01
    affective = cells.dataset == "affective"
    ratio = np.exp(2.2 * np.hypot(0.01, 0.01))
    cells.loc[~affective, "goodness"] = ratio * cells.goodness[affective].max()
    for name, table in zip(("goodness", "comparisons", "table_1"), (cells, *rest), strict=True):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    files = ["claims.yaml", "goodness.csv", "comparisons.csv", "table_1.csv"]
    command = ["claims", *(str(tmp_path / name) for name in files)]
    done = CliRunner().invoke(main, [*command, "-o", str(tmp_path / "claims.csv")])
    assert done.exit_code == 0, (done.output, done.exception)
    (found,) = pd.read_csv(tmp_path / "claims.csv").to_dict("records")
    assert found["outcome"] == "reproduced"
    assert found["certain"] == ("yes" if len(others) == 1 else "no")
    margin = np.hypot(0.01, 0.01) * norm.ppf(1 - 0.025 / len(others))
    low, high = ratio * np.exp([-margin, margin])
    told = "; ".join(f"{name} / affective {ratio:.4g} ({low:.4g} to {high:.4g})" for name in others)
    assert found["intervals"] == told


def test_orders_of_several_layers_are_held_to_simultaneous_intervals(tmp_path):
    """The command `compare` on planted images, and the claim that is made of its table."""
    rng = np.random.default_rng(5)
    layers, n = [f"layer_{i}" for i in range(8)], 400
    rows = []
    for depth, layer in enumerate(layers, start=1):
        # Layers beside one another are 2.4 standard errors apart.
        theta = rng.standard_normal(n)
        theta = (theta - theta.mean()) / theta.std() * 0.01 / n**0.5
        images = pd.DataFrame({"image": [f"{i}.jpg" for i in range(n)], "theta": theta})
        images = images.assign(auc_theta=theta, nearest_correct=True, nearest_expected=1.0, **FLAT)
        images.to_csv(tmp_path / f"{layer}.images.csv", index=False)
        cell = {"dataset": "d", "extractor": "net", "layer": layer, "depth": depth, **FLAT}
        cell |= {"goodness": 1.1 * np.exp(2.4 * 0.0145 * depth), "auc": 0.7, "permutations": 99}
        pd.DataFrame([cell]).to_csv(tmp_path / f"{layer}.csv", index=False)
        rows.append(cell)
    pd.DataFrame(rows).to_csv(tmp_path / "goodness.csv", index=False)
    pd.DataFrame({"dataset": ["d"], "samples": n}).to_csv(tmp_path / "table_1.csv", index=False)
    claim = {"id": "rises", "claim": "It rises.", "check": "order", "dataset": "d"}
    claim |= {"pairs": [["layer_0", "layer_1"]]}
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump([claim]))

    def certain(layers):
        files = [str(tmp_path / f"{layer}.csv") for layer in layers]
        lines = [["compare", *files, "-o", str(tmp_path / "comparisons.csv")]]
        names = ("claims.yaml", "goodness.csv", "comparisons.csv", "table_1.csv")
        claims = tmp_path / "claims.csv"
        lines.append(["claims", *(str(tmp_path / name) for name in names), "-o", str(claims)])
        for line in lines:
            done = CliRunner().invoke(main, line)
            assert done.exit_code == 0, (done.output, done.exception)
        (found,) = pd.read_csv(claims).to_dict("records")
        assert found["outcome"] == "reproduced"
        return found["certain"]

    assert certain(layers[:2]) == "yes" and certain(layers) == "no"


@pytest.mark.parametrize(
    "claims, said",
    [
        ({"id": "x"}, "a list of claims"),
        ([{"id": "x", "claim": "y", "check": "guess"}], "check must be one of"),
        ([{"id": "x", "claim": "y", "check": "size", "dataset": "d"}], "classes, images"),
    ],
)
def test_claims_that_cannot_be_checked_are_refused(tmp_path, claims, said):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(claims))
    with pytest.raises(UserError, match=said):
        read_claims(path)
