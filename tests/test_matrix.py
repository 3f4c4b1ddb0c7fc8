"""The matrix of distances: its order, what is refused as one; and anybody's labels beside it."""

import numpy as np
import pytest
from depthgauge.distances.matrix import (
    Distances,
    condense,
    images,
    pair_at,
    pair_index,
    pairs,
    read_distances,
)
from depthgauge.errors import UserError
from depthgauge.manifest import read_labels
from scipy.spatial.distance import pdist, squareform


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
    distances = read_distances(path, expected=4)
    assert distances.n == 4 and distances.source == path
    assert isinstance(distances.condensed, np.memmap)
    assert not distances.condensed.flags.writeable
    np.testing.assert_array_equal(distances.condensed, np.arange(6))


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
        read_distances(path)
    assert str(path) in str(refusal.value)


def test_refuses_truncated_missing_foreign_and_other_number(tmp_path):
    path = tmp_path / "d.npy"
    with pytest.raises(UserError, match="no such"):
        read_distances(path)
    np.save(path, np.zeros(6, np.float32))
    with pytest.raises(UserError, match=r"of 4 images where 5"):
        read_distances(path, expected=5)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="not a complete"):
        read_distances(path)
    for content in (b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a complete"):
            read_distances(path)
    with open(path, "wb") as file:
        np.savez(file, np.zeros(6))
    with pytest.raises(UserError, match="archive"):
        read_distances(path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_and_parts_are_those_of_the_square_to_the_bit(dtype):
    rng = np.random.default_rng(0)
    distances = Distances(rng.random(pairs(23)).astype(dtype))
    square = squareform(distances.condensed)
    chosen = rng.permutation(23)[:9]
    np.testing.assert_array_equal(distances.rows(chosen), square[chosen], strict=True)
    expected = squareform(square[np.ix_(chosen, chosen)], checks=False)
    np.testing.assert_array_equal(distances.among(chosen).condensed, expected, strict=True)
    np.testing.assert_array_equal(distances.among(range(23)).condensed, distances.condensed)
    assert distances.rows([]).shape == (0, 23)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_square_and_condensed_are_read_alike(tmp_path, dtype):
    condensed = pdist(np.random.default_rng(1).standard_normal((70, 3))).astype(dtype)
    np.save(tmp_path / "condensed.npy", condensed)
    np.save(tmp_path / "square.npy", squareform(condensed))
    for name in ("condensed", "square"):
        found = read_distances(tmp_path / f"{name}.npy", expected=70)
        np.testing.assert_array_equal(found.condensed, condensed, strict=True)
        with pytest.raises(UserError, match=rf"{name}.npy.* 70 images where 71"):
            read_distances(tmp_path / f"{name}.npy", expected=71)


def test_round_off_is_let_pass():
    rng = np.random.default_rng(2)
    condensed = pdist(rng.standard_normal((40, 3)))
    square = squareform(condensed) + 1e-7 * np.triu(rng.uniform(0, 1, (40, 40)))
    np.testing.assert_allclose(condense(square), condensed, atol=2e-7)
    np.testing.assert_array_equal(condense(np.array([[0, 2], [2, 0]])), [2.0])


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        (2, 5, np.nan, "row 3, column 6 is nan"),
        (5, 2, np.inf, "row 6, column 3 is inf"),
        (4, 4, 0.5, "row 5, column 5 is 0.5; expected 0"),
        (1, 6, -1.0, "row 2, column 7 is -1.0; expected a finite distance, not negative"),
        (0, 3, 9.0, "row 1, column 4 is 9.0; that in row 4, column 1"),
    ],
)
def test_wrong_entries_are_named(tmp_path, row, column, value, says):
    square = squareform(np.random.default_rng(3).uniform(1, 2, 28))
    square[row, column] = value
    np.save(tmp_path / "mine.npy", square)
    with pytest.raises(UserError, match=f"mine.npy.*{says}"):
        read_distances(tmp_path / "mine.npy")


@pytest.mark.parametrize("matrix", [np.ones((3, 4)), np.ones((1, 1)), np.full((2, 2), "a")])
def test_what_is_no_matrix(tmp_path, matrix):
    np.save(tmp_path / "mine.npy", matrix)
    with pytest.raises(UserError, match="mine.npy.*square"):
        read_distances(tmp_path / "mine.npy")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a\nb\na\n", ["a", "b", "a"]),
        ("label\na\nb\n", ["a", "b"]),
        ('"a, b"\n"c"\n', ["a, b", "c"]),
        ("1\n\n2\n", ["1", "", "2"]),
        ("image,label\nx.jpg,a\ny.jpg,b\n", ["a", "b"]),
        ("label\na\nb\n\n\n", ["a", "b"]),
        (" Label \na \n b\n", ["a", "b"]),
        ("file;class\nx.jpg;a\ny.jpg;b\n;\n", ["a", "b"]),
        ("label,group\na,1\nb,2\n,,\n", ["a", "b"]),
        ("a\nNA\nnan\nb\n", ["a", "", "", "b"]),
        # A manifest of a run: there NA is the name of a class.
        ("image,label,source,source_sha256,sha256\nx,NA,x,1,1\ny, b,y,1,1\n", ["NA", " b"]),
    ],
)
def test_labels(tmp_path, text, labels):
    (tmp_path / "labels.csv").write_text(text)
    assert read_labels(tmp_path / "labels.csv").label.tolist() == labels


def test_groups_come_with_a_manifest(tmp_path):
    (tmp_path / "labels.csv").write_text("image,label,group\nx,a,1\ny,b,2\n")
    assert read_labels(tmp_path / "labels.csv").group.tolist() == ["1", "2"]


@pytest.mark.parametrize(("text", "says"), [("a,b\n1,2\n", "column"), (None, "no such")])
def test_labels_that_are_none(tmp_path, text, says):
    if text:
        (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UserError, match=f"labels.csv.*{says}"):
        read_labels(tmp_path / "labels.csv")
