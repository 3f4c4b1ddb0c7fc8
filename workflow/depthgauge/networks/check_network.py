"""What can be said of a network of the config before it is there."""

from difflib import get_close_matches

from ..errors import UserError
from ..urls import check_urls
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
        InceptionV3, ``dims`` of a layer that is not named, or an address that is none.
    """
    where = f"extractors.{name}"
    if spec["kind"] == "keras_application":
        known = known_applications()
        if spec["application"] not in known:
            raise UserError(
                f"{where}.application: keras.applications has no {spec['application']!r}"
                f"{_nearest(spec['application'], known)}."
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
            f"{_nearest(unknown[0], layers)}."
        )
    if "url" in spec:
        urls = [spec["url"]] if isinstance(spec["url"], str) else spec["url"]
        check_urls(f"{where}.url", urls)


def _nearest(name, known):
    """Return the nearest of the names that there are, or all."""
    close = get_close_matches(name.lower(), [one.lower() for one in known], n=1)
    nearest = [one for one in known if one.lower() in close]
    return f"; did you mean {nearest[0]!r}?" if nearest else f"; it has {', '.join(known)}"
