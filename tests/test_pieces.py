"""Pieces of a file, read without the interpreter's lock."""

import numpy as np
import pytest
from depthgauge.distances import pieces
from depthgauge.distances.pieces import read_pieces


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(250)))
    with open(path, "rb", buffering=0) as opened:
        yield opened.fileno()


@pytest.mark.parametrize("ahead", [0, 20, 1000])
@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4"])
def test_rows_hold_what_is_at_their_places(file, ahead, dtype):
    places = np.array([3, 200, 3, 0, 242])
    into = np.zeros((5, 8 // np.dtype(dtype).itemsize), dtype)
    read_pieces(file, places, into, ahead)
    expected = (places[:, None] + np.arange(8)).astype("u1")
    np.testing.assert_array_equal(into.view("u1"), expected)


def test_refuses_what_ends_before_a_piece_does(file):
    into = np.zeros((3, 8), "u1")
    with pytest.raises(EOFError):
        read_pieces(file, np.array([0, 243, 8]), into)
    np.testing.assert_array_equal(into[:2, 0], [0, 243])


def test_refuses_what_cannot_be_read():
    with pytest.raises(OSError, match="Bad file descriptor"):
        read_pieces(-1, np.array([0]), np.zeros((1, 8), "u1"))


def test_goes_on_after_a_piece_that_came_in_parts(file, monkeypatch):
    """A read that a signal cuts short is done once more, and the rest after it."""
    attempts = []

    def interrupted(*args):
        attempts.append(args)
        return original(*args) if len(attempts) > 1 else 1

    original = pieces._read
    monkeypatch.setattr(pieces, "_read", interrupted)
    into = np.zeros((4, 8), "u1")
    original(file, np.array([0]), into[:1], 0)
    read_pieces(file, np.array([0, 50, 100, 150]), into)
    np.testing.assert_array_equal(into[:, 0], [0, 50, 100, 150])
    assert len(attempts) == 2
