"""What an extractor is made from: files to fetch, and files of the user's own."""

import glob
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..datasets.picture import Source, known_by
from ..errors import UserError
from ..suggestions import did_you_mean
from .keras_weights import keras_weights, published_weights

# Networks whose ImageNet weights are a package of the environment.
INSTALLED = ("EfficientNetLite0",)
# Keys of an extractor that name a file of the user's.
_OWN = ("path", "weights")


def known_applications():
    """Return the names that ``application`` may have."""
    return [*published_weights(), *INSTALLED]


def network_sources(name, spec):
    """Return the files that the extractor ``name`` of ``spec`` needs fetched: one, or none."""
    if "url" in spec:
        urls = [spec["url"]] if isinstance(spec["url"], str) else spec["url"]
        checks = {"sha256": spec.get("sha256"), "size": spec.get("bytes")}
        # What has another address, or another checksum, is another file, with a place of its own.
        place = f"networks/{name}/{known_by(urls, spec.get('sha256'))}/{_file_name(urls[0])}"
        return [Source(place, urls, checks)]
    if spec.get("application") in INSTALLED:
        return []
    if spec["kind"] == "keras_application" and spec["weights"] == "imagenet":
        url, checks = keras_weights(name, spec)
        return [Source(f"networks/keras/{_file_name(url)}", [url], checks)]
    return []


def own_files(name, spec):
    """Return the files of the user's that the extractor ``name`` of ``spec`` is made from.

    Raises
    ------
    UserError
        If one is not there, or is a folder.
    """
    files = []
    for key in _OWN:
        if spec.get(key) and spec[key] != "imagenet":
            file = Path(spec[key]).expanduser()
            check_no_folder(f"extractors.{name}.{key}", file)
            if not file.is_file():
                meant = did_you_mean(spec[key], ["imagenet"], ".") if key == "weights" else "."
                raise UserError(f"extractors.{name}.{key}: there is no file {file}{meant}")
            files.append(file)
            if spec["kind"] == "onnx":
                files += _beside(file)
    return files


def network_file(name, spec, source):
    """Return the file of a network: ``source``, the download, or the user's own ``path``.

    Raises
    ------
    UserError
        If it is to be downloaded, and ``source`` is None.
    """
    if source is None and "path" not in spec:
        raise UserError(
            f"extractor {name}: its `url` is a file to download; `depthgauge download` fetches it, "
            "and `--source FILE` hands it to this command."
        )
    return source or Path(spec["path"]).expanduser()


def _beside(file):
    """Return the files that belong to an ONNX file: weights named after it, how to prepare."""
    config = file.with_name("preprocessor_config.json")
    names = sorted(file.parent.glob(glob.escape(file.name) + "?*"))
    return [one for one in [*names, config] if one.is_file()]


def check_no_folder(where, path):
    """Say how a SavedModel, or another folder, becomes a file; ``where`` is the key at fault.

    Raises
    ------
    UserError
        If ``path`` is a folder.
    """
    if not path.is_dir():
        return
    if (path / "saved_model.pb").is_file():
        raise UserError(
            f"{where}: {path} is a folder, a SavedModel; a file is needed. Where the model was "
            "made, `model.save('model.keras')` writes one. From a SavedModel that Keras 2 wrote, "
            "`tf_keras.models.load_model(FOLDER).save('model.h5')` makes one (pip install "
            "tf-keras); any other is exported to ONNX by `python -m tf2onnx.convert --saved-model "
            "FOLDER --output model.onnx`, for `kind: onnx`."
        )
    raise UserError(f"{where}: {path} is a folder; the path of a file is needed.")


def _file_name(url):
    """Return the last part of the path of ``url``, without characters that mean something."""
    return re.sub(r"[^\w.-]+", "_", unquote(urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]))
