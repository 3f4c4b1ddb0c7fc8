"""Gather the ratios of all tables in a folder, beside their targets, and draw them.

    python tests/bench/ratios.py results/bench

It writes ratios.csv and ratios.png there.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from side_by_side import COLUMNS, met, report

TABLES = ("extraction", "onnx", "distances", "null", "embedding", "readings", "row")
TABLES += ("growth_exponents",)


def main(folder):
    tables = []
    for name in TABLES:
        if (folder / f"{name}.csv").exists():
            table = pd.read_csv(folder / f"{name}.csv", keep_default_na=False)[COLUMNS]
            tables.append(table[table.ratio_of != ""].assign(stage=name.split("_")[0]))
    table = pd.concat(tables, ignore_index=True)
    columns = ["ratio", "ratio_least", "ratio_most"]
    table[columns] = table[columns].astype(float)
    table.loc[table.ratio_of == "exponent", "ratio_of"] = table.way
    table["met"] = [
        ("yes" if met(ratio, target) else "no") if target else ""
        for ratio, target in zip(table.ratio, table.target, strict=True)
    ]
    table = table[["stage", "ratio_of", *columns, "target", "met"]]
    report("All ratios and their targets", table.to_dict("records"), folder / "ratios.csv")
    draw(table, folder / "ratios.png")


def draw(table, path):
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.34 * len(table)), layout="constrained")
    at = range(len(table))[::-1]
    looks = {"yes": ("o", "#0072b2"), "no": ("X", "#d55e00"), "": ("D", "#666666")}
    names = {"yes": "target met", "no": "target missed", "": "no target"}
    for result, (marker, colour) in looks.items():
        part = [
            (y, line) for y, line in zip(at, table.itertuples(), strict=True) if line.met == result
        ]
        if not part:
            continue
        ys = [y for y, _ in part]
        ratios = [line.ratio for _, line in part]
        spread = [
            [line.ratio - line.ratio_least for _, line in part],
            [line.ratio_most - line.ratio for _, line in part],
        ]
        axes.errorbar(ratios, ys, xerr=spread, fmt=marker, color=colour, label=names[result])
    targets = [(float(t.split()[1]), y) for t, y in zip(table.target, at, strict=True) if t]
    axes.plot(*zip(*targets, strict=True), "|", color="black", markersize=14, label="target")
    axes.set_yticks(list(at), table.stage + ": " + table.ratio_of + "  " + table.target, fontsize=8)
    axes.set(xscale="log", xlabel="ratio (median, least and most of the rounds)")
    axes.axvline(1, color="black", lw=0.5)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(fontsize=8, loc="outside upper center", ncols=4)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
