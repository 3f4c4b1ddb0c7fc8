"""How a reading of a layer is called in a sentence, and how to compute it at home."""

_VALUES = {
    "flat": "all its values",
    "mean": "averaged over positions",
    "cls": "its class token",
}
_COMPARED = {"euclidean": "by Euclidean distance", "angle": "by angle"}
_TAKE = {
    "flat": "Take all values of {}",
    "mean": "Take the values of {}, average them over all positions or patches",
    "cls": "Take the class token of {}",
}
_SCALE = "subtract the mean vector of your images, divide each image's vector by its length"


def reading_words(pooling, metric):
    """Return how a reading is called in a sentence: ``averaged over positions by angle``.

    An empty pooling is not named, as that of a vector, which has but one.
    """
    return f"{_VALUES[pooling]} {_COMPARED[metric]}" if pooling else _COMPARED[metric]


def reading_advice(pooling, metric):
    """Return what follows the name of a layer that is advised: ``all its values compared by ...``.

    An empty pooling is not named.
    """
    compared = f"compared {_COMPARED[metric]}"
    if pooling == "mean":
        compared = f"and {compared}"
    return f"{_VALUES[pooling]} {compared}" if pooling else compared


def recipe(layer, pooling, metric):
    """Return a sentence that says how to compute a reading of a layer."""
    take = _TAKE[pooling].format(layer)
    if metric == "angle":
        take += f", {_SCALE},"
    elif pooling == "mean":
        take += ","
    named = ", which is then the distance by angle" if metric == "angle" else ""
    return f"{take} and compare by Euclidean distance{named}."


def recipe_code(layer, pooling, metric, before=0):
    """Return the lines of Python that compute the distances of a reading of a layer.

    They make ``x``, one row per image, and ``distances`` [images, images] of ``values``, what the
    layer gives: [images, height, width, channels], [images, tokens, channels] or, of a vector,
    [images, channels].

    Parameters
    ----------
    layer, pooling, metric : str
    before : int
        The tokens of a sequence that stand before those of its patches.
    """
    pooled = {
        "flat": "values.reshape(len(values), -1)",
        "mean": f"values[:, {before}:].mean(axis=1)"
        if before
        else "values.reshape(len(values), -1, values.shape[-1]).mean(axis=1)",
        "cls": "values[:, 0] if values.ndim == 3 else values",
    }[pooling]
    lines = ["import numpy as np", f"x = {pooled}  # values of {layer}, images first"]
    if metric == "angle":
        lines += [
            "x = x - x.mean(axis=0, dtype=float)  # the mean vector of your images",
            "x = x / np.linalg.norm(x, axis=1, keepdims=True)",
        ]
    lines.append("distances = np.array([np.linalg.norm(x - one, axis=1) for one in x])")
    return "\n".join(lines)
