"""Files that appear whole or not at all."""

import ctypes
import errno
import os
import re
import shutil
import zlib
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

# What a later stage reads, and what cannot carry its checksum itself, as a .npy file does.
SEALED = {".csv", ".json", ".keras", ".npz"}
REMEDY = "Remove the file and run again to have it made anew."


@contextmanager
def atomic(path):
    """Yield a path beside ``path`` to write to; rename it to ``path`` on success.

    Works for files and folders alike; of a table and the like, see ``SEALED``, the length and the
    checksum are written beside it, for :func:`check_whole`. On an exception what was written is
    removed and ``path`` is left as it was. Two writers of one path cannot mix: each writes under a
    name of its own and the last rename wins.

    Raises
    ------
    UserError
        If the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{path.stem}.{os.uname().nodename}."
    _remove_abandoned(path, mark)
    # The suffix stays last: several libraries choose the format by it.
    beside = path.with_name(f"{mark}{os.getpid()}{path.suffix}")
    try:
        with no_space(path):
            yield beside
            if beside.is_dir() and path.is_dir():
                remove(path)
            seal = path.suffix in SEALED and beside.is_file() and _checksum(beside)
            remove(_seal(path))
            os.replace(beside, path)
            if seal:
                _seal(path).write_text(seal)
    finally:
        remove(beside)


@contextmanager
def scratch(path):
    """Yield a new folder beside ``path``, which is removed in the end.

    One that a killed process left there goes as well.
    """
    path = Path(path)
    mark = f".{path.name}.{os.uname().nodename}."
    _remove_abandoned(path, mark)
    folder = path.with_name(f"{mark}{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def check_whole(path):
    """Raise UserError unless the file at ``path`` is what :func:`atomic` wrote there.

    A file that it did not write, or that an earlier version did, says nothing, and is taken as it
    is. So is one that is not there.
    """
    try:
        seal = _seal(path).read_text()
        found = _checksum(path)
    except (FileNotFoundError, ValueError):
        return
    if re.fullmatch(r"[0-9a-f]{8} \d+\n", seal) and seal != found:
        length, written = (said.split()[1] for said in (found, seal))
        raise UserError(
            f"{path}: damaged, or changed since it was written: {length} bytes of {written}, and "
            f"another checksum. {REMEDY}"
        )


def _seal(path):
    """Return where the checksum and the length of a file stand: beside it, out of sight."""
    path = Path(path)
    return path.with_name(f".{path.name}.crc32")


def _checksum(path):
    crc = length = 0
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            crc, length = zlib.crc32(data, crc), length + len(data)
    return f"{crc:08x} {length}\n"


@contextmanager
def no_space(path):
    """Raise UserError, which names ``path``, where the disk turns out to be full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"{path}: no space left on the disk. Free some, or move the results to a "
                "larger disk; what is already finished is kept and the run goes on from there."
            ) from error
        raise


def reserve(file, count):
    """Set aside disk for the first ``count`` bytes of an open file, where that takes no writing.

    What is written there later costs the system less, and a full disk shows at once, as OSError.
    Where the file system cannot do it nothing happens; ``os.posix_fallocate`` would write zeros.
    """
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)  # Linux has it
    if fallocate is None:
        return
    arguments = file.fileno(), 0, ctypes.c_long(0), ctypes.c_long(count)
    if fallocate(*arguments) and ctypes.get_errno() in (errno.ENOSPC, errno.EDQUOT):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), file.name)


def second_name(path, other):
    """Give the file at ``path`` a second name, ``other``; a copy where there can be no link."""
    with atomic(other) as beside:
        try:
            os.link(path, beside)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, beside)


def _remove_abandoned(path, mark):
    """Remove what writers of ``path`` on this machine left when they were killed."""
    for beside in path.parent.iterdir():
        name = beside.name
        # A folder has no suffix behind the number of the process.
        if name.startswith(mark) and name.endswith(path.suffix):
            writer = name[len(mark) : len(name) - len(path.suffix)]
            if writer.isdigit() and not _is_running(int(writer)):
                remove(beside)


def _is_running(process):
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def remove(path):
    """Remove a file or a folder, if it is there."""
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
