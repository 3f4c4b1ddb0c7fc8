"""Pieces of a file, read without the interpreter's lock."""

import numpy as np
import pytest
from depthgauge.distances.panels import read_pieces

NONE = np.empty(0, np.uint16)


@pytest.fixture
def file(tmp_path):
    """All numbers there are in half precision, which as single precision are numbers as well."""
    path = tmp_path / "halves"
    np.arange(1 << 16, dtype=np.uint16).tofile(path)
    with open(path, "rb", buffering=0) as opened:
        yield opened.fileno(), path.read_bytes()


@pytest.mark.parametrize("ahead", [0, 20, 1 << 20])
def test_rows_hold_what_is_at_their_places(file, ahead):
    file, content = file
    places = np.array([4, 200, 4, 0, (1 << 17) - 20])
    into = np.full((5, 7), -1, np.float32)
    assert read_pieces(file, places, into, 5, NONE, ahead) == 5
    expected = [np.frombuffer(content, np.float32, 5, place) for place in places]
    np.testing.assert_array_equal(into[:, :5].view(np.uint32), np.array(expected).view(np.uint32))
    assert (into[:, 5:] == -1).all()


def test_every_number_of_half_precision_keeps_its_value(file):
    file, content = file
    into = np.empty((2, 1 << 15), np.float32)
    halves = np.empty(1 << 15, np.uint16)
    assert read_pieces(file, np.array([0, 1 << 16]), into, 1 << 15, halves, 0) == 2
    np.testing.assert_array_equal(into.ravel(), np.frombuffer(content, np.float16))


def test_stops_where_the_file_ends_before_a_piece_does(file):
    file, content = file
    into = np.zeros((3, 2), np.float32)
    assert read_pieces(file, np.array([0, (1 << 17) - 4, 8]), into, 2, NONE, 0) == 1
    np.testing.assert_array_equal(into[0], np.frombuffer(content, np.float32, 2))
    assert not into[2].any()


def test_stops_where_nothing_can_be_read():
    assert read_pieces(-1, np.array([0]), np.zeros((1, 2), np.float32), 2, NONE, 0) == 0
