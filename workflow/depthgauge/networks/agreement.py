"""Whether a graph that was made smaller still computes what the network does."""

import numpy as np

from .graph import graph_function

# Of a layer's largest value. Rounding in another order came to 4e-6 of it at most: Inception-v3,
# GoogLeNet, EfficientNet-lite0, MobileNetV2 and a ViT, trained and untrained.
TOLERANCE = 1e-4


def disagreement(graph_def, described, images, values):
    """Return where a graph departs from the values of its layers: the worst place, or None.

    Parameters
    ----------
    graph_def : GraphDef
        With the poolings that :func:`depthgauge.networks.pooling.add_poolings` adds.
    described : list of dict
        Its layers, as that function leaves them.
    images : (n, size, size, 3) float32 array
        RGB 0-255.
    values : dict of str to (n, ...) float32 array
        Of each layer by name, what the network computes of these images.

    Returns
    -------
    (layer, pooling, difference) or None
        The difference is max |a - b| / max |b| over all values of the images, in that pooling of
        that layer; None where it is 1e-4 at most in every one.
    """
    expected, tensors = {}, []
    for layer in described:
        for pooling, pooled in layer["poolings"].items():
            expected[layer["layer"], pooling] = _pooled(values[layer["layer"]], pooling, layer)
            tensors.append(pooled["tensor"])
    found = graph_function(graph_def, tensors)(images)
    worst = max(
        ((_difference(a, b), *place) for a, (place, b) in zip(found, expected.items(), strict=True))
    )
    difference, layer, pooling = worst
    return None if difference <= TOLERANCE else (layer, pooling, difference)


def _pooled(values, pooling, layer):
    """Return a layer's values in a pooling, computed beside the graph."""
    if pooling == "flat":
        return values
    if pooling == "cls":
        return values[:, 0]
    patches = values[:, layer.get("prefix_tokens", 0) :]
    return patches.mean(axis=tuple(range(1, values.ndim - 1)), dtype=np.float64)


def _difference(found, expected):
    """Return max |a - b| / max |b|; equal are infinities alike, and what is no number in both."""
    if found.shape != expected.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - expected)
    apart[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
    if not apart.any():
        return 0.0
    return float(np.nan_to_num(apart, nan=np.inf).max() / largest) if largest else np.inf
