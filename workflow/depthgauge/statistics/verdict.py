"""The verdict: the depth to use, how sure that is, and what else would do as well."""

import numpy as np
import pandas as pd

from ..files import whole
from .spread import SPREAD

OPINIONS = {
    "knn1": "1-NN accuracy",
    "auc": "AUC",
    "goodness_pca50": "goodness after PCA",
    "goodness": "goodness",
}
LEVEL = 0.05


def verdicts(cells, comparisons, halves):
    """Return the depth to use of each dataset and extractor, and the extractor of each dataset.

    The rule: the layer of the highest leave-one-out accuracy of the nearest neighbour; of layers
    of the same, that of the highest AUC. Not distinguishable from it are those whose simultaneous
    95 % interval of the difference in that accuracy holds zero. Its stability is the share of
    halves of the images in which the rule chooses it again. No layer is advised where labels
    cluster at none (every ``p_max_t`` above 5 %). Extractors of a dataset are compared by the
    layers advised, in the same way.

    Goodness shrinks towards 1 with every dimension of noise, at different rates in layers of
    different size; so it is reported, and does not decide.

    Parameters
    ----------
    cells : DataFrame
        goodness.csv.
    comparisons : DataFrame
        comparisons.csv.
    halves : DataFrame
        dataset, extractor, layer, split, half, knn1, auc: a row a cell and half.

    Returns
    -------
    DataFrame
        A row a dataset and extractor (``scope`` depth), and a row a dataset of two extractors
        or more (``scope`` network): dataset, extractor, layer (empty where none is advised),
        depth, knn1, auc, goodness, p_max_t of that layer; not_distinguishable (layers, or
        extractor/layer, separated by ``;``), stability; by_knn1, by_auc, by_goodness_pca50 and
        by_goodness, what each alone would choose; agree, whether all choose alike;
        spread_warning (the layers); and all of it in a sentence.
    """
    halves = halves.set_index(["dataset", "extractor", "layer"]).sort_index()
    rows = []
    for dataset, of_dataset in cells.groupby("dataset", sort=False):
        differ = comparisons[(comparisons.dataset == dataset) & (comparisons.measure == "knn1")]
        advised = []
        for extractor, layers in of_dataset.groupby("extractor", sort=False):
            if layers.p_max_t.fillna(layers.p_value).min() > LEVEL:
                rows.append(_none(dataset, extractor, layers))
                continue
            rows.append(_verdict("depth", layers, differ, halves))
            advised.append(rows[-1])
        if len(advised) > 1:
            best = of_dataset.merge(pd.DataFrame(advised)[["extractor", "layer"]])
            rows.append(_verdict("network", best, differ, halves))
    return pd.DataFrame(rows)


def choose(accuracy, auc):
    """Return the place of the layer to use: the highest accuracy, of equal ones the highest AUC."""
    return int(np.lexsort((auc, accuracy))[-1])


def _verdict(scope, cells, differ, halves):
    cells = cells.reset_index(drop=True)
    names = cells.layer if scope == "depth" else cells.extractor + "/" + cells.layer
    accuracy = cells.knn1.to_numpy(float)
    width = _width(cells, differ)
    at = choose(accuracy, cells.auc.to_numpy(float))
    best = cells.loc[at]
    alike = np.flatnonzero(np.abs(accuracy - accuracy[at]) <= width[at])
    alike = [names[place] for place in alike if place != at]
    choices = {
        name: names[cells[name].astype(float).idxmax()] if cells[name].notna().any() else ""
        for name in OPINIONS
    }
    keys = cells[["dataset", "extractor", "layer"]].itertuples(index=False, name=None)
    of_halves = [halves.loc[[key]].sort_values(["split", "half"]) for key in keys]
    again = [
        choose(*scores) == at
        for scores in zip(
            np.stack([table.knn1 for table in of_halves], axis=1),
            np.stack([table.auc for table in of_halves], axis=1),
            strict=True,
        )
    ]
    warned = list(names[cells.spread_warning.astype(str) == "True"])
    row = {
        "scope": scope,
        **{name: best[name] for name in ("dataset", "extractor", "layer", "depth")},
        **{name: best[name] for name in ("knn1", "auc", "goodness", "p_max_t")},
        "not_distinguishable": ";".join(alike),
        "stability": np.mean(again),
        **{f"by_{name}": choice for name, choice in choices.items()},
        "agree": set(choices.values()) == {names[at]},
        "spread_warning": ";".join(warned),
    }
    sentence = _sentence(row, names[at], len(cells), alike, choices, warned, len(again))
    return row | {"sentence": sentence}


def _width(cells, differ):
    """Return half the width of the interval of each difference; none for a cell with itself."""
    places = {
        key: place for place, key in enumerate(zip(cells.extractor, cells.layer, strict=True))
    }
    width = np.zeros((len(cells), len(cells)))
    for pair in differ.itertuples():
        a = places.get((pair.extractor_a, pair.layer_a))
        b = places.get((pair.extractor_b, pair.layer_b))
        if a is not None and b is not None:
            width[a, b] = width[b, a] = (pair.high - pair.low) / 2
    return width


def _sentence(row, name, count, alike, choices, warned, halves):
    where = row["dataset"] + (f", {row['extractor']}" if row["scope"] == "depth" else "")
    text = (
        f"{where}: use {name} (leave-one-out 1-NN accuracy {row['knn1']:.3f}, AUC {row['auc']:.3f}"
    )
    if count > 1:
        text += f"; chosen again in {row['stability']:.0%} of {halves} halves of the images"
    text += ")."
    if count > 1:
        text += (
            f" Not distinguishable from it at 5 %: {_list(alike)}."
            if alike
            else " All others differ from it at 5 %."
        )
    other = {}
    for measure, choice in choices.items():
        if choice not in (name, ""):
            other.setdefault(choice, []).append(OPINIONS[measure])
    if other:
        text += " Measures disagree: " + "; ".join(
            f"{_list(measures)} would take {choice}" for choice, measures in other.items()
        )
        text += "."
    if warned:
        text += f" Beware at {_list(warned)}: {SPREAD}."
    return text


def _none(dataset, extractor, layers):
    p = layers.p_max_t.fillna(layers.p_value).min()
    return {
        "scope": "depth",
        "dataset": dataset,
        "extractor": extractor,
        "layer": "",
        "p_max_t": p,
        "not_distinguishable": ";".join(layers.layer),
        "agree": True,
        "spread_warning": "",
        "sentence": f"{dataset}, {extractor}: no depth is advised. At none are labels shown to "
        f"cluster (least p {p:.2g}, corrected for the depths).",
    }


def _list(names):
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def write_verdict(goodness, comparisons, halves, output):
    """Write verdict.csv from goodness.csv, comparisons.csv and the halves of all cells (CSV)."""
    names = dict.fromkeys(("dataset", "extractor", "layer"), str)
    cells = pd.read_csv(goodness, dtype=names)
    of_halves = pd.concat([pd.read_csv(half, dtype=names) for half in halves])
    pairs = pd.read_csv(
        comparisons,
        dtype={"dataset": str}
        | {f"{name}_{end}": str for name in ("extractor", "layer") for end in "ab"},
    )
    with whole(output) as beside:
        verdicts(cells, pairs, of_halves).to_csv(
            beside, index=False, encoding="utf-8", lineterminator="\n"
        )
