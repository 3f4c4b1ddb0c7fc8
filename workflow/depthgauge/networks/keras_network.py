"""Networks of Keras as graphs: those of keras.applications and model files."""

import hashlib
import inspect
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ..errors import UserError
from .autoencoder import build_autoencoder
from .efficientnet_lite0 import EfficientNetLite0
from .fold import node_name
from .graph import graph_waists
from .keras_file import load_keras_file
from .keras_layers import is_tensor, layers_by_path, layers_of
from .keras_setup import keras
from .learned import is_learned, learned_layers
from .pixels import height_and_width
from .tensorflow_whole import convert_variables_to_constants_v2, tf
from .waists import depth_count, listed

# The networks of keras.applications that were trained at something else than 224 pixels.
SIZES = {
    "InceptionV3": 299,
    "Xception": 299,
    "InceptionResNetV2": 299,
    "NASNetLarge": 331,
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
}


def application_graph(name, spec, source=None):
    """Return (GraphDef, {layer: tensor}, size, names) of a network that Keras builds, or we do.

    Its own ``preprocess_input`` becomes part of the graph. ``source`` is the downloaded file
    of its ImageNet weights.

    Raises
    ------
    UserError
        For an unknown network, unusable weights or an unknown layer.
    """
    application = spec["application"]
    known = dict(inspect.getmembers(keras.applications, inspect.isfunction))
    known["EfficientNetLite0"] = EfficientNetLite0
    if application not in known:
        raise UserError(
            f"extractor {name}: keras.applications has no {application!r}; there are "
            f"{', '.join(sorted(known))}."
        )
    # Where a function stands, there stands the preprocessing of its networks.
    module = sys.modules[inspect.unwrap(known[application]).__module__]
    weights, size = spec["weights"], spec.get("size", SIZES.get(application, 224))
    height, width = height_and_width(size)
    if weights not in (None, "imagenet"):
        weights = str(Path(weights).expanduser())
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise UserError(
            f"extractor {name}: there is no weights file {weights}. Give `weights` as imagenet, "
            "null (untrained) or the path of an existing file."
        )
    try:
        with patch.object(keras.src.utils.file_utils, "get_file", _handing(name, source)):
            model = known[application](
                include_top=False, pooling="avg", weights=weights, input_shape=(height, width, 3)
            )
    except UserError:
        raise
    except Exception as error:  # Keras raises whatever its reader or downloader raised
        hint = ""
        if weights not in (None, "imagenet"):
            hint = (
                f" The file must hold the weights of {application} itself, without its top "
                "(`include_top=False`) and of this width (`alpha`); a whole model, or one that "
                "was tuned, is read by `kind: keras_file`."
            )
        raise UserError(
            f"extractor {name}: keras.applications.{application} could not be built with "
            f"weights {weights!r} at {height}x{width}: {str(error)[:600]}{hint}"
        ) from error
    layers = spec["layers"]
    if layers == "pooling":
        layers = _paper_layers(name, application, model)
        return *_freeze(model, layers, size, module.preprocess_input), size, {}
    return _of_layers(name, model, layers, size, module.preprocess_input)


def _handing(name, source):
    """Return what takes the place of Keras' own download: it hands over ``source``.

    The file is not given as `weights`, for some networks (EfficientNet) are built otherwise
    with "imagenet" than with the path of the very same file.
    """

    def get_file(fname, origin, file_hash=None, **_):
        fetch = f"`depthgauge download {origin} --output FILE` fetches it"
        if source is None:
            raise UserError(
                f"extractor {name}: its ImageNet weights are a file to download; {fetch}, and "
                "`--source FILE` hands it to this command."
            )
        if file_hash:
            method = "md5" if len(file_hash) == 32 else "sha256"
            with open(source, "rb") as file:
                found = hashlib.file_digest(file, method).hexdigest()
            if found != file_hash:
                raise UserError(
                    f"extractor {name}: {source} has {method} {found}; the weights that this "
                    f"version of Keras loads have {file_hash}; {fetch}."
                )
        return str(source)

    return get_file


def file_graph(name, spec):
    """Return (GraphDef, {layer: tensor}, size, names) of the ``.keras`` or ``.h5`` file ``path``.

    The spec's ``preprocessing`` becomes part of the graph: the channels' order, then
    (x - mean) * scale, or the ``preprocess_input`` of a network of keras.applications.

    Raises
    ------
    UserError
        For a file that is missing or no Keras model, or an unknown layer.
    """
    path = spec["path"]
    model = load_keras_file(name, path)
    inputs, shape = model.inputs, model.input_shape
    if len(inputs) != 1 or len(shape) != 4 or shape[-1] not in (1, 3):
        raise UserError(
            f"extractor {name}: {path} takes input of shape {shape}; one input of shape "
            "[N, height, width, 3] or [N, height, width, 1] was expected."
        )
    size = spec.get("size") or shape[1:3]
    if None in height_and_width(size):
        raise UserError(f"extractor {name}: {path} takes images of any size; state `size`.")
    fits = zip(height_and_width(size), shape[1:3], strict=True)
    if not all(fixed in (None, stated) for stated, fixed in fits):
        raise UserError(
            f"extractor {name}: {path} takes images of {shape[1]}x{shape[2]} (height x width) and "
            f"no others; `size` states {'x'.join(map(str, height_and_width(size)))}. Leave `size` "
            "out."
        )
    preprocess = _preprocessing(name, spec.get("preprocessing", {}), channels=shape[-1])
    _check_channels(name, preprocess, shape[-1])
    return _of_layers(name, model, spec["layers"], size, preprocess)


def learned_graph(name, spec, seed, source=None):
    """Return (GraphDef, {layer: tensor}, size, names) of an autoencoder's encoder, or of a PCA.

    ``source`` is the model that was learned (.keras); with ``train: false`` there is none.

    Raises
    ------
    UserError
        If the source is missing or no such model.
    """
    layers = learned_layers(spec)
    if is_learned(spec):
        if source is None:
            raise UserError(
                f"extractor {name}: it is learned from a dataset; `depthgauge {spec['kind']}` does "
                "that, and `--source FILE` hands the model to this command."
            )
        return file_graph(name, {"path": source, "layers": layers})
    model, size = build_autoencoder(spec, seed), spec["size"]
    return _of_layers(name, model, layers, size, tf.identity)


def _of_layers(name, model, layers, size, preprocess):
    """Return (GraphDef, {layer: tensor}, size, names) of the layers that the config names.

    Where it asks for so many depths, which are found in the graph, the layers are the model's
    outputs, and ``names`` has by node the path of the layer that it is the output of.
    """
    found, ends = layers_of(model)

    def of_depths():
        single = {
            path: values[0]
            for path, values in found.items()
            if len(values) == 1 and is_tensor(values[0])
        }
        graph_def, tensors = _freeze(model, dict(enumerate(ends)) | single, size, preprocess)
        nodes = {node.name: node for node in graph_def.node}
        names = {}
        for path in single:
            node = nodes[node_name(tensors[path])]
            while node.op == "Identity":
                node = nodes[node_name(node.input[0])]
            names.setdefault(node.name, path)
        return graph_def, {place: tensors[place] for place in range(len(ends))}, size, names

    def depths():
        graph_def, tensors, _, names = of_depths()
        nodes = [node_name(tensor) for tensor in tensors.values()]
        return listed(graph_waists(graph_def, "input", nodes, names))

    if depth_count(layers):
        return of_depths()
    outputs = layers_by_path(name, found, layers, depths)
    return *_freeze(model, outputs, size, preprocess), size, {}


def _paper_layers(name, application, model):
    """Find the paper's four pooling layers of Inception-v3 by structure.

    The max-pools carry automatic names that change from model to model; their order does
    not: after the stem (73x73x64), again (35x35x192, skipped by the paper), in the first
    (17x17x288) and in the second (8x8x768) reduction block; last comes the global mean.
    """
    if application != "InceptionV3":
        raise UserError(
            f"extractor {name}: `layers: pooling` means the paper's four layers of InceptionV3; "
            f"name the layers of {application}, which `depthgauge layers {application}` lists, or "
            "take so many depths, such as `layers: 6`."
        )
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    channels = [layer.output.shape[-1] for layer in pools]
    if channels != [64, 192, 288, 768]:
        raise UserError(
            f"extractor {name}: this Keras' InceptionV3 has max-pools of {channels} channels "
            "where 64, 192, 288 and 768 were expected; name the layers instead."
        )
    return {
        "pool": pools[0].output,
        "mixed_3_pool": pools[2].output,
        "mixed_8_pool": pools[3].output,
        "pool_3": model.output,
    }


def _preprocessing(name, spec, channels):
    if "application" in spec:
        modules = dict(inspect.getmembers(keras.applications, inspect.ismodule))
        if spec["application"] not in modules:
            raise UserError(
                f"extractor {name}: preprocessing: keras.applications has no module "
                f"{spec['application']!r}; it has {', '.join(modules)}."
            )
        own = modules[spec["application"]].preprocess_input
        return own if channels == 3 else lambda images: own(tf.image.rgb_to_grayscale(images))
    mean, scale = (np.asarray(spec.get(k, d), np.float32) for k, d in (("mean", 0), ("scale", 1)))

    def preprocess(images):
        if channels == 1:
            images = tf.image.rgb_to_grayscale(images)
        elif spec.get("channels", "rgb") == "bgr":
            images = images[..., ::-1]
        return (images - mean) * scale

    return preprocess


def _check_channels(name, preprocess, channels):
    """Raise a UserError if the preprocessing is for three colours, and the model takes grey."""
    try:
        made = preprocess(tf.zeros([1, 8, 8, 3])).shape[-1]
    except (tf.errors.InvalidArgumentError, ValueError, IndexError):
        made = None  # it looked for the third colour
    if made != channels:
        raise UserError(
            f"extractor {name}: `preprocessing` is for three colours, with a number for each, and "
            f"the model takes {channels} channel, grey. State `mean` and `scale` of one number."
        )


def _freeze(model, outputs, size, preprocess):
    """Return (GraphDef, {layer: tensor}) of the model's ``outputs`` with constant weights."""
    inner = keras.Model(model.inputs[0], list(outputs.values()))

    @tf.function
    def extract(input):
        values = inner(preprocess(input), training=False)
        return values if isinstance(values, (list, tuple)) else [values]

    signature = tf.TensorSpec([None, *height_and_width(size), 3], tf.float32, name="input")
    frozen = convert_variables_to_constants_v2(extract.get_concrete_function(signature))
    tensors = [tensor.name for tensor in frozen.outputs]
    graph_def = frozen.graph.as_graph_def()
    # Constants come in another order each time, and the file would be another network's.
    graph_def.node.sort(key=lambda node: (0, node.name) if node.op == "Const" else (1, ""))
    return graph_def, dict(zip(outputs, tensors, strict=True))
