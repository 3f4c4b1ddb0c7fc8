"""The convolutional autoencoder: what it looks like before it is trained."""

import math

from ..seeds import derive_seed
from .quiet_tensorflow import tf


def build_autoencoder(spec, seed):
    """Return an untrained autoencoder, a Keras model from RGB 0-255 to RGB 0-1.

    Every stage of the encoder halves height and width by a strided 3x3 convolution
    (``stage_1``, ``stage_2``, ...), an affine map makes the code (``latent``), and the decoder
    mirrors the encoder. The weights (He et al. 2015, arXiv:1502.01852) depend on the seed and
    the shape alone, so that an untrained control starts where the trained one started.

    Parameters
    ----------
    spec : dict
        ``size``, ``channels`` (one number a stage) and ``latent``, as in the config.
    seed : int
        The run's seed.
    """
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(derive_seed(seed, "autoencoder", "weights"))
    size, channels = spec["size"], spec["channels"]
    convolution = {
        "kernel_size": 3,
        "strides": 2,
        "padding": "same",
        "activation": "relu",
        "kernel_initializer": "he_normal",
    }
    images = layers.Input((size, size, 3), name="images")
    x = layers.Rescaling(1 / 255, name="unit_range")(images)
    for stage, width in enumerate(channels, start=1):
        x = layers.Conv2D(width, name=f"stage_{stage}", **convolution)(x)
    deepest = x.shape[1:]
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(spec["latent"], name="latent")(x)
    x = layers.Dense(math.prod(deepest), "relu", kernel_initializer="he_normal", name="unfold")(x)
    x = layers.Reshape(deepest, name="folded")(x)
    for stage in range(len(channels) - 1, 0, -1):
        x = layers.Conv2DTranspose(channels[stage - 1], name=f"up_{stage}", **convolution)(x)
    output = convolution | {"activation": "sigmoid"}
    x = layers.Conv2DTranspose(3, name="reconstruction", **output)(x)
    return tf.keras.Model(images, x, name="autoencoder")
