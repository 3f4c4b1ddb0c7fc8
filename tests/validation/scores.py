"""What rules go by: measures of one cell from its distances, and scores of a layer's features.

LogME and H-score are published rules for the choice among pretrained networks. They are written
here from their papers, on the inner products of features, so that images and not dimensions say
how long they take.
"""

import numpy as np
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.statistics.accuracy import expected_in_half
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.linear_model import RidgeClassifierCV

RANKS = 10  # neighbours that are looked at
PENALTIES = np.logspace(-1, 5, 7)


def by_metric(condensed, metric):
    """Return condensed Euclidean distances as they are, or the angles among these images."""
    return (
        condensed if metric == "euclidean" else np.concatenate(list(angles(Distances(condensed))))
    )


def measures(condensed, codes):
    """Return, of one cell, a dict of numbers and ``right``, whether neighbours are of the class.

    Keys: ``right``, (n, 10) of bool, from the nearest on; ``knn1``, ``knn3``, ``knn5``, ``knn10``,
    leave-one-out accuracies; ``knn1_half``, see ``accuracy.expected_in_half``; ``auc``;
    ``goodness``.
    """
    n = len(codes)
    order, _ = nearest_neighbours(condensed, min(RANKS, n - 1), progress=False)
    near = codes[order]
    right = near == codes[:, None]
    same = codes[:, None] == codes
    i, j = np.triu_indices(n, 1)
    same = same[i, j]
    within, between = condensed[same], np.sort(condensed[~same])
    above = 2 * len(between) - sum(np.searchsorted(between, within, s) for s in ("left", "right"))
    return {
        "right": right,
        "knn1": right[:, 0].mean(),
        **{f"knn{k}": (_vote(near[:, :k]) == codes).mean() for k in (3, 5, 10)},
        "knn1_half": expected_in_half(right).mean(),
        "auc": above.sum() / (2 * len(within) * len(between)),
        "goodness": between.mean(dtype=float) / max(within.mean(dtype=float), 1e-300),
    }


def _vote(near):
    """Return the most frequent code of each row; of equally frequent ones the nearest."""
    votes = np.zeros((len(near), near.max() + 1))
    k = near.shape[1]
    for rank in range(k):
        # A vote weighs more the nearer it is, by so little that no majority changes.
        votes[np.arange(len(near)), near[:, rank]] += 1 + 0.5 ** (rank + 1) / k
    return votes.argmax(axis=1)


def log_me(inner, codes, dim):
    """Return LogME, the log evidence an image of labels given features, mean over the classes.

    You et al. 2021, arXiv:2102.11005, algorithm 1: for each class y is 1 or 0, y = F m + noise of
    precision beta, m of precision alpha, both of which maximise the evidence, found by its fixed
    point.

    Parameters
    ----------
    inner : (n, n) array
        F F', the inner products of the features, which are not centred.
    codes : (n,) array of int
    dim : int
        Columns of F.
    """
    n = len(codes)
    values, vectors = eigh(np.asarray(inner, float))
    values = np.maximum(values, 0)
    used = values > values[-1] * n * np.finfo(float).eps
    values, vectors = values[used], vectors[:, used]
    evidence = []
    for code in np.unique(codes):
        y = (codes == code).astype(float)
        squares = (vectors.T @ y) ** 2
        outside = max(y @ y - squares.sum(), 0)  # of y, what no features reach
        alpha = beta = 1.0
        for _ in range(200):
            shrunk = alpha + beta * values
            gamma = (beta * values / shrunk).sum()
            length = (beta**2 * values * squares / shrunk**2).sum()  # m'm
            residual = ((alpha / shrunk) ** 2 * squares).sum() + outside
            before = alpha / beta
            alpha = gamma / max(length, 1e-12)
            beta = (n - gamma) / max(residual, 1e-12)
            if abs(alpha / beta - before) <= 1e-6 * before:
                break
        evidence.append(_evidence(values, squares, outside, alpha, beta, n, dim))
    return float(np.mean(evidence) / n)


def _evidence(values, squares, outside, alpha, beta, n, dim):
    """Return the log evidence of one class at these precisions."""
    shrunk = alpha + beta * values
    length = (beta**2 * values * squares / shrunk**2).sum()
    residual = ((alpha / shrunk) ** 2 * squares).sum() + outside
    logdet = np.log(shrunk).sum() + (dim - len(values)) * np.log(alpha)
    return (
        n / 2 * np.log(beta / (2 * np.pi))
        + dim / 2 * np.log(alpha)
        - beta / 2 * residual
        - alpha / 2 * length
        - logdet / 2
    )


def h_score(inner, codes, dim):
    """Return the H-score with a shrunk covariance.

    Bao et al. 2019, tr(cov(f)^-1 cov(E[f|y])); with the covariance of Ledoit & Wolf, (1 - a) S +
    a mean(diag(S)) I, and the second factor times 1 - a, as Ibrahim et al. 2021, arXiv:2110.06893
    have it.

    Parameters
    ----------
    inner : (n, n) array
        Inner products of the features, centred or not.
    codes : (n,) array of int
    dim : int
        Columns of the features.
    """
    n = len(codes)
    inner = np.asarray(inner, float)
    inner = inner - inner.mean(axis=0)
    inner -= inner.mean(axis=1, keepdims=True)
    mu = np.trace(inner) / (n * dim)
    if mu <= 0:
        return 0.0
    squares = (inner**2).sum() / n**2  # of the entries of the covariance S
    spread = squares / dim - mu**2
    noise = ((np.diagonal(inner) ** 2).sum() / n - squares) / (n * dim)
    shrinkage = 1.0 if spread <= 0 else float(np.clip(min(noise, spread) / spread, 0, 1))
    # With F the centred features, F (c I + (1 - a) F'F / n)^-1 F' = K (c I + (1 - a) K / n)^-1.
    ridge = shrinkage * mu
    means = (codes[:, None] == np.unique(codes)) / np.sqrt(n * np.bincount(codes)[np.unique(codes)])
    seen = inner @ means
    system = ridge * np.eye(n) + (1 - shrinkage) * inner / n
    system += 1e-12 * np.trace(inner) / n * np.eye(n)  # none where there is shrinkage to speak of
    return float((1 - shrinkage) * np.sum(means * cho_solve(cho_factor(system), seen)))


def linear_accuracy(features, codes, fitted, tested):
    """Return the accuracy, on the images ``tested``, of a linear classifier of those ``fitted``.

    Ridge regression on standardised features, its penalty by leave-one-out among those fitted.
    """
    mean, scale = features[fitted].mean(axis=0), features[fitted].std(axis=0)
    scale[scale < 1e-6 * scale.max()] = np.inf  # a constant says nothing
    standardised = (features - mean) / scale
    classifier = RidgeClassifierCV(PENALTIES).fit(standardised[fitted], codes[fitted])
    return float((classifier.predict(standardised[tested]) == codes[tested]).mean())
