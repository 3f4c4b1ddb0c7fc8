import contextlib
import logging
import os
import re
import shutil

import numpy as np
import pytest
from depthgauge.datasets import check_folder
from depthgauge.datasets.picture import natural_key
from depthgauge.errors import UserError
from PIL import Image
from test_datasets import everything, folder_fingerprint, image_count, make

RNG = np.random.default_rng(0)


def picture(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (12, 9, 3), dtype=np.uint8)).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Two classes, three images each."""
    for label in ("cat", "dog"):
        for i in (1, 2, 10):
            picture(tmp_path / "in" / label / f"{i}.png")
    return tmp_path / "in"


def spec(folder, **more):
    return {"kind": "folder", "path": str(folder), **more}


def test_classes_in_natural_order(folder, tmp_path):
    manifest, _ = make(tmp_path / "out", spec(folder))
    assert manifest.source.tolist() == [
        *("cat/1.png", "cat/2.png", "cat/10.png", "dog/1.png", "dog/2.png", "dog/10.png")
    ]
    assert manifest.label.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert manifest.image[2] == "cat__10.jpg"
    assert image_count("x", spec(folder)) == 6


def test_the_order_does_not_depend_on_the_file_system(folder, tmp_path, monkeypatch):
    make(tmp_path / "one", spec(folder))
    listed = os.scandir

    @contextlib.contextmanager
    def backwards(folder):
        with listed(folder) as entries:
            yield sorted(entries, key=lambda entry: entry.name, reverse=True)

    monkeypatch.setattr(os, "scandir", backwards)
    make(tmp_path / "two", spec(folder))
    monkeypatch.undo()
    assert everything(tmp_path / "one") == everything(tmp_path / "two")


def test_flat_is_unlabelled(tmp_path):
    for i in range(3):
        picture(tmp_path / "in" / f"{i}.png")
    (tmp_path / "in" / "empty").mkdir()
    manifest, notes = make(tmp_path / "out", spec(tmp_path / "in"))
    assert manifest.label.tolist() == [""] * 3
    assert manifest.image.tolist() == ["0.jpg", "1.jpg", "2.jpg"]
    assert notes[0]["note"] == "unlabelled"


def test_files_of_one_name_are_all_kept(folder, tmp_path):
    picture(folder / "cat" / "1.jpg")
    picture(folder / "cat" / "1.PNG")
    picture(folder / "cat" / "deep" / "er" / "1.png")
    picture(folder / "dog" / "cat__1.png")
    manifest, _ = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 10
    assert manifest.label.value_counts().to_dict() == {"cat": 6, "dog": 4}


def test_names_with_anything_in_them(tmp_path):
    labels = ["two words", 'l\'été "90"', "日本", "a,b;c", "NA", "=1+1"]
    for label in labels:
        for name in ("x y.png", "q'\"u.png", "ü.png", "日.png", "-rf.png"):
            picture(tmp_path / "in" / label / name)
    manifest, _ = make(tmp_path / "out", spec(tmp_path / "in"))
    assert sorted(set(manifest.label)) == sorted(labels)
    assert len(manifest) == 30
    assert all(name.isascii() and " " not in name for name in manifest.image)


def test_a_name_that_is_no_text(folder, tmp_path):
    raw = os.fsencode(folder / "cat") + b"/\xff\xfe.png"
    picture(folder / "another.png")
    shutil.move(folder / "another.png", raw)
    manifest, _ = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 7


def test_other_files_are_passed_over_in_one_line(folder, tmp_path, caplog):
    for name in ("notes.txt", "labels.csv", "cat/Thumbs.db", "dog/readme"):
        (folder / name).write_text("x")
    for name in (".DS_Store", "cat/._1.png", ".hidden/x.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    with caplog.at_level(logging.INFO):
        manifest, notes = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 6
    assert notes[0]["note"] == (
        "ignored 4 files that are no images: 1 .csv, 1 .db, 1 .txt, 1 without ending"
    )
    assert len([r for r in caplog.records if "ignored 4 files" in r.message]) == 1


def test_linked_folders_count_and_circles_end(folder, tmp_path):
    shutil.move(folder / "cat", tmp_path / "elsewhere")
    (folder / "cat").symlink_to(tmp_path / "elsewhere")
    (folder / "dog" / "circle").symlink_to(folder / "dog")
    manifest, _ = make(tmp_path / "out", spec(folder))
    assert manifest.label.tolist() == ["cat"] * 3 + ["dog"] * 3


def test_at_most_so_many_a_class(folder, tmp_path):
    for i in range(20, 40):
        picture(folder / "cat" / f"{i}.png")
    limited = spec(folder, per_class=5)
    manifest, notes = make(tmp_path / "out", limited)
    assert manifest.label.value_counts().to_dict() == {"cat": 5, "dog": 3}
    assert image_count("x", limited) == 8
    assert "8 of 26" in notes[0]["note"]
    assert manifest.source.tolist() == sorted(manifest.source, key=natural_key)
    sets = {tuple(make(tmp_path / "out", limited, seed=s)[0].source) for s in range(4)}
    assert len(sets) > 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: shutil.rmtree(f), ["does not exist", "sub-folder"]),
        (lambda f: (shutil.rmtree(f), f.write_text("x")), ["is a file"]),
        (lambda f: (shutil.rmtree(f), (f / "cat").mkdir(parents=True)), ["holds no images"]),
        (lambda f: shutil.rmtree(f / "dog"), ["cat", "two classes", "unlabelled"]),
        (
            lambda f: picture(f / "loose.png"),
            ["loose.png", "beside the class folders", "cat, dog", "unlabelled: ."],
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_early(folder, tmp_path, change, words):
    change(folder)
    for act in (
        lambda: check_folder(folder),
        lambda: folder_fingerprint(folder),
        lambda: image_count("x", spec(folder)),
        lambda: make(tmp_path / "out", spec(folder)),
    ):
        with pytest.raises(UserError) as error:
            act()
        assert all(word in str(error.value) for word in [str(folder), *words])


def test_a_class_with_one_image_and_one_without_are_said(folder, tmp_path, caplog):
    picture(folder / "eel" / "1.png")
    (folder / "fox").mkdir()
    manifest, _ = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 7
    assert "'eel' has one image" in caplog.text
    assert "folders that hold no images, and are no classes: fox" in caplog.text


def test_unreadable_files_are_all_named_or_left_out(folder, tmp_path):
    (folder / "cat" / "empty.png").write_bytes(b"")
    (folder / "dog" / "text.jpg").write_text("no image")
    whole = (folder / "dog" / "1.png").read_bytes()
    (folder / "dog" / "cut.png").write_bytes(whole[:-100])
    with pytest.raises(UserError, match="3 of 9") as error:
        make(tmp_path / "out", spec(folder))
    for name in ("cat/empty.png", "dog/text.jpg", "dog/cut.png", "skip_unreadable"):
        assert name in str(error.value)
    assert list((tmp_path / "out").iterdir()) == []
    manifest, notes = make(tmp_path / "out", spec(folder, skip_unreadable=True))
    assert len(manifest) == 6
    assert "3 unreadable" in notes[0]["note"]
    assert {note["image"] for note in notes[1:]} == {"cat/empty.png", "dog/cut.png", "dog/text.jpg"}


def test_nothing_left_to_read(tmp_path):
    for label in "ab":
        (tmp_path / "in" / label).mkdir(parents=True)
        (tmp_path / "in" / label / "x.png").write_bytes(b"")
    with pytest.raises(UserError, match="no image is left"):
        make(tmp_path / "out", spec(tmp_path / "in", skip_unreadable=True))


def test_the_fingerprint_changes_with_the_images_alone(folder):
    seen = {folder_fingerprint(folder)}
    (folder / "notes.txt").write_text("x")
    assert folder_fingerprint(folder) in seen
    for change in (
        lambda: picture(folder / "cat" / "new.png"),
        lambda: (folder / "cat" / "new.png").rename(folder / "cat" / "newer.png"),
        lambda: os.utime(folder / "cat" / "1.png", (1, 1)),
        lambda: (folder / "dog" / "1.png").unlink(),
        lambda: (folder / "dog").rename(folder / "wolf"),
    ):
        change()
        now = folder_fingerprint(folder)
        assert now not in seen
        seen.add(now)


def test_the_home_folder_is_understood(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert len(make(tmp_path / "out", spec("~/in"))[0]) == 6


def test_loose_images_have_no_label_if_that_is_said(folder, tmp_path):
    for i in range(3):
        picture(folder / f"{i}.png")
    partly = spec(folder, unlabelled=".")
    manifest, notes = make(tmp_path / "out", partly)
    assert manifest.label.tolist() == ["cat"] * 3 + ["dog"] * 3 + [""] * 3
    assert manifest.source.tolist()[6:] == ["0.png", "1.png", "2.png"]
    assert image_count("x", partly) == 9
    assert notes[0]["note"] == "3 images without label"


def test_a_named_sub_folder_has_no_labels(folder, tmp_path):
    for i in range(3):
        picture(folder / "new" / f"{i}.png")
    manifest, _ = make(tmp_path / "out", spec(folder, unlabelled="new"))
    assert manifest.label.tolist() == ["cat"] * 3 + ["dog"] * 3 + [""] * 3


def by_csv(folder, text):
    """A flat folder of six images, and a csv of labels beside it."""
    for i in range(6):
        picture(folder / f"{i}.png")
    (folder.parent / "labels.csv").write_text(text, encoding="utf-8")
    return spec(folder, labels=str(folder.parent / "labels.csv"))


def test_labels_from_a_csv_change_neither_names_nor_order(tmp_path):
    one = by_csv(tmp_path / "in", "\ufeffimage,label\n1.png,dog\n./4.png,cat\n0.png,\n1.png,dog\n")
    picture(tmp_path / "in" / "deep" / "1.png")
    before, _ = make(tmp_path / "one", one)
    assert dict(zip(before.source, before.label, strict=True)) == {
        **{f"{i}.png": "" for i in (0, 2, 3, 5)},
        **{"1.png": "dog", "4.png": "cat", "deep/1.png": ""},
    }
    seen = folder_fingerprint(one["path"], one["labels"])
    with open(one["labels"], "a") as file:
        file.write("deep/1.png,dog\n")
    assert folder_fingerprint(one["path"], one["labels"]) != seen
    after, _ = make(tmp_path / "two", one)
    assert after.image.tolist() == before.image.tolist()
    assert (after.label == "").sum() == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,label\n1.png,a\n2.pn,b\n", ["1 of its 2", "2.pn", "did you mean '2.png'"]),
        ("image,label\n1.png,a\n2.png,b\n1.png,b\n", ["line 4", "'1.png'", "'a'", "'b'"]),
        ("image,label\n1.png,a\n2.png,a\n", ["only label is 'a'", "two classes"]),
        ("image,label\n1.png,\n", ["no label"]),
        ("name,label\n1.png,a\n", ["image,label", "name,label"]),
        ("", ["image,label", "nothing"]),
    ],
)
def test_what_is_wrong_with_a_csv_of_labels_is_said_early(tmp_path, text, words):
    given = by_csv(tmp_path / "in", text)
    for act in (
        lambda: check_folder(given["path"], given["labels"]),
        lambda: image_count("x", given),
        lambda: make(tmp_path / "out", given),
    ):
        with pytest.raises(UserError) as error:
            act()
        assert all(word in str(error.value) for word in [given["labels"], *words])


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (lambda f: None, {"unlabelled": "new"}, ["names no images", "cat, dog"]),
        (lambda f: None, {"unlabelled": "."}, ["names no images"]),
        (lambda f: picture(f / "x.png"), {"unlabelled": "cat"}, ["x.png", "'cat'"]),
        (lambda f: shutil.rmtree(f / "cat"), {"unlabelled": "dog"}, ["no class folder"]),
        (lambda f: picture(f / "new" / "1.png"), {"labels": "none.csv"}, ["none.csv"]),
        (lambda f: None, {"labels": "a.csv", "unlabelled": "."}, ["exclude each other"]),
    ],
)
def test_keys_for_few_labels_that_do_not_fit_are_refused(folder, tmp_path, change, more, words):
    change(folder)
    with pytest.raises(UserError) as error:
        make(tmp_path / "out", spec(folder, **more))
    assert all(word in str(error.value) for word in words)


def test_one_class_beside_the_unlabelled_is_too_few(folder, tmp_path):
    shutil.move(folder / "cat", folder / "new")
    with pytest.raises(UserError, match="two classes"):
        check_folder(folder, unlabelled="new")


def frames(folder):
    """Two classes of two persons' films, in each of which both are seen; one name fits neither."""
    for label in ("glad", "sad"):
        for person in ("S010", "S022"):
            for i in range(2):
                picture(folder / label / f"{person}_004_{i}.png")
    picture(folder / "sad" / "other.png")
    return spec(folder)


def test_groups_and_a_nuisance_by_a_pattern(tmp_path):
    films = frames(tmp_path / "in")
    plain, _ = make(tmp_path / "plain", films)
    said = {"group": r"(S\d+)_(\d+)", "nuisance": "^(gl|s)ad"}
    found, notes = make(tmp_path / "out", films | said)
    assert found.group.tolist() == [*["S010_004"] * 2, *["S022_004"] * 2] * 2 + [""]
    assert found.nuisance.tolist() == ["gl"] * 4 + ["s"] * 5
    assert found.drop(columns=["group", "nuisance"]).equals(plain)
    assert "2 groups (1 images have none), 2 values of the nuisance" in notes[0]["note"]


def test_groups_and_a_nuisance_by_columns(tmp_path):
    text = "image,label,group,camera\n1.png,a,x,A\n./2.png,b,x, B\n3.png,b,,A\n"
    given = by_csv(tmp_path / "in", text)
    found, _ = make(tmp_path / "out", given | {"nuisance": "camera"})
    assert found.group.tolist() == ["", "x", "x", "", "", ""]
    assert found.nuisance.tolist() == ["", "A", "B", "A", "", ""]
    by_camera, _ = make(tmp_path / "other", given | {"group": "camera"})
    assert by_camera.group.tolist() == found.nuisance.tolist()
    assert "nuisance" not in by_camera


def test_a_class_of_one_group_is_warned_of(tmp_path, caplog):
    make(tmp_path / "out", frames(tmp_path / "in") | {"group": "^(glad|sad/S010)"})
    assert "all images of glad are of one group each" in caplog.text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("film", ["neither a column", "there is none", "in parentheses"]),
        ("(S", ["neither a column", "unterminated"]),
        ("(S9)", ["no image has any", "glad/S010_004_0.png"]),
        ("([.])", ["all 9 images have '.'"]),
    ],
)
def test_what_tells_no_groups_is_said(tmp_path, said, words):
    films = frames(tmp_path / "in")
    with pytest.raises(UserError) as error:
        make(tmp_path / "out", films | {"group": said})
    assert all(word in str(error.value) for word in ["datasets.", ".group: ", *words])


def test_names_that_share_a_stem_are_asked_about(tmp_path, caplog):
    for label in ("glad", "sad"):
        for person in range(12):
            for i in range(2):
                picture(tmp_path / "in" / label / f"S{person:03}_{i:04}.png")
    given = spec(tmp_path / "in")
    plain, notes = make(tmp_path / "plain", given)
    asked = re.search(r"add the line `group: '(.*)'` to the dataset", notes[0]["note"])
    assert "do images belong together" in caplog.text and asked[0] in caplog.text
    assert "group" not in plain
    caplog.clear()
    found, notes = make(tmp_path / "out", given | {"group": asked[1]})
    assert found.group.nunique() == 12 and found.group[0] == "S000"
    assert "belong together" not in caplog.text + notes[0]["note"]
