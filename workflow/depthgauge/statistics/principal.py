"""Principal components of the features, from their distances alone."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.spatial.distance import squareform
from threadpoolctl import threadpool_limits

from ..distances.matrix import images
from ..kernels import REORDERED, kernel
from .row_parts import over_rows

# Up to so many images the matrix is decomposed whole.
DENSE = 256
# Residual of an eigenpair, and least eigenvalue, over the Frobenius norm of the matrix.
TOLERANCE = 1e-10


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
        The distances of the pairs i < j in SciPy's condensed order; a memory map is welcome.
    threads : int
        Does not change a bit of the result.
    progress : bool
        Whether to show a progress bar on stderr when it lasts.

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
            squares = squareform(condensed.astype(np.float64)) ** 2
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
