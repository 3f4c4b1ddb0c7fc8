"""One cell, the distances of one reading of a layer: its test and its measures."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..belonging import asked_by_names, asked_by_neighbours, groups_by_names, line_of
from ..distances.labelled import Labelled
from ..manifest import few_groups, groups_of
from ..seeds import derive_seed
from .accuracy import half_accuracies, half_means
from .geometry import SPREAD
from .goodness import goodness, standard_error
from .measures import measures
from .nuisance import nuisance_measures

# The columns of goodness.csv after the names of the cell: those of the test, those of `measures`.
TESTED = ("images", "classes", "within", "between", "goodness")
TESTED += ("permutations", "null_mean", "null_sd", "p_value")
MEASURED = ("goodness_macro", "log_goodness_se", "auc", "auc_se", "anosim_r", "mrpp_a")
MEASURED += ("silhouette", "knn1", "knn5", "knn1_half", "goodness_pca50", "effective_dimension")
MEASURED += ("permdisp_f", "permdisp_p", "spread_warning")
NORMAL = 1.959964  # the 97.5th percentile: of a 95 % interval


@dataclass(frozen=True)
class Cell:
    """What is found of one cell.

    Attributes
    ----------
    row : dict
        The row of goodness.csv. ``groups_suspected`` (by neighbours, or by names) and
        ``groups_line``, the line of the config, say whether images may belong together of which
        nobody said so (``belonging``). Where there are groups, ``groups`` is their number, and
        ``knn1_se`` the accuracy's standard error over them. Where there is a nuisance, its
        columns stand too, see ``nuisance_measures``.
    null : (m,) float64 array
        Goodness under each permutation.
    classes : DataFrame
        One row per pair of classes: class,other,pairs,distance (the mean) and, in the rows of a
        class with itself, its goodness.
    images : DataFrame
        One row per image: image,label,goodness,silhouette,nearest,nearest_label,nearest_correct,
        nearest_expected,theta,auc_theta and group where there are groups. The nearest is that of
        another group; nearest_expected is ``accuracy.expected_in_half``; theta and auc_theta are
        log goodness and AUC without the image.
    halves : DataFrame
        One row per half of the images: split,half,knn1_half,auc (the latter to first order, from
        the delete-one values).
    """

    row: dict
    null: np.ndarray
    classes: pd.DataFrame
    images: pd.DataFrame
    halves: pd.DataFrame


def measured_cell(
    distances,
    manifest,
    names,
    *,
    source="distances",
    permute="images",
    permutations=9999,
    seed=0,
    threads=1,
    progress=True,
):
    """Test and measure one cell.

    The permutations and the halves are those of (``seed``, dataset): every cell of a dataset
    meets the same ones.

    Parameters
    ----------
    distances : Distances
    manifest : DataFrame
        Of the n images, see ``manifest.read_labels``.
    names : dict
        dataset, extractor, layer, pooling, metric, depth and dim, which begin the row.
    source : path or str
        What to call the labels in an error.
    permute, permutations, threads, progress
        As for ``goodness``.
    seed : int
        The run's.

    Returns
    -------
    Cell

    Raises
    ------
    UserError
        As ``Labelled``, ``goodness`` and ``measures``.
    """
    data = Labelled(
        distances,
        manifest.label,
        groups=groups_of(manifest),
        collections=manifest.collection if "collection" in manifest else None,
        source=source,
    )
    work = {"threads": threads, "progress": progress}
    dataset = names["dataset"]
    tested = goodness(
        data,
        permute=permute,
        permutations=permutations,
        seed=derive_seed(seed, dataset, "permutations"),
        **work,
    )
    measured = measures(data, seed=derive_seed(seed, dataset, "measures"), **work)
    row = names | {name: getattr(tested, name) for name in TESTED}
    row |= {"permuted": permute, "z": tested.z, "p_pearson": tested.p_pearson}
    low, high = tested.goodness * np.exp(measured.log_goodness_se * NORMAL * np.array([-1, 1]))
    row |= {"goodness_low": low, "goodness_high": high}
    row |= {name: getattr(measured, name) for name in MEASURED}
    row |= {"largest_class": data.sizes.max(), "smallest_class": data.sizes.min()}
    if data.groups is not None:
        row["groups"] = len(np.unique(data.groups))
        right = measured.knn1_correct.astype(float)
        row["knn1_se"] = standard_error((right.sum() - right) / (data.n - 1), data.groups)
    row |= {"near_twins": measured.near_twins, **_suspected(manifest, data.codes, measured)}
    if "nuisance" in manifest:
        row |= nuisance_measures(data, measured.neighbours, manifest.nuisance, **work)
    accuracies, members = half_accuracies(
        measured.neighbours,
        data.codes,
        groups=data.groups,
        seed=derive_seed(seed, dataset, "halves"),
    )
    # To first order a half's AUC is that of all and the mean of its images' influences.
    influence = (data.n - 1) * (measured.auc - measured.auc_theta)
    split, half = np.indices(accuracies.shape).reshape(2, -1)
    halves = {
        "split": split,
        "half": half,
        "knn1_half": accuracies.ravel(),
        "auc": measured.auc + half_means(influence, members).ravel(),
    }
    return Cell(
        row,
        tested.null,
        _by_class(measured, data.classes, data.sizes),
        _by_image(measured, manifest),
        pd.DataFrame(halves),
    )


def _suspected(manifest, codes, measured):
    """Return whether images may belong together of which nobody said it, and the line to say it."""
    if "group" in manifest or "source" not in manifest:
        return {"groups_suspected": "", "groups_line": ""}
    found = groups_by_names(manifest.source)
    asked = {
        "neighbours": asked_by_neighbours(found, codes, measured.neighbours[:, 0]),
        "names": asked_by_names(found, codes),
    }
    why, pattern = next(filter(lambda item: item[1], asked.items()), ("", ""))
    return {"groups_suspected": why, "groups_line": line_of(pattern)}


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
            "nearest": manifest.image.to_numpy()[measured.neighbours[:, 0]],
            "nearest_label": manifest.label.to_numpy()[measured.neighbours[:, 0]],
            "nearest_correct": measured.knn1_correct,
            "nearest_expected": measured.knn1_expected,
            "theta": measured.theta,
            "auc_theta": measured.auc_theta,
        }
    )


def as_text(row):
    """Return the row of one cell as a table that a person can read."""
    number = "{:.4g}".format
    interval = f"95 % interval {number(row['goodness_low'])} to {number(row['goodness_high'])}"
    error = f"(se {number(row['auc_se'])})"
    few = few_groups(row.get("groups"))
    if few:
        interval, error = f"no interval: {few}", ""
    tests = f"{number(row['p_value'])} of {row['permutations']:,} permutations of {row['permuted']}"
    pearson = "below 1e-300" if row["p_pearson"] < 1e-300 else number(row["p_pearson"])
    lines = [
        ("images", f"{row['images']:,} of {row['classes']} classes"),
        ("mean distance within classes", number(row["within"])),
        ("mean distance between classes", number(row["between"])),
        ("goodness, between / within", f"{number(row['goodness'])}, {interval}"),
        ("  each class counting alike", number(row["goodness_macro"])),
        ("  of 50 principal components", number(row["goodness_pca50"])),
        ("p", tests.replace("within_", "images within ").replace("similar_", "similar ")),
        ("  Pearson III, exact moments", f"{pearson}, z = {number(row['z'])}"),
        ("AUC, P(between > within)", f"{number(row['auc'])} {error}".rstrip()),
        ("ANOSIM R", number(row["anosim_r"])),
        ("MRPP A", number(row["mrpp_a"])),
        ("silhouette", number(row["silhouette"])),
        ("leave-one-out 1-NN accuracy", number(row["knn1"])),
        ("leave-one-out 5-NN accuracy", number(row["knn5"])),
        ("1-NN accuracy expected in half of the images", number(row["knn1_half"])),
        ("effective dimension", number(row["effective_dimension"])),
        ("PERMDISP F", f"{number(row['permdisp_f'])}, p = {number(row['permdisp_p'])}"),
    ]
    if "robustness" in row:
        lines += [
            ("robustness index, class over nuisance", number(row["robustness"])),
            ("1-NN accuracy among other values of it", number(row["knn1_other_nuisance"])),
        ]
    width = max(len(name) for name, _ in lines)
    text = "\n".join(f"{name:<{width}}  {value}" for name, value in lines)
    return text + (f"\nBeware: {SPREAD}." if row["spread_warning"] else "")
