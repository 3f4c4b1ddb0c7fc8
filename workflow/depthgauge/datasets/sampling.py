"""A sample of a dataset's images: of many images, as many as have a given number of pairs."""

from math import isqrt

import numpy as np

from ..errors import UserError

# Images of a class at least, where it has them: a variance within the class needs some.
LEAST = 5


def sample_size(pairs):
    """Return the least number of images among which there are ``pairs`` pairs or more."""
    return (1 + isqrt(8 * pairs - 7)) // 2 + 1


def stratified_sample(labels, pairs, rng, *, source="labels"):
    """Choose images at random, class by class, that have ``pairs`` pairs among them.

    Every class gives ``LEAST`` images, or all that it has, and of the others the same share;
    within a class every choice is equally likely.

    Parameters
    ----------
    labels : sequence of str, length n
        May be empty strings, of an unlabelled dataset.
    pairs : int
        At least 1. Where all images have no more pairs than that, all are chosen.
    rng : numpy.random.Generator
    source : str
        Names the dataset in the message.

    Returns
    -------
    array of int, increasing

    Raises
    ------
    UserError
        If there are too many classes for so few images.
    """
    labels = np.asarray(labels, dtype=str)
    count = min(sample_size(pairs), len(labels))
    order = rng.permutation(len(labels))
    classes, codes, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    # The place of each image among those of its class, in random order.
    by_class = np.argsort(codes, kind="stable")
    place = np.empty(len(labels), np.int64)
    place[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    quotas = np.minimum(sizes, LEAST)
    left = count - quotas.sum()
    if left < 0:
        needed = int(quotas.sum())
        raise UserError(
            f"{source}: `pairs: {pairs}` means {count:,} images, which are too few for "
            f"{len(classes):,} classes of {LEAST} images each at least. Give `pairs` of "
            f"{needed * (needed - 1) // 2} or more, or take fewer classes."
        )
    others = sizes - quotas
    if left:
        shares, remainders = np.divmod(left * others, others.sum())
        shares[np.argsort(-remainders, kind="stable")[: left - shares.sum()]] += 1
        quotas = quotas + shares
    return np.sort(order[place < quotas[codes]])
