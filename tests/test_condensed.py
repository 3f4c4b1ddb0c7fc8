"""The order of the condensed matrix, and what is refused as one."""

import numpy as np
import pytest
from depthgauge.condensed import (
    images,
    open_condensed,
    pair_at,
    pair_index,
    pairs,
    rows,
    subset,
)
from depthgauge.errors import UserError
from scipy.spatial.distance import squareform


@pytest.mark.parametrize("n", [2, 3, 4, 17])
def test_order_is_that_of_scipy(n):
    square = squareform(np.arange(pairs(n)))
    for i in range(n):
        for j in range(i + 1, n):
            assert pair_index(i, j, n) == square[i, j]
            assert pair_at(square[i, j], n) == (i, j)


def test_pair_at_is_exact_where_a_square_root_would_not_be():
    n = 300_000_007
    for i, j in [(0, 1), (0, n - 1), (1, 2), (n // 2, n // 2 + 1), (n - 3, n - 1), (n - 2, n - 1)]:
        assert pair_at(pair_index(i, j, n), n) == (i, j)


def test_images_inverts_pairs():
    lengths = {pairs(n): n for n in range(1, 60)}
    for length in range(1, 1500):
        assert images(length) == lengths.get(length)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_opens_without_reading(tmp_path, dtype):
    path = tmp_path / "d.npy"
    np.save(path, np.arange(6, dtype=dtype))
    condensed = open_condensed(path, expected=4)
    assert isinstance(condensed, np.memmap)
    assert not condensed.flags.writeable
    np.testing.assert_array_equal(condensed, np.arange(6))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (np.zeros(6, np.int64), "int64"),
        (np.zeros((2, 3), np.float32), r"\(2, 3\)"),
        (np.zeros(7, np.float32), "7 entries"),
        (np.zeros(0, np.float32), "npy"),
        (np.array([{}], object), "npy"),
    ],
)
def test_refuses_other_arrays(tmp_path, content, says):
    path = tmp_path / "d.npy"
    np.save(path, content, allow_pickle=True)
    with pytest.raises(UserError, match=says) as refusal:
        open_condensed(path)
    assert str(path) in str(refusal.value)


def test_refuses_truncated_missing_foreign_and_other_number(tmp_path):
    path = tmp_path / "d.npy"
    with pytest.raises(UserError, match="no such"):
        open_condensed(path)
    np.save(path, np.zeros(6, np.float32))
    with pytest.raises(UserError, match=r"of 4 images where 5"):
        open_condensed(path, expected=5)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="not a complete"):
        open_condensed(path)
    for content in (b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a complete"):
            open_condensed(path)
    with open(path, "wb") as file:
        np.savez(file, np.zeros(6))
    with pytest.raises(UserError, match="archive"):
        open_condensed(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_subsets_are_those_of_the_square_to_the_bit(dtype):
    rng = np.random.default_rng(0)
    condensed = rng.random(pairs(23)).astype(dtype)
    square = squareform(condensed)
    chosen = rng.permutation(23)[:9]
    np.testing.assert_array_equal(rows(condensed, chosen), square[chosen], strict=True)
    expected = squareform(square[np.ix_(chosen, chosen)], checks=False)
    np.testing.assert_array_equal(subset(condensed, chosen), expected, strict=True)
    np.testing.assert_array_equal(subset(condensed, range(23)), condensed)
    assert len(subset(condensed, [4])) == 0 and rows(condensed, []).shape == (0, 23)
