"""Unpacking archives that come from outside, and nothing of them outside their folder."""

import gzip
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .errors import UserError
from .files import atomic

CHUNK = 1 << 20
MOST_PADDING = 1 << 28
MOST_FILES = 200_000
MOST_BYTES = 40 << 30
# Photographs and networks hardly shrink when they are packed: what unpacks to more than
# MOST_TIMES its size is a bomb. Small archives of plain pictures may well, up to SMALL bytes.
MOST_TIMES, SMALL = 100, 1 << 28


def unpack(archive, folder):
    """Unpack the zip or tar file ``archive`` as the new ``folder``, and return its path.

    The folder appears whole or not at all. Files and folders alone are unpacked; times,
    owners and permissions are not kept.

    Raises
    ------
    UserError
        If ``archive`` is none, damaged or encrypted; if a member has an absolute name or
        ``..`` in it, is named twice, is a link or a device; if the members are too many
        or too large together.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise UserError(f"{archive}: there is no such archive.")
    limit = min(MOST_BYTES, max(SMALL, MOST_TIMES * archive.stat().st_size))
    written = files = 0
    with atomic(folder) as beside:
        beside.mkdir()
        try:
            for name, size, is_plain, open_member in _members(archive):
                _check_name(archive, name)
                if not is_plain:
                    raise _refusal(archive, f"{name!r} is a link, a device or the like")
                files += 1
                if files > MOST_FILES:
                    raise _refusal(archive, f"it holds more than {MOST_FILES} files")
                target = beside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with open_member() as source, open(target, "xb") as file:
                    # What is written counts, not what the archive says of itself.
                    while chunk := source.read(CHUNK):
                        written += len(chunk)
                        if written > limit:
                            raise _refusal(archive, f"it unpacks to more than {limit} bytes")
                        file.write(chunk)
                        size -= len(chunk)
                if size:
                    raise EOFError(f"{name!r} is cut short")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise _refusal(archive, f"{name!r} is in it twice") from error
        except (
            zipfile.BadZipFile,
            tarfile.TarError,
            gzip.BadGzipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
            NotImplementedError,  # a compression that zipfile does not know
            RuntimeError,  # zipfile's word for encrypted
        ) as error:
            raise UserError(
                f"{archive}: cannot be unpacked ({error}). It is damaged, cut short or not what "
                f"its name says; delete it (and {archive.name}.sha256 beside it, if there is one), "
                "and let it be fetched again."
            ) from error
    return folder


def _members(archive):
    """Yield (name, bytes, whether it is a plain file, function that opens it), no folders."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                mode = info.external_attr >> 16
                plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
                if info.is_dir() and plain:
                    _check_name(archive, info.filename)
                else:
                    yield info.filename, info.file_size, plain, lambda i=info: opened.open(i)
    elif not tarfile.is_tarfile(archive):
        raise EOFError("neither a zip nor a tar archive")
    else:
        with tarfile.open(archive) as opened:
            for info in opened:
                if info.isdir():
                    _check_name(archive, info.name)
                else:
                    yield info.name, info.size, info.isreg(), lambda i=info: opened.extractfile(i)
            # The checksum comes after the padding, which tarfile does not read.
            for _ in range(MOST_PADDING // CHUNK):
                if not opened.fileobj.read(CHUNK):
                    break


def _check_name(archive, name):
    # Backslashes and drive letters: harmless here, but a way out on Windows.
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name):
        raise _refusal(archive, f"{name!r} would lie outside its folder")


def _refusal(archive, why):
    return UserError(
        f"{archive}: refused, for {why}. Nothing was unpacked. This is not how the archive is "
        "published: delete it and get it from a source that you trust."
    )
