"""What is asked of the values of a network's layers: their dimensions, and rows of images."""

from ..errors import UserError


def check_dims(name, dims, described):
    """Check the key ``dims`` of an extractor.

    Parameters
    ----------
    name : str
        The extractor.
    dims : dict of str to int
        By layer the number of its values, read flat.
    described : list of dict
        The layers, as ``networks.network.build_network`` writes them.

    Raises
    ------
    UserError
        For a layer that is not there, or that has another number of values.
    """
    found = {layer["layer"]: layer for layer in described}
    for layer, expected in dims.items():
        if layer not in found:
            raise UserError(
                f"extractor {name}: `dims` names {layer!r}, which is not among its layers "
                f"({', '.join(found)})."
            )
        if found[layer]["dim"] != expected:
            raise UserError(
                f"extractor {name}: layer {layer} has {found[layer]['dim']:,} values "
                f"({' x '.join(map(str, found[layer]['shape']))}), the config states {expected:,} "
                "under `dims`. Correct `dims`, `size` or the layer."
            )


def check_rows(name, tensors, values):
    """Check that layers give one row for each of two images.

    Parameters
    ----------
    name : str
        The extractor.
    tensors : dict of str to str
        By layer, what the network calls it.
    values : sequence of array
        Of the layers, for two images.

    Raises
    ------
    UserError
        For the first layer that does not.
    """
    for (layer, tensor), value in zip(tensors.items(), values, strict=True):
        if value.ndim < 2 or len(value) != 2:
            raise UserError(
                f"extractor {name}: layer {layer} ({tensor}) has the shape {value.shape} for two "
                "images; a layer must give one row per image."
            )
