"""How to compute a reading at home, against the same by hand."""

import numpy as np
import pytest
from depthgauge.readings import METRICS, POOLINGS
from depthgauge.statistics.recipe import reading_advice, reading_words, recipe, recipe_code
from scipy.spatial.distance import cdist

RNG = np.random.default_rng(2)
MAP = RNG.standard_normal((9, 4, 3, 5)).astype(np.float32) + 3
TOKENS = RNG.standard_normal((9, 17, 5)).astype(np.float32) + 3
VECTOR = RNG.standard_normal((9, 5)).astype(np.float32) + 3
POOLED = {
    "flat": lambda values: values.reshape(9, -1),
    "mean": lambda values: values.reshape(9, -1, 5).mean(axis=1),
}


def computed(values, *reading, **options):
    names = {"values": values}
    exec(recipe_code("layer", *reading, **options), names)  # what a reader pastes
    return names["x"], names["distances"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("values", "pooling", "options", "pooled"),
    [
        (MAP, "flat", {}, POOLED["flat"](MAP)),
        (MAP, "mean", {}, POOLED["mean"](MAP)),
        (TOKENS, "mean", {}, POOLED["mean"](TOKENS)),
        (TOKENS, "mean", {"before": 1}, POOLED["mean"](TOKENS[:, 1:])),
        (TOKENS, "cls", {}, TOKENS[:, 0]),
        *((VECTOR, pooling, {}, VECTOR) for pooling in POOLINGS),  # by any name
    ],
)
def test_code_computes_the_reading(values, pooling, options, pooled, metric):
    x, distances = computed(values, pooling, metric, **options)
    expected = pooled.astype(float)
    if metric == "angle":
        expected = expected - expected.mean(axis=0)
        expected /= np.sqrt((expected**2).sum(axis=1))[:, None]
    np.testing.assert_allclose(x, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(distances, cdist(expected, expected), rtol=1e-4, atol=1e-5)


def test_code_is_five_lines_at_most():
    for pooling in POOLINGS:
        assert recipe_code("pool", pooling, "angle").count("\n") == 4
        assert recipe_code("pool", pooling, "euclidean").count("\n") == 2


def test_recipe_has_the_steps_of_the_reading():
    assert recipe("pool", "flat", "euclidean") == (
        "Take all values of pool and compare by Euclidean distance."
    )
    assert recipe("pool", "mean", "euclidean") == (
        "Take the values of pool, average them over all positions or patches, and compare by "
        "Euclidean distance."
    )
    assert recipe("block_7", "cls", "angle") == (
        "Take the class token of block_7, subtract the mean vector of your images, divide each "
        "image's vector by its length, and compare by Euclidean distance, which is then the "
        "distance by angle."
    )


def test_readings_in_words():
    assert reading_words("flat", "euclidean") == "all its values by Euclidean distance"
    assert reading_words("", "angle") == "by angle"
    assert reading_advice("mean", "angle") == "averaged over positions and compared by angle"
    assert reading_advice("cls", "euclidean") == "its class token compared by Euclidean distance"
    assert reading_advice("", "angle") == "compared by angle"
