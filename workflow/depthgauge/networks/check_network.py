"""What can be said of a network of the config before it is there."""

from pathlib import Path

from ..errors import UserError
from ..suggestions import did_you_mean, those_there
from ..urls import check_urls
from .names_in_file import KINDS, names_in_file
from .sources import known_applications


def check_network(name, spec, layers):
    """Check what the schema cannot of an extractor that is not learned from images.

    Parameters
    ----------
    name : str
    spec : dict
        Its entry in the config.
    layers : sequence of str
        The names of its layers.

    Raises
    ------
    UserError
        For a network that keras.applications does not have, ``layers: pooling`` of another than
        InceptionV3, ``dims`` of a layer that is not named, an address that is none; for a file of
        another kind, or a layer or ``input`` that is not in it, where this can be told without
        running it.
    """
    where = f"extractors.{name}"
    if spec["kind"] == "keras_application":
        known = known_applications()
        if spec["application"] not in known:
            raise UserError(
                f"{where}.application: keras.applications has no {spec['application']!r}"
                + did_you_mean(spec["application"], known, f"; it has {', '.join(known)}.")
            )
        if spec["layers"] == "pooling" and spec["application"] != "InceptionV3":
            raise UserError(
                f"{where}.layers: `pooling` means the paper's four layers of InceptionV3; name the "
                f"layers of {spec['application']}, or say how many depths."
            )
    unknown = [layer for layer in spec.get("dims", {}) if layer not in layers]
    if unknown:
        raise UserError(
            f"{where}.dims: there is no layer {unknown[0]!r} among its layers"
            + did_you_mean(unknown[0], layers, f" ({', '.join(layers)}).")
        )
    if "url" in spec:
        urls = [spec["url"]] if isinstance(spec["url"], str) else spec["url"]
        check_urls(f"{where}.url", urls)
    elif "path" in spec:
        file = Path(spec["path"]).expanduser()
        known = names_in_file(spec["kind"], file)
        other = [kind for kind in KINDS if known is None and names_in_file(kind, file)]
        if other:
            raise UserError(
                f"{where}.kind: {spec['path']} is not a file of the kind {spec['kind']}, but of "
                f"{other[0]}."
            )
        _check_tensors(where, spec, known)


def _check_tensors(where, spec, known):
    """Raise UserError for a layer or ``input`` that is not among ``known``, the names of a file."""
    layers = spec["layers"]
    asked = {}
    if isinstance(layers, dict):
        asked = {f"layers.{layer}": tensor for layer, tensor in layers.items()}
    elif isinstance(layers, list):
        asked = {f"layers.{place}": layer for place, layer in enumerate(layers)}
    if spec["kind"] == "frozen_graph":
        asked["input"] = spec["input"]
    for key, tensor in asked.items():
        if known and tensor not in known and tensor.partition(":")[0] not in known:
            raise UserError(
                f"{where}.{key}: {spec['path']} has no layer or tensor {tensor!r}; "
                f"{those_there([tensor.partition(':')[0]], known)}."
            )
