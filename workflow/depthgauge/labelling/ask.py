"""Which images to label first: those that lie nearest to all others."""

import logging
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from ..distances.matrix import Distances
from ..distances.passes import BLOCK, class_sums, to_each_image
from ..distances.reading import open_distances
from ..files import no_space
from ..kernels import kernel
from ..manifest import groups_of, read_manifest
from ..readings import Reading
from ..tables import write_table

log = logging.getLogger(__name__)

_ROUNDS = 20


def asked(distances, count, *, groups=None, threads=1, progress=True):
    """Return ``count`` images that are near to all others, and for each image the nearest of them.

    They are medoids: the sum of the distances of all images to the nearest of them is to be
    small. The first is the image nearest to all; each next one is that which makes the sum least
    (facility location, Nemhauser et al. 1978); then, in turn, all images go to the nearest and
    each takes the image nearest to all of its own, until nothing changes, 20 times at most
    (k-medoids, Park & Jun 2009). The matrix is read once for each image and each round, and
    memory is O(n count).

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
        In the order in which they were found. Fewer than ``count`` where all others are copies
        of these.
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
    for _ in range(_ROUNDS):
        nearest, before = distances.rows(images).argmin(axis=0), list(images)
        sums = class_sums(condensed, nearest, **work)
        for place, image in enumerate(images):
            was_asked = np.isin(group, group[np.delete(images, place)])
            own = (nearest == place) & (~was_asked | was_asked[image])
            if own.any():
                images[place] = int(np.where(own, sums[:, place], np.inf).argmin())
        if images == before:
            break
    return np.array(images), distances.rows(images).argmin(axis=0)


def write_ask(manifest, distances, output, *, metric="angle", count=10, threads=1, progress=True):
    """Write which images of a dataset to label first, see ``asked``.

    Parameters
    ----------
    manifest : path
        Of the groups, where it has any, as many are asked as can be.
    distances : list of path
        Condensed Euclidean distances, one layer of each network. Of several the mean is taken,
        each having been scaled to the mean distance 1.
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
    with _mean(list(map(Path, distances)), metric, len(images), threads) as opened:
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


@contextmanager
def _mean(paths, metric, n, threads):
    """Open the mean of several distances, of which each has the mean 1."""
    with ExitStack() as stack:
        all_of_them = [
            stack.enter_context(
                open_distances(path, Reading("", metric), expected=n, threads=threads)
            )
            for path in paths
        ]
        if len(all_of_them) == 1:
            yield all_of_them[0]
            return
        arrays = [one.condensed for one in all_of_them]
        starts = range(0, len(arrays[0]), BLOCK)
        scales = [
            sum(array[a : a + BLOCK].sum(dtype=np.float64) for a in starts) / len(array) or 1.0
            for array in arrays
        ]
        stack.enter_context(no_space(paths[0]))
        file = stack.enter_context(TemporaryFile(dir=paths[0].parent))
        for a in starts:
            parts = zip(arrays, scales, strict=True)
            mean = sum(array[a : a + BLOCK] / scale for array, scale in parts) / len(arrays)
            file.write(mean.astype(np.float32))
        file.flush()
        yield Distances(np.memmap(file, np.float32, "r", shape=arrays[0].shape), paths[0])


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
