"""What distances and labels say beside goodness: effect sizes, errors, neighbours, spread."""

from dataclasses import dataclass

import numpy as np

from ..distances.matrix import pairs
from ..distances.neighbours import nearest_neighbours
from ..distances.passes import class_sums
from ..errors import UserError
from ..seeds import derive_seed
from .accuracy import REACH, expected_in_half, near_twins, vote
from .auc import rank_auc
from .geometry import coordinate_goodness, dispersion, principal_coordinates, spectrum
from .goodness import (
    class_distances,
    class_goodness,
    image_goodness,
    log_goodness_without,
    standard_error,
)

# Neighbours that vote in ``knn5``; components of ``goodness_pca50``.
NEIGHBOURS = 5
COMPONENTS = 50


@dataclass(frozen=True)
class Measures:
    """What ``measures`` found, for n images of k classes; distances in the unit of the matrix."""

    # Mean distance between classes over that within; infinite where each class is of copies.
    goodness: float
    goodness_macro: float  # mean of ``class_goodness`` over the classes of two images or more
    auc: float  # P(between > within) + P(between = within) / 2 over all such pairs of pairs
    anosim_r: float  # ANOSIM's R, 2 ``auc`` - 1
    # MRPP's A, 1 - W / D, W the mean distance within, D that of all pairs: its agreement beyond
    # chance with weights n_c (n_c - 1) (Mielke & Berry; vegan's weight.type = 3).
    mrpp_a: float
    silhouette: float  # mean of ``silhouettes``
    knn1: float  # share of images whose class is that of the nearest other image
    knn5: float  # or of most of the five nearest, see ``accuracy.vote``
    knn1_half: float  # mean of ``knn1_expected``, by which layers and readings are chosen
    goodness_pca50: float  # of the distances along the first 50 principal components
    effective_dimension: float  # see ``geometry.Spectrum``
    permdisp_f: float  # see ``geometry.dispersion``; NaN where it is undefined
    permdisp_p: float
    near_twins: (
        float  # share of images nearly the same as their nearest, see ``accuracy.near_twins``
    )
    # Classes differ in spread, at 5 %, and in spread more than in place: then goodness, ANOSIM
    # and MRPP may speak of spread alone.
    spread_warning: bool
    log_goodness_se: float  # jackknife's; with groups, cluster-robust; NaN where undefined
    auc_se: float
    theta: np.ndarray  # (n,) float64, log goodness without each image in turn
    auc_theta: np.ndarray  # (n,) float64, AUC without each image in turn
    knn1_correct: np.ndarray  # (n,) bool
    knn1_expected: np.ndarray  # (n,) float64, ``accuracy.expected_in_half`` of the 32 nearest
    image_goodness: np.ndarray  # (n,) float64, see ``goodness.image_goodness``
    silhouettes: np.ndarray  # (n,) float64
    # (n, 32 at most) int64, the nearest other images (of other groups, with groups), nearest first.
    neighbours: np.ndarray
    class_distances: np.ndarray  # (k, k) float64, means; on the diagonal those within
    class_goodness: np.ndarray  # (k,) float64, see ``goodness.class_goodness``


def measures(data, *, threads=1, seed=0, progress=True):
    """Return what one distance matrix says of the labels, beside its permutation test.

    The matrix is streamed some dozens of times and never copied whole; memory is O(n k), and
    the tables of ``rank_auc``.

    Parameters
    ----------
    data : Labelled
        Images of one of its groups are not each other's neighbours, errors take groups for the
        independent units, and PERMDISP is of the first image of each group in a class. Goodness,
        AUC and silhouette count their pairs like any other.
    threads, progress
        As for ``passes.over_rows``.
    seed : int
        PERMDISP's permutations follow from it.

    Returns
    -------
    Measures

    Raises
    ------
    UserError
        If all images are of one group.
    """
    condensed, n, codes, sizes = data.condensed, data.n, data.codes, data.sizes
    groups = data.groups
    if groups is not None and len(np.unique(groups)) < 2:
        raise UserError(
            f"groups: all images are of the one group {groups[0]!r}, so none has a neighbour of "
            "another. Leave the groups out, or name what each image was cut from."
        )
    stream = {"threads": threads, "progress": progress}
    sums = class_sums(condensed, codes, **stream)
    within_pairs = pairs(sizes).sum()
    own = np.take_along_axis(sums, codes[:, None], axis=1).sum() / 2
    total = sums.sum() / 2
    by_class = class_goodness(sums, codes)
    by_image = silhouettes(sums, codes)
    theta = log_goodness_without(sums, codes)
    auc, auc_theta = rank_auc(condensed, codes, **stream)
    kept = n - 1 if groups is None else n - np.unique(groups, return_counts=True)[1].max()
    indices, distances = nearest_neighbours(
        data.distances, max(1, min(REACH, kept)), groups=groups, **stream
    )
    right = codes[indices] == codes[:, None]
    expected = expected_in_half(right)
    few = slice(min(NEIGHBOURS, indices.shape[1]))
    spectral = spectrum(condensed, **stream)
    components = principal_coordinates(condensed, COMPONENTS, spectral.norm, threads=threads)
    dispersed = _dispersion(condensed, codes, groups, seed, stream)
    with np.errstate(divide="ignore"):
        goodness = ((total - own) / (pairs(n) - within_pairs)) / (own / within_pairs)
    return Measures(
        goodness=float(goodness),
        goodness_macro=float(by_class[sizes > 1].mean()),
        auc=auc,
        anosim_r=2 * auc - 1,
        mrpp_a=float(1 - (own / within_pairs) / (total / pairs(n))),
        silhouette=float(by_image.mean()),
        knn1=float(right[:, 0].mean()),
        knn5=float(np.mean(vote(codes, indices[:, few], distances[:, few]) == codes)),
        knn1_half=float(expected.mean()),
        # Copies stay copies, whatever the round-off of their coordinates.
        goodness_pca50=coordinate_goodness(components, codes, **stream) if own > 0 else np.inf,
        effective_dimension=spectral.effective_dimension,
        near_twins=near_twins(distances),
        permdisp_f=dispersed.f,
        permdisp_p=dispersed.p_value,
        spread_warning=dispersed.warning,
        log_goodness_se=standard_error(theta, groups),
        auc_se=standard_error(auc_theta, groups),
        theta=theta,
        auc_theta=auc_theta,
        knn1_correct=right[:, 0],
        knn1_expected=expected,
        image_goodness=image_goodness(sums, codes),
        silhouettes=by_image,
        neighbours=indices,
        class_distances=class_distances(sums, codes),
        class_goodness=by_class,
    )


def silhouettes(sums, codes):
    """Return the silhouette of each image from its summed distances to the classes.

    (b - a) / max(a, b), a the mean distance of the image to the others of its class, b the
    least of its mean distances to the other classes (Rousseeuw 1987,
    doi 10.1016/0377-0427(87)90125-7).

    Parameters
    ----------
    sums : array of float64, shape (n, k)
        As from ``passes.class_sums``.
    codes : array of int, shape (n,)

    Returns
    -------
    array of float64, shape (n,)
        From -1 to 1; 0 for the only image of a class, and where a = b = 0.
    """
    sizes = np.bincount(codes)
    own = codes[:, None]
    means = sums / sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.take_along_axis(sums, own, axis=1)[:, 0] / (sizes[codes] - 1)
        np.put_along_axis(means, own, np.inf, axis=1)
        b = means.min(axis=1)
        values = (b - a) / np.maximum(a, b)
    return np.where((sizes[codes] > 1) & np.isfinite(values), values, 0.0)


def _dispersion(condensed, codes, groups, seed, stream):
    """Return the ``Dispersion`` of images of which no two in a class are of one group."""
    chosen = np.arange(len(codes))
    if groups is not None:
        group = np.unique(groups, return_inverse=True)[1]
        chosen = np.sort(np.unique(np.stack([codes, group]), axis=1, return_index=True)[1])
    # The others are put into a class of their own, and left out.
    classes = int(codes.max()) + 1
    among = np.full(len(codes), classes)
    among[chosen] = codes[chosen]
    squares = class_sums(condensed, among, squared=True, **stream)[chosen, :classes]
    return dispersion(squares, codes[chosen], seed=derive_seed(seed, "permdisp"))
