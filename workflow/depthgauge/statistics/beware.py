"""What the verdict has to be wary of: images that may belong together, and a nuisance."""

import numpy as np

from ..belonging import shared_part

COLUMNS = ["groups", "groups_suspected", "groups_line", "robustness", "knn1_other_nuisance"]
COLUMNS += ["nuisance_warning"]
# What to say where names tell no pattern.
LINE = "group: REGEX"


def doubts(best, own):
    """Return the columns that say what to be wary of at the cell advised, and a clause, or "".

    Images are suspected to belong together if at half of the cells, or more, neighbours share a
    part of their names beyond chance (``belonging``); or if such names make groups likely; or if
    at every cell most images have a neighbour that is nearly themselves (``Measures.near_twins``).

    Parameters
    ----------
    best : Series
        Its row of goodness.csv.
    own : DataFrame
        All rows of its dataset and network.

    Returns
    -------
    row : dict
        By ``COLUMNS``; what the rows of goodness.csv lack is missing.
    text : str
    """
    row = {name: best.get(name, np.nan) for name in COLUMNS}
    row["groups_suspected"], row["groups_line"] = _suspected(own)
    row["nuisance_warning"] = str(best.get("nuisance_warning", "")) == "True"
    text = ""
    if row["groups_suspected"]:
        text += " Do pictures belong together, as frames of one film do "
        text += f"({_WHY[row['groups_suspected']]})? Then these numbers are too good, and another "
        text += "depth may be the best."
    if row["nuisance_warning"]:
        text += " Beware of the nuisance there: neighbours share it rather than the class"
        text += f" (robustness index {row['robustness']:.2f}), and among images of its other "
        text += f"values the accuracy is {row['knn1_other_nuisance']:.3f}."
    elif not np.isnan(row["robustness"]):
        text += " Among images of another value of the nuisance the accuracy is "
        text += f"{row['knn1_other_nuisance']:.3f} (robustness index {row['robustness']:.2f})."
    return row, text


_WHY = {
    "neighbours": "nearest neighbours share a part of their names",
    "names": "many share a part of their names",
    "twins": "most have a neighbour that is nearly the same",
}


def how_to_tell(line):
    """Return a sentence on how to tell which images belong together, with the line that does."""
    shared = shared_part(line)
    which = f" that share {shared}" if shared else ""
    return (
        f"If pictures belong together{which}, tell it by `{line}` under the dataset in the config, "
        f"by `--group {line.removeprefix('group: ')}` after `depthgauge run`, or by a column group "
        "in the csv of `labels`."
    )


def _suspected(own):
    why = own.get("groups_suspected")
    if why is not None and (why != "").mean() >= 0.5:
        chosen = why == ("neighbours" if (why == "neighbours").mean() >= 0.5 else "names")
        if chosen.any():
            return why[chosen].iloc[0], own.groups_line[chosen].mode().iloc[0]
    if "near_twins" in own and own.near_twins.min() > 0.5:
        return "twins", LINE
    return "", ""
