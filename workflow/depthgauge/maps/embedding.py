"""t-SNE maps from distances."""

import logging

import numpy as np
from openTSNE import TSNEEmbedding
from openTSNE.affinity import PerplexityBasedNN
from openTSNE.nearest_neighbors import PrecomputedNeighbors
from threadpoolctl import threadpool_limits

from ..distances.matrix import pair_index
from ..distances.neighbours import nearest_neighbours
from ..distances.passes import bar
from ..distances.reading import open_distances
from ..errors import UserError
from ..manifest import read_manifest
from ..readings import chosen
from ..seeds import derive_seed
from ..tables import write_table
from .descent import descend
from .perplexity import usable_perplexity

log = logging.getLogger(__name__)

_LANDMARKS = 300
_EXACT_UP_TO = 20_000  # images; beyond, interpolation is faster
_PHASES = (250, 12), (750, 1)  # iterations, and by how much attraction is exaggerated
_TICK = 50  # iterations between two looks at the progress


def write_embedding(
    distances,
    manifest,
    output,
    *,
    dataset="",
    extractor="",
    layer="",
    rows=None,
    reading=None,
    perplexity=30,
    seed=0,
    threads=1,
):
    """Write the map of the images of one manifest, a CSV with the columns image,label,x,y.

    Parameters
    ----------
    distances : path
        Condensed float32 distances (.npy) of the images in the order of the manifest.
    manifest, output : path
    dataset, extractor, layer : str
        Names from which, with ``seed``, the map's own seed derives.
    rows, reading
        How the layer is read, see ``readings.chosen``.
    perplexity, seed, threads
        As in `embed`.

    Raises
    ------
    UserError
        If distances and manifest do not belong together, or as in `embed`.
    """
    table = read_manifest(manifest)[["image", "label"]]
    reading = chosen(layer, rows, reading)
    with open_distances(
        distances, reading, expected=len(table), table=manifest, threads=threads
    ) as opened:
        points = embed(
            opened,
            perplexity=perplexity,
            seed=derive_seed(seed, dataset, extractor, layer, "embedding"),
            threads=threads,
        )
    write_table(table.assign(x=points[:, 0], y=points[:, 1]), output)


def embed(distances, *, perplexity=30, seed=0, threads=1, progress=True):
    """Return the t-SNE map of images whose distances are given.

    Affinities to the 3 * perplexity nearest neighbours, exact gradients up to 20,000 images
    and interpolated ones beyond (Linderman et al., Nature Methods 16, 2019), learning rate
    n / exaggeration (Belkina et al., Nature Communications 10, 2019), and a start from the
    distances themselves (Kobak & Linderman, Nature Biotechnology 39, 2021): the principal
    coordinates. The map is one and the same, bit for bit, for any number of threads.

    Parameters
    ----------
    distances : Distances
    perplexity : float
        Effective number of neighbours, above 1; lowered, and logged, where there are fewer
        than 3 * perplexity + 1 images.
    seed : int
        Of the landmarks and of the jitter that parts images which coincide.
    threads : int
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    (n, 2) float64 array
        Centred at the origin. The coordinates have no unit.

    Raises
    ------
    UserError
        If there are fewer than three images, distances that are not finite, or a perplexity
        of 1 or less.
    """
    n = distances.n
    if n < 3:
        raise UserError(f"{n} images are too few for a t-SNE map; it takes at least 3.")
    if not perplexity > 1:
        raise UserError(f"perplexity: {perplexity} was asked for; it must be above 1, such as 30.")
    usable = usable_perplexity(perplexity, n)
    if usable < perplexity:
        log.info("perplexity lowered from %g to %.3g: only %d images", perplexity, usable, n)
    indices, nearest = nearest_neighbours(
        distances, min(n - 1, int(3 * usable)), threads=threads, progress=progress
    )
    affinities = PerplexityBasedNN(
        perplexity=usable,
        knn_index=PrecomputedNeighbors(indices, _beyond_the_nearest(nearest)),
        n_jobs=threads,
    )
    start = _start(distances, np.random.default_rng(seed))
    steps = sum(iterations for iterations, _ in _PHASES)
    with bar(total=steps, desc="t-SNE", unit="iteration", progress=progress) as counted:
        if n <= _EXACT_UP_TO:
            points, divergence = descend(
                start, affinities.P, _PHASES, threads=threads, moved=counted.update
            )
        else:
            points, divergence = _interpolated(start, affinities, threads, counted.update)
    log.info("t-SNE of %d images: KL divergence %.4f", n, divergence)
    return points


def _interpolated(start, affinities, threads, moved):
    """Return what ``descend`` does, by gradients that are interpolated (openTSNE)."""
    points = TSNEEmbedding(
        start,
        affinities,
        negative_gradient_method="fft",
        n_jobs=threads,
        callbacks=lambda *_: moved(_TICK),
        callbacks_every_iters=_TICK,
    )
    for iterations, exaggeration in _PHASES:
        points.optimize(iterations, exaggeration=exaggeration, inplace=True)
    return np.asarray(points), points.kl_divergence


def _beyond_the_nearest(distances):
    """Return distances of the same affinities whose exponentials do not underflow.

    p_ij ~ exp(-t_i d_ij^2) is the same for d_ij^2 - min_j d_ij^2, and for any unit. In
    thousands of dimensions all distances of an image are nearly equal, and without this
    every exponential would vanish beside the rounding constant that is added to their sum.
    """
    squares = distances.astype(np.float64) ** 2
    squares -= squares[:, :1]
    unit = squares.mean()
    return np.sqrt(squares / unit if unit > 0 else squares)


def _start(distances, rng):
    """Return (n, 2) principal coordinates of standard deviation 1e-4, slightly jittered.

    Landmark multidimensional scaling (de Silva & Tenenbaum, Sparse multidimensional scaling
    using landmark points, 2004): classical scaling of some images, and every image placed
    by its distances to those. Classical scaling itself where all are landmarks.
    """
    landmarks = np.sort(rng.permutation(distances.n)[:_LANDMARKS])
    squares = _columns(distances, landmarks) ** 2
    squares -= squares[landmarks].mean(axis=0)
    inner = -0.5 * (squares[landmarks] - squares[landmarks].mean(axis=1, keepdims=True))
    # One thread: BLAS sums in another order with another number of threads.
    with threadpool_limits(1):
        values, vectors = np.linalg.eigh(inner)
        values, vectors = values[:-3:-1], vectors[:, :-3:-1]
        # An axis along which nothing varies (values of round-off) is left at zero.
        values[values <= 1e-9 * np.abs(inner).max()] = np.inf
        points = -0.5 * squares @ (vectors / np.sqrt(values))
    points -= points.mean(axis=0)
    # Eigenvectors have no sign of their own: the farthest image lies on the positive side.
    points *= np.sign(points[np.abs(points).argmax(axis=0), np.arange(points.shape[1])])
    deviation = points[:, 0].std()
    if deviation > 0:
        points /= deviation
    return 1e-4 * (points + 0.01 * rng.standard_normal(points.shape))


def _columns(distances, columns):
    """Return the (n, len(columns)) float64 distances of every image to those of ``columns``."""
    condensed, n = distances.condensed, distances.n
    found = np.zeros((n, len(columns)))
    for i in range(n - 1):
        later = np.searchsorted(columns, i, side="right")
        found[i, later:] = condensed[pair_index(i, columns[later:], n)]
    for place, column in enumerate(columns):
        start = pair_index(column, column + 1, n)
        found[column + 1 :, place] = condensed[start : start + n - column - 1]
    return found
