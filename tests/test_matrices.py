"""Anybody's distances and labels: square or condensed, manifest or column, and what is refused."""

import numpy as np
import pytest
from depthgauge.errors import UserError
from depthgauge.statistics.matrices import condense, read_distances, read_labels
from scipy.spatial.distance import pdist, squareform

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_square_and_condensed_are_read_alike(tmp_path, dtype):
    condensed = pdist(RNG.standard_normal((70, 3))).astype(dtype)
    np.save(tmp_path / "condensed.npy", condensed)
    np.save(tmp_path / "square.npy", squareform(condensed))
    for name in ("condensed", "square"):
        found = read_distances(tmp_path / f"{name}.npy", expected=70)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, condensed)
        with pytest.raises(UserError, match=rf"{name}.npy.* 70 images where 71"):
            read_distances(tmp_path / f"{name}.npy", expected=71)


def test_round_off_is_let_pass():
    condensed = pdist(RNG.standard_normal((40, 3)))
    square = squareform(condensed) + 1e-7 * np.triu(RNG.uniform(0, 1, (40, 40)))
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
    square = squareform(RNG.uniform(1, 2, 28))
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
