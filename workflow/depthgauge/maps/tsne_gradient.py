"""The gradient of t-SNE, exact, for openTSNE's optimiser.

Every pair of images is visited: eight at a time in a processor's vector registers, that is
faster than the tree of Barnes and Hut up to tens of thousands of images, and there is no
approximation to choose.
"""

import numpy as np

from ..kernels import REORDERED, kernel

_RUN = 512  # terms summed in float32 before they are added up in float64


def exact_gradient(pool, threads):
    """Return the exact objective, to be given to openTSNE as ``negative_gradient_method``.

    With q_ij = 1 / (1 + |y_i - y_j|^2) and Z the sum of q over all ordered pairs, the
    gradient is sum_j (p_ij - q_ij / Z) q_ij (y_i - y_j) (van der Maaten & Hinton, JMLR 9,
    2008, eq. 5; the factor 4 is left to the learning rate, as openTSNE does). Each image's
    sums are added up by one thread in one order, so that the numbers do not depend on how
    many there are.

    Parameters
    ----------
    pool : concurrent.futures.Executor
        Of ``threads`` threads.
    threads : int

    Returns
    -------
    callable
        ``(embedding, P, should_eval_error=False, **ignored) -> (KL divergence, gradient)``,
        the divergence 0 unless it is asked for.
    """

    def objective(embedding, P, should_eval_error=False, **_):
        points = np.asarray(embedding)
        n = len(points)
        x, y = np.ascontiguousarray(points.T, np.float32)  # rows, for vector loads
        attraction, repulsion, weights = np.empty((n, 2)), np.empty((n, 2)), np.empty(n)
        bounds = np.linspace(0, n, threads + 1).astype(np.int64)

        def forces(part):
            first, last = bounds[part], bounds[part + 1]
            _attract(points, P.indptr, P.indices, P.data, first, last, attraction)
            _repel(x, y, first, last, repulsion, weights)

        if threads == 1:  # a thread to wait for takes as long as the forces of 200 images
            forces(0)
        else:
            list(pool.map(forces, range(threads)))
        total = weights.sum()
        error = _divergence(points, P, total) if should_eval_error else 0.0
        return error, attraction - repulsion / total

    return objective


def _divergence(points, P, total):
    """Return the Kullback-Leibler divergence of q / Z from p."""
    first = np.repeat(np.arange(len(points)), np.diff(P.indptr))
    q = 1 / (1 + ((points[first] - points[P.indices]) ** 2).sum(axis=1))
    known = P.data > 0
    p, q = P.data[known], q[known]
    return float(np.sum(p * np.log(p / q)) + p.sum() * np.log(total))


@kernel()
def _attract(points, indptr, indices, p, first, last, forces):
    """Put sum_j p_ij q_ij (y_i - y_j) of the images first..last into ``forces``."""
    for i in range(first, last):
        x = y = 0.0
        for place in range(indptr[i], indptr[i + 1]):
            dx = points[i, 0] - points[indices[place], 0]
            dy = points[i, 1] - points[indices[place], 1]
            pull = p[place] / (1 + dx * dx + dy * dy)
            x += pull * dx
            y += pull * dy
        forces[i, 0], forces[i, 1] = x, y


@kernel(fastmath=REORDERED)
def _repel(x, y, first, last, forces, weights):
    """Put sum_j q_ij^2 (y_i - y_j) of first..last into ``forces``, sum_j q_ij into ``weights``."""
    one, zero = np.float32(1), np.float32(0)
    for i in range(first, last):
        here_x, here_y = x[i], y[i]
        weight = force_x = force_y = 0.0
        for start in range(0, len(x), _RUN):
            # Views, so that an index is never taken for one from the end: loads, not gathers.
            run_of_x, run_of_y = x[start : start + _RUN], y[start : start + _RUN]
            run_weight, run_x, run_y = zero, zero, zero
            for j in range(len(run_of_x)):
                dx, dy = here_x - run_of_x[j], here_y - run_of_y[j]
                q = one / (one + dx * dx + dy * dy)
                run_weight += q
                run_x += q * q * dx
                run_y += q * q * dy
            weight += run_weight
            force_x += run_x
            force_y += run_y
        weights[i] = weight - 1  # an image does not repel itself
        forces[i, 0], forces[i, 1] = force_x, force_y
