"""Neighbours outside of an image's own group, against a sort of the whole matrix."""

import numpy as np
import pytest
from depthgauge.distances import passes
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.errors import UserError
from scipy.spatial.distance import pdist, squareform


def distances(n, decimals=6):
    """Distances with many ties where they are rounded to few decimals."""
    points = np.random.default_rng(n).standard_normal((n, 3))
    return pdist(points).round(decimals).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("decimals", [1, 6])
@pytest.mark.parametrize("k", [1, 7, 40])
def test_none_is_of_the_own_group(k, decimals, threads, monkeypatch):
    n = 120
    monkeypatch.setattr(passes, "BLOCK", 3 * n)  # several blocks of rows
    groups = np.random.default_rng(0).integers(0, 4, n) * 17 - 5
    condensed = distances(n, decimals)
    indices, nearest = nearest_neighbours(
        condensed, k, groups=groups, threads=threads, progress=False
    )
    square = squareform(condensed)
    for image in range(n):
        others = np.flatnonzero(groups != groups[image])
        order = others[np.argsort(square[image, others], kind="stable")][:k]
        np.testing.assert_array_equal(indices[image], order)
        np.testing.assert_array_equal(nearest[image], square[image, order])


def test_groups_of_one_image_are_no_groups():
    condensed = distances(50)
    alone = np.random.default_rng(0).permutation(50)
    for a, b in zip(
        nearest_neighbours(condensed, 9, progress=False),
        nearest_neighbours(condensed, 9, groups=alone, progress=False),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_groups_that_leave_too_few_are_refused():
    groups = np.arange(10) // 7  # seven images, and three
    nearest_neighbours(distances(10), 3, groups=groups, progress=False)
    with pytest.raises(UserError, match="group 0: it has 7 of the 10 .* leaves 3 .* 4 neighb"):
        nearest_neighbours(distances(10), 4, groups=groups, progress=False)
    with pytest.raises(ValueError, match="shape"):
        nearest_neighbours(distances(10), 3, groups=groups[1:], progress=False)
