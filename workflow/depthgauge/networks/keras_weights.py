"""Where the ImageNet weights of keras.applications are published.

`keras_weights.csv` holds what Keras asks for when it builds a network without its top, so
that a run can be planned, and its files fetched, where there is no Keras. A test holds the
table to the installed Keras.
"""

import csv
from pathlib import Path

from ..errors import UserError

TABLE = Path(__file__).with_suffix(".csv")

# Trained at several sizes; at any other, the weights of 224 are used.
TRAINED_AT = {"MobileNet": (128, 160, 192, 224), "MobileNetV2": (96, 128, 160, 192, 224)}


def published_weights():
    """Return the rows of the table, by the name of the network: all that keras.applications has."""
    with open(TABLE, encoding="utf-8", newline="") as file:
        return {row["application"]: row for row in csv.DictReader(file)}


def keras_weights(name, spec):
    """Return (url, checks) of the weights of a network of keras.applications.

    Parameters
    ----------
    name : str
        The extractor's name in the config.
    spec : dict
        Its entry: ``application`` and, where it is given, ``size``.

    Returns
    -------
    url : str
    checks : dict
        The checksum that Keras publishes, for `depthgauge.download.download`; empty where
        it publishes none.

    Raises
    ------
    UserError
        If there are no weights for the network.
    """
    published = published_weights()
    application = spec["application"]
    if application not in published:
        raise UserError(
            f"extractor {name}: no ImageNet weights of {application!r} are known; known are those "
            f"of {', '.join(published)}. Give `weights` as null (untrained) or as the path of a "
            "file, if keras.applications has the network."
        )
    url, checksum = published[application]["url"], published[application]["checksum"]
    if spec.get("size") in TRAINED_AT.get(application, ()):
        url = url.replace("_224_", f"_{spec['size']}_")
    method = {0: None, 32: "md5", 64: "sha256"}[len(checksum)]
    return url, {method: checksum} if method else {}
