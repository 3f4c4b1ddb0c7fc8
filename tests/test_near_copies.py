"""Near copies: planted ones against brute force, their order, bad input, the sheet, the report."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.distances.matrix import Distances
from depthgauge.distances.neighbours import nearest_neighbours
from depthgauge.errors import UserError
from depthgauge.report.agreement import agreement, details
from depthgauge.report.near_copies import LIMIT, near_copies, near_copy_table, write_near_copies
from depthgauge.report.near_copies_told import accuracies
from depthgauge.report.neighbour_table import write_neighbours
from depthgauge.tables import read_table, write_table
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image, ImageEnhance, ImageOps
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import pdist, squareform

K = 8


def planted(seed, images=60, copies=((0, 1), (2, 3), (3, 4)), apart=0.05, scale=0.2):
    """Points of which some are nearly others, and the pairs, of which a group may be linked."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((images, 12)) * np.exp(scale * rng.standard_normal((images, 1)))
    for one, other in copies:
        step = rng.standard_normal(12)
        points[other] = points[one] + apart * np.sqrt(12) * step / np.linalg.norm(step)
    return points


def table_of(points, k=K):
    return nearest_neighbours(Distances(pdist(points).astype(np.float32)), k, progress=False)


def brute_force(points):
    """The ratio of every pair, as it is defined."""
    square = squareform(pdist(points).astype(np.float32)).astype(np.float64)
    order = np.sort(square + np.diag([np.inf] * len(points)), axis=1)
    second, last = (
        np.minimum(square / np.minimum(order[:, [k - 1]], order[:, k - 1]), 1) for k in (2, K)
    )
    return (second * last**2) ** (1 / 3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ratios_are_those_of_their_definition(seed):
    points = planted(seed)
    pairs, ratios, _, groups = near_copies([[table_of(points)]], limit=2)
    expected = brute_force(points)
    assert (pairs[:, 0] < pairs[:, 1]).all() and (np.diff(ratios) >= 0).all()
    np.testing.assert_allclose(ratios, expected[tuple(pairs.T)], rtol=1e-6)
    # What is not among the nearest of either image is not below 1.
    left = expected.copy()
    left[tuple(pairs.T)] = left[tuple(pairs.T[::-1])] = 1
    assert left[~np.eye(len(left), dtype=bool)].min() == 1
    # The planted ones and no other, whatever the density around them.
    pairs, _, _, groups = near_copies([[table_of(points)]], limit=0.3)
    assert (
        {(0, 1), (2, 3), (3, 4)}
        <= set(map(tuple, pairs.tolist()))
        <= {
            *((0, 1), (2, 3), (3, 4), (2, 4)),
        }
    )
    assert groups[0] == groups[1] != groups[2] == groups[3] == groups[4]
    assert np.bincount(groups).max() == 3 and (np.bincount(groups) == 1).sum() == 55


def test_the_depth_at_which_a_pair_stands_out_counts_and_the_mean_of_networks():
    shallow, deep = planted(1, copies=((0, 1),)), planted(2, copies=((2, 3),))
    one, other = table_of(shallow), table_of(deep)
    pairs, ratios, _, _ = near_copies([[one, other]], limit=0.3)
    assert sorted(map(tuple, pairs.tolist())) == [(0, 1), (2, 3)]
    of_one = dict(zip(map(tuple, pairs.tolist()), ratios, strict=True))
    pairs, ratios, _, _ = near_copies([[one], [one, other]], limit=1)
    of_both = dict(zip(map(tuple, pairs.tolist()), ratios, strict=True))
    assert of_both[0, 1] == pytest.approx(of_one[0, 1])
    alone = brute_force(shallow)[2, 3]
    assert of_both[2, 3] == pytest.approx(np.sqrt(of_one[2, 3] * alone), rel=1e-5)


def test_a_dataset_of_copies_alone_and_one_of_two_images():
    pairs, ratios, _, groups = near_copies([[table_of(np.ones((12, 3)))]])
    assert set(ratios) == {0} and set(groups) == {0}
    pairs, ratios, _, groups = near_copies([[table_of(np.array([[0.0], [1.0]]), k=1)]])
    assert len(pairs) == 0 and set(groups) == {0, 1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_copy_of_a_picture_and_four_are_both_listed_before_all_else(seed):
    copies = [(0, 1), (2, 3), (2, 4), (2, 5), (2, 6)]
    points = planted(seed, copies=copies, apart=0.2)
    pairs = near_copies([[table_of(points)]], limit=0.7)[0]
    assert set(map(tuple, pairs[:11].tolist())) == {(0, 1), *combinations(range(2, 7), 2)}


def manifest_of(labels, splits=None):
    table = pd.DataFrame({"image": [f"{i:02d}.jpg" for i in range(len(labels))], "label": labels})
    return table if splits is None else table.assign(split=splits)


def test_conflicts_come_first_then_leaks_then_the_rest():
    points = planted(4, copies=((0, 1), (2, 3), (4, 5), (6, 7)))
    labels, splits = ["a"] * 60, ["train"] * 60
    labels[5], splits[3], labels[7] = "b", "test", ""
    table = near_copy_table(manifest_of(labels, splits), [[table_of(points)]], limit=0.3)
    assert table.kind.tolist() == ["conflict", "leak", "copy", "copy"]
    assert table.image.tolist()[:2] == ["04.jpg", "02.jpg"]
    assert table.other.tolist()[:2] == ["05.jpg", "03.jpg"]
    assert table.group.tolist() == [1, 2, 3, 4]
    assert table.other_label[0] == "b" and table.other_split[1] == "test"
    # Without splits no pair is a leak; without a label none is a conflict.
    table = near_copy_table(manifest_of([""] * 60), [[table_of(points)]], limit=0.3)
    assert table.kind.tolist() == ["copy"] * 4 and "split" not in table


def test_a_group_stays_together_with_its_worst_pair_first():
    points = planted(5, copies=((0, 1), (2, 3), (3, 4)))
    labels = ["a"] * 60
    labels[4] = "b"
    table = near_copy_table(manifest_of(labels), [[table_of(points)]], limit=0.3)
    first = table[table.group == 1]
    assert set(first.image) | set(first.other) == {"02.jpg", "03.jpg", "04.jpg"}
    assert first.kind.iloc[0] == "conflict" and first.kind.iloc[-1] == "copy"
    assert table.group.is_monotonic_increasing


def picture(seed, side=120):
    """A picture of blots, of any size."""
    rng = np.random.default_rng(seed)
    blots = gaussian_filter(rng.standard_normal((side, side, 3)), (4, 4, 0))
    return Image.fromarray(np.clip(127 + 700 * blots, 20, 200).astype(np.uint8))


CHANGES = {
    "itself": lambda one: one,
    "mirrored": ImageOps.mirror,
    "brighter": lambda one: ImageEnhance.Brightness(one).enhance(1.2),
    "of less contrast": lambda one: ImageEnhance.Contrast(one).enhance(0.5),
    "cropped": lambda one: one.crop((9, 2, 117, 110)),
    "cropped more": lambda one: one.crop((20, 24, 120, 120)),
    "cropped and mirrored": lambda one: ImageOps.mirror(one.crop((0, 12, 108, 120))),
    "small": lambda one: one.resize((60, 60)),
    "of other proportions": lambda one: one.resize((200, 90)),
}


@pytest.fixture
def details_of(tmp_path):
    def found(one, **options):
        one.save(tmp_path / "one.jpg", **options)
        return details(tmp_path / "one.jpg")

    return found


@pytest.mark.parametrize("change", CHANGES)
def test_a_picture_agrees_with_what_was_made_of_it_and_with_no_other(change, details_of):
    one = details_of(picture(1), quality=95)
    made = details_of(CHANGES[change](picture(1)), quality=60)
    assert agreement(one, made) > 0.8
    assert agreement(made, one) == pytest.approx(agreement(one, made))
    assert agreement(one, details_of(CHANGES[change](picture(2)))) < 0.5


def test_agreement_is_the_greatest_correlation_over_all_places():
    rng = np.random.default_rng(3)
    one, other = ([rng.random((side, side), np.float32) for side in (8, 7)] for _ in range(2))
    expected = []
    for whole, parts in ((one[0], other), (other[0], one)):
        for part in parts:
            for window in sliding_window_view(whole, part.shape).reshape(-1, part.size):
                for turned in (part, part[:, ::-1]):
                    expected.append(np.corrcoef(window, turned.ravel())[0, 1])
    assert agreement(one, other) == pytest.approx(max(expected), abs=1e-5)


def test_a_blank_picture_agrees_with_none(details_of):
    blank = details_of(Image.new("RGB", (90, 90), (30, 30, 30)))
    assert agreement(blank, blank) == agreement(blank, details_of(picture(1))) == -1


@pytest.fixture
def folder(tmp_path):
    """Distances and neighbours of 30 images, of which three pairs are copies and two look alike."""
    alike = ((0, 1), (2, 20), (3, 4), (5, 6), (7, 25))
    points = planted(6, images=30, copies=alike, scale=0, apart=0.6)
    table = manifest_of(np.repeat(["a", "b"], 15).tolist())
    table["source"] = "there/" + table.image
    write_table(table, tmp_path / "manifest.csv")
    (tmp_path / "images").mkdir()
    copies = {1: (0, "brighter"), 20: (2, "mirrored"), 4: (3, "cropped")}
    for place, name in enumerate(table.image):
        of, change = copies.get(place, (place, "itself"))
        CHANGES[change](picture(of)).save(tmp_path / "images" / name, quality=80)
    (tmp_path / "net").mkdir()
    np.save(tmp_path / "layer.npy", pdist(points).astype(np.float32))
    write_neighbours(tmp_path / "manifest.csv", [tmp_path / "layer.npy"], tmp_path / "net")
    return tmp_path


def run(folder, *line):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, (done.output, done.exception)


@pytest.mark.parametrize("limit", [str(LIMIT), "0"])
def test_from_the_command_line_to_the_sheet(folder, limit):
    line = ["near-copies", "manifest.csv", "images", "net/layer.csv", "-o", "near.csv"]
    run(folder, *line, "--limit", limit)
    made = (folder / "near.csv").read_bytes()
    run(folder, *line, "--limit", limit, "--threads", "3")
    assert (folder / "near.csv").read_bytes() == made
    run(folder, "near-copies-sheet", "sheet", "images", "near.csv", "--title", "birds")
    found, drawn = read_table(folder / "near.csv"), read_table(folder / "sheet.csv")
    assert drawn.image.tolist() == found.image.tolist()
    text = (folder / "sheet.txt").read_text()
    if limit == "0":
        assert found.empty and text.startswith("No two images of birds")
    else:
        assert set(zip(found.image, found.other, strict=True)) == {
            *(("00.jpg", "01.jpg"), ("02.jpg", "20.jpg"), ("03.jpg", "04.jpg")),
        }
        assert found.agreement.min() > 0.8 and found.apart.max() < LIMIT
        assert found.kind[0] == "conflict" and found.other_source[0] == "there/20.jpg"
        assert "images of birds" in text
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > sheet.height > 0


def test_what_looks_alike_to_a_network_is_no_copy_where_the_pictures_differ(folder):
    images = read_table(folder / "manifest.csv")
    table = read_table(folder / "net/layer.csv")
    near = [table_of_neighbours(table, images.image)]
    by_distance = near_copies([near], limit=0.7)[0]
    assert {(5, 6), (7, 25)} <= set(map(tuple, by_distance.tolist()))
    # Where they agree, what makes them near copies is the product.
    # Where few of the neighbours agree, what makes near copies is the product.
    told = {(3, 4): 0.96, (5, 6): 0.84, (7, 25): -1}
    pairs, apart, agreed, _ = near_copies(
        [near], lambda one, other: told.get((one, other), 0.36), limit=2
    )
    alone = near_copies([near], limit=2)
    of_alone = dict(zip(map(tuple, alone[0].tolist()), alone[1], strict=True))
    factors = {(3, 4): 0.25, (5, 6): 0.5}  # sqrt(1 - r), over the 0.8 of the others
    for pair, value, correlation in zip(map(tuple, pairs.tolist()), apart, agreed, strict=True):
        assert value == pytest.approx(of_alone[pair] * factors.get(pair, 1))
        assert correlation == (0 if of_alone[pair] == 1 else told.get(pair, 0.36))
    # Where all agree, all are one picture.
    same = near_copies([near], lambda one, other: 1.0, limit=2)[1]
    assert (same == 0).sum() == (alone[1] < 1).sum()


def table_of_neighbours(table, images):
    places = pd.Index(images).get_indexer(table.neighbour).reshape(len(images), -1)
    return places, table.distance.to_numpy().reshape(places.shape)


def test_neighbours_of_other_images_are_refused(folder):
    table = read_table(folder / "manifest.csv")
    write_table(table.iloc[::-1], folder / "other.csv")
    with pytest.raises(UserError, match=r"layer.csv: is not of the 30 images.*Remove it"):
        write_near_copies(
            folder / "other.csv",
            folder / "images",
            [folder / "net/layer.csv"],
            folder / "near.csv",
        )


def test_accuracy_with_copies_and_without():
    """Four images: 0 and 1 are copies of one class, 2 and 3 of the other class alone."""
    near = pd.DataFrame(
        [
            *[("0", 1, "1"), ("0", 2, "2"), ("1", 1, "0"), ("1", 2, "3")],
            *[("2", 1, "3"), ("2", 2, "0"), ("3", 1, "0"), ("3", 2, "2")],
        ],
        columns=["image", "rank", "neighbour"],
    )
    labels = {"0": "a", "1": "a", "2": "b", "3": "b"}
    with_copies, without = accuracies(near, labels, {"0": "1", "1": "1"})
    assert with_copies == pytest.approx((2 / 3 + 2 / 3 + 2 / 3 + 1 / 3) / 4)
    assert without == pytest.approx((0 + 0 + 2 / 3 + 1 / 3) / 4)
    assert accuracies(near, labels, {})[0] == accuracies(near, labels, {})[1]
    assert accuracies(near, labels, dict.fromkeys(labels, "1")) is None  # all are one picture
