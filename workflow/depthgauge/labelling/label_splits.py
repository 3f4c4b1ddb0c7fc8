"""Which images are labelled in each trial of few labels."""

import logging

import numpy as np

from ..seeds import derive_seed

log = logging.getLogger(__name__)

# Of every table of trials.
COLUMNS = ["layer", "method", "labels_per_class", "split", "hidden", "coverage", "accuracy"]


def label_splits(codes, counts, splits, seed):
    """Return the numbers of labels a class that can be tried, and the images drawn.

    A trial of c labels per class takes the first c of the draws of each class, so that more
    labels are the fewer ones and some. Every class must keep a hidden image: numbers for which
    the smallest class is too small are left out, with a warning.

    Parameters
    ----------
    codes : (n,) int array
        The class of each image, 0 to k - 1.
    counts : sequence of int
        Labels a class.
    splits : int
    seed : int
        Trials are those of the seed, whatever the distances.

    Returns
    -------
    counts : list of int
        Ascending, perhaps none.
    draws : (splits, k, largest of the counts) int array
        Indices of images.
    """
    sizes = np.bincount(codes)
    usable = sorted(count for count in set(counts) if count < sizes.min())
    skipped = sorted(set(counts) - set(usable))
    if skipped:
        log.warning(
            "%s labels per class: skipped, for the smallest class has %d images and one at least "
            "must stay hidden",
            ", ".join(map(str, skipped)),
            sizes.min(),
        )
    draws = np.empty((splits, len(sizes), max(usable, default=0)), np.int64)
    for split, drawn in enumerate(draws):
        rng = np.random.default_rng(derive_seed(seed, "split", split))
        for code, row in enumerate(drawn):
            row[:] = rng.permutation(np.flatnonzero(codes == code))[: len(row)]
    return usable, draws
