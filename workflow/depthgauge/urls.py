"""Addresses that a file can be fetched from."""

from urllib.parse import unquote, urlsplit

from .errors import UserError


def check_urls(where, urls):
    """Raise UserError, which names the key ``where``, unless all ``urls`` are of files to fetch.

    They begin with ``https://`` or ``http://``, have a host, and end in the name of a file.
    """
    for url in urls:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise UserError(f"{where}: {url!r} is not an address ({error}).") from None
        if parts.scheme not in ("http", "https"):
            own = " A file of your own is named by `path`." if parts.scheme in ("", "file") else ""
            raise UserError(f"{where}: {url!r} does not begin with https:// or http://.{own}")
        last = unquote(parts.path).rstrip("/").rsplit("/", 1)[-1]
        if not host or " " in url or last in ("", ".", ".."):
            raise UserError(
                f"{where}: {url!r} is not the address of a file, as https://HOST/PATH/FILE is."
            )
