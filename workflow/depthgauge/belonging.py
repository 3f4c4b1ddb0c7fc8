"""Images that may belong together, by their names and by who lies next to whom: what to ask."""

import re

import numpy as np

# Parts of a path that images of one group may share, the most telling first: a folder within that
# of the class, the first word of the name, all but its counter, and the counter alone, where ...
_WORDS = {
    r"^[^/]+/([^/]+)/": "a sub-folder within that of the class",
    r"([^/_ -]+)[_ -][^/]*\d\.[^./]+$": "the first word of their names",
    r"([^/]+)[_ -][A-Za-z]*\d+\.[^./]+$": "their names but for the last number",
    r"[_ -][A-Za-z]*(\d+)\.[^./]+$": "the last number of their names",
}
# ... numbers that follow one another tell the group: all but the last digits of the counter.
_RUNS = {
    r"(\d*)\d\d\d\.[^./]+$": "the number in their names but for its last three digits",
    r"(\d*)\d\d\.[^./]+$": "the number in their names but for its last two digits",
    r"([^/]*)\d\.[^./]+$": "their names but for the last digit",
}
FEWEST = 10  # groups, for names to be asked about that neighbours say nothing of


def groups_by_names(paths):
    """Return the groups that names may tell, by the pattern that tells them.

    Parameters
    ----------
    paths : sequence of str, length n
        The images within the dataset's folder.

    Returns
    -------
    dict of str to (n,) int array
        Regular expressions whose first group is the part that images share; only where most of the
        images share it with another. One of which an expression tells nothing stands alone.
    """
    found = {}
    for pattern in (*_WORDS, *_RUNS):
        matches = [re.search(pattern, path) for path in paths]
        named = [match[1] if match and match[1] else f"\0{i}" for i, match in enumerate(matches)]
        units, sizes = np.unique(named, return_inverse=True, return_counts=True)[1:]
        if len(sizes) > 1 and sizes[sizes > 1].sum() * 2 > len(named):
            found[pattern] = units
    return found


def asked_by_names(found, codes):
    """Return the pattern of which names alone make a group likely, or "".

    It is the first that tells at least ``FEWEST`` groups and two in most classes, and by which most
    images share group and class with another.

    Parameters
    ----------
    found : dict
        As from ``groups_by_names``.
    codes : (n,) int array
        The class of each image; one and the same where there are no labels.
    """
    for pattern in (pattern for pattern in _WORDS if pattern in found):
        units = found[pattern]
        shared = _of_class_and_group(units, codes) > 1
        several = [len(np.unique(units[codes == code])) > 1 for code in np.unique(codes)]
        if units.max() + 1 >= FEWEST and min(np.mean(shared), np.mean(several)) > 0.5:
            return pattern
    return ""


def asked_by_neighbours(found, codes, nearest):
    """Return the pattern by which neighbours share a group more than their class explains, or "".

    Of the images whose nearest neighbour is of their class, a share p has one of their group too,
    where c would if it were any image of the class. Asked about is the first pattern with p beyond
    chance, (p - c) / (1 - c), of a half; where counters are cut, of a quarter, and p of 3 c.

    Parameters
    ----------
    found, codes
        As for ``asked_by_names``.
    nearest : (n,) int array
        The nearest other image of each image.
    """
    same = codes[nearest] == codes
    if not same.any():
        return ""
    for pattern, units in found.items():
        others = _of_class_and_group(units, codes) - 1
        chance = (others / np.maximum(np.bincount(codes)[codes] - 1, 1))[same].mean()
        share = np.mean(units[nearest[same]] == units[same])
        beyond = (share - chance) / (1 - chance) if chance < 1 else 0
        if beyond >= 0.5 if pattern in _WORDS else beyond >= 0.25 and share >= 3 * chance:
            return pattern
    return ""


def _of_class_and_group(units, codes):
    """Return of each image how many, itself among them, share both its class and its group."""
    both = codes * (units.max() + 1) + units
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    return counts[places]


def shared_part(line):
    """Return in words what images share that a line of the config puts together, or ""."""
    words = {line_of(pattern): words for pattern, words in (_WORDS | _RUNS).items()}
    return words.get(line, "")


def line_of(pattern):
    """Return the line of the config that has the pattern tell the groups."""
    return f"group: '{pattern}'" if pattern else ""
