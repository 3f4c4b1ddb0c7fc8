"""Extractors learned from the images themselves: their layers, and what they ask of the config."""

from ..errors import UserError
from ..suggestions import did_you_mean

# Images below which there is nothing to learn from: sixteen to train on, four to validate.
FEWEST = 20


def is_learned(spec):
    """Whether the extractor ``spec`` is fitted to a dataset, and so has a network for each."""
    return spec["kind"] == "pca" or (spec["kind"] == "autoencoder" and spec["train"])


def learned_layers(spec):
    """Return the names of the layers of an autoencoder or a PCA, from shallow to deep.

    The stages of the encoder and then ``latent``; or ``pixels`` and ``components``. The key
    ``layers`` of ``spec`` chooses among them.
    """
    if spec["kind"] == "pca":
        layers = ["pixels", "components"]
    else:
        layers = [f"stage_{i}" for i in range(1, len(spec["channels"]) + 1)] + ["latent"]
    return [layer for layer in layers if layer in (spec.get("layers") or layers)]


def check_learned(name, spec, images):
    """Check what the schema cannot: that extractor ``name`` can be learned.

    Parameters
    ----------
    name : str
    spec : dict
        Its entry in the config, of ``kind: autoencoder`` or ``kind: pca``.
    images : dict of str to int
        The number of images of each dataset.

    Raises
    ------
    UserError
        For a layer or dataset that does not exist, a dataset that is too small, a size that
        the stages cannot halve, or as many values to keep as there are to begin with.
    """
    where = f"extractors.{name}"
    known = learned_layers(spec | {"layers": None})
    unknown = [layer for layer in spec.get("layers") or [] if layer not in known]
    if unknown:
        raise UserError(
            f"{where}.layers: there is no layer {', '.join(map(repr, unknown))}; "
            f"it has {', '.join(known)}."
        )
    if spec["kind"] == "autoencoder":
        _check_autoencoder(where, spec)
    key, values = _width(spec)
    pixels = 3 * spec["size"] ** 2
    if values >= pixels:
        raise UserError(
            f"{where}.{key}: {values:,} values are no fewer than the {pixels:,} of an image of "
            f"{spec['size']}x{spec['size']} in three colours; give a smaller `{key}` or a larger "
            "`size`."
        )
    trained_on = spec.get("trained_on")
    if trained_on is not None and trained_on not in images:
        hint = did_you_mean(trained_on, images, f"; there are {', '.join(images)}.")
        raise UserError(f"{where}.trained_on: there is no dataset {trained_on!r}{hint}")
    if is_learned(spec):
        for dataset in [trained_on] if trained_on else images:
            _check_enough(name, spec, dataset, images[dataset])


def _check_enough(name, spec, dataset, images):
    key, values = _width(spec)
    # Centred, n images span n - 1 dimensions.
    needed = values + 1 if spec["kind"] == "pca" else FEWEST
    if images < needed:
        less = f", a smaller `{key}`" if spec["kind"] == "pca" else ""
        raise UserError(
            f"extractors.{name}: dataset {dataset} has {images} images, too few to learn from: at "
            f"least {needed} are needed. Give it more{less}, or learn from another dataset by "
            "`trained_on`."
        )


def _width(spec):
    key = "components" if spec["kind"] == "pca" else "latent"
    return key, spec[key]


def _check_autoencoder(where, spec):
    size, factor = spec["size"], 2 ** len(spec["channels"])
    if size % factor:
        lower = size // factor * factor
        options = [str(option) for option in (lower, lower + factor) if option]
        raise UserError(
            f"{where}.size: {size} cannot be halved {len(spec['channels'])} times, once for each "
            f"of `channels`; a multiple of {factor} can, such as {' or '.join(options)}."
        )
    if not spec["train"] and spec.get("trained_on") is not None:
        raise UserError(
            f"{where}: `train: false` and `trained_on` exclude each other: an encoder that is not "
            "trained is the same for all datasets. Leave one of them out."
        )
