"""The one door through which files come from outside."""

import gzip
import hashlib
import logging
import os
import re
import shutil
import time
import zlib
from glob import escape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import requests
import urllib3
from tqdm import tqdm

from . import __version__
from .errors import UserError
from .files import atomic

log = logging.getLogger(__name__)
_FROM = "# from "  # before each URL in a record

CHUNK = 1 << 18
PROGRESS = 1 << 20  # bytes that make a source worth asking for the rest at once


class _Refused(Exception):
    """A source that cannot give the file; asking it again would change nothing."""


class _Interrupted(Exception):
    """A source that may give the file, or the rest of it, when asked again."""


def fetch(urls, output, *, checks=None, mirror=None, optional=False):
    """Fetch a file with ``download``; or, where it is optional and no source has it, leave none.

    Parameters
    ----------
    urls : list of str
    output : path
    checks : dict, optional
        sha256, md5, content_md5 and size, as ``download`` takes them.
    mirror : path, optional
    optional : bool
        If no source has the file, a warning says so, and an empty one is left in its place.

    Raises
    ------
    UserError
        As ``download``, unless the file is optional.
    """
    try:
        download(urls, output, mirror=mirror, **(checks or {}))
    except UserError as error:
        if not optional:
            raise
        log.warning("%s\nGoing on WITHOUT IT.", error)
        with atomic(output) as beside:
            beside.touch()


def download(
    urls,
    path,
    *,
    sha256=None,
    md5=None,
    content_md5=None,
    size=None,
    mirror=None,
    progress=True,
    tries=4,
    backoff=1.0,
    timeout=(10, 60),
):
    """Make sure that the file ``path`` is there and right, fetching it if need be.

    A file already there that passes its checks is left alone. Else it is looked for in
    the mirror, then at the URLs in order, HTTPS before HTTP. What was cut short is
    resumed; what fails for the moment is tried again after all other sources were.
    The file appears whole and checked, or not at all.

    Where no checksum is given, the SHA-256 of the first download is recorded in
    ``path.sha256`` (the format of ``sha256sum``), with the URLs that it may come from, and the
    file is held to it afterwards. A file of other URLs altogether is another file: it is fetched.

    Parameters
    ----------
    urls : str or list of str
    path : path
    sha256, md5 : str, optional
        Hexadecimal checksum of the file.
    content_md5 : str, optional
        MD5 of what the gzip file unzips to: for files of which copies zipped anew go round.
    size : int, optional
        Bytes of the file.
    mirror : path, optional
        A folder laid out HOST/PATH, as ``wget -x`` makes it; default: the environment
        variable DEPTHGAUGE_MIRROR.
    progress : bool
        Whether to show a bar.
    tries : int
        Rounds over the sources.
    backoff : float
        Seconds before the second round; doubled for each round after it.
    timeout : (float, float)
        Seconds to wait for a connection, and for the next bytes.

    Returns
    -------
    Path

    Raises
    ------
    UserError
        If no source has the file: it names each source with its reason, and the remedy.
    """
    path = Path(path)
    urls = [urls] if isinstance(urls, str) else list(urls)
    urls.sort(key=lambda url: urlsplit(url).scheme == "http")  # stable: HTTP comes last
    mirror = mirror or os.environ.get("DEPTHGAUGE_MIRROR")
    record = path.with_name(path.name + ".sha256")
    published = bool(sha256 or md5 or content_md5)
    recorded, known_urls = (None, urls) if published else _read_record(record)
    moved = bool(known_urls) and not set(known_urls) & set(urls)
    recorded = None if moved else recorded
    checks = {"size": size, "sha256": sha256 or recorded, "md5": md5, "content_md5": content_md5}

    fault = _fault(path, checks) if path.is_file() else "is not there"
    if moved:
        fault = f"was fetched from {' or '.join(known_urls)}"
    if not fault:
        log.info("%s: already there, and as it should be", path)
    else:
        if path.is_file():
            log.warning("%s: %s; fetching it again", path, fault)
        reasons = {}  # why each place does not have it
        with atomic(path) as beside:
            if not (
                (mirror and _from_mirror(urls, beside, path, checks, mirror, reasons))
                or _from_network(
                    urls, beside, path, checks, reasons, progress, tries, backoff, timeout
                )
            ):
                raise UserError(_failure(path, urls, reasons, mirror, recorded and record))
    if not published and not recorded:
        _write_record(record, path, urls)
    return path


def _from_mirror(urls, beside, path, checks, mirror, reasons):
    """Copy the file from the mirror to ``beside`` and return whether it was there, and right."""
    for url in urls:
        copy = Path(mirror, _mirror_place(url))
        fault = _fault(copy, checks) if copy.is_file() else "no such file in the mirror"
        if not fault:
            shutil.copyfile(copy, beside)
            log.info("%s: from the mirror, %s", path, copy)
            return True
        reasons[str(copy)] = fault
    return False


def _from_network(urls, beside, path, checks, reasons, progress, tries, backoff, timeout):
    """Fetch the file to ``beside`` and return whether some source had it."""
    waiting = list(urls)
    with _Session() as session:
        for attempt in range(tries):
            if attempt:
                time.sleep(backoff * 2 ** (attempt - 1))
            for url in list(waiting):
                try:
                    part = _get(session, url, path, checks, progress, timeout)
                except (_Refused, _Interrupted) as reason:
                    log.warning("%s: %s: %s", path.name, url, reason)
                    reasons[url] = str(reason)
                    if isinstance(reason, _Refused):
                        waiting.remove(url)
                else:
                    os.replace(part, beside)
                    log.info("%s: from %s, %d bytes", path, url, beside.stat().st_size)
                    for old in _parts(path):
                        old.unlink(missing_ok=True)
                    return True
            if not waiting:
                break
    return False


def _get(session, url, path, checks, progress, timeout):
    """Return the checked partial file that holds all of ``url``, resuming what is there."""
    while True:
        before = _brought(path, url)
        try:
            with session.get(url, stream=True, timeout=timeout) as response:
                part, total = _inspect(response, url, path, checks)
                have = part.stat().st_size if total and part.exists() else 0
                if not have:
                    _receive(response, part, 0, progress, path)
            if have and have != total:
                with session.get(
                    url, stream=True, timeout=timeout, headers={"Range": f"bytes={have}-"}
                ) as response:
                    expected = f"bytes {have}-{total - 1}/{total}"
                    if response.headers.get("Content-Range") == expected:
                        log.info("%s: resumed at byte %d of %d", path.name, have, total)
                    else:  # a server that cannot resume
                        have = 0
                        part, _ = _inspect(response, url, path, checks)
                    _receive(response, part, have, progress, path)
        except (
            requests.exceptions.SSLError,
            requests.exceptions.InvalidURL,
            requests.exceptions.MissingSchema,
            requests.exceptions.InvalidSchema,
            requests.exceptions.TooManyRedirects,
        ) as error:
            raise _Refused(_brief(error)) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if _brought(path, url) - before >= PROGRESS:
                log.info("%s: cut off (%s); asking for the rest", path.name, _brief(error))
                continue
            raise _Interrupted(_brief(error)) from error
        fault = _fault(part, checks)
        if not fault:
            return part
        part.unlink()
        if not have:
            raise _Refused(fault)
        log.info("%s: resumed, but it %s; starting over", path.name, fault)


def _inspect(response, url, path, checks):
    """Return (the partial file for this very content, its bytes if it can be resumed)."""
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        raise _Interrupted(f"the server answers {status} {response.reason}")
    if status != 200:
        raise _Refused(f"the server answers {status} {response.reason}")
    if response.headers.get("Content-Type", "").split(";")[0].strip().lower() == "text/html":
        raise _Refused("the server answers an HTML page in place of the file")
    size = response.headers.get("Content-Length", "")
    if checks["size"] and size.isdigit() and int(size) != checks["size"]:
        raise _Refused(f"has {size} bytes, expected {checks['size']}")
    # The partial file's name says what it is a part of: a changed file begins anew.
    version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    content = hashlib.sha256(f"{version}\0{size}".encode()).hexdigest()[:8]
    part = path.with_name(f".{path.name}.{_tag(url)}{content}.part")
    checked = version or any(checks[key] for key in ("sha256", "md5", "content_md5"))
    return part, int(size) if checked and size.isdigit() else None


def _receive(response, part, have, progress, path):
    """Write the body to ``part`` from byte ``have`` on."""
    length = response.headers.get("Content-Length")
    total = have + int(length) if length and length.isdigit() else None
    bar = tqdm(
        total=total,
        initial=have,
        desc=path.name,
        unit="B",
        unit_scale=True,
        mininterval=1,
        disable=not progress,
    )
    with open(part, "r+b" if have else "wb") as file, bar:
        file.seek(have)
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
        got = file.tell()
    if total is not None and got != total:
        raise urllib3.exceptions.ProtocolError(f"cut off after {got} of {total} bytes")


class _Session(requests.Session):
    """Follows redirects, but never from HTTPS down to HTTP."""

    def __init__(self):
        super().__init__()
        # "identity": the bytes of the file itself, not a compression of them.
        self.headers.update(
            {"User-Agent": f"depthgauge/{__version__}", "Accept-Encoding": "identity"}
        )

    def get_redirect_target(self, resp):
        target = super().get_redirect_target(resp)
        if target:
            there = urlsplit(urljoin(resp.url, target)).scheme
            if urlsplit(resp.url).scheme == "https" and there != "https":
                raise _Refused(f"redirects from HTTPS down to {there.upper()}, {target}")
        return target


def _fault(path, checks):
    """Return what is wrong with the file, or None."""
    with open(path, "rb") as file:
        if re.match(rb"\s*<(!doctype html|html)", file.read(512), re.IGNORECASE):
            return "is an HTML page in place of the file"
    size = path.stat().st_size
    if checks["size"] and size != checks["size"]:
        return f"has {size} bytes, expected {checks['size']}"
    if not size:
        return "is empty"
    for method in ("sha256", "md5"):
        if checks[method]:
            found = _digest(path, method)
            if found != checks[method].lower():
                return f"has {method} {found}, expected {checks[method].lower()}"
    if checks["content_md5"]:
        try:
            with gzip.open(path) as content:
                found = hashlib.file_digest(content, "md5").hexdigest()
        except (OSError, EOFError, zlib.error) as error:
            return f"is not a whole gzip file ({error})"
        if found != checks["content_md5"].lower():
            return f"unzips to md5 {found}, expected {checks['content_md5'].lower()}"
    return None


def _digest(path, method):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, method).hexdigest()


def _read_record(record):
    """Return the SHA-256 and the URLs in the file ``record``; None and none if there is no file."""
    try:
        text = record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, []
    except UnicodeDecodeError:
        text = ""
    words = text.split()
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        raise UserError(
            f"{record}: holds no SHA-256; expected what `sha256sum` writes. Delete it, and the "
            "next download is recorded anew."
        )
    # A line that begins with # is a comment to `sha256sum --check`.
    return words[0], [line[len(_FROM) :] for line in text.splitlines() if line.startswith(_FROM)]


def _write_record(record, path, urls):
    digest = _digest(path, "sha256")
    lines = [f"{digest}  {path.name}", *(f"{_FROM}{url}" for url in urls)]
    with atomic(record) as beside:
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    log.info("%s: no checksum is published; recorded sha256 %s", path, digest)


def _failure(path, urls, reasons, mirror, record):
    lines = [f"  {source}: {reason}" for source, reason in reasons.items()]
    places = " or ".join(dict.fromkeys(_mirror_place(url) for url in urls))
    remedy = (
        f"Get the file by other means and put it into the mirror {mirror} as {places}"
        if mirror
        else "Check the connection and try again; or get the file by other means, put it as "
        f"{places} into a folder, and give that folder as `mirror` in the config or as "
        "DEPTHGAUGE_MIRROR in the environment"
    )
    if record:
        remedy += (
            f". If the file was changed where it is published and you want the new one, delete "
            f"{record}, which records the first"
        )
    return "\n".join([f"{path}: could not be fetched.", *lines, f"{remedy}."])


def _mirror_place(url):
    """Return HOST/PATH, the place of ``url`` in a mirror."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    place = host + unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
    if ".." in place.split("/"):
        raise UserError(f"{url}: has `..` in its path.")
    return place


def _tag(url):
    return hashlib.sha256(url.encode()).hexdigest()[:8]


def _parts(path, tag=""):
    return path.parent.glob(f".{escape(path.name)}.{tag}*.part")


def _brought(path, url):
    """Return how many bytes of ``url`` are there already."""
    return max((part.stat().st_size for part in _parts(path, _tag(url))), default=0)


def _brief(error):
    """Return the innermost reason of a chain of wrapped network errors."""
    text = str(error)
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
        text = str(error) or text
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        text = str(reason)
    return (
        re.sub(r"^<[^>]*>: |HTTPS?Connection(Pool)?\([^)]*\): ", "", text) or type(error).__name__
    )
