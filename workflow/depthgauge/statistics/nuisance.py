"""A nuisance beside the class, such as the camera: which of the two neighbours share."""

import numpy as np

from ..distances.neighbours import nearest_neighbours
from ..errors import UserError

NEIGHBOURS = 10
# A depth is warned of below this index, if neighbours of other classes share the nuisance by so
# much more than chance.
HALF, BEYOND = 0.5, 0.1


def robustness_index(neighbours, codes, nuisance):
    """Return how much rather neighbours share the class than the nuisance, from 0 to 1.

    Of all neighbours of all images, s share the class and not the nuisance, and o the nuisance and
    not the class: s / (s + o), the robustness index of PathoROB (Kömen et al. 2025,
    arXiv:2507.17845). At a half neither outweighs the other.

    Parameters
    ----------
    neighbours : (n, k) int array
    codes, nuisance : (n,) int arrays

    Returns
    -------
    float
        NaN where no neighbour shares just one of the two.
    """
    of_class = codes[neighbours] == codes[:, None]
    of_nuisance = nuisance[neighbours] == nuisance[:, None]
    return _index(np.sum(of_class & ~of_nuisance), np.sum(of_nuisance & ~of_class))


def nuisance_measures(data, neighbours, nuisance, *, threads=1, progress=True):
    """Return the columns of goodness.csv that say what the nuisance does, by name.

    Parameters
    ----------
    data : Labelled
        Images of one of its groups are not each other's neighbours.
    neighbours : (n, k) int array
        The nearest images of each image, of which the first ``NEIGHBOURS`` count.
    nuisance : sequence of str, length n
        At least two values; the empty one is a value like any other.
    threads, progress
        As for ``neighbours.nearest_neighbours``.

    Returns
    -------
    dict
        ``robustness``, see `robustness_index`; ``robustness_chance``, that of neighbours that are
        any images; ``knn1_other_nuisance``, the accuracy of the nearest neighbour among images of
        another value; ``nuisance_warning``, whether the nuisance outweighs the class and shows:
        neighbours of another class share it, beyond chance, by a tenth.

    Raises
    ------
    UserError
        If the nuisance has one value.
    """
    codes = data.codes
    if len(set(nuisance)) < 2:
        raise UserError(
            f"nuisance: all images have the one value {next(iter(nuisance))!r}, so it tells "
            "nothing. Leave it out, or give two values at least."
        )
    values = np.unique(np.asarray(nuisance, str), return_inverse=True)[1]
    near = neighbours[:, :NEIGHBOURS]
    classes, of_value = np.bincount(codes), np.bincount(values)
    both = np.zeros((len(classes), len(of_value)), np.int64)
    np.add.at(both, (codes, values), 1)
    own = both[codes, values]
    only_class, only_value = classes[codes] - own, of_value[values] - own
    index = robustness_index(near, codes, values)
    other = codes[near] != codes[:, None]
    share = np.mean((values[near] == values[:, None])[other]) if other.any() else np.nan
    chance = only_value.sum() / (data.n - classes[codes]).sum()
    beyond = (share - chance) / (1 - chance) if chance < 1 else np.nan
    return {
        "robustness": index,
        "robustness_chance": _index(only_class.sum(), only_value.sum()),
        "knn1_other_nuisance": _accuracy_elsewhere(data, values, threads, progress),
        "nuisance_warning": bool(index < HALF and beyond >= BEYOND),
    }


def _index(of_class, of_nuisance):
    total = of_class + of_nuisance
    return float(of_class / total) if total else float("nan")


def _accuracy_elsewhere(data, values, threads, progress):
    """Return the accuracy of the nearest neighbour of another value, and of another group.

    An image that has no such neighbour counts as wrong.
    """
    groups, largest = None, 1
    if data.groups is not None:
        groups = np.unique(data.groups, return_inverse=True)[1]
        largest = np.bincount(groups).max()
    # Of so many of another value one is of another group, if there is any.
    k = min(largest, data.n - np.bincount(values).max())
    near, _ = nearest_neighbours(
        data.distances, int(k), groups=values, threads=threads, progress=progress
    )
    if groups is None:
        return float(np.mean(data.codes[near[:, 0]] == data.codes))
    allowed = groups[near] != groups[:, None]
    first = np.take_along_axis(near, allowed.argmax(axis=1)[:, None], axis=1)[:, 0]
    return float(np.mean((data.codes[first] == data.codes) & allowed.any(axis=1)))
