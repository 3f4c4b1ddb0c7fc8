"""From a margin to the probability that a label is right."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


def calibration(margins, right):
    """Return a function from margins to the probabilities that the labels are right.

    P = 1 / (1 + exp(-(a margin + b))), a >= 0, of greatest likelihood under the targets
    (r + 1) / (r + 2) for the r right ones and 1 / (w + 2) for the w wrong ones, which keep it
    off 0 and 1: Platt 1999, *Probabilistic outputs for support vector machines*.

    Parameters
    ----------
    margins : (m,) float array
        Not negative; the larger, the surer.
    right : (m,) bool array
    """
    count = np.count_nonzero(right)
    targets = np.where(right, (count + 1) / (count + 2), 1 / (len(right) - count + 2))
    scale = margins.std() or 1.0

    def loss(ab):
        logit = ab[0] * margins / scale + ab[1]
        error = expit(logit) - targets
        value = np.sum(np.logaddexp(0, logit) - targets * logit)
        return value, np.array([np.sum(error * margins / scale), np.sum(error)])

    a, b = minimize(loss, [1.0, 0.0], jac=True, bounds=[(0, None), (None, None)]).x
    return lambda margins: expit(a * margins / scale + b)
