"""How often 95 % intervals by groups cover the truth, by the number of groups.

    python tests/validation/few_groups.py --output few_groups.csv

A planted set has groups, as persons, of twelve images each, four of each of three classes; a group
has a place of its own, and its own way of showing each class. Many such sets are drawn, and each
measure gets its jackknife interval by groups. The truth is the mean over all sets of so many
groups. A row a number of groups.
"""

import argparse

import numpy as np
import pandas as pd
from depthgauge.statistics import goodness
from depthgauge.statistics.auc import rank_auc
from depthgauge.tables import write_table
from scipy.spatial.distance import pdist, squareform

GROUPS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20)
MEASURES = ("log_goodness", "auc", "accuracy")
NORMAL = 1.959964


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output")
    options = parser.parse_args()
    goodness.LEAST_GROUPS = 2  # which is what is looked into
    rows = []
    for count in GROUPS:
        rng = np.random.default_rng([options.seed, count])
        values, errors = np.moveaxis([measured(count, rng) for _ in range(options.sets)], 1, 0)
        covered = np.abs(values - values.mean(axis=0)) < NORMAL * errors
        share = covered.mean(axis=0)
        rows.append({"groups": count} | dict(zip(MEASURES, share, strict=True)))
        print("  ".join([f"{count:>3} groups", *(f"{100 * one:.1f} %" for one in share)]))
    if options.output:
        write_table(pd.DataFrame(rows), options.output)


def measured(count, rng):
    """Return the three measures of one set of ``count`` groups, and their standard errors."""
    codes = np.tile(np.repeat(np.arange(3), 4), count)
    groups = np.repeat(np.arange(count), 12)
    places = rng.normal(0, 0.7, (count, 1, 8)) + rng.normal(0, 0.7, (count, 3, 8))
    points = 1.5 * np.eye(8)[codes] + places[groups, codes] + rng.normal(size=(len(codes), 8))
    condensed = pdist(points)
    square = squareform(condensed)
    sums = square @ np.eye(3)[codes]
    theta = goodness.log_goodness_without(sums, codes)
    same = squareform(codes[:, None] == codes, checks=False)
    log_goodness = np.log(condensed[~same].mean() / condensed[same].mean())
    auc, auc_theta = rank_auc(condensed, codes, progress=False)
    square[groups[:, None] == groups] = np.inf
    right = codes[square.argmin(axis=1)] == codes
    without = (right.sum() - right) / (len(right) - 1)
    errors = [goodness.standard_error(one, groups) for one in (theta, auc_theta, without)]
    return (log_goodness, auc, right.mean()), errors


if __name__ == "__main__":
    main()
