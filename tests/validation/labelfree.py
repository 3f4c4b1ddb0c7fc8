"""How to read a layer of which no labels say what is best: fixed readings, and label-free ways."""

import numpy as np
import pandas as pd
from scipy.spatial.distance import squareform
from scipy.stats import skew
from scores import RANKS, by_metric


def read_fixed(cells, codes, layers):
    """Return one row per cell of the whole set: its knn1, and what is seen without labels.

    ``hubness`` is the skewness of how often an image is among the ten nearest of others
    (Radovanović et al. 2010); ``contrast``, the mean distance over that of the nearest neighbour;
    ``agreed``, the share of the ten nearest that the layer's other readings have, too.
    """
    rows, near = [], []
    for cell in cells.itertuples():
        condensed = by_metric(layers[cell.layer][0][cell.pooling], cell.metric)
        square = squareform(condensed)
        n = len(square)
        np.fill_diagonal(square, np.inf)
        order = np.argsort(square, axis=1, kind="stable")[:, :RANKS]
        graph = np.zeros((n, n), bool)
        np.put_along_axis(graph, order, True, axis=1)
        near.append(graph)
        nearest = np.take_along_axis(square, order[:, :1], axis=1).mean()
        rows.append(
            {
                "layer": cell.layer,
                "vector": cell.vector,
                "reading": f"{cell.pooling}.{cell.metric}",
                "knn1": (codes[order[:, 0]] == codes).mean(),
                "hubness": float(skew(graph.sum(axis=0))) if nearest else np.inf,
                "contrast": condensed.mean(dtype=float) / nearest if nearest else 0.0,
            }
        )
    table = pd.DataFrame(rows)
    for places in table.groupby("layer").groups.values():
        for place in places:
            others = [(near[place] & near[p]).sum() for p in places if p != place]
            table.loc[place, "agreed"] = np.mean(others) / near[place].sum()
    return table


WAYS = {"least hubness": ("hubness", -1), "most contrast": ("contrast", 1), "agreed": ("agreed", 1)}


def reading_table(table):
    """Return the means over the layers of real pairs, maps and vectors and sequences apart."""
    table, text = table.reset_index(drop=True), []
    keys = ["set", "network", "layer"]
    tokens = set(table[table.reading.str.startswith("cls")].network)
    for name, some in (
        ("maps [height, width, channels]", table[~table.vector & ~table.network.isin(tokens)]),
        ("sequences with a class token", table[~table.vector & table.network.isin(tokens)]),
        ("vectors (flat is all there is)", table[table.vector]),
    ):
        if some.empty:
            continue
        wide = some.pivot(index=keys, columns="reading", values="knn1")
        picked = {reading: wide[reading] for reading in wide}
        for way, (column, sign) in WAYS.items():
            best = some.loc[(sign * some[column]).groupby([some[k] for k in keys]).idxmax()]
            picked[way] = best.set_index(keys).knn1
        picked["the best reading"] = wide.max(axis=1)
        lines = []
        for reading, accuracy in picked.items():
            loss = wide.max(axis=1) - accuracy
            lines.append(
                {
                    "reading": reading,
                    "1-NN accuracy": f"{100 * accuracy.mean():.1f}",
                    "loss to the layer's best": f"{100 * loss.mean():.2f}",
                    "largest mean loss of a set": f"{100 * loss.groupby('set').mean().max():.1f}",
                    "best or equal": f"{(loss < 1e-9).mean():.0%}",
                }
            )
        text.append(
            f"One reading for all, {name}: {len(wide)} layers of real pairs, all images\n"
            + pd.DataFrame(lines).to_string(index=False)
        )
    return "\n\n".join(text)
