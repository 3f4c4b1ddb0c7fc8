"""Which classes are taken for which: of each class, the classes of the nearest images."""

from collections import Counter

from ..figures.style import in_reading_order

_FEW = 12  # classes that a table still shows as a whole
_NAMED = 10


def confusions(rows):
    """Return how often the nearest image of an image of one class is of another.

    Parameters
    ----------
    rows : list of dict
        label and nearest_label of each image, of one cell (LAYER.images.csv).

    Returns
    -------
    dict
        ``pairs``, (class, other, how often, of how many) of the ten pairs that are most often mixed
        up; ``classes`` and ``table``, the share of each class (row) that has its nearest image in
        each class (column), where classes are twelve at most, else empty.
    """
    counted = Counter((row["label"], row["nearest_label"]) for row in rows)
    sizes = Counter(row["label"] for row in rows)
    wrong = [(*pair, count, sizes[pair[0]]) for pair, count in counted.items() if len({*pair}) == 2]
    wrong.sort(key=lambda pair: (-pair[2] / pair[3], in_reading_order(pair[0]), pair[1]))
    classes = sorted(sizes, key=in_reading_order)
    few = classes if len(classes) <= _FEW else []
    return {
        "pairs": wrong[:_NAMED],
        "classes": few,
        "table": [(one, [counted[one, other] / sizes[one] for other in few]) for one in few],
    }
