import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest
from depthgauge import archives
from depthgauge.archives import unpack
from depthgauge.errors import UserError
from hypothesis import given
from hypothesis import strategies as st

FILES = {"a.txt": b"1", "deep/er/b c'\".bin": bytes(5000), "ü/é.txt": "ü".encode()}


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path, members, mode="w:gz"):
    """``members``: (name, data, {attribute: value})."""
    with tarfile.open(path, mode) as archive:
        for name, data, attributes in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return path


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def refused(archive, match):
    """Assert that ``archive`` is refused and that nothing of it is left anywhere."""
    before = set(archive.parent.rglob("*"))
    with pytest.raises(UserError, match=match) as error:
        unpack(archive, archive.parent / "out")
    assert str(archive) in str(error.value)
    assert set(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz", "txz"])
def test_unpacks_what_was_packed(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        make_zip(path, FILES | {"empty/": b""})
    else:
        modes = {"tar": "w", "tgz": "w:gz", "txz": "w:xz"}
        members = [(name, data, {}) for name, data in FILES.items()]
        make_tar(path, [("./", b"", {"type": tarfile.DIRTYPE}), *members], modes[kind])
    assert contents(unpack(path, tmp_path / "out")) == FILES
    # Again, over the old folder.
    assert contents(unpack(path, tmp_path / "out")) == FILES


BAD_NAMES = ["/etc/x", "../x", "a/../../x", "..", "a\\..\\..\\x", "\\x", "C:x", "C:\\x"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_outside_are_refused(tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    refused(make_zip(folder / "a.zip", {"good": b"1", name: b"2"}), "outside")
    refused(make_tar(folder / "a.tgz", [("good", b"1", {}), (name, b"2", {})]), "outside")
    directory = {"type": tarfile.DIRTYPE}
    refused(make_tar(folder / "b.tgz", [(name, b"", directory)]), "outside")
    assert list(tmp_path.iterdir()) == [folder]


@given(name=st.text(st.sampled_from("./\\aC:~ "), min_size=1, max_size=12))
def test_nothing_lands_outside(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("any")
    archive = make_tar(folder / "a.tar", [(name, b"x", {})], "w")
    try:
        unpack(archive, folder / "out")
    except UserError:
        assert not (folder / "out").exists()
    inside = set((folder / "out").rglob("*"))
    assert set(folder.rglob("*")) - inside - {folder / "out"} == {archive}


@pytest.mark.parametrize(
    "attributes",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.SYMTYPE, "linkname": "good"},
        {"type": tarfile.LNKTYPE, "linkname": "../../x"},
        {"type": tarfile.CHRTYPE},
        {"type": tarfile.FIFOTYPE},
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, attributes):
    refused(make_tar(tmp_path / "a.tgz", [("good", b"1", {}), ("bad", b"", attributes)]), "link")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, mode):
    info = zipfile.ZipInfo("bad")
    info.external_attr = (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "link")


def test_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    zeros = bytes(3 << 20)  # deflates a thousandfold
    refused(make_zip(tmp_path / "a.zip", {"a": zeros}), "unpacks to more than")
    refused(make_tar(tmp_path / "a.tgz", [("a", zeros, {})]), "unpacks to more than")
    many = {f"{i}": zeros[: 1 << 19] for i in range(4)}
    refused(make_zip(tmp_path / "b.zip", many), "unpacks to more than")
    noise = os.urandom(3 << 20)  # as large, but no bomb
    unpack(make_zip(tmp_path / "c.zip", {"a": noise}), tmp_path / "out")
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 21)
    refused(tmp_path / "c.zip", "unpacks to more than")


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    unpack(make_zip(tmp_path / "a.zip", {str(i): b"" for i in range(10)}), tmp_path / "out")
    refused(make_zip(tmp_path / "b.zip", {str(i): b"" for i in range(11)}), "more than 10 files")


def test_a_zip_that_lies_about_its_sizes(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a": bytes(100_000)})
    data = path.read_bytes()
    for size in (10, 1_000_000):
        path.write_bytes(data.replace((100_000).to_bytes(4, "little"), size.to_bytes(4, "little")))
        refused(path, "cannot be unpacked")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice(tmp_path):
    twice = [("a", b"1", {}), ("./a", b"2", {})]
    refused(make_tar(tmp_path / "a.tgz", twice), "twice")
    refused(make_tar(tmp_path / "b.tgz", [("a", b"1", {}), ("a/b", b"2", {})]), "twice")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "1")
        archive.writestr("a", "2")
    refused(tmp_path / "a.zip", "twice")


def test_damaged_archives(tmp_path):
    files = {"a": os.urandom(50_000), "b": os.urandom(50_000)}
    members = [(name, data, {}) for name, data in files.items()]
    for path in (
        make_zip(tmp_path / "a.zip", files),
        make_tar(tmp_path / "a.tgz", members),
        make_tar(tmp_path / "a.tar", members, "w"),
        make_tar(tmp_path / "a.txz", members, "w:xz"),
    ):
        whole = path.read_bytes()
        for cut in (0, 1, 300, 60_000, len(whole) - 30_000):
            path.write_bytes(whole[:cut])
            refused(path, "cannot be unpacked")
        if path.suffix != ".tar":  # which has no checksum of what is in it
            spoilt = bytearray(whole)
            spoilt[30_000:30_010] = bytes(10)
            path.write_bytes(spoilt)
            refused(path, "cannot be unpacked")


def test_what_is_no_archive(tmp_path):
    for name, data in {
        "a.zip": b"<html>",
        "b.zip": b"\x89PNG\r\n\x1a\n" + bytes(99),
        "c.tgz": gzip.compress(b"no tar"),
    }.items():
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, "cannot be unpacked")
    with pytest.raises(UserError, match="no such archive"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


def test_an_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a": b"1"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")
