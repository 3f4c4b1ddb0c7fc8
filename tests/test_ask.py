"""Which images to label first: by brute force, copies, too few images, and the sheet."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.distances.angle import angles
from depthgauge.distances.matrix import Distances
from depthgauge.figures.ask import draw_ask
from depthgauge.labelling.ask import asked, write_ask
from depthgauge.tables import read_table, write_table
from PIL import Image
from scipy.spatial.distance import pdist, squareform


def clouds(sizes, apart=20.0, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    centres = apart * rng.standard_normal((len(sizes), 4))
    return centres[codes] + rng.standard_normal((len(codes), 4)), codes


def found(points, count, **options):
    condensed = pdist(points).astype(np.float32)
    return asked(Distances(condensed), count, progress=False, **options)


def cost(square, images):
    return square[list(images)].min(axis=0).sum()


def greedy(square, count):
    """Facility location as it is defined."""
    images = []
    for _ in range(count):
        rest = [i for i in range(len(square)) if i not in images]
        images.append(min(rest, key=lambda i: cost(square, [*images, i])))
    return images


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_greedy_choice_by_its_definition_and_near_to_the_best_of_all(seed):
    points = np.random.default_rng(seed).standard_normal((14, 3))
    square = squareform(pdist(points).astype(np.float32)).astype(np.float64)
    images, nearest = found(points, 3)
    assert len(set(images.tolist())) == 3
    np.testing.assert_array_equal(nearest, square[images].argmin(axis=0))
    best = min(cost(square, some) for some in combinations(range(14), 3))
    assert images.tolist() == greedy(square, 3)
    assert best <= cost(square, images) < 1.2 * best
    # One image is the medoid of all.
    assert found(points, 1)[0].tolist() == [square.sum(axis=1).argmin()]


def test_one_image_of_each_cloud_whatever_their_sizes_and_the_threads():
    points, codes = clouds([60, 5, 20, 9])
    images, nearest = found(points, 4)
    assert sorted(codes[images]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(codes[images][nearest], codes)
    for made, other in zip(found(points, 4, threads=3), (images, nearest), strict=True):
        np.testing.assert_array_equal(made, other)


def test_copies_are_not_asked_for_twice():
    points, _ = clouds([5, 5, 5])
    copied = np.repeat(points[[0, 5, 10]], 4, axis=0)
    images, nearest = found(copied, 10)
    assert sorted(images // 4) == [0, 1, 2] and (images[nearest] // 4 == np.arange(12) // 4).all()
    assert len(found(np.ones((6, 3)), 4)[0]) == 1


def test_images_of_groups_that_were_not_asked_come_first():
    # One film of which the parts lie far apart, and four images that have no group.
    points, codes = clouds([30, 30, 30, 4], apart=50)
    groups = np.where(codes == 3, [f"{place}.jpg" for place in range(len(codes))], "film")
    assert sorted(codes[found(points, 4)[0]]) == [0, 1, 2, 3]
    assert sorted(codes[found(points, 4, groups=groups)[0]])[1:] == [3, 3, 3]
    # As many groups as images, all alone: nothing changes.
    for made, other in zip(
        found(points, 6, groups=np.arange(len(codes))), found(points, 6), strict=True
    ):
        np.testing.assert_array_equal(made, other)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_groups_are_asked_before_any_again_and_the_sum_is_near_to_the_least(seed):
    rng = np.random.default_rng(seed)
    points, groups = rng.standard_normal((14, 3)), rng.permutation(14) % 4
    square = squareform(pdist(points).astype(np.float32)).astype(np.float64)
    for count in (3, 4, 6):
        images, nearest = found(points, count, groups=groups)
        assert len(set(images.tolist())) == count
        assert len(set(groups[images])) == min(count, 4)
        np.testing.assert_array_equal(nearest, square[images].argmin(axis=0))
        best = min(
            cost(square, some)
            for some in combinations(range(14), count)
            if len(set(groups[list(some)])) == min(count, 4)
        )
        assert best <= cost(square, images) < 1.2 * best


def test_groups_that_have_nothing_new_are_not_asked_again():
    # A group of copies, and one of images that differ.
    points = np.concatenate([np.zeros((5, 2)), 10 + np.arange(10).reshape(5, 2)])
    images, _ = found(points, 5, groups=np.repeat([0, 1], 5))
    assert (images < 5).sum() == 1 and len(set(images)) == 5


@pytest.fixture
def folder(tmp_path):
    """Distances of 30 images without labels."""
    points, _ = clouds([10, 10, 10])
    (tmp_path / "images").mkdir()
    images = [f"{place}.jpg" for place in range(30)]
    for place, name in enumerate(images):
        Image.new("RGB", (12, 8), (8 * place, 90, 90)).save(tmp_path / "images" / name)
    table = {"image": images, "label": "", "source": [f"there/{name}" for name in images]}
    write_table(pd.DataFrame(table), tmp_path / "manifest.csv")
    np.save(tmp_path / "layer.npy", pdist(points).astype(np.float32))
    return tmp_path


def test_the_table_is_what_is_asked_by_angle_whatever_the_threads(folder):
    made = []
    for threads in (1, 2):
        made.append(folder / f"ask{threads}.csv")
        write_ask(folder / "manifest.csv", folder / "layer.npy", made[-1], count=4, threads=threads)
    assert made[0].read_bytes() == made[1].read_bytes()
    by_angle = np.concatenate(list(angles(Distances(np.load(folder / "layer.npy")))))
    images, nearest = asked(Distances(by_angle), 4, progress=False)
    table = read_table(made[0])
    assert table.columns.tolist() == ["rank", "image", "stands_for", "source"]
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table.image.tolist() == [f"{place}.jpg" for place in images]
    assert table.stands_for.tolist() == np.bincount(nearest).tolist()
    assert table.stands_for.sum() == 30


def test_more_images_asked_for_than_there_are(folder, caplog):
    write_ask(folder / "manifest.csv", folder / "layer.npy", folder / "ask.csv", count=50)
    table = read_table(folder / "ask.csv")
    assert sorted(table.image) == sorted(f"{place}.jpg" for place in range(30))
    assert "50 images to label were asked for; there are 30 that differ" in caplog.text


def test_groups_are_those_of_the_manifest(folder):
    table = read_table(folder / "manifest.csv")
    table["group"] = ["film"] * 20 + [""] * 10
    write_table(table, folder / "groups.csv")
    for manifest, films in (("manifest.csv", 2), ("groups.csv", 1)):
        write_ask(folder / manifest, folder / "layer.npy", folder / "ask.csv", count=3)
        places = read_table(folder / "ask.csv").image.str.removesuffix(".jpg").astype(int)
        assert (places < 20).sum() == films


def test_a_dataset_of_copies_alone(folder, caplog):
    np.save(folder / "layer.npy", np.zeros(30 * 29 // 2, np.float32))
    write_ask(folder / "manifest.csv", folder / "layer.npy", folder / "ask.csv", count=3)
    assert read_table(folder / "ask.csv").stands_for.tolist() == [30]
    assert "there are 1 that differ" in caplog.text


def test_from_the_command_line_to_the_sheet(folder):
    for line in (
        ["ask", "manifest.csv", "layer.npy", "-o", "ask.csv", "--count", "7"],
        ["ask-sheet", "sheet", "images", "ask.csv", "--title", "birds"],
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            done = CliRunner().invoke(main, line)
        assert done.exit_code == 0, (done.output, done.exception)
    drawn = read_table(folder / "sheet.csv")
    assert len(drawn) == 7 and drawn.image.tolist() == read_table(folder / "ask.csv").image.tolist()
    assert "7 images of birds" in (folder / "sheet.txt").read_text()
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > sheet.height > 0
    draw_ask(folder / "images", folder / "ask.csv", folder / "again", title="birds")
    assert (folder / "sheet.png").read_bytes() == (folder / "again.png").read_bytes()
