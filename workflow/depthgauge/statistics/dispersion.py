"""Do classes differ in spread? PERMDISP, and spread set against place."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dispersion:
    """What ``dispersion`` found.

    ``f`` and ``p_value`` are PERMDISP's. ``spread`` is the variance between images of their
    class's mean distance to its centroid, ``place`` that of their class's centroid, both in
    squared units of the distances.
    """

    f: float
    p_value: float
    spread: float
    place: float

    @property
    def warning(self):
        """Whether classes differ in spread at 5 %, and in spread more than in place."""
        return bool(self.p_value <= 0.05 and self.spread > self.place)


def centroid_distances(squares, codes):
    """Return the distance of each image to the centroid of its class.

    z_i^2 = (1/n_c) sum_j d_ij^2 - (1/n_c^2) sum_{j<l} d_jl^2 over the images j, l of the class
    (Anderson 2006, doi 10.1111/j.1541-0420.2005.00440.x; no eigenvectors are needed). Where
    distances are not Euclidean and it is negative, 0 is taken, as vegan's ``betadisper`` does.

    Parameters
    ----------
    squares : array of float64, shape (n, k)
        Summed squared distances to the classes: ``class_sums(..., squared=True)``.
    codes : array of int, shape (n,)

    Returns
    -------
    array of float64, shape (n,)
        In the unit of the distances; 0 for the only image of a class.
    """
    own = np.take_along_axis(squares, codes[:, None], axis=1)[:, 0]
    sizes = np.bincount(codes)
    inertia = np.bincount(codes, own) / 2
    return np.sqrt(np.maximum(own / sizes[codes] - (inertia / sizes**2)[codes], 0))


def dispersion(squares, codes, *, permutations=999, seed=0):
    """Return whether classes differ in spread, and whether more so than in place.

    PERMDISP (Anderson 2006): one-way analysis of variance of the distances of the images to
    the centroid of their class, and its F under permutation of the residuals. Distances are
    times sqrt(n_c / (n_c - 1)) first (vegan's ``bias.adjust``; Stier et al. 2013,
    doi 10.1890/12-1610.1), for a centroid is drawn towards its own images, in high dimensions
    and small classes enough to reject a true null; with classes of one size F is the same
    without. Classes of one image, which show no spread, are left out.

    F tells whether spread differs, not how much; in high dimensions distances to a centroid
    hardly vary and F is large for the least difference. So that the two can be compared,
    ``spread`` and ``place`` are variances in the same unit: with r_c the mean distance to the
    centroid, spread = sum_c n_c (r_c - mean)^2 / N; place = [SS_between - sum_c (1 - n_c/N)
    V_c] / N, at least 0, where V_c = SS_c / (n_c - 1), SS_c and SS_between the sums of squares
    within a class and between them, from distances. What is taken off is what SS_between
    would be expected to be if all centroids were one and only spreads differed (Anderson et
    al. 2017, doi 10.1111/anzs.12176).

    Parameters
    ----------
    squares, codes
        As for ``centroid_distances``; of images that are independent of one another.
    permutations : int
    seed : int

    Returns
    -------
    Dispersion
        All NaN with fewer than two classes of two images or more; ``f`` and ``p_value`` are
        NaN where distances to the centroid do not vary within classes, as in classes of two.
    """
    sizes = np.bincount(codes)
    kept = sizes[codes] > 1
    if np.count_nonzero(sizes > 1) < 2:
        return Dispersion(np.nan, np.nan, np.nan, np.nan)
    squares = squares[kept][:, sizes > 1]
    codes = np.unique(codes[kept], return_inverse=True)[1]
    sizes = sizes[sizes > 1]
    n = len(codes)
    values = centroid_distances(squares, codes) * np.sqrt(sizes / (sizes - 1))[codes]
    radii = np.bincount(codes, values) / sizes
    spread = np.sum(sizes * (radii - np.average(radii, weights=sizes)) ** 2) / n

    own = np.take_along_axis(squares, codes[:, None], axis=1)[:, 0]
    inside = np.bincount(codes, own) / 2 / sizes
    between = squares.sum() / 2 / n - inside.sum()
    place = max(between - np.sum((1 - sizes / n) * inside / (sizes - 1)), 0) / n

    f, p_value = _permuted_anova(values, codes, permutations, seed)
    return Dispersion(f, p_value, float(spread), float(place))


def _permuted_anova(values, codes, permutations, seed):
    """Return F of a one-way analysis of variance and its p by permutation of the residuals."""
    sizes = np.bincount(codes)
    n, k = len(values), len(sizes)
    means = np.bincount(codes, values) / sizes
    residuals = values - means[codes]
    total = np.sum(residuals**2)
    # Equal values may differ by round-off.
    if n == k or total <= 1e-20 * np.sum(values**2):
        return np.nan, np.nan

    def f(between, within):
        return between / (k - 1) / (within / (n - k))

    true = f(np.sum(sizes * (means - values.mean()) ** 2), total)
    rng = np.random.default_rng(seed)
    least = 0
    for _ in range(permutations):
        rng.shuffle(residuals)
        between = np.sum(np.bincount(codes, residuals) ** 2 / sizes)
        least += f(between, total - between) >= true
    return float(true), (1 + int(least)) / (1 + permutations)
