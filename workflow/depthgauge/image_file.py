"""The images of a dataset, held to the checksums that its manifest has."""

import hashlib
import io
from functools import lru_cache
from pathlib import Path

from .errors import UserError
from .tables import read_users_table


def image_file(path):
    """Return the bytes of an image of a dataset, to be opened as a file.

    Where a manifest lies beside its folder, and has a column ``sha256``, the image is held to it.

    Raises
    ------
    UserError
        If the image is missing, or is another than the manifest was made with.
    """
    path = Path(path)
    manifest = path.parent.with_name("manifest.csv")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: the manifest names this image, but it is not there.") from error
    try:
        expected = _digests(manifest, manifest.stat().st_mtime_ns).get(path.name)
    except FileNotFoundError:
        expected = None
    if expected and hashlib.sha256(data).hexdigest() != expected:
        raise UserError(
            f"{path}: damaged, or changed: it is not the image that {manifest} was written with. "
            "Delete the folder that it is in, and the workflow makes it again."
        )
    return io.BytesIO(data)


@lru_cache(maxsize=4)
def _digests(manifest, _changed):
    table = read_users_table(manifest, "manifest")
    columns = table.reindex(columns=["image", "sha256"], fill_value="")
    return dict(columns.itertuples(index=False, name=None))
