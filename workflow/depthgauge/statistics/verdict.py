"""The verdict: the depth and the reading to use, how to have it at home, how sure that is."""

import numpy as np
import pandas as pd

from ..manifest import few_groups
from ..readings import KEYS, choose
from ..tables import read_table, write_table
from .geometry import SPREAD

OPINIONS = {
    "auc": "AUC",
    "goodness_pca50": "goodness after PCA",
    "goodness": "goodness",
}
LEVEL = 0.05
_CELL = ["extractor", "layer", *KEYS]
_FOUND = ["depth", "knn1", "knn1_half", "auc", "goodness", "p_max_t"]
_COLUMNS = ["scope", "dataset", *_CELL, *_FOUND]
_COLUMNS += ["not_distinguishable", "stability", "layer_stability"]
_COLUMNS += [*(f"by_{name}" for name in OPINIONS), "agree", "spread_warning", "recipe", "sentence"]
_VALUES = {
    "flat": "all its values",
    "mean": "averaged over positions",
    "cls": "its class token",
}
_COMPARED = {"euclidean": "by Euclidean distance", "angle": "by angle"}
_TAKE = {
    "flat": "Take all values of {}",
    "mean": "Take the values of {}, average them over all positions or patches",
    "cls": "Take the class token of {}",
}
_SCALE = "subtract the mean vector of your images, divide each image's vector by its length"


def verdicts(cells, comparisons, halves):
    """Return the cell to use of each dataset and extractor, and the extractor of each dataset.

    The rule: the cell, a layer and how it is read, of the highest accuracy that the nearest
    neighbour is expected to have in half of the images (``accuracy.expected_in_half``: nearly the
    leave-one-out accuracy, and steadier); of cells of the same, that of the highest AUC. Not
    distinguishable from it
    are those whose simultaneous 95 % interval of the difference in that accuracy holds zero, and
    all where there is no interval, for want of groups (``few_groups``). Its
    stability is the share of halves of the images in which the rule chooses it again. No cell is
    advised where labels cluster in none (every ``p_max_t`` above 5 %). Extractors of a dataset
    are compared by the cells advised, in the same way.

    Goodness shrinks towards 1 with every dimension of noise, at different rates in layers of
    different size; so it is reported, and does not decide.

    Parameters
    ----------
    cells : DataFrame
        goodness.csv.
    comparisons : DataFrame
        comparisons.csv.
    halves : DataFrame
        dataset, extractor, layer, pooling, metric, split, half, knn1_half, auc: one row per cell
        and half.

    Returns
    -------
    DataFrame
        One row per dataset and extractor (``scope`` depth), and one row per dataset of two
        extractors or more (``scope`` network): dataset; extractor, layer, pooling, metric of the
        cell to use (the latter three empty where none is advised), its depth, knn1, knn1_half,
        auc, goodness, p_max_t;
        not_distinguishable, cells as LAYER.POOLING.METRIC, or EXTRACTOR/LAYER.POOLING.METRIC,
        separated by ``;``; stability, and layer_stability, that of the layer in any reading;
        by_auc, by_goodness_pca50 and by_goodness, the cell that each alone would choose;
        agree, whether all choose alike; spread_warning (the layers); recipe, how to compute the
        reading; and all of it in a sentence.
    """
    halves = halves.set_index(["dataset", *_CELL]).sort_index()
    rows = []
    for dataset, of_dataset in cells.groupby("dataset", sort=False):
        differ = comparisons[
            (comparisons.dataset == dataset) & (comparisons.measure == "knn1_half")
        ]
        advised = []
        for extractor, own in of_dataset.groupby("extractor", sort=False):
            if own.p_max_t.fillna(own.p_value).min() > LEVEL:
                rows.append(_none(dataset, extractor, own))
                continue
            rows.append(_verdict("depth", own, own, differ, halves))
            advised.append(rows[-1])
        if len(advised) > 1:
            best = of_dataset.merge(pd.DataFrame(advised)[_CELL])
            rows.append(_verdict("network", best, of_dataset, differ, halves))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _verdict(scope, cells, every, differ, halves):
    """Return the verdict on ``cells``; their readings are named as ``every`` cell demands."""
    cells = cells.reset_index(drop=True)
    layers, names = _names(scope, cells)
    accuracy = cells.knn1_half.to_numpy(float)
    at = choose(accuracy, cells.auc.to_numpy(float))
    best = cells.loc[at]
    alike = ~(np.abs(accuracy - accuracy[at]) > _width(cells, at, differ))  # NaN is no interval
    alike[at] = False
    choices = {name: _choice(cells[name].astype(float), at) for name in OPINIONS}
    again = _again(cells, halves)
    by = {f"by_{name}": "" if place is None else names[place] for name, place in choices.items()}
    warned = layers[cells.spread_warning.astype(str) == "True"].unique()
    row = {
        "scope": scope,
        **best[["dataset", *_CELL, *_FOUND]],
        "not_distinguishable": ";".join(names[alike]),
        "stability": np.mean(again == at),
        "layer_stability": np.mean(layers[again] == layers[at]),
        **by,
        "agree": set(by.values()) == {names[at]},
        "spread_warning": ";".join(warned),
        "recipe": recipe(*best[["layer", *KEYS]]),
    }
    several = len(every[KEYS].drop_duplicates()) > 1
    text = f"{row['dataset']}, {row['extractor']}" if scope == "depth" else row["dataset"]
    text += f": use {layers[at]}"
    if several:
        text += f", {reading_advice(_pooling_told(best, every), best.metric)}"
    text += f" (leave-one-out 1-NN accuracy {row['knn1']:.3f}, AUC {row['auc']:.3f}"
    text += f"{_stability(row, len(again))})." if len(cells) > 1 else ")."
    if len(cells) > 1:
        text += _alike(cells, layers, at, alike, every)
    text += _disagreement(cells, layers, at, choices, every)
    if len(warned):
        text += f" Beware at {_list(warned)}: {SPREAD}."
    return row | {"sentence": text}


def _names(scope, cells):
    """Return what layers are called, and cells."""
    layers = cells.layer if scope == "depth" else cells.extractor + "/" + cells.layer
    return layers, layers + "." + cells.pooling + "." + cells.metric


def _width(cells, at, differ):
    """Return half the width of the interval of each cell's difference from that at ``at``.

    NaN where there is no interval.
    """
    places = {key: place for place, key in enumerate(cells[_CELL].itertuples(False, None))}
    width = np.zeros(len(cells))
    ends = [differ[[f"{name}_{end}" for name in _CELL]].itertuples(False, None) for end in "ab"]
    for a, b, half in zip(*ends, (differ.high - differ.low) / 2, strict=True):
        pair = places.get(a), places.get(b)
        if at in pair and None not in pair:
            width[sum(pair) - at] = half
    return width


def _choice(values, at):
    """Return the place of the highest value, ``at`` where that is as high; None without values."""
    if values.notna().any():
        return at if values[at] == values.max() else values.idxmax()
    return None


def _again(cells, halves):
    """Return the place of the cell that the rule chooses in each half of the images."""
    of_cells = [
        halves.loc[[key]].sort_values(["split", "half"])
        for key in cells[["dataset", *_CELL]].itertuples(False, None)
    ]
    accuracy, auc = (
        np.stack([table[name] for table in of_cells], axis=1) for name in ("knn1_half", "auc")
    )
    return np.array([choose(*scores) for scores in zip(accuracy, auc, strict=True)])


def _pooling_told(cell, every):
    """Return the pooling to name of a cell; none of a vector, which has one where others have more.

    ``every`` holds all cells of its extractor.
    """
    own = every[every.extractor == cell.extractor]
    one = own[own.layer == cell.layer].pooling.nunique() == 1
    vector = one and (cell.pooling == "flat" or own.pooling.nunique() > 1)
    return "" if vector else cell.pooling


def _stability(row, halves):
    if row["stability"] == row["layer_stability"]:
        return f"; chosen again in {row['stability']:.0%} of {halves} halves of the images"
    return (
        f"; the layer was chosen again in {row['layer_stability']:.0%} of {halves} halves of the "
        f"images, with this reading in {row['stability']:.0%}"
    )


def _alike(cells, layers, at, alike, every):
    """Say what is not distinguishable from the cell at ``at``, layer by layer."""
    few = few_groups(cells.loc[at].get("groups"))
    if few:
        return f" Whether the others differ from it cannot be told: {few}."
    if not alike.any():
        return " All others differ from it at 5 %."
    same = (layers == layers[at]).to_numpy()
    others = list(layers[alike & ~same].unique())
    text = _list(others)
    if (alike & same).any():
        if (alike & same).sum() == same.sum() - 1:
            text = "the same layer in any reading"
        else:
            readings = [_short(cell, every) for _, cell in cells[alike & same].iterrows()]
            text = f"the same layer read otherwise ({'; '.join(readings)})"
        if others:
            text += f", and the layer{'s' * (len(others) > 1)} {_list(others)}"
    return f" Not distinguishable from it at 5 %: {text}."


def _short(cell, every):
    return reading_words(_pooling_told(cell, every), cell.metric)


def _disagreement(cells, layers, at, choices, every):
    """Say which measures would choose otherwise, and what."""
    other = {}
    for measure, place in choices.items():
        if place not in (at, None):
            choice = layers[place]
            if choice == layers[at]:
                choice = f"the same layer, {_short(cells.loc[place], every)}"
            other.setdefault(choice, []).append(OPINIONS[measure])
    if not other:
        return ""
    said = (f"{_list(measures)} would take {choice}" for choice, measures in other.items())
    return f" Measures disagree: {'; '.join(said)}."


def _none(dataset, extractor, cells):
    p = cells.p_max_t.fillna(cells.p_value).min()
    several = len(cells[KEYS].drop_duplicates()) > 1
    return {
        "scope": "depth",
        "dataset": dataset,
        "extractor": extractor,
        **dict.fromkeys(("layer", *KEYS, "spread_warning", "recipe"), ""),
        "p_max_t": p,
        "not_distinguishable": ";".join(_names("depth", cells)[1]),
        "agree": True,
        "sentence": f"{dataset}, {extractor}: no depth is advised. At none are labels shown to "
        f"cluster (least p {p:.2g}, corrected for the depths{' and readings' * several}).",
    }


def _list(names):
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def write_verdict(goodness, comparisons, halves, output):
    """Write verdict.csv from goodness.csv, comparisons.csv and the halves of all cells (CSV)."""
    of_halves = pd.concat(map(read_table, halves))
    write_table(verdicts(read_table(goodness), read_table(comparisons), of_halves), output)


def reading_words(pooling, metric):
    """Return how a reading is called in a sentence: ``averaged over positions by angle``.

    An empty pooling is not named, as that of a vector, which has but one.
    """
    return f"{_VALUES[pooling]} {_COMPARED[metric]}" if pooling else _COMPARED[metric]


def reading_advice(pooling, metric):
    """Return what follows the name of a layer that is advised: ``all its values compared by ...``.

    An empty pooling is not named.
    """
    compared = f"compared {_COMPARED[metric]}"
    if pooling == "mean":
        compared = f"and {compared}"
    return f"{_VALUES[pooling]} {compared}" if pooling else compared


def recipe(layer, pooling, metric):
    """Return a sentence that says how to compute a reading of a layer."""
    take = _TAKE[pooling].format(layer)
    if metric == "angle":
        take += f", {_SCALE},"
    elif pooling == "mean":
        take += ","
    return f"{take} and compare by Euclidean distance."


def recipe_code(layer, pooling, metric, before=0):
    """Return the lines of Python that compute the distances of a reading of a layer.

    They make ``x``, one row per image, and ``distances`` [images, images] of ``values``, what the
    layer gives: [images, height, width, channels], [images, tokens, channels] or, of a vector,
    [images, channels].

    Parameters
    ----------
    layer, pooling, metric : str
    before : int
        The tokens of a sequence that stand before those of its patches.
    """
    pooled = {
        "flat": "values.reshape(len(values), -1)",
        "mean": f"values[:, {before}:].mean(axis=1)"
        if before
        else "values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)",
        "cls": "values[:, 0] if values.ndim == 3 else values",
    }[pooling]
    lines = ["import numpy as np", f"x = {pooled}  # values of {layer}, images first"]
    if metric == "angle":
        lines += [
            "x = x - x.mean(axis=0, dtype=float)  # the mean vector of your images",
            "x = x / np.linalg.norm(x, axis=1, keepdims=True)",
        ]
    lines.append("distances = np.array([np.linalg.norm(x - one, axis=1) for one in x])")
    return "\n".join(lines)
