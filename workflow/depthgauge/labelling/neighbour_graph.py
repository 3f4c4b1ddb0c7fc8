"""The graph of nearest neighbours, weighted by how near they are."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components

from ..distances.matrix import Distances
from ..distances.neighbours import nearest_neighbours

NEIGHBOURS = 10  # Calder et al. 2020


@dataclass(frozen=True)
class NeighbourGraph:
    """A weighted graph of n images.

    ``similarity`` is S = D^-1/2 W D^-1/2 (n x n, sparse, float64, symmetric), ``root_degree``
    the diagonal of D^1/2 and ``component`` the number of the connected component of each image.
    """

    similarity: csr_matrix
    root_degree: np.ndarray
    component: np.ndarray


def neighbour_graph(distances, k=NEIGHBOURS, *, threads=1, progress=True):
    """Return the symmetric graph of the nearest neighbours of n images.

    Image i points to its k neighbours j with the weight exp(-4 d(i,j)^2 / d_k(i)^2), d_k(i)
    being the distance to the k-th of them, and W is the mean of these weights and their
    transpose: the graph of Calder et al. 2020, arXiv:2006.11184, section 3.

    Parameters
    ----------
    distances, threads, progress
        As for ``neighbours.nearest_neighbours``.
    k : int
        Fewer where there are not so many images.
    """
    distances = Distances.of(distances)
    n, k = distances.n, min(k, distances.n - 1)
    indices, nearest = nearest_neighbours(distances, k, threads=threads, progress=progress)
    nearest = nearest.astype(np.float64)
    # Copies at the k-th place, and so all before it: distance zero, weight one.
    farthest = np.where(nearest[:, -1:] > 0, nearest[:, -1:], 1)
    weights = np.exp(-4 * (nearest / farthest) ** 2)
    directed = csr_matrix((weights.ravel(), indices.ravel(), np.arange(0, n * k + 1, k)), (n, n))
    weight = (directed + directed.T) / 2
    root_degree = np.sqrt(np.asarray(weight.sum(axis=1)).ravel())
    scale = diags(1 / root_degree)
    similarity = (scale @ weight @ scale).tocsr()
    similarity.sort_indices()
    return NeighbourGraph(similarity, root_degree, connected_components(similarity)[1])
