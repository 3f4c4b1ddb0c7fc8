"""Images that may belong together, and a nuisance that neighbours may share: what is asked."""

import re

import numpy as np
import pandas as pd
import pytest
from depthgauge.belonging import asked_by_names, asked_by_neighbours, groups_by_names, line_of
from depthgauge.distances.labelled import Labelled
from depthgauge.distances.matrix import Distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.errors import UserError
from depthgauge.statistics.accuracy import near_twins
from depthgauge.statistics.beware import LINE, doubts, how_to_tell
from depthgauge.statistics.cell import measured_cell
from depthgauge.statistics.measures import measures
from depthgauge.statistics.nuisance import nuisance_measures, robustness_index
from scipy.spatial.distance import pdist, squareform


def films(count=12, frames=4):
    """Frames of films, two classes in each; and the film of each frame."""
    paths = [
        f"{label}/S{film:03}_004_{frame:08}.png"
        for label in ("glad", "sad")
        for film in range(count)
        for frame in range(frames)
    ]
    return paths, np.tile(np.repeat(np.arange(count), frames), 2)


def same_partition(units, groups):
    both = np.unique(np.stack([units, groups]), axis=1).shape[1]
    return both == len(set(units)) == len(set(groups))


def told_by(pattern, paths):
    matches = [re.search(pattern, path) for path in paths]
    return np.unique([match[1] if match else "" for match in matches], return_inverse=True)[1]


def test_frames_are_asked_about_by_their_names_alone():
    paths, film = films()
    pattern = asked_by_names(groups_by_names(paths), np.repeat([0, 1], 48))
    assert same_partition(told_by(pattern, paths), film)
    assert line_of(pattern) == f"group: '{pattern}'" and line_of("") == ""


@pytest.mark.parametrize(
    ("form", "group"),
    [
        ("c{c}/slide{g}_patch{i:02}.jpg", "slide{g}"),
        ("c{c}/exp{i}_num_{c}{g}7.jpg", "{c}{g}7"),
        ("c{c}/person {g}/{i}.jpg", "person {g}"),
        ("c{c}/anna{g}-{i}.tif", "anna{g}"),
    ],
)
def test_patterns_of_names(form, group):
    each = [(c, g, i) for c in range(2) for g in range(11) for i in range(3)]
    paths = [form.format(c=c, g=g, i=i) for c, g, i in each]
    pattern = asked_by_names(groups_by_names(paths), np.array([c for c, *_ in each]))
    assert pattern
    expected = [group.format(c=c, g=g) for c, g, _ in each]
    assert same_partition(told_by(pattern, paths), np.unique(expected, return_inverse=True)[1])


@pytest.mark.parametrize(
    "form",
    [
        *("{c}/IMG_{n:04}.jpg", "{c}/{n}.png", "{c}/{c}_{n}.jpg", "{c}/{c} ({n}).jpg"),
        *("{c}/word{n}x.png", "{c}/{c}_{i}.png", "{n:04}.jpg"),
    ],
)
def test_plain_counters_are_not_asked_about(form):
    each = [(c, i, 30 * c + i) for c in range(3) for i in range(30)]
    paths = [form.format(c="abc"[c], i=i, n=n) for c, i, n in each]
    assert asked_by_names(groups_by_names(paths), np.array([c for c, *_ in each])) == ""


def test_neighbours_tell_that_numbers_close_together_are_one_scene():
    """The number counts on through scenes of six images, of which names say nothing."""
    rng = np.random.default_rng(0)
    numbers = np.array([100 * scene + i for scene in range(20) for i in range(6)])
    codes = np.repeat(np.arange(20) % 2, 6)
    paths = [
        f"{code}/exp{rng.integers(4)}_num_{n}.jpg" for code, n in zip(codes, numbers, strict=True)
    ]
    scenes = rng.standard_normal((20, 4))[numbers // 100]
    found = groups_by_names(paths)
    nearest = {
        name: nearest_neighbours(pdist(x), 1, progress=False)[0][:, 0]
        for name, x in {
            "scenes": scenes + 0.1 * rng.standard_normal((120, 4)),
            "none": codes[:, None] + rng.standard_normal((120, 4)),
        }.items()
    }
    pattern = asked_by_neighbours(found, codes, nearest["scenes"])
    assert same_partition(told_by(pattern, paths)[6:], numbers[6:] // 100)
    assert asked_by_neighbours(found, codes, nearest["none"]) == ""
    assert asked_by_neighbours(found, codes, np.roll(np.arange(120), 6)) == ""


def test_a_cell_says_what_its_neighbours_share_unless_groups_are_told():
    rng = np.random.default_rng(1)
    paths, film = films()
    x = rng.standard_normal((24, 3))[np.repeat(np.arange(24), 4)] + rng.normal(0, 0.05, (96, 3))
    table = pd.DataFrame({"image": paths, "label": np.repeat(["glad", "sad"], 48)})
    names = dict.fromkeys(["dataset", "extractor", "layer", "pooling", "metric"], "x")
    rows = [
        measured_cell(Distances(pdist(x)), of, names, permutations=9, progress=False).row
        for of in (
            table.assign(source=paths),
            table.assign(source=paths, group=film.astype(str)),
            table.assign(source=rng.permutation([f"{i}.jpg" for i in range(96)])),
        )
    ]
    assert [row["groups_suspected"] for row in rows] == ["neighbours", "", ""]
    assert rows[0]["groups_line"].startswith("group: '")
    assert rows[0]["knn1"] == 1 and rows[1]["knn1"] < 0.8


@pytest.mark.parametrize("dimension", [2, 10, 100])
def test_twins_are_told_from_images_of_any_dimension(dimension):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((400, dimension))
    twins = x[np.arange(400) // 2] + 0.01 * rng.standard_normal((400, dimension))
    alone, together = (
        near_twins(nearest_neighbours(pdist(one), 32, progress=False)[1]) for one in (x, twins)
    )
    assert alone < 0.45 and together > 0.6
    assert np.isnan(near_twins(np.ones((9, 8))))


def test_what_the_verdict_asks():
    cells = pd.DataFrame({"near_twins": [0.9, 0.8, 0.7, 0.6]})
    cells["groups_suspected"], cells["groups_line"] = "", ""
    row, text = doubts(cells.iloc[0], cells)
    assert (row["groups_suspected"], row["groups_line"]) == ("twins", LINE)
    assert f"`{LINE}`" in how_to_tell(LINE) and "`--group REGEX`" in how_to_tell(LINE)
    cells.loc[3, "near_twins"] = 0.4
    assert doubts(cells.iloc[0], cells) == (row | {"groups_suspected": "", "groups_line": ""}, "")
    cells.loc[[1, 3], ["groups_suspected", "groups_line"]] = ["neighbours", "group: 'a'"]
    row, text = doubts(cells.iloc[0], cells)
    assert row["groups_line"] == "group: 'a'" and "do pictures belong" in text.lower()
    assert "`group: 'a'` under the dataset" in how_to_tell(row["groups_line"])
    cells["groups_suspected"] = ["names", "neighbours", "names", "names"]
    cells["groups_line"] = ["group: 'b'", "group: 'a'", "group: 'b'", "group: 'b'"]
    assert doubts(cells.iloc[0], cells)[0]["groups_line"] == "group: 'b'"


def textures(rng, cast):
    """Stripes one way or the other by three cameras, that colour by ``cast``: pixels and codes."""
    codes, cameras = np.indices((2, 3, 20)).reshape(3, -1)[:2]
    waves = np.sin(np.arange(12) + rng.uniform(0, 6, (120, 1)))
    grey = np.where(codes[:, None, None] == 0, waves[:, :, None], waves[:, None, :])
    grey = grey + 0.3 * rng.standard_normal((120, 12, 12))
    colours = cast * np.eye(3)[cameras] + 0.05 * rng.standard_normal((120, 3))
    return grey[..., None] + colours[:, None, None, :], codes, cameras


def readings(pixels):
    """A shallow reading, the mean colour, and a deep one, how grey changes down and across."""
    grey = pixels.mean(axis=3)
    change = [np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    return {"colour": pixels.mean(axis=(1, 2)), "stripes": np.stack(change, axis=1)}


def test_colour_casts_by_camera_are_seen_where_the_features_see_colour():
    rng = np.random.default_rng(2)
    pixels, codes, cameras = textures(rng, cast=1.0)
    found = {}
    for name, x in readings(pixels).items():
        data = Labelled(pdist(x), codes.astype(str))
        near = measures(data, progress=False).neighbours
        found[name] = nuisance_measures(data, near, cameras.astype(str), progress=False)
    colour, stripes = found["colour"], found["stripes"]
    assert colour["nuisance_warning"] and colour["robustness"] < 0.1
    assert colour["knn1_other_nuisance"] < 0.7
    assert not stripes["nuisance_warning"] and stripes["robustness"] > 0.9
    assert stripes["knn1_other_nuisance"] > 0.9
    # 40 of the others share the class alone, 20 the camera alone.
    assert colour["robustness_chance"] == pytest.approx(40 / 60)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_robustness_index_is_that_of_a_brute_force_count(grouped):
    rng = np.random.default_rng(3)
    codes, camera = rng.integers(0, 3, 60), rng.integers(0, 4, 60)
    groups = np.arange(60) // 3 if grouped else None
    condensed = pdist(rng.standard_normal((60, 3)) + camera[:, None])
    data = Labelled(condensed, codes.astype(str), groups=groups)
    square = squareform(condensed) + np.diag(np.full(60, np.inf))
    if grouped:
        square[groups[:, None] == groups] = np.inf
    near = measures(data, progress=False).neighbours
    found = nuisance_measures(data, near, camera.astype(str), progress=False)
    of_class = of_camera = right = 0
    for i in range(60):
        for j in square[i].argsort()[:10]:
            of_class += codes[i] == codes[j] and camera[i] != camera[j]
            of_camera += codes[i] != codes[j] and camera[i] == camera[j]
        elsewhere = np.where(camera == camera[i], np.inf, square[i])
        right += codes[elsewhere.argmin()] == codes[i]
    assert found["robustness"] == of_class / (of_class + of_camera)
    assert found["knn1_other_nuisance"] == right / 60
    assert robustness_index(near[:, :10], codes, camera) == found["robustness"]
    assert np.isnan(robustness_index(near, codes, codes))


def test_a_nuisance_of_one_value_is_refused():
    data = Labelled(np.ones(6), list("aabb"))
    with pytest.raises(UserError, match="one value 'x'"):
        nuisance_measures(data, np.zeros((4, 1), int), ["x"] * 4, progress=False)


def test_a_nuisance_that_outweighs_the_class_is_warned_of():
    cell = pd.Series({"robustness": 0.3, "knn1_other_nuisance": 0.41, "nuisance_warning": True})
    row, text = doubts(cell, pd.DataFrame([cell]))
    assert row["nuisance_warning"] and "Beware of the nuisance" in text and "0.410" in text
    row, text = doubts(cell.replace({True: False}), pd.DataFrame([cell]))
    assert not row["nuisance_warning"] and "Beware" not in text and "0.410" in text
