"""Files that appear whole or not at all."""

import ctypes
import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


@contextmanager
def atomic(path):
    """Yield a path beside ``path`` to write to; rename it to ``path`` on success.

    Works for files and folders alike. On an exception what was written is removed and
    ``path`` is left as it was. Two writers of one path cannot mix: each
    writes under a name of its own and the last rename wins.

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
            os.replace(beside, path)
    finally:
        remove(beside)


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
        if beside.name.startswith(mark) and beside.suffix == path.suffix:
            writer = beside.name[len(mark) :].removesuffix(path.suffix)
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
