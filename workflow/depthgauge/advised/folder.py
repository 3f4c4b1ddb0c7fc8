"""A folder of advised features, opened."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import UserError
from ..fingerprint import read_fingerprint, sha256
from ..tables import read_table


class Advised(NamedTuple):
    """What lies in such a folder; ``features`` [n, d] is read from the disk as it is used."""

    graph: Path
    tensor: str
    dim: int
    resizing: tuple  # size, resample and shortest_edge, as load_pixels takes them
    quality: int
    features: np.ndarray
    images: pd.DataFrame


def open_advised(folder):
    """Return the ``Advised`` at ``folder``, which ``depthgauge advised`` wrote.

    The folder of a run will do, too, where features are advised for one dataset alone.

    Raises
    ------
    UserError
        If it is none, or if there are several in it; if its extractor is another than is
        described, or its features are of another network.
    """
    folder = _of_run(Path(folder))
    description = folder / "extractor.json"
    try:
        described = json.loads(description.read_text(encoding="utf-8"))
        (layer,) = described["layers"]
        flat = layer["poolings"]["flat"]
        quality = described["jpeg_quality"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{description}: does not describe advised features ({error!r}). {_again(folder)}"
        ) from error
    graph = folder / ("extractor.pb" if ":" in flat["tensor"] else "extractor.onnx")
    if sha256(graph) != described["graph"]:
        raise UserError(
            f"{graph}: is not the extractor that {description} describes. {_again(folder)}"
        )
    file = folder / "features.npy"
    try:
        features = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read ({error}). {_again(folder)}") from error
    if read_fingerprint(file).get("network") != flat["digest"]:
        raise UserError(
            f"{file}: these features are of another network than {graph.name} beside them, and "
            f"cannot be compared with what that makes. {_again(folder)}"
        )
    images = read_table(folder / "images.csv")
    if features.shape != (len(images), flat["dim"]):
        raise UserError(
            f"{file}: has {' x '.join(map(str, features.shape))} values where {len(images)} images "
            f"with {flat['dim']} each were expected. {_again(folder)}"
        )
    resizing = tuple(described.get(key) for key in ("size", "resample", "shortest_edge"))
    return Advised(graph, flat["tensor"], flat["dim"], resizing, quality, features, images)


def _again(folder):
    return f"Remove {folder} and run `snakemake` again."


def _of_run(folder):
    """Return the folder of advised features that a user means."""
    if (folder / "extractor.json").is_file():
        return folder
    places = ("", "advised", "results/advised")
    inside = [one.parent for at in places for one in (folder / at).glob("*/extractor.json")]
    if len(inside) == 1:
        return inside[0]
    if inside:
        named = ", ".join(sorted(map(str, inside)))
        raise UserError(f"{folder}: holds the features advised for several datasets; give {named}.")
    raise UserError(_why_none(folder))


def _why_none(folder):
    expected = "expected results/advised/DATASET of a run, with extractor.json in it"
    if (folder / "README.md").is_file():
        return f"{folder}: holds no features; its README.md says why."
    what = "holds no advised features" if folder.is_dir() else "there is no such folder"
    return f"{folder}: {what}; {expected}."
