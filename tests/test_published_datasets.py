"""Kylberg's textures and the Affective images, from miniatures of the published archives."""

import io
import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from depthgauge import datasets
from depthgauge.datasets import affective, kylberg
from depthgauge.datasets.affective import emotion, most_voted
from depthgauge.errors import UserError
from depthgauge.statistics.layer import write_layer
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.distance import pdist, squareform
from test_datasets import everything, filled, image_count, make, sources

RNG = np.random.default_rng(0)


def encoded(suffix="png", mode="L"):
    shape = (8, 8) if mode == "L" else (8, 8, 3)
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(
        buffer, {"png": "PNG", "jpg": "JPEG"}[suffix]
    )
    return buffer.getvalue()


def zipped(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


# Kylberg


def patches(texture, count=6):
    """Files as Kylberg names them: of each of four photographs ``count`` patches."""
    return {
        # One photograph of rice1 is published with a dot in its patches' names.
        f"{texture}{'.' if (texture, letter) == ('rice1', 'b') else '-'}{letter}-p{i:03d}.png": (
            encoded()
        )
        for letter in "abcd"
        for i in range(1, count + 1)
    }


def kylberg_zip(folder, texture, files=None):
    files = files if files is not None else patches(texture)
    return zipped(
        folder / f"{texture}-without-rotations.zip",
        {f"{texture}-without-rotations/": b""}
        | {f"{texture}-without-rotations/{name}": data for name, data in files.items()},
    )


TWO = {"kind": "kylberg", "classes": ["rice1", "blanket2"]}


@pytest.fixture
def two(tmp_path):
    """Zips of two classes, in the order of `sources`."""
    files = sources("k", TWO)
    assert [source.path for source in files] == [
        "kylberg/blanket2-without-rotations.zip",
        "kylberg/rice1-without-rotations.zip",
    ]
    return [kylberg_zip(tmp_path / "zips", texture) for texture in ("blanket2", "rice1")]


def test_kylberg_class_and_photograph_from_the_name(two, tmp_path, caplog):
    manifest, notes = make(tmp_path / "out", TWO, "k", sources=two)
    assert manifest.label.tolist() == ["blanket2"] * 24 + ["rice1"] * 24
    assert manifest.group.value_counts().to_dict() == {
        f"{texture}-{letter}": 6 for texture in ("blanket2", "rice1") for letter in "abcd"
    }
    assert "rice1.b-p006.png" in manifest.source.tolist()
    assert manifest.image[30] == "rice1-b-p001.jpg"
    with Image.open(tmp_path / "out" / "images" / manifest.image[0]) as image:
        assert image.mode == "L"
    # 24 of 160: said in the log and in the notes.
    assert "rice1 has 24 patches; published are 160" in caplog.text
    assert [(n["part"], n["expected"], n["found"]) for n in notes] == [
        *(("", "320", "48"), ("blanket2", "160", "24"), ("rice1", "160", "24"))
    ]


def test_kylberg_part_of_each_photograph(two, tmp_path):
    manifest, _ = make(tmp_path / "out", TWO | {"per_class": 8}, sources=two)
    assert set(manifest.group.value_counts()) == {2}
    assert image_count("k", TWO | {"per_class": 8}) == len(manifest) == 16
    other, _ = make(tmp_path / "out", TWO | {"per_class": 8}, sources=two, seed=2)
    assert set(other.source) != set(manifest.source)
    with pytest.raises(UserError, match="25 patches are asked for, but of blanket2 there are 24"):
        make(tmp_path / "out", TWO | {"per_class": 25}, sources=two)


def test_kylberg_from_disk_zipped_unpacked_or_both(two, tmp_path):
    make(tmp_path / "out", TWO, sources=two)
    here = TWO | {"path": str(tmp_path / "zips")}
    assert sources("k", here) == []
    make(tmp_path / "zipped", here)
    # One of the two unpacked; the other, a third and other files beside it.
    with zipfile.ZipFile(two[1]) as archive:
        archive.extractall(tmp_path / "mixed" / "deep")
    (tmp_path / "mixed" / "deep" / "readme.png").write_bytes(encoded())
    kylberg_zip(tmp_path / "mixed", "wall1")
    two[0].rename(tmp_path / "mixed" / two[0].name)
    two[1].rename(tmp_path / "mixed" / two[1].name)
    make(tmp_path / "mixed-out", TWO | {"path": str(tmp_path / "mixed")})
    assert everything(tmp_path / "out") == everything(tmp_path / "zipped")
    assert everything(tmp_path / "out") == everything(tmp_path / "mixed-out")


def test_kylberg_turned_copies_are_left_out(tmp_path, caplog):
    folder = tmp_path / "in"
    folder.mkdir()
    for texture in ("rug1", "sand1"):
        for rotation in ("", "-r030", "-r330"):
            (folder / f"{texture}-a-p001{rotation}.png").write_bytes(encoded())
        (folder / f"{texture}-a-p002-r000.png").write_bytes(encoded())
    spec = {"kind": "kylberg", "classes": ["rug1", "sand1"], "path": str(folder)}
    with caplog.at_level(logging.INFO):
        manifest, _ = make(tmp_path / "out", spec)
    assert len(manifest) == 4
    assert "left out 4 turned copies" in caplog.text
    (folder / "rug1-a-p001-r000.png").write_bytes(encoded())
    with pytest.raises(UserError, match="the same patch"):
        make(tmp_path / "out", spec)


def test_kylberg_swapped_empty_and_damaged_zips(two, tmp_path):
    blanket, rice = two
    blanket_data, rice_data = blanket.read_bytes(), rice.read_bytes()
    for data, words in [
        (rice_data, "expected patches of blanket2 alone .* found patches of rice1"),
        (rice_data[:-500], "cannot be unpacked"),
        (b"<html>moved</html>", "cannot be unpacked"),
        (kylberg_zip(tmp_path / "x", "rug1", {"a.txt": b""}).read_bytes(), "found none"),
        (
            kylberg_zip(tmp_path / "x", "rug1", patches("blanket2") | patches("rug1")).read_bytes(),
            "found patches of blanket2, rug1",
        ),
    ]:
        blanket.write_bytes(data)
        with pytest.raises(UserError, match=words) as error:
            make(tmp_path / "out", TWO, sources=two)
        assert str(blanket) in str(error.value)
        assert list((tmp_path / "out").iterdir()) == []
    blanket.write_bytes(blanket_data)
    make(tmp_path / "out", TWO, sources=two)


def test_kylberg_classes_that_are_not_there(two, tmp_path):
    with pytest.raises(UserError, match="no patches of wall1; found were blanket2, rice1"):
        make(
            tmp_path / "out",
            {"kind": "kylberg", "path": str(tmp_path / "zips"), "classes": ["rice1", "wall1"]},
        )
    with pytest.raises(UserError, match="no folder"):
        make(tmp_path / "out", TWO | {"path": str(tmp_path / "none")})
    for spec, words in [
        ({"classes": ["blankt1"]}, "did you mean 'blanket1'"),
        ({"classes": []}, r"classes: \[\] .* names of the textures"),
        ({"classes": "rice1"}, "'rice1' is not a list or null"),
        ({"urls": ["https://x.org/all.zip"]}, "all.zip' .*n address contains `{class}`"),
        ({"urls": "https://x.org/{class}.zip"}, "is not a list or null"),
    ]:
        with pytest.raises(UserError, match=words):
            sources("k", {"kind": "kylberg", **spec})


def test_kylberg_urls(tmp_path):
    files = sources("k", {"kind": "kylberg", "urls": ["https://x.org/{class}/y.zip"]})
    assert len(files) == len({source.path for source in files}) == len(kylberg.CLASSES) == 28
    assert files[0].urls == ["https://x.org/blanket1/y.zip"]
    default = sources("k", {"kind": "kylberg"})[0]
    assert any("www.cb.uu.se/~gustaf" in url for url in default.urls)
    # Fetched from elsewhere it is another file, which the one that is there does not stand for.
    other = sources("k", {"kind": "kylberg", "urls": ["https://y.org/{class}/y.zip"]})
    assert len({default.path, files[0].path, other[0].path}) == 3
    assert sources("k", {"kind": "kylberg", "urls": kylberg.PUBLISHED})[0] == default


def test_kylberg_a_damaged_patch_is_named(two, tmp_path):
    kylberg_zip(tmp_path / "zips", "rice1", patches("rice1") | {"rice1-a-p099.png": b"no"})
    with pytest.raises(UserError, match=r"rice1-a-p099\.png"):
        make(tmp_path / "out", TWO, sources=two)


@given(
    st.sampled_from(kylberg.CLASSES),
    st.sampled_from("-."),
    st.sampled_from("abcd"),
    st.integers(1, 999),
    st.none() | st.integers(0, 359),
)
def test_kylberg_names_are_taken_apart(texture, separator, letter, patch, rotation):
    name = f"{texture}{separator}{letter}-p{patch:03d}"
    name += "" if rotation is None else f"-r{rotation:03d}"
    match = kylberg.PATCH.fullmatch(name + ".png")
    assert match.groups() == (
        *(texture, letter, f"{patch:03d}"),
        None if rotation is None else f"{rotation:03d}",
    )
    for bad in (name + ".jpg", "x/" + name + ".png", name + ".png.txt", name.upper() + ".png"):
        assert not kylberg.PATCH.fullmatch(bad)


def test_textures_in_kylbergs_layout(tmp_path):
    shared = Path(__file__).parents[2] / "shared" / "textures"
    if not shared.is_dir():
        pytest.skip("no ../shared/textures with photographs of textures here")
    for texture in ("brick", "grass", "gravel"):
        photograph = np.asarray(Image.open(shared / f"{texture}.png").convert("L"))
        for k, letter in enumerate("abcd"):
            y, x = 256 * (k // 2), 256 * (k % 2)
            for i in range(4):
                patch = photograph[y + 128 * (i // 2) :, x + 128 * (i % 2) :][:128, :128]
                path = tmp_path / "in" / f"{texture}1-{letter}-p{i + 1:03d}.png"
                path.parent.mkdir(exist_ok=True)
                Image.fromarray(patch).save(path)
    spec = {
        "kind": "kylberg",
        "path": str(tmp_path / "in"),
        "classes": ["brick1", "grass1", "gravel1"],
    }
    manifest, _ = make(tmp_path / "out", spec)
    assert len(manifest) == 48 and manifest.group.nunique() == 12
    for row in manifest.itertuples():
        with Image.open(tmp_path / "out" / "images" / row.image) as image:
            assert image.size == (128, 128) and image.mode == "L"
            original = np.asarray(Image.open(tmp_path / "in" / row.source), float)
            assert np.abs(np.asarray(image) - original).mean() < 2


# Affective

HEAD = "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'"
VOTES = {
    "abstract_0001.jpg": "0,1,2,7,0,0,1,0",  # contentment
    "abstract_0002.jpg": "0,0,0,3,0,3,0,0",  # a tie
    "abstract_0003.jpg": "0,0,0,0,0,0,0,1",  # sadness
    "abstract_0004.jpg": "0,0,0,0,0,0,0,0",  # no votes: a tie
}


def abstract_files(head=HEAD, votes=VOTES, **more):
    rows = [head, *(f"'{name}',{row}" for name, row in votes.items())]
    return {
        "testImages_abstract/ABSTRACT_groundTruth.csv": "\r\n".join(rows) + "\r\n",
        **{f"testImages_abstract/{name}": encoded("jpg", "RGB") for name in VOTES},
        "__MACOSX/testImages_abstract/._abstract_0001.jpg": b"\0\5\26\7",
        "testImages_abstract/readme.txt": "x",
        **more,
    }


def artphoto_files(names=("sad_0001", "sad_0002", "amusement_0001", "awe_0003", "content_0007")):
    return {f"testImages_artphoto/{n}.jpg": encoded("jpg", "RGB") for n in names}


@pytest.fixture
def zips(tmp_path):
    return [
        zipped(tmp_path / "zips" / "testImages_abstract.zip", abstract_files()),
        zipped(tmp_path / "zips" / "testImages_artphoto.zip", artphoto_files()),
    ]


@pytest.fixture
def iaps(tmp_path):
    """Keys of the config for a folder of IAPS and its labels."""
    folder = tmp_path / "my iaps" / "é"
    folder.mkdir(parents=True)
    for name in ("1050.jpg", "2055.1.jpg", "9999.JPG"):
        (folder / name).write_bytes(encoded("jpg", "RGB"))
    labels = tmp_path / "labels.csv"
    labels.write_text("image_id,label\n1050,Fear\n2055.1,sadness\n", encoding="utf-8")
    return {"iaps": str(folder), "iaps_labels": str(labels)}


SPEC = {"kind": "affective"}


def test_affective_of_three_parts(zips, iaps, tmp_path, caplog):
    spec = SPEC | iaps
    assert [Path(s.path).name for s in sources("a", spec)] == [z.name for z in zips]
    manifest, notes = make(tmp_path / "out", spec, "a", sources=zips)
    assert list(zip(manifest.label, manifest.source, manifest.collection, strict=True)) == [
        ("amusement", "artphoto/amusement_0001.jpg", "artphoto"),
        ("awe", "artphoto/awe_0003.jpg", "artphoto"),
        ("contentment", "abstract/abstract_0001.jpg", "abstract"),
        ("contentment", "artphoto/content_0007.jpg", "artphoto"),
        ("fear", "iaps/1050.jpg", "iaps"),
        ("sadness", "abstract/abstract_0003.jpg", "abstract"),
        ("sadness", "artphoto/sad_0001.jpg", "artphoto"),
        ("sadness", "artphoto/sad_0002.jpg", "artphoto"),
        ("sadness", "iaps/2055.1.jpg", "iaps"),
    ]
    assert "group" not in manifest
    assert manifest.image[2] == "contentment__abstract_abstract_0001.jpg"
    assert [(n["part"], n["expected"], n["found"]) for n in notes] == [
        *(("abstract", "228", "2"), ("artphoto", "807", "5"), ("iaps", "394", "2"))
    ]
    assert "4 paintings, 2 dropped" in notes[0]["note"]
    assert "1 images without a label" in notes[2]["note"]
    assert "5 images, where the paper counts 807" in caplog.text


def test_affective_missing_parts_are_left_out_and_said(zips, tmp_path, caplog):
    manifest, notes = make(tmp_path / "out", SPEC, sources=zips)
    assert set(manifest.collection) == {"abstract", "artphoto"}
    assert "the part iaps is missing and LEFT OUT" in caplog.text
    assert notes[2] == {
        "dataset": "data",
        "part": "iaps",
        "expected": "394",
        "found": "0",
        "note": "missing, left out",
        "image": "",
    }
    zips[0].unlink()
    manifest, notes = make(tmp_path / "out", SPEC, sources=zips)
    assert set(manifest.collection) == {"artphoto"}
    assert [n["found"] for n in notes] == ["0", "5", "0"]
    zips[1].unlink()
    with pytest.raises(UserError, match="none of the parts abstract, artphoto, iaps"):
        make(tmp_path / "out", SPEC, sources=zips)


@pytest.mark.parametrize("part", ["abstract", "artphoto"])
def test_affective_parts_alone_from_a_zip_or_a_folder(zips, tmp_path, part):
    spec = SPEC | {"parts": [part]}
    (fetched,) = sources("a", spec)
    archive = next(z for z in zips if z.name == Path(fetched.path).name)
    manifest, _ = make(tmp_path / "one", spec, sources=[archive])
    assert set(manifest.collection) == {part}
    here = spec | {part: str(archive)}
    assert sources("a", here) == []
    make(tmp_path / "two", here)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "unpacked")
    make(tmp_path / "three", spec | {part: str(tmp_path / "unpacked")})
    assert everything(tmp_path / "one") == everything(tmp_path / "two")
    assert everything(tmp_path / "one") == everything(tmp_path / "three")


def planted_parts(folder):
    """Keys of the config for the three parts, each of 15 images of each of four emotions."""
    words = ("Amusement", "Awe", "Fear", "Sad")
    votes = [word.lower() for word in HEAD.replace("'", "").split(",")[1:]]
    names = [(word, f"{word}_{i:04d}.jpg") for word in words for i in range(15)]
    rows = [
        f"'{name}',{','.join(str(int(vote == word.lower())) for vote in votes)}"
        for word, name in names
    ]
    for part in ("abstract", "artphoto", "iaps"):
        (folder / part).mkdir(parents=True)
        for _, name in names:
            (folder / part / name).write_bytes(encoded("jpg", "RGB"))
    (folder / "abstract/ABSTRACT_groundTruth.csv").write_text("\n".join([HEAD, *rows]))
    labels = "".join(f"{name},{word}\n" for word, name in names)
    (folder / "labels.csv").write_text("image_id,label\n" + labels)
    given = {part: str(folder / part) for part in ("abstract", "artphoto", "iaps")}
    return given | {"iaps_labels": str(folder / "labels.csv")}


@pytest.mark.parametrize("permute", ["images", "within_collections"])
@pytest.mark.parametrize("parts", [["artphoto"], ["abstract", "artphoto"], list(affective.PARTS)])
def test_affective_parts_are_no_groups(tmp_path, parts, permute):
    """Each part has its own way of showing an emotion: the neighbours that help are of the part."""
    given = planted_parts(tmp_path / "in")
    spec = SPEC | {"parts": parts} | {key: given[key] for key in parts}
    if "iaps" in parts:
        spec["iaps_labels"] = given["iaps_labels"]
    manifest, _ = make(tmp_path / "out", spec)
    assert len(manifest) == 60 * len(parts) and set(manifest.collection) == set(parts)
    rng = np.random.default_rng(5)
    way = manifest.groupby(["label", "collection"]).ngroup()
    places = 3 * rng.normal(size=(way.max() + 1, 8))[way]
    condensed = pdist(places + rng.normal(size=(len(manifest), 8)))
    np.save(tmp_path / "distances.npy", condensed)
    (row,) = write_layer(
        tmp_path / "distances.npy",
        tmp_path / "out/manifest.csv",
        permute=permute,
        permutations=99,
        progress=False,
    )
    square = squareform(condensed)
    np.fill_diagonal(square, np.inf)
    labels = manifest.label.to_numpy()
    expected = np.mean(labels[square.argmin(axis=1)] == labels)
    assert row["knn1"] == expected > 0.98
    assert row["goodness_low"] < row["goodness"] < row["goodness_high"]
    assert row["permuted"] == permute and row["p_value"] == 0.01 and "groups" not in row
    if len(parts) > 1:  # what it was when parts were groups
        collections = manifest.collection.to_numpy()
        square[collections[:, None] == collections] = np.inf
        assert np.mean(labels[square.argmin(axis=1)] == labels) < 0.6


def test_artphoto_says_where_it_is_one_short(tmp_path, caplog):
    names = [f"{'sad' if i % 2 else 'awe'}_{i:04d}" for i in range(806)]
    path = zipped(tmp_path / "z" / "testImages_artphoto.zip", artphoto_files(names))
    manifest, notes = make(tmp_path / "out", SPEC | {"parts": ["artphoto"]}, sources=[path])
    assert len(manifest) == 806
    assert "806; the paper counts 807" in notes[0]["note"]
    assert "806; the paper counts 807" in caplog.text


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (abstract_files(HEAD.replace(",'Awe'", "")), ["expected the columns", "Anger", "Sad"]),
        (abstract_files(HEAD.replace("Awe", "Ore")), ["expected the columns", "Ore"]),
        (abstract_files(HEAD.replace("Awe", "Sad")), ["expected the columns"]),
        (abstract_files(votes={"abstract_0001.jpg": "0,1,2"}), ["line 2", "8 votes"]),
        (abstract_files(votes={"abstract_0001.jpg": "0,1,2,3,4,5,6,-7"}), ["line 2", "-7"]),
        (abstract_files(votes={"abstract_0001.jpg": "0,1,2,3,4,5,6,x"}), ["line 2", "'x'"]),
        (
            abstract_files(votes={"other.jpg": "0,1,2,3,4,5,6,7"}),
            ["line 2", "no image 'other.jpg'"],
        ),
        (
            abstract_files(votes=VOTES | {"abstract_0001": "1,0,0,0,0,0,0,0"}),
            ["line 6", "second time"],
        ),
        (abstract_files(votes={}), ["no rows"]),
        ({"a/x.jpg": encoded("jpg")}, ["ABSTRACT_groundTruth.csv", "none"]),
        (abstract_files(**{"b/abstract_0001.jpg": encoded("jpg")}), ["same name"]),
        (
            {"ABSTRACT_groundTruth.csv": HEAD.encode() + b"\n'\xff.jpg',0,0,0,0,0,0,0,1"},
            ["UTF-8"],
        ),
    ],
)
def test_abstract_that_is_wrong(tmp_path, files, words):
    path = zipped(tmp_path / "zips" / "testImages_abstract.zip", files)
    with pytest.raises(UserError) as error:
        make(tmp_path / "out", SPEC | {"parts": ["abstract"]}, sources=[path])
    assert all(word in str(error.value) for word in [str(path), *words]), error.value


def test_artphoto_that_is_wrong(tmp_path):
    spec = SPEC | {"parts": ["artphoto"]}
    path = tmp_path / "z" / "testImages_artphoto.zip"
    zipped(path, artphoto_files(["sad_1", "joy_1", "fear"]))
    with pytest.raises(UserError, match=r"2 images whose name .*joy_1\.jpg.*amusement"):
        make(tmp_path / "out", spec, sources=[path])
    zipped(path, {"readme.txt": "x"})
    with pytest.raises(UserError, match="holds no images of the part artphoto"):
        make(tmp_path / "out", spec, sources=[path])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("image,label\n1050,fear\n", ["image_id,label", "image, label"]),
        ("image_id,label\n", ["no rows"]),
        ("image_id,label\n1050,joy\n", ["line 2", "'joy'", "amusement"]),
        ("image_id,label\n1050,fear\n1050.jpg,fear\n", ["line 3", "second time"]),
        ("image_id,label\n1051,fear\n", ["line 2", "no image '1051'"]),
        ("image_id,label\n1050\n", ["line 2", "2 cells"]),
        ('image_id,label\n"1050,fear\n', ["not a csv"]),
    ],
)
def test_iaps_that_is_wrong(iaps, tmp_path, table, words):
    Path(iaps["iaps_labels"]).write_text(table, encoding="utf-8")
    with pytest.raises(UserError) as error:
        make(tmp_path / "out", SPEC | iaps | {"parts": ["iaps"]})
    assert all(word in str(error.value) for word in words), error.value


def test_iaps_needs_both_its_keys_and_both_to_exist(iaps, tmp_path):
    for key in iaps:
        half = {other: value for other, value in iaps.items() if other != key}
        with pytest.raises(UserError, match=f"but not {key}"):
            sources("a", SPEC | half)
        with pytest.raises(UserError, match="there is no such"):
            make(tmp_path / "out", SPEC | iaps | {key: str(tmp_path / "none"), "parts": ["iaps"]})


def test_the_fingerprint_tells_of_files_of_ones_own(two, iaps, tmp_path):
    def fingerprint(name, spec):
        return datasets.look(name, filled(spec))["fingerprint"]

    assert {fingerprint("x", spec) for spec in (TWO, SPEC, {"kind": "digits"})} == {""}
    here = TWO | {"path": str(tmp_path / "zips")}
    for spec, file in [
        (here, two[0]),
        (SPEC | iaps, Path(iaps["iaps"], "1050.jpg")),
        (SPEC | iaps, Path(iaps["iaps_labels"])),
    ]:
        before = fingerprint("x", spec)
        assert before == fingerprint("x", spec) != ""
        file.write_bytes(b"other")
        assert fingerprint("x", spec) != before


def test_affective_parts_that_do_not_exist():
    for parts, words in [
        (["abstrct"], "did you mean 'abstract'"),
        ([], r"parts: \[\]"),
        ("iaps", "'iaps' is not a list"),
    ]:
        with pytest.raises(UserError, match=words):
            sources("a", SPEC | {"parts": parts})


def test_a_csv_with_a_byte_order_mark_and_windows_lines(iaps, tmp_path):
    Path(iaps["iaps_labels"]).write_bytes(
        b'\xef\xbb\xbfimage_id, label ,extra\r\n"1050",Sad,1\r\n\r\n9999.jpg, CONTENT ,2\r\n'
    )
    manifest, _ = make(tmp_path / "out", SPEC | iaps | {"parts": ["iaps"]})
    assert manifest.label.tolist() == ["contentment", "sadness"]


@given(st.lists(st.integers(0, 20), min_size=8, max_size=8))
def test_the_most_voted_emotion_has_more_than_every_other(counts):
    votes = dict(zip(affective.EMOTIONS, counts, strict=True))
    winner = most_voted(votes)
    if winner is None:
        assert sorted(counts)[-1] == sorted(counts)[-2]
    else:
        assert all(votes[winner] > n for other, n in votes.items() if other != winner)


@given(
    st.sampled_from(sorted(affective.SPELLINGS)),
    st.sampled_from([str.upper, str.title, str.lower]),
    st.sampled_from(["{}", "'{}'", ' "{}" ', "\t{} "]),
)
def test_one_spelling_of_each_emotion(word, case, quoting):
    found = emotion(quoting.format(case(word)))
    assert found in affective.EMOTIONS
    assert found.startswith(word[:3])


@given(st.text())
def test_nothing_else_is_an_emotion(text):
    bare = text.strip().strip("'\"").strip().lower()
    assert (emotion(text) is not None) == (bare in affective.SPELLINGS)
