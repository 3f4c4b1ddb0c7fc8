"""Distances by angle from Euclidean distances, against features in float64."""

import numpy as np
import pytest
from depthgauge.distances.angle import angles, write_angles
from depthgauge.distances.matrix import Distances, pair_index
from depthgauge.distances.reading import open_distances
from depthgauge.errors import UserError
from depthgauge.readings import Reading, parse_reading
from scipy.spatial.distance import pdist


def by_hand(features):
    """Return the distances of features that are centred and scaled to length one."""
    centred = features - features.mean(axis=0)
    return pdist(centred / np.linalg.norm(centred, axis=1, keepdims=True))


def made(condensed, threads=1):
    return np.concatenate(list(angles(Distances(condensed), threads=threads)))


@pytest.mark.parametrize(("n", "d"), [(2, 3), (3, 5), (60, 4), (200, 300)])
def test_angles_are_distances_of_centred_features_of_length_one(n, d):
    features = np.random.default_rng(n).standard_normal((n, d)) * 3 + 5
    np.testing.assert_allclose(made(pdist(features)), by_hand(features), rtol=1e-9)
    single = made(pdist(features).astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, by_hand(features), rtol=3e-6)


def test_near_duplicates_do_not_cancel():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((50, 400))
    features[1] = features[0] + 1e-4 * rng.standard_normal(400)
    found = made(pdist(features).astype(np.float32))
    assert found[pair_index(0, 1, 50)] == pytest.approx(by_hand(features)[0], rel=1e-4)


def test_copies_are_at_distance_zero_and_multiples_point_one_way():
    features = np.random.default_rng(2).standard_normal((40, 30))
    features -= features.mean(axis=0)
    features[3] = features[7]
    features[5] = 2.5 * features[9]
    features[11] = -features[[*range(11), *range(12, 40)]].sum(axis=0)
    found = made(pdist(features).astype(np.float32))
    assert found[pair_index(3, 7, 40)] == 0
    assert found[pair_index(5, 9, 40)] < 1e-3
    assert found.max() <= 2


def test_an_image_at_the_mean_is_named_and_at_a_right_angle_to_all(caplog):
    features = np.random.default_rng(3).standard_normal((30, 10))
    features[4] = features[np.arange(30) != 4].mean(axis=0)
    with caplog.at_level("WARNING"):
        found = made(pdist(features))
    assert "image 5 of 30" in caplog.text
    others = [pair_index(min(4, j), max(4, j), 30) for j in range(30) if j != 4]
    np.testing.assert_allclose(found[others], np.sqrt(2))


def test_images_that_all_coincide_are_at_distance_zero():
    assert not made(np.zeros(10, np.float32)).any()


def test_threads_and_stretches_change_no_bit(monkeypatch):
    condensed = pdist(np.random.default_rng(4).standard_normal((150, 20))).astype(np.float32)
    expected = made(condensed)
    monkeypatch.setattr("depthgauge.distances.angle._BLOCK", 1000)
    for threads in (1, 3):
        assert made(condensed, threads).tobytes() == expected.tobytes()


def test_readings_open_what_lies_beside_and_leave_nothing(tmp_path):
    rng = np.random.default_rng(5)
    flat, mean = rng.standard_normal((2, 20, 6))
    np.save(tmp_path / "pool.npy", pdist(flat).astype(np.float32))
    np.save(tmp_path / "pool.mean.npy", pdist(mean).astype(np.float32))
    for reading, expected in (
        (None, pdist(flat)),
        (Reading("mean", "euclidean"), pdist(mean)),
        (Reading("flat", "angle"), by_hand(flat)),
        (Reading("mean", "angle"), by_hand(mean)),
    ):
        with open_distances(tmp_path / "pool.npy", reading, expected=20) as found:
            np.testing.assert_allclose(found.condensed, expected, rtol=1e-5)
    write_angles(tmp_path / "pool.npy", tmp_path / "angles.npy")
    np.testing.assert_allclose(np.load(tmp_path / "angles.npy"), by_hand(flat), rtol=1e-5)
    assert {file.name for file in tmp_path.iterdir()} == {
        *("pool.npy", "pool.mean.npy", "angles.npy")
    }


def test_unknown_readings_are_answered_with_those_there_are():
    assert parse_reading("cls.angle") == Reading("cls", "angle")
    with pytest.raises(UserError, match="flat, mean, cls.*euclidean, angle"):
        parse_reading("max.cosine")
