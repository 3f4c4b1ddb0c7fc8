"""Which images to label first: those that lie nearest to all others."""

import logging
from functools import partial

import numpy as np

from ..distances.passes import class_sums, to_each_image
from ..distances.reading import open_distances
from ..kernels import kernel
from ..manifest import groups_of, read_manifest
from ..readings import Reading
from ..tables import write_table

log = logging.getLogger(__name__)


def asked(distances, count, *, groups=None, threads=1, progress=True):
    """Return ``count`` images that are near to all others, and for each image the nearest of them.

    The sum of the distances of all images to the nearest of these is to be small. The first is
    the image nearest to all; each next one is that which makes the sum least (facility location,
    Nemhauser et al. 1978, *An analysis of approximations for maximizing submodular set
    functions*). The matrix is read once for each image, and memory is O(n count).

    Parameters
    ----------
    distances : Distances
        Of n images.
    count : int
        At least 1.
    groups : (n,) array, optional
        Images of one group depend on one another, so that a second one tells less: the images
        come from as many groups as there are, before any is asked again.
    threads : int
        They do not change the result.
    progress : bool

    Returns
    -------
    images : (m,) int array
        The most telling first. Fewer than ``count`` where all others are copies of these.
    nearest : (n,) int array
        Of each image, its place in ``images``.
    """
    condensed, n = np.asarray(distances.condensed), distances.n
    work = {"threads": threads, "progress": progress}
    group = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    images = [int(class_sums(condensed, np.zeros(n, np.int64), **work)[:, 0].argmin())]
    left = distances.rows(images)[0].astype(np.float64)
    while len(images) < min(count, n):
        gains = left.copy()
        to_each_image(
            partial(_gain_along_rows, condensed, n, left, gains),
            partial(_gain_along_columns, condensed, n, left, gains),
            n,
            **work,
            desc="images to label",
        )
        if gains.max() <= 0:
            break
        was_asked = np.isin(group, group[images])
        if gains[~was_asked].max(initial=0) > 0:
            gains[was_asked] = 0
        images.append(int(gains.argmax()))
        left = np.minimum(left, distances.rows(images[-1:])[0])
    return np.array(images), distances.rows(images).argmin(axis=0)


def write_ask(manifest, distances, output, *, metric="angle", count=10, threads=1, progress=True):
    """Write which images of a dataset to label first, see ``asked``.

    Parameters
    ----------
    manifest : path
        Of the groups, where it has any, as many are asked as can be.
    distances : path
        Condensed Euclidean distances.
    output : path
        CSV, one row per image to label, the most telling first: ``rank,image,stands_for`` (and
        ``source`` as the manifest has it). An image stands for those to which it is the nearest
        of all that are asked for, itself among them.
    metric : str
    count : int
        How many; where fewer images differ, these are all, and the log says so.
    threads : int
    progress : bool
    """
    images = read_manifest(manifest)
    reading = Reading("", metric)
    with open_distances(distances, reading, expected=len(images), threads=threads) as opened:
        places, nearest = asked(
            opened, count, groups=groups_of(images), threads=threads, progress=progress
        )
    if len(places) < count:
        log.warning(
            "%s: %d images to label were asked for; there are %d that differ, and these are all.",
            *(manifest, count, len(places)),
        )
    table = images.iloc[places][["image", *(["source"] if "source" in images else [])]]
    table.insert(0, "rank", range(1, len(places) + 1))
    table.insert(2, "stands_for", np.bincount(nearest, minlength=len(places)))
    write_table(table, output)


@kernel()
def _gain_along_rows(condensed, n, left, gains, begin, end):
    """Add to each image i of begin..end what the images j > i would be nearer to it."""
    for i in range(begin, end):
        start = i * (2 * n - i - 1) // 2 - i - 1
        gain = 0.0
        for j in range(i + 1, n):
            gain += max(left[j] - condensed[start + j], 0.0)
        gains[i] += gain


@kernel()
def _gain_along_columns(condensed, n, left, gains, first, last, begin, end):
    for i in range(first, last):
        start = i * (2 * n - i - 1) // 2 - i - 1
        for j in range(max(i + 1, begin), end):
            gains[j] += max(left[i] - condensed[start + j], 0.0)
