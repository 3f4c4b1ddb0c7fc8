"""One cell, the distances of one layer: its test, its measures, and the files that hold them."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ..files import whole
from ..manifest import class_codes
from ..seeds import derive_seed
from .goodness import goodness
from .halves import half_accuracies, half_means
from .matrices import read_distances, read_labels
from .measures import measures
from .spread import SPREAD

log = logging.getLogger(__name__)

# The columns of goodness.csv after the names of the cell: those of the test, those of `measures`.
TESTED = ("images", "classes", "within", "between", "goodness")
TESTED += ("permutations", "null_mean", "null_sd", "p_value")
MEASURED = ("goodness_macro", "log_goodness_se", "auc", "auc_se", "anosim_r", "mrpp_a")
MEASURED += ("silhouette", "knn1", "knn5", "goodness_pca50", "effective_dimension")
MEASURED += ("permdisp_f", "permdisp_p", "spread_warning")
NORMAL = 1.959964  # the 97.5th percentile: of a 95 % interval


def write_goodness(
    distances_path,
    labels_path,
    *,
    null=None,
    row=None,
    classes=None,
    images=None,
    halves=None,
    dataset="",
    extractor="",
    layer="",
    depth="",
    dim="",
    permute="images",
    permutations=9999,
    seed=0,
    threads=1,
    progress=True,
):
    """Measure one cell (dataset, extractor, layer), and write what is asked for.

    The permutations and the halves are those of (``seed``, ``dataset``): every layer of a
    dataset meets the same ones.

    Parameters
    ----------
    distances_path : path
        Distances, ``.npy``, condensed or square.
    labels_path : path
        Their manifest, or a bare column of labels, see ``matrices.read_labels``.
    null : path, optional
        Takes the goodness under each permutation, ``.npy``, float64.
    row : path, optional
        Takes a CSV of one row, a row of goodness.csv.
    classes : path, optional
        Takes a CSV, a row a pair of classes: class,other,pairs,distance (the mean) and, in the
        rows of a class with itself, its goodness.
    images : path, optional
        Takes a CSV, a row an image: image,label,goodness,silhouette,nearest,nearest_label,
        nearest_correct,theta,auc_theta and group where there are groups. The nearest is that of
        another group; theta and auc_theta are log goodness and AUC without the image.
    halves : path, optional
        Takes a CSV, a row a half of the images: dataset,extractor,layer,split,half,knn1,auc
        (the latter to first order, from the delete-one values).
    dataset, extractor, layer : str
        The names of the cell.
    depth, dim : int
        Of the layer, from 1, and of its features.
    permute, permutations, threads, progress
        As for ``goodness``.
    seed : int
        The run's.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    UserError
        As ``goodness`` and ``measures``, and if a file is not what it should be.
    """
    manifest = read_labels(labels_path)
    labels = manifest.label
    groups = manifest.group.to_numpy(str) if "group" in manifest else None
    codes, names = class_codes(labels, source=labels_path)
    condensed = read_distances(distances_path, expected=len(labels))
    if groups is not None and permute == "images":
        log.warning(
            "%s has groups, and images are permuted one by one: p is too small where images of "
            "a group are alike. `permute` groups permutes whole groups.",
            labels_path,
        )
    work = {"threads": threads, "progress": progress}
    tested = goodness(
        condensed,
        labels,
        groups=groups,
        permute=permute,
        permutations=permutations,
        seed=derive_seed(seed, dataset, "permutations"),
        **work,
    )
    measured = measures(
        condensed, labels, groups=groups, seed=derive_seed(seed, dataset, "measures"), **work
    )
    cell = {"dataset": dataset, "extractor": extractor, "layer": layer}
    values = cell | {"depth": depth, "dim": dim}
    values |= {name: getattr(tested, name) for name in TESTED}
    values |= {"permuted": permute, "z": tested.z, "p_pearson": tested.p_pearson}
    values |= dict(
        zip(
            ("goodness_low", "goodness_high"),
            tested.goodness * np.exp(measured.log_goodness_se * NORMAL * np.array([-1, 1])),
            strict=True,
        )
    )
    values |= {name: getattr(measured, name) for name in MEASURED}
    name = ", ".join(filter(None, cell.values())) or distances_path
    log.info("%s: goodness %.4f, p = %.4g", name, tested.goodness, tested.p_value)
    if measured.spread_warning:
        log.warning("%s: %s (PERMDISP).", name, SPREAD)
    if null is not None:
        with whole(null) as beside:
            np.save(beside, tested.null)
    if row is not None:
        _write(pd.DataFrame([values]), row)
    if classes is not None:
        _write(_by_class(measured, names, np.bincount(codes)), classes)
    if images is not None:
        _write(_by_image(measured, manifest), images)
    if halves is not None:
        accuracies, members = half_accuracies(
            condensed, codes, groups=groups, seed=derive_seed(seed, dataset, "halves"), **work
        )
        # To first order a half's AUC is that of all and the mean of its images' influences.
        influence = (len(codes) - 1) * (measured.auc - measured.auc_theta)
        split, half = np.indices(accuracies.shape).reshape(2, -1)
        of_halves = {
            "split": split,
            "half": half,
            "knn1": accuracies.ravel(),
            "auc": measured.auc + half_means(influence, members).ravel(),
        }
        _write(pd.DataFrame(cell | of_halves), halves)
    return values


def _by_class(measured, names, sizes):
    one, other = np.indices(measured.class_distances.shape).reshape(2, -1)
    pairs = np.outer(sizes, sizes) - np.diag(sizes * (sizes + 1) // 2)
    return pd.DataFrame(
        {
            "class": names[one],
            "other": names[other],
            "pairs": pairs.ravel(),
            "distance": measured.class_distances.ravel(),
            "goodness": np.where(one == other, measured.class_goodness[one], np.nan),
        }
    )


def _by_image(measured, manifest):
    named = {"image": manifest.image, "label": manifest.label}
    if "group" in manifest:
        named["group"] = manifest.group
    return pd.DataFrame(
        {
            **named,
            "goodness": measured.image_goodness,
            "silhouette": measured.silhouettes,
            "nearest": manifest.image.to_numpy()[measured.nearest],
            "nearest_label": manifest.label.to_numpy()[measured.nearest],
            "nearest_correct": measured.knn1_correct,
            "theta": measured.theta,
            "auc_theta": measured.auc_theta,
        }
    )


def _write(table, path):
    with whole(Path(path)) as beside:
        table.to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")


def as_text(row):
    """Return the row of one cell as a table that a person can read."""
    number = "{:.4g}".format
    interval = f"{number(row['goodness_low'])} to {number(row['goodness_high'])}"
    tests = f"{number(row['p_value'])} of {row['permutations']:,} permutations of {row['permuted']}"
    pearson = "below 1e-300" if row["p_pearson"] < 1e-300 else number(row["p_pearson"])
    lines = [
        ("images", f"{row['images']:,} of {row['classes']} classes"),
        ("mean distance within classes", number(row["within"])),
        ("mean distance between classes", number(row["between"])),
        ("goodness, between / within", f"{number(row['goodness'])}, 95 % interval {interval}"),
        ("  each class counting alike", number(row["goodness_macro"])),
        ("  of 50 principal components", number(row["goodness_pca50"])),
        ("p", tests.replace("within_groups", "images within groups")),
        ("  Pearson III, exact moments", f"{pearson}, z = {number(row['z'])}"),
        ("AUC, P(between > within)", f"{number(row['auc'])} (se {number(row['auc_se'])})"),
        ("ANOSIM R", number(row["anosim_r"])),
        ("MRPP A", number(row["mrpp_a"])),
        ("silhouette", number(row["silhouette"])),
        ("leave-one-out 1-NN accuracy", number(row["knn1"])),
        ("leave-one-out 5-NN accuracy", number(row["knn5"])),
        ("effective dimension", number(row["effective_dimension"])),
        ("PERMDISP F", f"{number(row['permdisp_f'])}, p = {number(row['permdisp_p'])}"),
    ]
    width = max(len(name) for name, _ in lines)
    text = "\n".join(f"{name:<{width}}  {value}" for name, value in lines)
    return text + (f"\nBeware: {SPREAD}." if row["spread_warning"] else "")
