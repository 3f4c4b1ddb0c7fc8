"""What a network gives: the file that all later stages know its layers from."""

import json
from pathlib import Path

from .errors import UserError
from .files import REMEDY, check_whole


def read_description(path):
    """Return the description of a network, see ``networks.description.write_description``.

    Raises
    ------
    UserError
        If there is no such file, or if it is damaged.
    """
    check_whole(path)
    try:
        described = json.loads(Path(path).read_text(encoding="utf-8"))
        [layer["layer"] for layer in described["layers"]]
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the description of a network ({error}). {REMEDY}") from error
    return described


def read_layers(path):
    """Return the layers of ``read_description``, from shallow to deep."""
    return read_description(path)["layers"]


def read_layer(path, name):
    """Return the depth, from 1, and the description of the layer called ``name``.

    Raises
    ------
    UserError
        As ``read_description``; if the network has no such layer.
    """
    layers = {one["layer"]: (depth, one) for depth, one in enumerate(read_layers(path), start=1)}
    if name not in layers:
        raise UserError(f"{path}: has no layer {name!r}; it has {', '.join(layers)}.")
    return layers[name]
