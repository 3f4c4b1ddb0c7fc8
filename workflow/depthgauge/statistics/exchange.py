"""What changes places when labels are permuted: images, those of one kind alone, or groups."""

from collections import Counter
from dataclasses import dataclass
from math import factorial, prod

import numpy as np

from ..distances.matrix import images
from ..errors import UserError
from ..kernels import kernel

# And what must be known of the images.
PERMUTED = {
    "images": None,
    "within_groups": "group",
    "groups": "group",
    "within_collections": "collection",
}


@dataclass(frozen=True)
class Exchange:
    """Units that change labels: ``codes`` is the class, ``strata`` the stratum of each.

    ``strata`` is None where all units are of one stratum. ``units`` tells the unit of each
    image where units are groups, else it is None. ``distinct`` counts the ways in which
    permuting can part the images into classes.
    """

    codes: np.ndarray
    strata: np.ndarray | None
    units: np.ndarray | None
    distinct: int


def exchange(codes, classes, groups=None, permute="images", collections=None):
    """Return what may change places under the hypothesis that labels say nothing.

    Parameters
    ----------
    codes : array of int, shape (n,)
        The class of each image.
    classes : sequence of str
        Their names.
    groups : sequence of str, length n, optional
        What makes images depend on one another: one photograph, one person, one film.
    permute : {"images", "within_groups", "groups", "within_collections"}
        Each image by itself; each, but with images of its group alone (where groups have images
        of several classes, such as persons with many expressions); whole groups, with groups of
        as many images (where they share the label, such as patches of one photograph); or each
        image with those of its collection alone. All images of one collection are permuted as
        by ``images``.
    collections : sequence of str, length n, optional
        Where images were taken from, if that is not to count as what labels tell.

    Raises
    ------
    UserError
        If ``permute`` needs groups or collections and there are none, if a group that is to be
        permuted as a whole has images of two classes, or if all permutations part the images
        alike.
    """
    if permute not in PERMUTED:
        raise UserError(f"permute: {permute!r} is not one of {', '.join(PERMUTED)}.")
    kind = PERMUTED[permute]
    known = {None: (), "group": groups, "collection": collections}[kind]
    if known is None:
        raise UserError(
            f"permute: {permute} needs {kind}s; give the manifest a column `{kind}`, or permute "
            "images."
        )
    strata = units = None
    names, of_image = np.unique(np.asarray(known, dtype=str), return_inverse=True)
    if permute.startswith("within_"):
        strata = of_image
    if permute == "groups":
        units = of_image
        least, most = np.full((2, len(names)), codes[0])
        least[:], most[:] = len(classes), -1
        np.minimum.at(least, units, codes)
        np.maximum.at(most, units, codes)
        mixed = np.flatnonzero(least != most)
        if len(mixed):
            at = mixed[0]
            raise UserError(
                f"permute: groups, but the group '{names[at]}' has images of the classes "
                f"'{classes[least[at]]}' and '{classes[most[at]]}'. A group that is permuted as "
                "a whole has one label; permute images, or within_groups."
            )
        codes, strata = least, np.bincount(units)
    if strata is not None and len(np.unique(strata)) == 1:
        strata = None
    distinct = _distinct(codes, strata)
    if distinct == 1:
        raise UserError(
            f"permute: {permute}: the number of distinct permutations is 1, for all of them part "
            "the images into classes alike. "
            + (
                "Permute images; or bring more groups a class, of as many images."
                if permute == "groups"
                else f"Permute images; or bring {kind}s with images of several classes."
            )
        )
    return Exchange(codes, strata, units, distinct)


def _distinct(codes, strata):
    """Return how many partitions into classes there are, whichever class has which name."""
    strata = np.zeros_like(codes) if strata is None else np.unique(strata, return_inverse=True)[1]
    counts = np.zeros((strata.max() + 1, codes.max() + 1), np.int64)
    np.add.at(counts, (strata, codes), 1)
    labellings = prod(
        factorial(int(row.sum())) // prod(factorial(int(count)) for count in row) for row in counts
    )
    # Classes with as many units in each stratum can swap names.
    alike = Counter(map(tuple, counts.T.tolist()))
    return labellings // prod(map(factorial, alike.values()))


def group_sums(condensed, units):
    """Return (inside, condensed sums): all distances within units, and between any two of them.

    Parameters
    ----------
    condensed : array of float32 or float64, shape (n(n-1)/2,)
    units : array of int, shape (n,)
        The unit of each image, from 0 to u-1.

    Returns
    -------
    inside : float
    between : array of float64, shape (u(u-1)/2,)
    """
    count = int(units.max()) + 1
    sums = np.zeros((count, count))
    _sum_units(condensed, images(len(condensed)), units, sums)
    sums += sums.T
    return float(np.trace(sums)) / 2, sums[np.triu_indices(count, 1)]


@kernel()
def _sum_units(condensed, n, units, sums):
    at = 0
    for i in range(n - 1):
        row = sums[units[i]]
        for j in range(i + 1, n):
            row[units[j]] += condensed[at]
            at += 1
