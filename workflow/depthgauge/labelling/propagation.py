"""Labels handed on along the graph of nearest neighbours: label spreading, Poisson learning."""

import logging

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

log = logging.getLogger(__name__)

ALPHA = 0.99  # of label spreading, Zhou et al. 2004


def label_spreading(graph, labelled, codes, classes):
    """Return the scores of ``classes`` classes: F of (I - alpha S) F = Y, alpha 0.99.

    Y is 1 where an image is labelled with the class. Zhou et al. 2004, *Learning with local
    and global consistency*, NIPS 16.

    Parameters
    ----------
    graph : NeighbourGraph
        Of n images.
    labelled : (m,) int array
        The labelled images, and
    codes : (m,) int array
        their classes, from 0.
    classes : int

    Returns
    -------
    (n, classes) float64 array
        The highest one is the label. Minus infinity for a class of which the image's
        connected component has no labelled image; so all of a component without any.
    """
    sources = np.zeros((len(graph.component), classes))
    sources[labelled, codes] = 1
    return _known(graph, labelled, codes, _solve(graph, ALPHA, sources))


def poisson_learning(graph, labelled, codes, classes):
    """Return the scores of ``classes`` classes: u of L u = sum_j (y_j - ybar) delta_j.

    L = D - W, y_j is 1 for the class of the labelled image j and 0 for the others, and ybar
    the mean of y over the labelled images of a connected component, for which the solution is
    the one with sum_i D_ii u_i = 0. Calder et al. 2020, *Poisson learning*, arXiv:2006.11184.
    No shares of the classes other than those of the labels are supposed.

    Parameters and returns are those of ``label_spreading``.
    """
    given = np.eye(classes)[codes]
    home = graph.component[labelled]
    sources = np.zeros((len(graph.component), classes))
    sources[labelled] = given - _means(given, home)[home]
    # With u = D^-1/2 v this is (I - S) v = D^-1/2 f, and v from zero stays orthogonal to the
    # null space of I - S, D^1/2 times the indicators of the components: the condition on u.
    root = graph.root_degree[:, None]
    return _known(graph, labelled, codes, _solve(graph, 1, sources / root) / root)


METHODS = {"label_spreading": label_spreading, "poisson_learning": poisson_learning}


def leave_one_out(method, graph, labelled, codes, classes, evaluated, groups=None):
    """Return the scores of labelled images as if each of them alone had no label.

    They are those of a solve without that one label, to the solver's tolerance: as the
    solution is linear in the sources, one solve for each of the images gives all. The other
    labels of its class in the component take over its weight. A class with a label less than
    the others would lose images to them.

    Parameters
    ----------
    method : a key of METHODS
    graph, labelled, codes, classes
        As for ``label_spreading``.
    evaluated : (e,) int array
        Places among ``labelled`` of the images in question.
    groups : (m,) array, optional
        Those of the labelled images: each is scored as if none of its group had a label.

    Returns
    -------
    (e, classes) float64 array
        Minus infinity for a class that no other labelled image of the component has.
    """
    places = labelled[evaluated]
    column = np.arange(len(places))
    given = np.eye(classes)[codes]
    sources = np.zeros((len(graph.component), len(places)))
    if method == "label_spreading":
        sources[places, column] = 1
        reach = _solve(graph, ALPHA, sources)[labelled]
    else:
        # The part of the source that is orthogonal to the null space of I - S.
        root = graph.root_degree
        volume = np.bincount(graph.component, root**2)
        home = graph.component[places]
        sources -= (graph.component[:, None] == home) * root[:, None] / volume[home]
        sources[places, column] += 1 / root[places]
        reach = _solve(graph, 1, sources)[labelled] / root[labelled, None]
    others = graph.component[labelled][:, None] == graph.component[places]
    all_of_class = others.T.astype(np.float64) @ given
    others[evaluated, column] = False
    if groups is not None:
        others &= groups[:, None] != groups[evaluated]
    counts = others.T.astype(np.float64) @ given
    weight = (all_of_class / np.maximum(counts, 1))[:, codes]
    reach = (reach * others).T * weight
    scores = reach @ given
    if method == "poisson_learning":
        left = all_of_class * (counts > 0)
        share = left / np.maximum(left.sum(axis=1, keepdims=True), 1)
        scores -= reach.sum(axis=1, keepdims=True) * share
    return np.where(counts > 0, scores, -np.inf)


def _means(given, home):
    sums = np.zeros((home.max() + 1, given.shape[1]))
    counts = np.zeros((home.max() + 1, 1))
    np.add.at(sums, home, given)
    np.add.at(counts, home, 1)
    return sums / np.maximum(counts, 1)


def _known(graph, labelled, codes, scores):
    """Leave each component the classes of its labelled images."""
    known = np.zeros((graph.component.max() + 1, scores.shape[1]), bool)
    known[graph.component[labelled], codes] = True
    return np.where(known[graph.component], scores, -np.inf)


def _solve(graph, alpha, sources):
    """Return x of (I - alpha S) x = sources, by conjugate gradients for all columns at once."""
    shape = sources.shape

    def times(x):
        x = x.reshape(shape)
        return (x - alpha * (graph.similarity @ x)).ravel()

    system = LinearOperator((sources.size, sources.size), times, dtype=np.float64)
    solution, left = cg(system, sources.ravel(), rtol=1e-6, maxiter=10_000)
    if left:
        log.warning("conjugate gradients have not converged after %d steps", left)
    return solution.reshape(shape)
