"""Principal components of the pixels: what an autoencoder is to be compared with."""

import logging

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from ..manifest import read_manifest
from ..seeds import derive_seed
from .keras_save import save_model
from .keras_setup import keras
from .learned import check_learned
from .pixels import load_stack
from .tensorflow_setup import use_threads

log = logging.getLogger(__name__)


def write_pca(name, spec, images, manifest, model, **options):
    """Call ``fit_pca`` in a process in which nothing is computed yet."""
    use_threads(1)
    fit_pca(name, spec, images, manifest, model, **options)


def fit_pca(name, spec, images, manifest, model, *, dataset="", seed=0, threads=1):
    """Write the principal components of a dataset's pixels as a network of two layers.

    Parameters
    ----------
    name : str
        The extractor's name in the config.
    spec : dict
        Its entry: ``size`` and ``components``.
    images, manifest : path
        The dataset; all of its images are used, and none of its labels.
    model : path
        .keras to write: RGB 0-255 to ``pixels`` (0-1, size x size x 3 values) and
        ``components`` (centred, by falling variance).
    dataset : str
        Its name, for messages and the seed of the iteration's start.
    seed : int
    threads : int
        Images decoded at once.

    Raises
    ------
    UserError
        If there are too few images for so many components.
    """
    names = read_manifest(manifest).image
    check_learned(name, spec | {"trained_on": None}, {dataset: len(names)})
    size = spec["size"]
    pixels = load_stack(images, names, size, threads=threads).reshape(len(names), -1)
    # Lanczos iterations (ARPACK) find the first components to machine precision without all the
    # others. One thread: the order of BLAS' sums changes with their number.
    start = derive_seed(seed, dataset, "pca")
    pca = PCA(spec["components"], svd_solver="arpack", random_state=start)
    with threadpool_limits(1):
        pca.fit(pixels / np.float32(255))
    log.info(
        "%s on %s: %d components hold %.1f %% of the variance of %d images",
        *(name, dataset, spec["components"], 100 * pca.explained_variance_ratio_.sum(), len(names)),
    )
    layers = keras.layers
    x = given = layers.Input((size, size, 3), name="images")
    x = layers.Rescaling(1 / 255, name="unit_range")(x)
    x = layers.Flatten(name="pixels")(x)
    project = layers.Dense(spec["components"], name="components")
    network = keras.Model(given, project(x), name="pca")
    project.set_weights([pca.components_.T, -pca.components_ @ pca.mean_])
    save_model(network, model)
