"""The verdict: the network, depth and reading to use, and how sure that is."""

import logging

import numpy as np
import pandas as pd

from ..manifest import few_groups
from ..readings import KEYS, choose
from ..tables import read_table, write_table
from .beware import COLUMNS as DOUBTS
from .beware import doubts, how_to_tell
from .recipe import recipe
from .wording import OPINIONS, WEAK, words

log = logging.getLogger(__name__)

LEVEL = 0.05
# Accuracies that differ by less than this are as good as one another to whoever uses them.
POINT = 0.01
FIRM, LIKELY = 0.9, 0.6  # of the halves
_CELL = ["extractor", "layer", *KEYS]
_FOUND = ["depth", "dim", "knn1", "knn1_half", "auc", "goodness", "p_max_t"]
_COLUMNS = ["scope", "dataset", *_CELL, *_FOUND, "answer", "certainty", "guessing", "quality"]
_COLUMNS += ["most_accurate", "not_distinguishable", "next", "worse_by", "worse_low", "worse_high"]
_COLUMNS += [
    "control",
    "control_knn1_half",
    "beats_control",
    "halves",
    "stability",
    "layer_stability",
]
_COLUMNS += [*(f"by_{name}" for name in OPINIONS), "agree", "spread_warning", "recipe"]
_COLUMNS += ["headline", "detail", "numbers", "sentence", *DOUBTS]


def verdicts(cells, ranking, halves, controls=None):
    """Return the cell to use of each dataset, and of each extractor by itself.

    The rule: the cell, a layer and how it is read, of the highest accuracy that the nearest
    neighbour is expected to have in half of the images (``accuracy.expected_in_half``: nearly the
    leave-one-out accuracy, and steadier); of cells of the same, that of the highest AUC. No cell
    is advised where labels cluster in none (every ``p_max_t`` above 5 %).

    How certain that is follows from two facts: whether another layer may be the best one
    (``ranking.rank``), and in how many halves of the images the rule chooses the layer again.
    *Firm* is a choice that no other layer may be above, and that comes again in 90 % of the
    halves; *likely* one that comes again in 60 %; all others are a *toss-up*. In a toss-up the
    cells within a point of the most accurate one are taken to be as good as it, and of these the
    practical one is advised: that of the fewest values, then the shallowest.

    A control (an untrained network, principal components of the pixels) is what must be beaten:
    it is the answer where no other cell is more than a point above the best control.

    Goodness shrinks towards 1 with every dimension of noise, at different rates in layers of
    different size; so it is reported, and does not decide.

    Parameters
    ----------
    cells : DataFrame
        goodness.csv.
    ranking : DataFrame
        ranking.csv.
    halves : DataFrame
        dataset, extractor, layer, pooling, metric, split, half, knn1_half, auc: one row per cell
        and half.
    controls : dict of str to str, optional
        The extractors that are controls, and what to call them in a sentence.

    Returns
    -------
    DataFrame
        One row per dataset (``scope`` dataset), the extractors of which compete, and one per
        dataset and extractor (``scope`` depth). Cells are named LAYER.POOLING.METRIC, in the rows
        of a dataset with EXTRACTOR/ before them. Columns:

        - dataset; extractor, layer, pooling, metric of the cell to use, empty where none is
          advised; its depth, dim, knn1, knn1_half, auc, goodness and p_max_t;
        - answer: use, control or none; certainty: firm, likely, toss-up, or empty;
        - guessing, the share of the largest class; quality, a word for
          (knn1_half - guessing) / (1 - guessing);
        - most_accurate, the cell that the rule chose before the practical one was preferred;
          not_distinguishable, the cells that may be the best, separated by ``;``;
        - next, the best cell of another layer, and worse_by, worse_low, worse_high, how far it is
          below the best of all (``ranking.rank``);
        - control, the best cell of a control, its control_knn1_half, and beats_control: yes, no, or
          not told; empty without controls;
        - halves, how many; stability, the share of them in which the rule chooses the cell again,
          and layer_stability, that of its layer in any reading;
        - by_auc, by_goodness_pca50, by_goodness, the cell that each alone would choose; agree,
          whether all choose alike; spread_warning, layers; recipe, how to compute the reading;
        - headline, detail and numbers, the verdict in words; sentence, the first two together;
        - what there is to be wary of (``beware.doubts``).
    """
    controls = controls or {}
    halves = halves.set_index(["dataset", *_CELL]).sort_index()
    rows = []
    ranked = cells.merge(ranking, on=["dataset", *_CELL], suffixes=("", "_ranked"))
    for _, of_dataset in ranked.groupby("dataset", sort=False):
        families = dict(iter(of_dataset.groupby("family", sort=False)))
        rows.append(_verdict("dataset", families["all"], halves, controls))
        for _, own in families["extractor"].groupby("extractor", sort=False):
            rows.append(_verdict("depth", own, halves, controls))
    table = pd.DataFrame([row | words(row, controls) for row in rows])
    return table.reindex(columns=_COLUMNS)


def _verdict(scope, cells, halves, controls):
    """Return the facts of the verdict on ``cells``, of a dataset or of one of its extractors."""
    cells = cells.reset_index(drop=True)
    layers, names = _names(scope, cells)
    row = {
        "scope": scope,
        "dataset": cells.dataset[0],
        "extractor": cells.extractor[0] if scope == "depth" else "",
        "guessing": cells.largest_class[0] / cells.images[0],
        "spread_warning": ";".join(layers[_true(cells.spread_warning)].unique()),
        "few_groups": few_groups(cells.get("groups", pd.Series([np.nan]))[0]),
        "several_readings": len(cells[KEYS].drop_duplicates()) > 1,
        "tried": cells,
    }
    if "population_images" in cells and pd.notna(cells.population_images[0]):
        row |= {"sample": cells.images[0], "population": cells.population_images[0]}
    p = cells.p_max_t.fillna(cells.p_value)
    if p.min() > LEVEL:
        nothing = dict.fromkeys(("layer", *KEYS, "recipe", "certainty", "quality"), "")
        told = {"answer": "none", "p_max_t": p.min(), "agree": True}
        return row | nothing | told | {"not_distinguishable": ";".join(names)}
    of_control = cells.extractor.isin(controls) & (scope == "dataset")
    cluster = p.groupby(cells.extractor).transform("min") <= LEVEL
    candidates, yardsticks = (np.flatnonzero(cluster & of) for of in (~of_control, of_control))
    answer, best, rival = "use", _best(cells, candidates), _best(cells, yardsticks)
    if best is None or (
        rival is not None and cells.knn1_half[rival] >= cells.knn1_half[best] - POINT
    ):
        answer, best, candidates = "control", rival, yardsticks
    # One at which labels do not cluster is no answer, and yet what was beaten.
    control = _best(cells, np.flatnonzero(of_control))
    stability, layer_stability, count = _stability(cells, candidates, best, layers, halves)
    told = cells.may_be_best.notna().any()
    may = (cells.may_be_best == 1) if told else pd.Series(True, cells.index)
    certainty = _certainty(layer_stability, (may & (layers != layers[best])).any() or not told)
    use = best
    if certainty == "toss-up" or answer == "control":
        use = _practical(cells, candidates, best)
        stability, layer_stability, count = _stability(cells, candidates, use, layers, halves)
    chosen = cells.loc[use]
    row |= _doubts(scope, chosen, cells)
    choices = {name: _choice(cells[name].astype(float), best, candidates) for name in OPINIONS}
    by = {f"by_{name}": "" if place is None else names[place] for name, place in choices.items()}
    closed = (chosen.knn1_half - row["guessing"]) / (1 - row["guessing"])
    row |= {
        **chosen[[*_CELL, *_FOUND]],
        "answer": answer,
        "certainty": certainty,
        "closed": closed,
        "quality": _quality(closed),
        "most_accurate": names[best],
        "not_distinguishable": ";".join(names[may & (cells.index != use)]),
        "halves": count,
        "stability": stability,
        "layer_stability": layer_stability,
        **by,
        "agree": set(by.values()) <= {names[best], ""},
        "recipe": recipe(*chosen[["layer", *KEYS]]),
    }
    second = _best(cells, np.flatnonzero(layers != layers[use]))
    if second is not None:
        worse = cells.loc[second, ["worse_by", "worse_low", "worse_high"]]
        row |= {"next": names[second], **worse}
    if control is not None:
        beats = "not told" if may[of_control].any() else "yes"
        row |= {
            "control": names[control],
            "control_extractor": cells.extractor[control],
            "control_knn1_half": cells.knn1_half[control],
            "beats_control": "no" if answer == "control" else beats,
        }
    return row


def _certainty(layer_stability, others):
    """Return how certain a choice is; ``others`` is whether another layer may be the best one."""
    if layer_stability >= FIRM and not others:
        return "firm"
    return "likely" if layer_stability >= LIKELY else "toss-up"


def _doubts(scope, chosen, cells):
    """Return what to be wary of at the cell advised; it is warned of once for a dataset."""
    found, said = doubts(chosen, cells[cells.extractor == chosen.extractor])
    if scope == "dataset" and (found["groups_suspected"] or found["nuisance_warning"]):
        how = how_to_tell(found["groups_line"]) if found["groups_suspected"] else ""
        log.warning("%s:%s %s", chosen.dataset, said, how)
    return found | {"doubts": said.strip()}


def _names(scope, cells):
    """Return what layers are called, and cells."""
    layers = cells.layer if scope == "depth" else cells.extractor + "/" + cells.layer
    return layers, layers + "." + cells.pooling + "." + cells.metric


def _true(column):
    return column.astype(str) == "True"


def _best(cells, places):
    """Return the place of the best of the cells at ``places``; None where there are none."""
    if not len(places):
        return None
    at = choose(cells.knn1_half.to_numpy(float)[places], cells.auc.to_numpy(float)[places])
    return int(places[at])


def _practical(cells, places, best):
    """Return the place of the cell of fewest values within a point of the best, then depth."""
    near = [place for place in places if cells.knn1_half[place] >= cells.knn1_half[best] - POINT]
    dim = pd.to_numeric(cells.dim, errors="coerce").fillna(np.inf)
    fewest = [place for place in near if dim[place] == dim[near].min()]
    depth = pd.to_numeric(cells.depth, errors="coerce").fillna(np.inf)
    return _best(cells, np.array([p for p in fewest if depth[p] == depth[fewest].min()]))


def _choice(values, best, places):
    """Return the place of the highest value of those at ``places``; None without values.

    It is ``best`` where that is as high.
    """
    values = values[places]
    if values.notna().any():
        return best if values[best] == values.max() else values.idxmax()
    return None


def _stability(cells, places, at, layers, halves):
    """Return in which share of the halves the cell is chosen again, its layer, and the halves."""
    of_cells = [
        halves.loc[[key]].sort_values(["split", "half"])
        for key in cells.loc[places, ["dataset", *_CELL]].itertuples(False, None)
    ]
    accuracy, auc = (
        np.stack([table[name] for table in of_cells], axis=1) for name in ("knn1_half", "auc")
    )
    again = places[[choose(*scores) for scores in zip(accuracy, auc, strict=True)]]
    same = (layers[again] == layers[at]).to_numpy()
    return np.mean(again == at), np.mean(same), len(again)


def _quality(share):
    """Return how well classes are told apart, in words; ``share`` is 0 for guessing, 1 at best."""
    steps = ((0.8, "very well"), (0.5, "fairly well"), (0.2, WEAK[0]))
    return next((word for least, word in steps if share > least), WEAK[1])


def write_verdict(goodness, ranking, halves, output, *, controls=()):
    """Write verdict.csv from goodness.csv, ranking.csv and the halves of all cells (CSV).

    Parameters
    ----------
    goodness, ranking : path
    halves : list of path
    output : path
    controls : sequence of str
        EXTRACTOR=WORDS, see ``verdicts``.
    """
    of_halves = pd.concat(map(read_table, halves))
    named = dict(control.split("=", 1) for control in controls)
    write_table(verdicts(read_table(goodness), read_table(ranking), of_halves, named), output)
