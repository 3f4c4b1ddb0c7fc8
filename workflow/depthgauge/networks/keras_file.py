"""Keras model files as people have them: of Keras 2, in half precision, of their own classes."""

import inspect
import json
import logging
import re
from pathlib import Path
from unittest.mock import patch

import numpy as np

from ..errors import UserError
from ..files import check_whole
from .keras_setup import keras
from .sources import check_no_folder

log = logging.getLogger(__name__)

saving_utils = keras.src.legacy.saving.saving_utils

_HALF = re.compile(r"(mixed_)?b?float16")
EXPORT = (
    "or export it where it was made, to ONNX (`kind: onnx`; `model.export('model.onnx', "
    "format='onnx')`) or to a frozen graph (`kind: frozen_graph`)"
)


def load_keras_file(name, path):
    """Return the model in a ``.keras`` or ``.h5`` file, computing in float32.

    Of files of Keras 2, keys that Keras 3 no longer knows are left out where they mean nothing.
    A model that was saved to compute in half precision gets the same weights in float32: what it
    gives is then what half precision rounds.

    Raises
    ------
    UserError
        If the file is missing, no Keras model, a model of classes that are not Keras' own, or one
        with the channels first.
    """
    path = Path(path).expanduser()
    check_no_folder(f"extractor {name}", path)
    if not path.is_file():
        raise UserError(f"extractor {name}: there is no model file {path}; check `path`.")
    check_whole(path)
    build = saving_utils.model_from_config
    try:
        with patch.object(
            saving_utils,
            "model_from_config",
            lambda config, **options: build(_of_keras_3(config), **options),
        ):
            model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its reader raised
        raise UserError(f"extractor {name}: {_unreadable(path, str(error))}") from error
    if not hasattr(model, "inputs") or not model.inputs:
        raise UserError(
            f"extractor {name}: {path} is a model whose layers have no fixed order (a subclass of "
            f"keras.Model, or one that was never built). Save a functional model, {EXPORT}."
        )
    first = [
        layer.name
        for layer in model._flatten_layers()
        if getattr(layer, "data_format", None) == "channels_first"
    ]
    if first:
        raise UserError(
            f"extractor {name}: {path} takes channels first ([N, channels, height, width]; layer "
            f"{first[0]}), which is not supported. Build the model with `data_format="
            f"'channels_last'` and give it the same weights (`set_weights`), {EXPORT}."
        )
    return _in_single_precision(name, model)


def _of_keras_3(config):
    """Return the configuration of a layer of Keras 2, and of those within, as of Keras 3."""
    if isinstance(config, list):
        return [_of_keras_3(item) for item in config]
    if not isinstance(config, dict):
        return config
    config = {key: _of_keras_3(value) for key, value in config.items()}
    kind = getattr(keras.layers, str(config.get("class_name")), None)
    own = config.get("config")
    if isinstance(own, dict) and config.get("class_name") == "Functional":
        for key in ("input_layers", "output_layers"):
            if len(own.get(key, [])) == 1:  # a list of one tensor, which Keras 3 would keep a list
                (own[key],) = own[key]
    if inspect.isclass(kind) and isinstance(own, dict):
        known = inspect.signature(kind).parameters
        # Of one group is a convolution without groups; how a kernel began is past.
        past = ("kernel_initializer", "kernel_regularizer", "kernel_constraint")
        for key in list(own):
            means_nothing = key in past or (key == "groups" and own[key] == 1)
            if key not in known and means_nothing:
                del own[key]
        axis = own.get("axis")
        if config["class_name"] == "BatchNormalization" and isinstance(axis, list):
            (own["axis"],) = axis
    return config


def _unreadable(path, error):
    if "Lambda" in error and "TFOpLambda" not in error:
        return (
            f"{path} has a Lambda layer, which is code in a file and is not run. Save the model "
            f"again with Keras' own layers in its place (such as Rescaling), {EXPORT}."
        )
    found = re.search(
        r"Could not (?:locate|deserialize) class '([^']+)'|Unknown (?:layer|\w+): '([^']+)'", error
    )
    if not found:
        # The last line says what; before it stands the whole configuration.
        what = error.strip().rsplit("Exception encountered: ", 1)[-1]
        return (
            f"{path} is not a Keras model that can be loaded (.keras, or .h5 with the "
            f"architecture): {what[:500]}"
        )
    kind = found[1] or found[2]
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        return (
            f"{path} computes with functions of TensorFlow ({kind!r}), which Keras 3 does not "
            f"read. Save the model again with Keras' own layers in their place, {EXPORT}."
        )
    hub = (
        " It is one of KerasHub's, known where keras-hub is installed."
        if "keras_hub" in error
        else ""
    )
    return (
        f"{path} has a layer of the class {kind!r}, which is none of Keras' and whose code is not "
        f"in the file.{hub} Save the model again with Keras' own layers in its place, {EXPORT}."
    )


def _in_single_precision(name, model):
    """Return the model, or one of its weights in float32 if a layer computes in 16 bits."""
    policies = {layer.compute_dtype for layer in model._flatten_layers()}
    low = sorted(policy for policy in policies if _HALF.fullmatch(str(policy)))
    if not low:
        return model
    log.info(
        "%s: its layers compute in %s; they are run in float32, with the same weights.",
        *(name, " and ".join(low)),
    )
    single = keras.models.model_from_json(json.dumps(_single(json.loads(model.to_json()))))
    single.set_weights([_widened(value) for value in model.get_weights()])
    return single


def _single(config):
    """Return a configuration with every policy and data type of 16 bits replaced by float32."""
    if isinstance(config, list):
        return [_single(item) for item in config]
    if isinstance(config, dict):
        return {key: _single(value) for key, value in config.items()}
    return "float32" if isinstance(config, str) and _HALF.fullmatch(config) else config


def _widened(value):
    value = np.asarray(value)
    return value.astype(np.float32) if str(value.dtype) in ("float16", "bfloat16") else value
