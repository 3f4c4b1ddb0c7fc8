"""Which images are labelled in each trial of few labels."""

import logging

import numpy as np

from ..seeds import derive_seed
from ..statistics.accuracy import halve

log = logging.getLogger(__name__)

# Of every table of trials.
COLUMNS = ["layer", "method", "labels_per_class", "split", "hidden", "coverage", "accuracy"]


def label_splits(codes, counts, splits, seed, groups=None):
    """Return the numbers of labels per class that can be tried, and the images drawn.

    A trial of c labels per class takes the first c of the draws of each class, so that more
    labels are the fewer ones and some. Every class must keep a hidden image: numbers for which
    the smallest class is too small are left out, with a warning. With groups, the labelled images
    of a trial are of one half of the groups (``accuracy.halve``), for the other to be hidden.

    Parameters
    ----------
    codes : (n,) int array
        The class of each image, 0 to k - 1.
    counts : sequence of int
        Labels per class.
    splits : int
    seed : int
        Trials are those of the seed, whatever the distances.
    groups : (n,) array, optional

    Returns
    -------
    counts : list of int
        Ascending, perhaps none.
    draws : (splits, k, largest of the counts) int array
        Indices of images.
    """
    sizes = np.bincount(codes)
    among = np.ones((splits, len(codes)), bool)
    most = sizes.min() - 1
    if groups is not None:
        for split, half in enumerate(among):
            rng = np.random.default_rng(derive_seed(seed, "halves", split))
            half[:] = halve(codes, rng, groups) == 0
        most = min(np.bincount(codes[half], minlength=len(sizes)).min() for half in among)
    usable = sorted(count for count in set(counts) if count <= most)
    skipped = sorted(set(counts) - set(usable))
    if skipped:
        log.info(
            "%s labels per class: skipped, for the smallest class has %d images%s",
            ", ".join(map(str, skipped)),
            sizes.min() if groups is None else most,
            " and one at least must stay hidden" if groups is None else " in half of the groups",
        )
    draws = np.empty((splits, len(sizes), max(usable, default=0)), np.int64)
    for split, drawn in enumerate(draws):
        rng = np.random.default_rng(derive_seed(seed, "split", split))
        for code, row in enumerate(drawn):
            row[:] = rng.permutation(np.flatnonzero((codes == code) & among[split]))[: len(row)]
    return usable, draws


def hidden_images(n, labelled, drawn, groups=None):
    """Return whether each of ``n`` images is hidden in a trial: not ``labelled``.

    With groups, no group has both hidden images and some of all that is ``drawn`` in the trial.
    """
    hidden = np.ones(n, bool)
    hidden[labelled] = False
    return hidden if groups is None else hidden & ~np.isin(groups, groups[drawn.ravel()])
