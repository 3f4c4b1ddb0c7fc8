"""Folders and csvs of labels that were not made for this tool."""

import os
import unicodedata

import numpy as np
import pytest
import yaml
from depthgauge import datasets
from depthgauge.config import SCHEMA
from depthgauge.datasets import check_folder
from depthgauge.datasets.copies import find_copies
from depthgauge.datasets.picture import Note, Picture
from depthgauge.errors import UserError
from depthgauge.figures.table import write_table_one
from depthgauge.tables import read_text_table
from depthgauge.users_labels import NO_LABEL, read_users_labels
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_datasets import filled, folder_fingerprint, image_count, make


def save(path, seed, **options):
    """A picture of noise of its own at ``path``."""
    rng = np.random.default_rng(seed)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Two classes, three images each."""
    for place, name in enumerate(f"{c}/{i}.png" for c in ("cat", "dog") for i in range(3)):
        save(tmp_path / "in" / name, place)
    return tmp_path / "in"


def spec(folder, **more):
    return {"kind": "folder", "path": str(folder), **more}


def noted(notes, image=""):
    """The notes of the dataset, or those of images by their names."""
    return (
        {note["image"]: note["note"] for note in notes if note["image"]}
        if image
        else [note["note"] for note in notes if not note["image"]]
    )


def in_table(tmp_path, out):
    """What Table I says of a dataset."""
    write_table_one([("mine", "", out / "manifest.csv", out / "notes.csv")], tmp_path / "table")
    return read_text_table(tmp_path / "table.csv").note[0]


# Left out


@pytest.fixture
def without_heif(monkeypatch):
    monkeypatch.setattr("depthgauge.datasets.listing.find_spec", lambda name: None)


def test_formats_that_are_not_read_are_counted_and_named(folder, tmp_path, caplog, without_heif):
    for name in ("cat/a.dng", "cat/b.DNG", "dog/c.psd", "dog/d.heic"):
        (folder / name).write_bytes(b"x")
    save(folder / "dog" / "e.avif", 9)
    manifest, notes = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 7 and "dog/e.avif" in set(manifest.source)
    said = "4 left out: 2 .dng (not read), 1 .heic (not read without pillow-heif), 1 .psd"
    assert any(said in note for note in noted(notes))
    assert said in caplog.text and "cat/b.DNG" in caplog.text
    assert said in in_table(tmp_path, tmp_path / "out")
    assert set(noted(notes, "each")) == {"cat/a.dng", "cat/b.DNG", "dog/c.psd", "dog/d.heic"}


def test_a_folder_of_formats_that_are_not_read_is_told_so(tmp_path, without_heif):
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "x.heic").write_bytes(b"x")
    with pytest.raises(UserError, match="holds no images.*1 left out: 1 .heic.*pillow-heif"):
        check_folder(tmp_path / "in")


def test_heic_is_read_where_it_can_be(folder, tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    heif.from_pillow(Image.new("RGB", (64, 64), "red")).save(folder / "cat" / "x.heic")
    manifest, _ = make(tmp_path / "out", spec(folder))
    assert "cat/x.heic" in set(manifest.source)


def test_a_folder_that_may_not_be_read_is_named(folder, tmp_path, monkeypatch, caplog):
    save(folder / "eel" / "0.png", 9)
    listed = os.scandir

    def closed(place):
        if str(place).endswith("eel"):
            raise PermissionError(13, "Permission denied")
        return listed(place)

    monkeypatch.setattr(os, "scandir", closed)
    manifest, notes = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 6
    assert noted(notes, "each") == {
        "eel": "left out: folder that cannot be read (Permission denied)"
    }
    assert "1 left out" in caplog.text and "eel" in caplog.text
    assert "no classes" not in caplog.text
    monkeypatch.setattr(os, "scandir", lambda place: closed("eel"))
    with pytest.raises(UserError, match="in: cannot be read .Permission denied"):
        check_folder(folder)


def test_links_to_nothing_and_in_circles_are_left_out(folder, tmp_path):
    (folder / "cat" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "cat" / "round.png").symlink_to("round.png")
    os.mkfifo(folder / "dog" / "pipe.png")
    before = folder_fingerprint(folder)
    manifest, notes = make(tmp_path / "out", spec(folder))
    assert len(manifest) == 6 == image_count("x", spec(folder))
    assert noted(notes, "each").keys() == {"cat/lost.png", "cat/round.png", "dog/pipe.png"}
    save(tmp_path / "nowhere.png", 8)
    assert folder_fingerprint(folder) != before


def test_names_in_two_unicode_forms_are_one_class(tmp_path):
    for place, form in enumerate(("NFC", "NFD")):
        label = unicodedata.normalize(form, "é")
        for i in range(2):
            save(tmp_path / "in" / label / f"{place}{i}.png", 10 * place + i)
    for i in range(2):
        save(tmp_path / "in" / "dog" / f"{i}.png", 50 + i)
    manifest, notes = make(tmp_path / "out", spec(tmp_path / "in"))
    assert manifest.label.value_counts().to_dict() == {"é": 4, "dog": 2}
    assert any(
        "2 folders of one name, written in other Unicode forms: 'é'" in n for n in noted(notes)
    )


def test_names_that_are_not_utf_8_stay_apart(tmp_path):
    for place, raw in enumerate((b"\xe9", b"\xe8", b"dog")):
        for i in range(2):
            save(os.path.join(os.fsencode(tmp_path), b"in", raw, b"%d.png" % i), 7 * place + i)
    manifest, _ = make(tmp_path / "out", spec(tmp_path / "in"))
    assert manifest.label.value_counts().to_dict() == {"\\xe9": 2, "\\xe8": 2, "dog": 2}


def test_nothing_of_the_users_is_changed(folder, tmp_path):
    (folder / "cat" / "x.dng").write_bytes(b"x")
    (folder / "dog" / "copy.png").write_bytes((folder / "dog" / "0.png").read_bytes())
    before = {file: (file.stat(), file.read_bytes()) for file in folder.rglob("*.*")}
    make(tmp_path / "out", spec(folder))
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.rglob("*.*")} == {
        file: (status.st_mtime_ns, content) for file, (status, content) in before.items()
    }


# Labels


def labels_in(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(row["image"], row["label"]) for row in read_users_labels(path).rows]


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na,x\nb,\n",
        '"","image","label"\n"1","a","x"\n"2","b",NA\n',  # R, with the numbers of its rows
        "image;label\r\na;x\r\nb;\r\n;\r\n",
        "image\tlabel\na\tx\nb\t\n\n\n",
        " Image , Label \n a , x \n b , nan \n",
        "file,class,colour\na,x,red\nb,None,blue\n,,\n",
        "image,label,,\na,x,,\nb,,,\n,,,\n",
        "image,label\na,x\nb\n",
        "\ufeffimage,label\na,x\nb,null\n",
        "image\tlabel\na\tx\nb\tNULL\n".encode("utf-16"),
    ],
)
def test_tables_as_programs_write_them(tmp_path, text):
    assert labels_in(tmp_path / "t.csv", text) == [("a", "x"), ("b", "")]


def test_what_counts_as_no_label_and_what_is_passed_over_is_said(tmp_path):
    (tmp_path / "t.csv").write_text("image,label,split\na,NA,test\nb,NA,NA\nc,nan,\nd,x,\n,,\n")
    rows, said = read_users_labels(tmp_path / "t.csv")
    assert [row["split"] for row in rows] == ["test", "", "", ""]
    assert said == [
        "t.csv: 2 images have 'NA' for a label, which counts as none",
        "t.csv: 1 image has 'nan' for a label, which counts as none",
        "t.csv: 1 empty row passed over",
    ]
    rows, said = read_users_labels(tmp_path / "t.csv", [])
    assert [row["label"] for row in rows] == ["NA", "NA", "nan", "x"] and len(said) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,label\na,b,x\n", "line 2 has 3 cells where 2"),
        ("image,label\n,x\n", "line 2 names no image"),
        ("image,label,label\na,b,x\n", "the column label twice"),
        ("picture,kind\na,b\n", "image,label, found picture,kind"),
        (b"image,label\n\xe9,x\n", "UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_names_the_line(tmp_path, text, says):
    with pytest.raises(UserError, match=f"t.csv.*{says}") as caught:
        labels_in(tmp_path / "t.csv", text)
    assert "emove" not in str(caught.value)


def test_na_is_no_label_unless_the_config_says_so(tmp_path, caplog):
    for i in range(6):
        save(tmp_path / "in" / f"{i}.png", i)
    table = tmp_path / "labels.csv"
    table.write_text('"image","label"\n' + "".join(f'"{i}.png",{"ab"[i % 2]}\n' for i in range(4)))
    with open(table, "a") as file:
        file.write('"4.png",NA\n"5.png",NA\n')
    given = spec(tmp_path / "in", labels=str(table))
    manifest, notes = make(tmp_path / "out", given)
    assert manifest.label.tolist() == [*"abab", "", ""]
    assert datasets.look("x", filled(given))["labelled"] == "some"
    said = "labels.csv: 2 images have 'NA' for a label, which counts as none (`no_label: []`"
    assert said in caplog.text and any(said in note for note in noted(notes))
    assert said in in_table(tmp_path, tmp_path / "out")
    manifest, _ = make(tmp_path / "out", given | {"no_label": []})
    assert manifest.label.tolist() == [*"abab", "NA", "NA"]
    assert datasets.look("x", filled(given | {"no_label": []}))["labelled"] == "all"


def test_paths_as_windows_writes_them_are_understood(folder, tmp_path):
    (tmp_path / "t.csv").write_text("file,class\n.\\cat\\0.png,a\ndog\\1.png,b\n")
    found = check_folder(folder, tmp_path / "t.csv")
    assert found["a"] == [folder / "cat" / "0.png"] and found["b"] == [folder / "dog" / "1.png"]


def test_the_config_knows_the_same_words_for_no_label():
    schema = yaml.safe_load(SCHEMA.read_text())
    assert schema["$defs"]["folder"]["properties"]["no_label"]["default"] == list(NO_LABEL)


# Parts


@pytest.fixture
def divided(tmp_path):
    """train and val, each of two classes."""
    names = [f"{p}/{c}/{i}.png" for p in ("train", "val") for c in ("cat", "dog") for i in (0, 1)]
    for place, name in enumerate(names):
        save(tmp_path / "in" / name, place)
    return tmp_path / "in"


def test_parts_above_the_classes_are_asked_about(divided, tmp_path):
    for act in (lambda: check_folder(divided), lambda: image_count("x", spec(divided))):
        with pytest.raises(
            UserError, match=r"train, val.*cat, dog.*`split: folder`.*--split folder.*say none"
        ):
            act()
    manifest, _ = make(tmp_path / "out", spec(divided, split="none"))
    assert manifest.label.tolist() == ["train"] * 4 + ["val"] * 4 and "split" not in manifest


def test_parts_are_put_together_and_kept_as_a_column(divided, tmp_path):
    save(divided / "train" / "eel" / "0.png", 77)
    manifest, notes = make(tmp_path / "out", spec(divided, split="folder"))
    assert manifest.label.tolist() == ["cat"] * 4 + ["dog"] * 4 + ["eel"]
    assert manifest.split.tolist() == ["train", "train", "val", "val"] * 2 + ["train"]
    assert manifest.source[2] == "val/cat/0.png"
    assert "of the splits train 5, val 4" in notes[0]["note"]
    assert "the split val has no images of eel" in noted(notes)


def test_a_flat_part_has_no_labels(divided, tmp_path):
    for i in range(2):
        save(divided / "test" / f"{i}.png", 90 + i)
    with pytest.raises(UserError, match=r"`unlabelled: test`"):
        check_folder(divided)
    with pytest.raises(UserError, match=r"test: `split: folder` expects.*`unlabelled: test`"):
        check_folder(divided, split="folder")
    manifest, _ = make(tmp_path / "out", spec(divided, split="folder", unlabelled="test"))
    assert manifest.label.tolist() == ["cat"] * 4 + ["dog"] * 4 + [""] * 2
    assert manifest.split.tolist()[-2:] == ["test", "test"]


@pytest.mark.parametrize(
    "names",
    [
        ["cat/1/a.png", "dog/2/a.png", "cat/2/a.png"],  # not the same in all
        ["cat/images/a.png", "dog/images/a.png"],  # one sub-folder is no classes
        ["cat/1/a.png", "cat/2/a.png", "dog/1/a.png", "dog/2/a.png", "dog/b.png"],
        ["train/a.png", "test/a.png"],  # classes of these names
    ],
)
def test_other_sub_folders_are_not_asked_about(tmp_path, names):
    for place, name in enumerate(names):
        save(tmp_path / name, place)
    assert len(check_folder(tmp_path)) == 2


def test_the_part_of_an_image_may_stand_in_the_csv(tmp_path):
    for i in range(4):
        save(tmp_path / "in" / f"{i}.png", i)
    (tmp_path / "t.csv").write_text(
        "image,label,split\n0.png,a,train\n1.png,b,test\n2.png,a,test\n"
    )
    manifest, _ = make(tmp_path / "out", spec(tmp_path / "in", labels=str(tmp_path / "t.csv")))
    assert manifest.split.tolist() == ["train", "test", "test", ""]


def test_many_files_are_listed_without_a_call_for_each(tmp_path, monkeypatch):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for i in range(500):
            (tmp_path / label / f"{i}.png").touch()
    calls, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: calls.append(a) or stat(*a, **k))
    assert sum(map(len, check_folder(tmp_path).values())) == 1000
    assert len(calls) < 20


# 16 bits


def test_a_camera_of_12_bits_gives_the_pictures_that_8_bits_would(tmp_path):
    rng = np.random.default_rng(3)
    for i in range(4):
        seen = np.clip(rng.normal(0.2, 0.05, (48, 48)), 0, 1)
        for name, most, kind in (("eight", 255, np.uint8), ("twelve", 4095, np.uint16)):
            file = tmp_path / name / "ab"[i % 2] / f"{i}.tif"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(seen * most).astype(kind)).save(file)
    for name in ("eight", "twelve"):
        _, notes = make(tmp_path / f"{name}_out", spec(tmp_path / name))
    assert any("12 are used" in note and "4,095 is white" in note for note in noted(notes))
    for file in (tmp_path / "eight_out" / "images").iterdir():
        a, b = (
            np.asarray(Image.open(tmp_path / f"{name}_out" / "images" / file.name), float)
            for name in ("eight", "twelve")
        )
        assert np.abs(a - b).max() <= 4 and abs(a.mean() - b.mean()) < 0.5  # JPEG's own


# Copies


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from("xyz")), max_size=12))
def test_of_each_copy_one_stands_and_has_a_label_where_one_has(images):
    labels, pixels = [label for label, _ in images], [digest for _, digest in images]
    copies = find_copies(labels, pixels)
    for digest in set(pixels):
        same = [place for place, found in enumerate(pixels) if found == digest]
        (stays,) = [place for place in same if place not in copies]
        assert all(copies[place] == stays for place in same if place != stays)
        assert stays == next((place for place in same if labels[place]), same[0])


def test_copies_are_left_out_and_counted_in_four_places(tmp_path, caplog):
    for i in range(8):
        for name in ("one", "two"):
            save(
                tmp_path / "in" / "xy"[i % 2] / f"{i}{name}.{'png' if name == 'one' else 'bmp'}", i
            )
    manifest, notes = make(tmp_path / "out", spec(tmp_path / "in"))
    assert manifest.source.tolist() == [
        f"{'xy'[i % 2]}/{i}one.png" for i in (0, 2, 4, 6, 1, 3, 5, 7)
    ]
    said = "8 images are exact copies of others, pixel by pixel, and left out"
    assert said in noted(notes) and said in caplog.text
    assert f"8 of 16, {said}" in in_table(tmp_path, tmp_path / "out")
    assert noted(notes, "each")["x/2two.bmp"] == "copy of x/2one.png" and len(notes) == 9


def test_copies_with_other_labels_are_named_with_both(folder, tmp_path, caplog):
    (folder / "dog" / "9.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    manifest, notes = make(tmp_path / "out", spec(folder))
    assert manifest.label.tolist() == ["cat"] * 3 + ["dog"] * 3
    said = "labels of copies that contradict one another: dog/9.png (dog) is cat/0.png (cat)"
    assert any(said in note for note in noted(notes)) and said in caplog.text
    assert said in in_table(tmp_path, tmp_path / "out")
    assert noted(notes, "each") == {
        "dog/9.png": "copy of cat/0.png, which has the label 'cat', and this one 'dog'"
    }


def test_the_copy_with_a_label_stands_for_those_without(folder, tmp_path):
    save(folder / "3.png", 30)
    (folder / "1.png").write_bytes((folder / "dog" / "1.png").read_bytes())
    manifest, notes = make(tmp_path / "out", spec(folder, unlabelled="."))
    assert manifest.source.tolist()[3:] == ["dog/0.png", "dog/1.png", "dog/2.png", "3.png"]
    assert "contradict" not in str(notes)


def test_copies_in_another_split_are_said(divided, tmp_path):
    (divided / "val" / "cat" / "x.png").write_bytes((divided / "train/cat/0.png").read_bytes())
    _, notes = make(tmp_path / "out", spec(divided, split="folder"))
    assert "1 of these copies lie in another split" in noted(notes)


def test_too_little_left_without_copies_is_said(folder, tmp_path):
    for i in range(3):
        (folder / "dog" / f"{i}.png").write_bytes((folder / "cat" / f"{i}.png").read_bytes())
    with pytest.raises(UserError, match="fewer than two classes would be left .3 of 6"):
        make(tmp_path / "out", spec(folder))
    assert list((tmp_path / "out").iterdir()) == []
    save(folder / "dog" / "0.png", 40)
    (folder / "new.png").write_bytes((folder / "cat" / "1.png").read_bytes())
    with pytest.raises(UserError, match="no image without label would be left"):
        make(tmp_path / "out", spec(folder, unlabelled="."))


def test_a_benchmark_keeps_its_copies(tmp_path, monkeypatch):
    def twice(name, spec, sources, seed, scratch):
        images = [Image.new("RGB", (8, 8), colour) for colour in ("red", "red", "blue", "blue")]
        made = [Picture(f"{i}", "ab"[i % 2], f"{i}", lambda i=i: images[i]) for i in range(4)]
        return made, [Note("", 4, 4, "all")]

    monkeypatch.setattr(datasets.digits, "pictures", twice)
    manifest, notes = make(tmp_path / "out", {"kind": "digits"})
    assert len(manifest) == 4
    assert "2 images are exact copies of others; kept, as published" in noted(notes)
    assert "1 (b) is 0 (a), 3 (b) is 2 (a); both stay" in str(noted(notes))
