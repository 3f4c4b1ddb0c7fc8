"""The verdict in plain words, in three levels: the headline, the detail, the numbers."""

import pandas as pd

from ..readings import KEYS
from .beware import how_to_tell
from .geometry import SPREAD
from .recipe import reading_advice

OPINIONS = {
    "auc": "AUC",
    "goodness_pca50": "goodness after PCA",
    "goodness": "goodness",
}
# How classes are told apart where a picture cannot be sorted by the pictures that are most similar.
WEAK = ("somewhat", "poorly")
# So many layers are named in a sentence; of more, the number.
_NAMED = 3


def words(row, controls):
    """Return the headline, the detail and the numbers of a verdict, and the first two as one.

    Parameters
    ----------
    row : dict
        The facts, as ``verdict.verdicts`` finds them.
    controls : dict of str to str
        The extractors that are controls, and what to call them.

    Returns
    -------
    dict of str to str
        headline, detail, numbers, sentence.
    """
    if row["answer"] == "none":
        headline, detail, numbers = _nothing(row)
    else:
        headline = _headline(row, controls)
        detail = " ".join(filter(None, _detail(row, controls)))
        numbers = " ".join(filter(None, _numbers(row)))
    of = row["dataset"] if row["scope"] == "dataset" else f"{row['dataset']}, {row['extractor']}"
    sentence = f"{of}: {headline[0].lower()}{headline[1:]} {detail}"
    return {"headline": headline, "detail": detail, "numbers": numbers, "sentence": sentence}


def _nothing(row):
    if row["scope"] == "depth":
        headline = f"No layer of {row['extractor']} tells your classes apart."
    else:
        headline = "Nothing tried tells your classes apart."
    detail = (
        "Pictures of one class lie no nearer together than pictures of shuffled classes, at any "
        "layer. Look at the pictures, or at how the classes were made; more pictures may help, too."
    )
    corrected = "depths and readings" if row["several_readings"] else "depths"
    return headline, detail, f"The least p is {row['p_max_t']:.2g}, corrected for the {corrected}."


def _headline(row, controls):
    weak = row["quality"] in WEAK
    if row["answer"] == "control":
        what = controls[row["extractor"]]
        if set(row["tried"].extractor) <= set(controls):
            return f"Only controls were tried; the best is {row['extractor']}: {what}."
        network = "network" if what.startswith("the pixels") else "trained network"
        if weak:
            return f"Nothing tried does well, and no {network} better than {what}."
        return f"You need no {network}: {what} will do as well."
    network = f"{row['extractor']}, " if row["scope"] == "dataset" else ""
    reading = _reading(row)
    place = f"{network}layer {row['layer']}{f', {reading}' if reading else ''}"
    if row["scope"] == "depth" and row["extractor"] in controls:
        return f"The best of this control is {place}."
    if row["certainty"] == "toss-up":
        what = "Nothing tried does well; take" if weak else "Take"
        return f"{what} {place}: it is a toss-up between this and others."
    return f"Nothing tried does well; the best is {place}." if weak else f"Use {place}."


def _detail(row, controls):
    """Yield the sentences of the detail."""
    found = f"about {of_100(row['knn1_half'])} of 100 pictures"
    if row["knn1_half"] >= 0.995:
        found = "practically all pictures"
    guessing = f"guessing gets {round(100 * row['guessing'])}"
    beside = ""
    if "control" in row and row["answer"] == "use":
        beside = f", and {controls[row['control_extractor']]} {of_100(row['control_knn1_half'])}"
    yield (
        f"It tells your classes apart {row['quality']}: for {found} the most "
        f"similar picture is of the same class, where {guessing}{beside}."
    )
    yield _others(row, controls)
    yield _again(row)
    if row.get("beats_control") == "not told":
        yield f"Whether it beats {controls[row['control_extractor']]} cannot be told for certain."
    yield row["doubts"]
    if "population" in row:
        yield f"Measured were {row['sample']:,.0f} of your {row['population']:,.0f} pictures."


def _others(row, controls):
    """Say which other layers may be as good; controls are told of by themselves."""
    cells = row["tried"]
    if row["scope"] == "dataset" and row["answer"] == "use":
        cells = cells[~cells.extractor.isin(controls)]
    if len(cells) == 1:
        return ""
    if row["few_groups"]:
        return f"Whether the others are any worse cannot be told: {row['few_groups']}."
    layers = _other_layers(row, cells)
    if layers.empty:
        return ""
    order = cells.knn1_half[layers.index].sort_values(ascending=False, kind="stable").index
    rivals = list(layers[order][cells.may_be_best[order] == 1].unique())
    count = layers.nunique()
    if not rivals:
        return "Every other layer does worse." if count > 1 else "The other layer does worse."
    if len(rivals) == count > 1:
        return f"Any of the other {count} layers may be just as good."
    return f"{_listed(rivals)} may be just as good."


def _again(row):
    if len(row["tried"]) == 1:
        return ""
    layer, exact = (round(row[name] * row["halves"]) for name in ("layer_stability", "stability"))
    what, also = "This layer", ""
    if row["several_readings"] and exact == layer:
        what += ", read in this way,"
    elif row["several_readings"]:
        also = f", and read in this way in {exact}"
    of = f"of {row['halves']} random halves of your pictures{also}"
    if row["certainty"] == "toss-up":
        return f"{what} was chosen in only {layer} {of}: more pictures would help."
    return f"{what} was chosen again in {layer} {of}."


def _numbers(row):
    """Yield the sentences of the numbers."""
    yield (
        f"Accuracy of the nearest neighbour {row['knn1']:.1%}, leave-one-out, and "
        f"{row['knn1_half']:.1%} expected in half of the images, which closes "
        f"{max(row['closed'], 0):.0%} of the gap between guessing and perfect; AUC "
        f"{row['auc']:.3f}; goodness {row['goodness']:.4g}; p {row['p_max_t']:.2g}, corrected for "
        "all that was tried."
    )
    if row.get("next"):
        points = f"{100 * row['worse_by']:.1f} points"
        if pd.notna(row["worse_low"]):
            points += f" (95 % interval {100 * row['worse_low']:.1f} to "
            points += f"{100 * row['worse_high']:.1f})"
        yield f"Next is {row['next']}, in half of the images worse than the best by {points}."
    at = ".".join([_own_layer(row), *(row[name] for name in KEYS)])
    if row["most_accurate"] != at:
        yield (
            f"{row['most_accurate']} is the most accurate by less than a point; of such the one "
            "of fewest values is advised."
        )
    other = {}
    for name, measure in OPINIONS.items():
        if row[f"by_{name}"] not in ("", row["most_accurate"]):
            other.setdefault(row[f"by_{name}"], []).append(measure)
    if other:
        told = "; ".join(f"{cell} by {_listed(names)}" for cell, names in other.items())
        yield f"Other measures, which do not decide, are highest elsewhere: {told}."
    if row["groups_suspected"]:
        yield how_to_tell(row["groups_line"])
    if _own_layer(row) in row["spread_warning"].split(";"):
        yield f"Beware at {_own_layer(row)}: {SPREAD}."


def _other_layers(row, cells):
    layers = cells.layer if row["scope"] == "depth" else cells.extractor + "/" + cells.layer
    return layers[layers != _own_layer(row)]


def _own_layer(row):
    """Return what the layer advised is called, among those of its network or of all."""
    return row["layer"] if row["scope"] == "depth" else f"{row['extractor']}/{row['layer']}"


def _reading(row):
    """Return what to say of the reading; nothing where there is but one."""
    if not row["several_readings"]:
        return ""
    cells = row["tried"]
    own = cells[cells.extractor == row["extractor"]]
    one = own[own.layer == row["layer"]].pooling.nunique() == 1
    # A vector has one pooling where others have more, and that need not be named.
    vector = one and (row["pooling"] == "flat" or own.pooling.nunique() > 1)
    return reading_advice("" if vector else row["pooling"], row["metric"])


def of_100(share):
    """Return a share as a whole number of 100; 100 of them, and 0, only where it is all or none."""
    return round(100 * share) if share in (0, 1) else min(max(round(100 * share), 1), 99)


def _listed(names):
    names = list(names)
    if len(names) > _NAMED:
        names = [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
