"""The features behind the distances: their principal components, and how classes spread."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh
from threadpoolctl import threadpool_limits

from ..distances.matrix import Distances, images
from ..distances.passes import over_rows
from ..kernels import REORDERED, kernel

# Up to so many images the matrix is decomposed whole.
DENSE = 256
# Residual of an eigenpair, and least eigenvalue, over the Frobenius norm of the matrix.
TOLERANCE = 1e-10

# How a dispersion warning is put in words.
SPREAD = (
    "classes differ in spread more than in place, which goodness, ANOSIM and MRPP also react to"
)


@dataclass(frozen=True)
class Spectrum:
    """Sums over the eigenvalues of Gower's double-centred matrix B.

    B = -J D^2 J / 2 with D^2 the squared distances and J = I - 1/n, the inner products of the
    centred features. Its eigenvalues are n times the variances of the principal components.
    """

    trace: float
    norm: float  # of Frobenius, the root of the summed squares of the eigenvalues

    @property
    def effective_dimension(self):
        """(tr B)^2 / tr(B^2), the participation ratio of the variances.

        It is d where d components vary equally and the others not at all (Gao et al. 2017,
        doi 10.1101/214262; Del Giudice 2021, doi 10.1080/00273171.2020.1743631), and at most
        n - 1. NaN where all images are copies.
        """
        return self.trace**2 / self.norm**2 if self.norm else float("nan")


def spectrum(condensed, *, threads=1, progress=True):
    """Return the ``Spectrum`` of a distance matrix, reading it twice, in O(n) memory.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
        See ``matrix.Distances``.
    threads, progress
        As for ``passes.over_rows``.

    Returns
    -------
    Spectrum
        In squared units of the distances.
    """
    condensed = np.asarray(condensed)
    n = images(len(condensed))
    means = _squares_times(condensed, np.ones(n), threads) / n
    grand = means.mean()
    off_diagonal = over_rows(
        lambda first, last: _sum_of_squares(condensed, means, grand, first, last),
        n,
        threads=threads,
        progress=progress,
        desc="effective dimension",
    )
    squares = 2 * sum(off_diagonal) + np.sum((means - grand / 2) ** 2)
    return Spectrum(trace=float(n * grand / 2), norm=float(np.sqrt(squares)))


def principal_coordinates(condensed, components, norm, *, threads=1):
    """Return the coordinates of the images along their first principal components.

    The eigenvectors of B (see ``Spectrum``) that belong to its largest positive eigenvalues,
    times their roots (Gower 1966, doi 10.1093/biomet/53.3-4.325). For Euclidean distances
    these are the scores of a principal component analysis of the features; for others, those
    of a principal coordinate analysis. A large B is never formed: ARPACK's implicitly
    restarted Lanczos method (Lehoucq et al. 1998) reads the distances once for each product
    with a vector, one to some hundreds of times, and takes O(n components) memory.

    Parameters
    ----------
    condensed, threads
        As for ``spectrum``.
    components : int
        So many, or fewer where fewer eigenvalues are positive.
    norm : float
        As ``spectrum`` has it.

    Returns
    -------
    array of float64, shape (n, p), p <= components
        In the unit of the distances, by falling variance; the sign of a column is arbitrary.
    """
    condensed = np.asarray(condensed)
    n = images(len(condensed))
    components = min(components, n - 1)

    def product(vector):
        # One is added to every eigenvalue, for ARPACK's residuals are relative to the
        # eigenvalue and would never be small enough for one about zero.
        vector = np.ravel(vector)
        squares = _squares_times(condensed, vector - vector.mean(), threads)
        return (squares.mean() - squares) / (2 * norm) + vector

    with threadpool_limits(1, user_api="blas"):  # for the order of the sums in it
        if n <= DENSE:
            squares = Distances(condensed).rows(range(n)).astype(np.float64) ** 2
            means = squares.mean(axis=0)
            b = (means + means[:, None] - means.mean() - squares) / (2 * norm)
            values, vectors = eigh(b, subset_by_index=(n - components, n - 1))
        else:
            rng = np.random.default_rng(n)  # of the start, and of starts anew; nothing hangs on it
            values, vectors = eigsh(
                LinearOperator((n, n), matvec=product, dtype=np.float64),
                k=components,
                which="LA",
                v0=rng.standard_normal(n),
                tol=TOLERANCE,
                rng=rng,
            )
            values -= 1
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > TOLERANCE]
    return vectors[:, order] * np.sqrt(values[order] * norm)


def coordinate_goodness(coordinates, codes, *, threads=1, progress=True):
    """Return the goodness of Euclidean distances between the rows of ``coordinates``.

    Parameters
    ----------
    coordinates : array of float64, shape (n, p)
    codes : array of int, shape (n,)
    threads, progress
        As for ``spectrum``.

    Returns
    -------
    float
        Infinite where each class is in one point; NaN where all images are.
    """
    coordinates = np.ascontiguousarray(coordinates)
    within, between = np.sum(
        over_rows(
            lambda first, last: _summed_distances(coordinates, codes, first, last),
            len(codes),
            threads=threads,
            progress=progress,
            desc="goodness of components",
        ),
        axis=0,
    )
    sizes = np.bincount(codes)[codes]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(between / np.sum(len(codes) - sizes) / (within / np.sum(sizes - 1)))


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


def _squares_times(condensed, vector, threads):
    """Return the square matrix of squared distances times a vector."""

    def part(first, last):
        return _part_of_squares_times(condensed, vector, first, last)

    return np.sum(over_rows(part, len(vector), threads=threads), axis=0)


@kernel(fastmath=REORDERED)
def _part_of_squares_times(condensed, vector, first, last):
    n = len(vector)
    product = np.zeros(n)
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2
        row = condensed[start : start + n - i - 1]
        others = vector[i + 1 :]
        into = product[i + 1 :]
        own = vector[i]
        total = 0.0
        for j in range(len(row)):
            square = np.float64(row[j]) * np.float64(row[j])
            total += square * others[j]
            into[j] += square * own
        product[i] += total
    return product


@kernel(fastmath=REORDERED)
def _sum_of_squares(condensed, means, grand, first, last):
    """Sum the squared entries of B above its diagonal in the rows ``first`` to ``last``."""
    n = len(means)
    sums = 0.0
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2
        row = condensed[start : start + n - i - 1]
        others = means[i + 1 :]
        own = means[i] - grand
        total = 0.0
        for j in range(len(row)):
            entry = (own + others[j] - np.float64(row[j]) * np.float64(row[j])) / 2
            total += entry * entry
        sums += total
    return sums


@kernel(fastmath=REORDERED)
def _summed_distances(coordinates, codes, first, last):
    """Sum the distances within and between classes of the pairs in the rows."""
    n, dimensions = coordinates.shape
    sums = np.zeros(2)
    for i in range(first, last):
        row = np.zeros(2)
        own = coordinates[i]
        for j in range(i + 1, n):
            square = 0.0
            other = coordinates[j]
            for c in range(dimensions):
                difference = own[c] - other[c]
                square += difference * difference
            row[np.int64(codes[i] != codes[j])] += np.sqrt(square)
        sums += row
    return sums
