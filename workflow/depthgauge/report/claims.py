"""Claims: what somebody found, held against what is found here."""

from math import exp, hypot, isfinite, log
from statistics import NormalDist

import pandas as pd

from ..tables import read_table, write_table
from .claims_file import read_claims

REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE = "reproduced", "not reproduced", "not testable here"
LEVEL = 0.95


class _NotTestable(Exception):
    """Why a claim cannot be tested here."""


def evaluate(claims, cells, comparisons, datasets):
    """Return what becomes of ``claims`` here.

    A claim is *reproduced* where what it says holds of the numbers found, *not reproduced* where
    it does not, and *not testable here* where a dataset or a layer that it speaks of is missing.
    Whether another sample of images might have said otherwise is a second question: ``certain``
    says whether 95 % intervals exclude the contrary. For layers of one dataset they are the
    paired, simultaneous ones of ``comparison.compare``; datasets are independent of one another,
    and their intervals Bonferroni's. Where an interval is lacking that it hangs on, for want of
    groups (``few_groups``) or of a finite goodness, ``certain`` is empty.

    A claim is of layers that are read flat and compared by Euclidean distance; other readings do
    not count.

    Parameters
    ----------
    claims : list of dict
        id, claim (a sentence), check and what the check needs, as in ``paper_claims.yaml``.
    cells : DataFrame
        goodness.csv.
    comparisons : DataFrame
        comparisons.csv.
    datasets : DataFrame
        table_1.csv.

    Returns
    -------
    DataFrame
        A row a claim and extractor that has a layer that the claim speaks of (one row without
        extractor where none has, or where the claim is of a dataset alone): id, claim, dataset,
        extractor, outcome, certain (yes, no, or empty where there is no interval), numbers,
        intervals, reason.
    """
    rows = []
    for claim in claims:
        check = _CHECKS[claim["check"]]
        for extractor in _extractors(claim, cells):
            try:
                here = cells[cells.extractor == extractor]
                holds, certain, numbers, intervals, reason = check(
                    claim, here, comparisons[comparisons.extractor_a == extractor], datasets
                )
                outcome = REPRODUCED if holds else NOT_REPRODUCED
                certain = "" if certain is None else "yes" if certain else "no"
            except _NotTestable as why:
                outcome, certain, numbers, intervals, reason = NOT_TESTABLE, "", "", "", str(why)
            rows.append(
                {
                    **{"id": claim["id"], "claim": claim["claim"]},
                    **{"dataset": claim.get("dataset", ""), "extractor": extractor},
                    **{"outcome": outcome, "certain": certain, "numbers": numbers},
                    **{"intervals": intervals, "reason": reason},
                }
            )
    return pd.DataFrame(rows)


def _extractors(claim, cells):
    layers = _layers(claim)
    return list(cells.extractor[cells.layer.isin(layers)].unique()) or [""]


def _layers(claim):
    """Return the layers that a claim speaks of, in its order."""
    named = claim.get("layers") or [layer for pair in claim.get("pairs", []) for layer in pair]
    return list(dict.fromkeys(named))


def _as_claimed(cells):
    """Return the cells of an extractor that are read flat and compared by Euclidean distance.

    A vector is flat by any name: it has one pooling where other layers have more.
    """
    own = cells.groupby("layer").pooling.transform("nunique")
    flat = (cells.pooling == "flat") | ((own == 1) & (own.max() > 1))
    return cells[flat & (cells.metric == "euclidean")]


def _of_dataset(dataset, claim, cells):
    """Return the claim's layers of a dataset, a row each, in order of depth."""
    if dataset not in set(cells.dataset):
        raise _NotTestable(f"The dataset {dataset} is not among these results.")
    found = _as_claimed(cells)
    found = found[(found.dataset == dataset) & found.layer.isin(_layers(claim))]
    _demand(claim, found, f"Of {dataset} there")
    return found.sort_values("depth").set_index("layer")


def _demand(claim, found, there):
    missing = [layer for layer in _layers(claim) if layer not in set(found.layer)]
    if missing:
        raise _NotTestable(
            f"{there} is no {', '.join(missing)} here that is read flat, by Euclidean distance."
        )


def _order(claim, cells, comparisons, _):
    found = _of_dataset(claim["dataset"], claim, cells)
    differ = comparisons[
        (comparisons.dataset == claim["dataset"])
        & (comparisons.measure == "log_goodness")
        & (comparisons.extractor_b == comparisons.extractor_a)
    ]
    for end in "ab":  # the readings that the claim is of
        pooling = differ[f"layer_{end}"].map(found.pooling)
        euclidean = differ[f"metric_{end}"] == "euclidean"
        differ = differ[(differ[f"pooling_{end}"] == pooling) & euclidean]
    pairs = []
    for lower, higher in claim["pairs"]:
        low, high = _interval(differ, lower, higher)
        name = f"{higher} / {lower}"
        holds = found.goodness[higher] > found.goodness[lower]
        pairs.append((name, holds, found.goodness[higher] / found.goodness[lower], low, high))
    numbers = ", ".join(f"{row.Index} {row.goodness:.4g}" for row in found.itertuples())
    return _judged(pairs, numbers, "simultaneous 95 % intervals")


def _interval(differ, lower, higher):
    """Return the interval of log goodness of one layer less that of another; NaN if unknown."""
    for sign, a, b in ((1, higher, lower), (-1, lower, higher)):
        found = differ[(differ.layer_a == a) & (differ.layer_b == b)]
        if len(found):
            return sorted((sign * found.low.iloc[0], sign * found.high.iloc[0]))
    return float("nan"), float("nan")


def _lowest(claim, cells, *_):
    names = [claim["dataset"], *claim["others"]]
    best = {}
    for name in names:
        found = _of_dataset(name, claim, cells)
        best[name] = found.loc[found.goodness.idxmax()]
    own = best[claim["dataset"]]
    width = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / len(claim["others"]))
    pairs = []
    for other in claim["others"]:
        ratio = best[other].goodness / own.goodness
        margin = width * hypot(best[other].log_goodness_se, own.log_goodness_se)
        ends = log(ratio) - margin, log(ratio) + margin
        pairs.append((f"{other} / {claim['dataset']}", ratio > 1, ratio, *ends))
    numbers = ", ".join(f"{name} {row.goodness:.4g} ({row.name})" for name, row in best.items())
    return _judged(
        pairs, f"highest goodness: {numbers}", "simultaneous 95 % intervals (Bonferroni)"
    )


def _judged(pairs, numbers, kind):
    """Judge pairs of (name, whether the claim holds, ratio, ends of the log ratio's interval)."""
    intervals = "; ".join(
        f"{name} {ratio:.4g}"
        + (f" ({exp(low):.4g} to {exp(high):.4g})" if isfinite(low) and isfinite(high) else "")
        for name, _, ratio, low, high in pairs
    )
    against = [pair for pair in pairs if not pair[1]]
    # One pair that is certainly the other way round decides; for the claim all have to be certain.
    lacking = [name for name, _, _, low, high in against or pairs if not isfinite(high - low)]
    unknown = f"there is no interval of {', '.join(lacking)} to be certain by."
    if against:
        certain = any(high < 0 for *_, high in against)
        reason = "The order is the other way round, or equal, in "
        reason += f"{', '.join(name for name, *_ in against)}; "
        if lacking and not certain:
            return False, None, numbers, intervals, reason + unknown
        reason += f"the {kind} {'exclude' if certain else 'do not exclude'} the claim."
        return False, certain, numbers, intervals, reason
    unsure = [name for name, _, _, low, _ in pairs if low <= 0]
    if unsure:
        reason = f"The order holds; the {kind} do not exclude the contrary in {', '.join(unsure)}."
        return True, False, numbers, intervals, reason
    if lacking:
        return True, None, numbers, intervals, f"The order holds; {unknown}"
    return True, True, numbers, intervals, f"The order holds; the {kind} exclude any other."


def _significance(claim, cells, *_):
    found = _of_dataset(claim["dataset"], claim, cells)
    least = 1 / (1 + found.permutations.min())
    if least > claim["p"]:
        raise _NotTestable(
            f"With {found.permutations.min():,} permutations p is at least {least:.2g}."
        )
    numbers = ", ".join(f"{row.Index} p = {row.p_value:.2g}" for row in found.itertuples())
    above = list(found.index[found.p_value > claim["p"]])
    reason = f"p is above {claim['p']} at {', '.join(above)}" if above else "All are"
    reason += f"; {found.permutations.min():,} permutations, which give {least:.2g} at the least."
    return not above, None, numbers, "", reason


def _dimensions(claim, cells, *_):
    cells = _as_claimed(cells)
    _demand(claim, cells, "There")
    found = cells.drop_duplicates("layer").set_index("layer").dim
    numbers = ", ".join(f"{layer} {found[layer]:,.0f}" for layer in claim["layers"])
    other = [layer for layer, dim in claim["layers"].items() if found[layer] != dim]
    return not other, None, numbers, "", f"Other at {', '.join(other)}." if other else "As claimed."


def _size(claim, _cells, _comparisons, datasets):
    found = datasets[datasets.dataset == claim["dataset"]]
    if found.empty:
        raise _NotTestable(f"The dataset {claim['dataset']} is not among these results.")
    found = found.iloc[0]
    holds = found.samples == claim["images"] and found.classes == claim["classes"]
    numbers = f"{found.samples:,} images, {found.classes} classes"
    note = f" {found.note}." if found.note else ""
    return holds, None, numbers, "", ("As claimed." if holds else "Not as claimed.") + note


_CHECKS = {
    "order": _order,
    "lowest": _lowest,
    "significance": _significance,
    "dimensions": _dimensions,
    "size": _size,
}


def write_claims(claims, goodness, comparisons, table_1, output):
    """Write claims.csv from the claims (YAML), goodness.csv, comparisons.csv and table_1.csv."""
    tables = map(read_table, (goodness, comparisons, table_1))
    write_table(evaluate(read_claims(claims), *tables), output)
