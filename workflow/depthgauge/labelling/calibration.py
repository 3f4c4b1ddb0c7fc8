"""From a margin to the probability that a label is right."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


def calibration(margins, right):
    """Return a function from margins to the probabilities that the labels are right.

    P = 1 / (1 + exp(-(a margin + b))), a >= 0, of greatest likelihood under
    ``cautious_targets``: Platt 1999, *Probabilistic outputs for support vector machines*. It is
    read no further than the data go: a margin below the least one seen counts as that, one above
    the largest, as an infinite one, as the largest. Where all are right, or all wrong, or all
    margins are the same, nothing tells margins apart, and P is the mean of the targets.

    Parameters
    ----------
    margins : (m,) float array
        Not negative, perhaps infinite; the larger, the surer.
    right : (m,) bool array
    """
    targets = cautious_targets(right)
    finite = margins[np.isfinite(margins)]
    least, largest = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    seen = np.clip(margins, least, largest)
    scale = seen.std()
    if right.all() or not right.any() or scale == 0:
        return lambda margins: np.full(len(margins), targets.mean())

    def loss(ab):
        logit = ab[0] * seen / scale + ab[1]
        error = expit(logit) - targets
        value = np.sum(np.logaddexp(0, logit) - targets * logit)
        return value, np.array([np.sum(error * seen / scale), np.sum(error)])

    a, b = minimize(loss, [1.0, 0.0], jac=True, bounds=[(0, None), (None, None)]).x
    return lambda margins: expit(a * np.clip(margins, least, largest) / scale + b)


def cautious_targets(right):
    """Return the targets (r + 1/2) / (r + 1) for the r right ones, 1/2 / (w + 1) for the w wrong.

    As Platt's they keep probabilities off 0 and 1, however few images there are; with half an
    image as in Jeffreys' prior of a share, since his whole one is too cautious for 15 labels.

    Parameters
    ----------
    right : (m,) bool array
    """
    count = np.count_nonzero(right)
    wrong = len(right) - count
    return np.where(right, (count + 0.5) / (count + 1), 0.5 / (wrong + 1))
