"""How good a cell the verdict's rule chooses, beside other rules, on images that it did not see.

    python tests/validation/verdict_rule.py --output verdict_rule.csv

A cell is a layer and how it is read, pooling and metric. Three kinds of networks are asked:
features planted with a known structure, small networks made here, and published trained networks
on real labelled images, where those are at hand (``--shared``). Every rule chooses a cell from
one half of the images and is judged in the other: ``rules.py`` says how. All distances of the
trained networks are kept in ``--cache``; the first run takes a quarter of an hour longer.

Printed are, a rule, means over the pairs of a set and a network, with 95 % intervals from sets
drawn anew (not pairs, for those of a set are alike); how far the verdict's rule is above the one
that chose among depths alone, pair by pair; what is demanded of it, met or not; and, for data
without labels, how good each fixed reading is.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from labelfree import read_fixed, reading_table
from planted import planted, small
from rules import ALONE, BEST, JUDGED, POINT, VERDICT, cells_of, halves, judge
from scipy.spatial.distance import pdist
from sets import load, real_pairs
from threadpoolctl import threadpool_limits

REPOSITORY = Path(__file__).parents[2]
RESAMPLES = 2000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, default=REPOSITORY.parent / "shared")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "results/validation/cache")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    files = []
    if (args.shared / "sets").is_dir() and (args.shared / "models").is_dir():
        for pair in real_pairs(args.shared, args.cache, threads=args.processes):
            files.append(pair)
            print(f"{pair[0]} x {pair[1]}: distances are in {pair[2].name}", flush=True)
    else:
        print(f"{args.shared}: no sets or no models there; trained networks are left out.")
    rng = np.random.default_rng(args.seeds[0])
    made = [
        (kind, name, labels, [({"flat": pdist(x).astype(np.float32)}, x) for x in layers])
        for kind, networks in (("planted", planted(rng)), ("small", small(rng, args.shared)))
        for name, labels, layers in networks
    ]
    # Processes of their own: forks of one in which TensorFlow ran would hang.
    with ProcessPoolExecutor(args.processes, get_context("spawn"), threadpool_limits, (1,)) as pool:
        tasks = [
            *(((kind, name, ""), (labels, layers)) for kind, name, labels, layers in made),
            *((("real", *pair[:2]), pair[2]) for pair in files),
        ]
        waiting = [
            (key, pool.submit(measure, key, what, args.splits, args.seeds)) for key, what in tasks
        ]
        rows, fixed = [], []
        for (kind, name, network), task in waiting:
            of_rules, of_readings = task.result()
            key = {"kind": kind, "set": name, "network": network}
            rows.append(of_rules.assign(**key))
            if kind == "real":
                fixed.append(of_readings.assign(**key))
            print(f"{name} {network}: done", flush=True)
    table = pd.concat(rows)[["kind", "set", "network", "rule", "halves", *JUDGED]]
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(args.output, index=False, lineterminator="\n", float_format="%.5f")
    for kind in dict.fromkeys(table.kind):
        print(f"\n{summary(table[table.kind == kind], kind)}")
    if fixed:
        print(f"\n{by_pair(table[table.kind == 'real'])}")
        print(f"\n{by_network(table[table.kind == 'real'])}")
        print(f"\n{reading_table(pd.concat(fixed))}")
    print(f"\n{planted_table(table[table.kind == 'planted'])}")
    print(f"\n{acceptance(table)}")


def measure(key, what, splits, seeds):
    """Return the mean of each rule over the halves of a pair, and its fixed readings."""
    codes, layers = load(what) if key[0] == "real" else what
    cells = cells_of(layers)
    rows = judge(cells, halves(codes, layers, splits, seeds))
    means = rows.groupby("rule", sort=False)[JUDGED].mean().astype(float).reset_index()
    means["halves"] = 2 * splits * len(seeds)
    return means, read_fixed(cells, codes, layers) if key[0] == "real" else None


def differences(table, measure="accuracy", rule=VERDICT, other=ALONE):
    """Return by pair, indexed by set and network, what ``rule`` has more than ``other``."""
    wide = table.pivot(index=["set", "network"], columns="rule", values=measure)
    return wide[rule] - wide[other]


def interval(values, rng):
    """Return the 95 % interval of the mean of ``values``, sets drawn anew with what they have."""
    of_sets = values.groupby(level="set", sort=False).mean().to_numpy()
    drawn = rng.integers(0, len(of_sets), (RESAMPLES, len(of_sets)))
    return np.quantile(of_sets[drawn].mean(axis=1), [0.025, 0.975])


def summary(table, kind):
    """Return the table of the rules, in words and points."""
    rng = np.random.default_rng(1)
    lines = []
    for rule in dict.fromkeys(table.rule):
        of_rule = table[table.rule == rule].set_index(["set", "network"])
        more = differences(table, rule=rule)
        line = {"rule": rule}
        for name, column, places in (
            ("accuracy", "accuracy", 1),
            ("loss", "loss", 2),
            ("hits", "hit", 0),
            ("linear", "linear", 1),
        ):
            low, high = 100 * interval(of_rule[column], rng)
            line[name] = f"{100 * of_rule[column].mean():.{places}f}"
            line[f"{name} 95 %"] = f"{low:.{places}f}-{high:.{places}f}"
        low, high = 100 * interval(more, rng)
        line["above depth alone"] = f"{100 * more.mean():+.1f}"
        line["above 95 %"] = f"{low:+.1f} to {high:+.1f}"
        line["worst pair"] = f"{100 * more.min():+.1f}"
        lines.append(line)
    counted = table[["set", "network"]].drop_duplicates()
    return (
        f"{kind}: {len(counted)} pairs of {counted.set.nunique()} sets, {table.halves.iloc[0]} "
        "halves each; in percent and points; a hit is within a point of the best cell of the half "
        "that judges, depth alone is the best depth read flat, by Euclidean distance\n"
        + pd.DataFrame(lines).to_string(index=False)
    )


def by_pair(table):
    """Return the verdict's accuracy less that of depth alone, by set and network."""
    wide = (100 * differences(table)).unstack("network")
    wide.loc["mean"] = wide.mean()
    return (
        "The verdict's accuracy less that of depth alone, in points, by pair:\n"
        + wide.round(1).to_string()
    )


def by_network(table):
    """Return by network how right the chosen cells are, and its last layer's, in percent."""
    shown = [VERDICT, ALONE, "deepest, flat euclidean", "deepest, mean angle", BEST]
    wide = table.pivot_table(index="network", columns="rule", values="accuracy", sort=False)
    return (
        "Accuracy in the half that judges, in percent, mean over the sets, by network:\n"
        + (100 * wide[shown]).round(1).to_string()
    )


def planted_table(table):
    """Return the planted networks, what the verdict's rule loses at each."""
    alone = 100 * differences(table)
    lost = table[table.rule == VERDICT].set_index(["set", "network"]).loss * 100
    both = pd.DataFrame({"above depth alone": alone, "loss to the best": lost}).droplevel("network")
    return "Planted networks, the verdict's rule, in points:\n" + both.round(2).to_string()


def acceptance(table):
    """Return what is demanded of the verdict's rule, met or not, with the numbers."""
    lines = []

    def demand(met, text):
        lines.append(f"{'met    ' if met else 'NOT MET'}  {text}")

    real = table[table.kind == "real"]
    if len(real):
        more = 100 * differences(real)
        low, high = interval(more, np.random.default_rng(1))
        demand(
            more.mean() >= 4,
            f"4 points above depth alone on real pairs: {more.mean():+.2f} ({low:+.2f} to "
            f"{high:+.2f})",
        )
        below = more[more < -1]
        demand(
            below.empty,
            f"below it by more than 1 point at no pair: {len(below)} of {len(more)} "
            + ", ".join(f"{a} x {b} {v:+.1f}" for (a, b), v in below.items())
            + f"; least {more.min():+.2f}",
        )
        verdict = real[real.rule == VERDICT]
        hit, loss = verdict.hit.mean(), verdict.loss.mean()
        floor = real[real.rule == BEST]
        demand(
            hit >= 0.85 or loss <= 0.015,
            f"within a point of the best cell in 85 % of halves, or 1.5 points lost: {hit:.0%}, "
            f"{100 * loss:.2f} (of the cell best on average, which no rule knows: "
            f"{floor.hit.mean():.0%}, {100 * floor.loss.mean():.2f})",
        )
        short = 100 * (floor.accuracy.mean() - verdict.accuracy.mean())
        demand(short <= 1.5, f"1.5 points below that cell at most: {short:.2f}")
    planted = table[table.kind == "planted"]
    more = 100 * differences(planted)
    worst = more.idxmin()[0]
    demand(
        more.min() >= -1,
        f"no planted network 1 point below depth alone: {more.min():+.2f} ({worst})",
    )
    lost = planted[planted.rule == VERDICT].set_index("set").loss * 100
    demand(
        lost.max() <= 100 * POINT,
        f"no planted network 1 point below the best cell: {lost.max():.2f} ({lost.idxmax()})",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
