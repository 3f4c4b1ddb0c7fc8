"""The gradient descent of t-SNE, exact, with the steps of openTSNE's optimiser.

Every pair of images is visited: eight at a time in a processor's vector registers, that is
faster than the tree of Barnes and Hut up to tens of thousands of images, and there is no
approximation to choose.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..kernels import REORDERED, kernel

_RUN = 512  # terms summed in float32 before they are added up in float64
# openTSNE's; see its `gradient_descent`.
_MOMENTUM, _LEAST_GAIN, _LONGEST_STEP = 0.8, 0.01, 5.0


def descend(start, P, phases, *, threads=1, moved=None):
    """Return where the images come to lie, and the Kullback-Leibler divergence there.

    With q_ij = 1 / (1 + |y_i - y_j|^2) and Z the sum of q over all ordered pairs, the
    gradient is sum_j (p_ij - q_ij / Z) q_ij (y_i - y_j) (van der Maaten & Hinton, JMLR 9,
    2008, eq. 5; the factor 4 is left to the learning rate, as openTSNE does). Steps have
    momentum and a gain for each coordinate (Jacobs, Neural Networks 1, 1988), and are those of
    openTSNE to the bit. Each image's sums are added up in one order, so that the numbers do not
    depend on how many threads there are.

    Parameters
    ----------
    start : (n, 2) float64 array
    P : (n, n) CSR matrix of float64
        Symmetric to the bit, of sum 1, the indices of each row ascending.
    phases : sequence of (int, float)
        How many steps, and by how much attraction is exaggerated in them. The learning rate is
        n / exaggeration (Belkina et al., Nature Communications 10, 2019).
    threads : int
    moved : callable, optional
        Called without arguments after each step.

    Returns
    -------
    points : (n, 2) float64 array
        Centred at the origin.
    divergence : float
    """
    points = np.array(start, np.float64)
    n = len(points)
    p = P.data.copy()
    rows = np.repeat(np.arange(n), np.diff(P.indptr))
    later = P.indptr[:-1] + np.bincount(rows[P.indices <= rows], minlength=n)
    attraction, repulsion, weights = np.empty((n, 2)), np.empty((n, 2)), np.empty(n)
    steps, gains = np.zeros((n, 2)), np.ones((n, 2))
    bounds = np.linspace(0, n, threads + 1).astype(np.int64)

    def forces(part):
        first, last = bounds[part], bounds[part + 1]
        _attract(points, P.indptr, later, P.indices, p, first, last, attraction)
        _repel(x, y, first, last, repulsion, weights)

    with ThreadPoolExecutor(threads) as pool:
        for iterations, exaggeration in phases:
            p *= exaggeration
            for _ in range(iterations):
                x, y = np.ascontiguousarray(points.T, np.float32)  # rows, for vector loads
                if threads == 1:  # a thread to wait for takes as long as the forces of 200 images
                    forces(0)
                else:
                    list(pool.map(forces, range(threads)))
                total = weights.sum()
                _step(points, attraction, repulsion, total, steps, gains, n / exaggeration)
                if moved is not None:
                    moved()
            p *= 1 / exaggeration  # as SciPy divides a matrix, to the bit
        x, y = np.ascontiguousarray(points.T, np.float32)
        list(pool.map(forces, range(threads)))
    return points, _divergence(points, rows, P.indices, p, weights.sum())


def _divergence(points, first, second, p, total):
    """Return the Kullback-Leibler divergence of q / Z from p."""
    q = 1 / (1 + ((points[first] - points[second]) ** 2).sum(axis=1))
    known = p > 0
    p, q = p[known], q[known]
    return float(np.sum(p * np.log(p / q)) + p.sum() * np.log(total))


@kernel()
def _attract(points, indptr, later, indices, p, first, last, forces):
    """Put sum_j p_ij q_ij (y_i - y_j) of the images first..last into ``forces``.

    Where both images of a pair are among them it is visited once: what draws the one draws the
    other. The terms of an image are added up in the order of the other images all the same.
    """
    for i in range(first, last):
        force_x = force_y = 0.0
        for place in range(indptr[i], later[i]):
            j = indices[place]
            if j >= first:
                break
            dx, dy = points[i, 0] - points[j, 0], points[i, 1] - points[j, 1]
            pull = p[place] / (1 + dx * dx + dy * dy)
            force_x += pull * dx
            force_y += pull * dy
        forces[i, 0], forces[i, 1] = force_x, force_y
    for i in range(first, last):
        here_x, here_y = points[i, 0], points[i, 1]
        force_x, force_y = forces[i, 0], forces[i, 1]
        for place in range(later[i], indptr[i + 1]):
            j = indices[place]
            dx, dy = here_x - points[j, 0], here_y - points[j, 1]
            pull = p[place] / (1 + dx * dx + dy * dy)
            dx *= pull
            dy *= pull
            force_x += dx
            force_y += dy
            if j < last:
                forces[j, 0] -= dx
                forces[j, 1] -= dy
        forces[i, 0], forces[i, 1] = force_x, force_y


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


@kernel()
def _step(points, attraction, repulsion, total, steps, gains, rate):
    """Move all points down their gradient, and centre them."""
    n = len(points)
    middle_x = middle_y = 0.0
    for i in range(n):
        for axis in range(2):
            gradient, step = attraction[i, axis] - repulsion[i, axis] / total, steps[i, axis]
            if (step > 0) == (gradient > 0) and (step < 0) == (gradient < 0):
                gains[i, axis] = gains[i, axis] * 0.8 + _LEAST_GAIN
            else:
                gains[i, axis] += 0.2
            steps[i, axis] = _MOMENTUM * step - rate * gains[i, axis] * gradient
        length = np.sqrt(steps[i, 0] * steps[i, 0] + steps[i, 1] * steps[i, 1])
        if length > _LONGEST_STEP:
            steps[i, 0] = steps[i, 0] / length * _LONGEST_STEP
            steps[i, 1] = steps[i, 1] / length * _LONGEST_STEP
        points[i, 0] += steps[i, 0]
        points[i, 1] += steps[i, 1]
        middle_x += points[i, 0]
        middle_y += points[i, 1]
    middle_x /= n
    middle_y /= n
    for i in range(n):
        points[i, 0] -= middle_x
        points[i, 1] -= middle_y
