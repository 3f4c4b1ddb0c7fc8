import ctypes
import errno
import os
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from depthgauge.errors import UserError
from depthgauge.files import atomic, reserve, scratch


def visible(folder):
    return sorted(name for name in os.listdir(folder) if not name.endswith(".crc32"))


def test_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "folder" / "a.csv"
    with atomic(path) as beside:
        beside.write_text("new")
        assert not path.exists() and beside.suffix == ".csv"
    assert path.read_text() == "new"
    assert visible(path.parent) == ["a.csv"]


def test_failure_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ValueError), atomic(path) as beside:
        beside.write_text("half")
        raise ValueError
    assert path.read_text() == "old"
    assert visible(tmp_path) == ["a.csv"]


def test_folder_replaces_folder(tmp_path):
    path = tmp_path / "images"
    for name in ("first", "second"):
        with atomic(path) as beside:
            beside.mkdir()
            (beside / name).touch()
    assert os.listdir(path) == ["second"]
    assert os.listdir(tmp_path) == ["images"]


def test_full_disk_is_said_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match="no space left.*kept"), atomic(tmp_path / "a.npy"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_real_full_disk(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this machine has no /dev/full")
    with (
        pytest.raises(UserError, match="a.npy: no space left"),
        atomic(tmp_path / "a.npy"),
        open("/dev/full", "wb") as full,
    ):
        full.write(b"x" * 10**6)


def test_leftovers_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path):
    path = tmp_path / "a.npy"
    code = (
        "import os, sys, time; from depthgauge.files import atomic\n"
        "with atomic(sys.argv[1]) as beside:\n"
        "    beside.write_text('half'); print('written', flush=True); time.sleep(600)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for writer in writers:
            writer.stdout.readline()
        assert len(list(tmp_path.iterdir())) == 2
        writers[0].kill()
        writers[0].wait()
        with atomic(path) as beside:
            beside.write_text("whole")
        assert path.read_text() == "whole"
        left = [file.name for file in tmp_path.iterdir() if file != path]
        assert len(left) == 1 and str(writers[1].pid) in left[0]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            writer.stdout.close()


def test_a_reserved_file_holds_what_is_written_to_it(tmp_path):
    with open(tmp_path / "rows", "wb") as file:
        file.write(b"head")
        reserve(file, 4 + 5000)
        file.write(bytes(range(250)) * 20)
    assert (tmp_path / "rows").read_bytes() == b"head" + bytes(range(250)) * 20


def test_a_full_disk_is_noticed_when_room_is_reserved(tmp_path, monkeypatch):
    class Library:
        def __init__(self, *_, **__):
            self.fallocate = lambda *_: ctypes.set_errno(errno.ENOSPC) or -1

    monkeypatch.setattr(ctypes, "CDLL", Library)
    with (
        pytest.raises(UserError, match="no space left"),
        atomic(tmp_path / "rows") as beside,
        open(beside, "wb") as file,
    ):
        reserve(file, 1000)
    assert not list(tmp_path.iterdir())


def test_folders_of_killed_writers_go(tmp_path):
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    host = os.uname().nodename
    left = [tmp_path / f".{name}.{host}.{finished.pid}" for name in ("images", "sources")]
    for folder in left:
        folder.mkdir()
        (folder / "half.jpg").touch()
    other = tmp_path / f".images.{host}.{os.getppid()}"  # its writer lives
    other.mkdir()
    with atomic(tmp_path / "images") as beside, scratch(tmp_path / "sources") as sources:
        beside.mkdir()
        assert sources.is_dir()
    assert sorted(tmp_path.iterdir()) == sorted([other, tmp_path / "images"])


def test_make_clean_leaves_what_git_has(tmp_path):
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    tracked = subprocess.run(
        ["git", "ls-files", "results"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    made = ["report.html", "plan.json", ".plan.json.crc32", "goodness.csv", "logs/README.md"]
    for name in [*tracked, ".snakemake/log/x", *(f"results/{one}" for one in made)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "--silent", "clean"], cwd=tmp_path, check=True)
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(["Makefile", *tracked])
