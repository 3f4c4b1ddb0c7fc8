"""Layers of Keras models by their paths, those of nested models included."""

from ..errors import UserError
from ..suggestions import LISTED, those_there
from .keras_setup import keras
from .tensorflow_whole import tf


def layers_of(model):
    """Return ({path: symbolic values}, outputs) of a Keras model.

    A layer of a nested model has a path, such as ``backbone/block_3``; of a layer that is used
    more than once there are as many values. All are computed from ``model.inputs``, and a nested
    model's layers once, whichever of them are asked for.

    Parameters
    ----------
    model : keras.Model
        A Functional or Sequential one, with one input.
    """
    inputs = [layer for layer in model.layers if isinstance(layer, keras.layers.InputLayer)]
    found = {layer.name: [layer.output] for layer in inputs}
    outputs = _follow(model, model.inputs, "", found)
    return found, tf.nest.flatten(outputs)


def layers_by_path(name, found, layers, depths=None):
    """Return {name of one's own: symbolic tensor} for some of the layers ``found``.

    Parameters
    ----------
    name : str
        The extractor's name, for errors.
    found : dict of str to list
        As ``layers_of`` returns it.
    layers : sequence of str, or dict of str to str
        Paths, or by names of one's own.
    depths : callable, optional
        Gives a sentence on the depths that there are, for when there is no such layer among many.

    Raises
    ------
    UserError
        For a layer that does not exist or is used more than once.
    """
    wanted = layers if isinstance(layers, dict) else {layer: layer for layer in layers}
    unknown = [path for path in wanted.values() if path not in found]
    if unknown:
        there = those_there(unknown, found)
        if depths and len(found) > LISTED:
            there = f"{depths()} By name: {there}"
        raise UserError(
            f"extractor {name}: the network has no layer {', '.join(map(repr, unknown))}; {there}."
        )
    for path in wanted.values():
        if len(found[path]) > 1:
            raise UserError(
                f"extractor {name}: the network uses its layer {path!r} {len(found[path])} times "
                "(a shared layer, or one of a shared model), so that its output is not one tensor. "
                "Choose a layer behind it that is used once."
            )
        if not is_tensor(found[path][0]):
            raise UserError(
                f"extractor {name}: layer {path!r} gives {len(found[path][0])} tensors; choose a "
                "layer that gives one."
            )
    return {alias: found[path][0] for alias, path in wanted.items()}


def is_tensor(value):
    """Whether what a layer gives is one tensor."""
    return not isinstance(value, (list, tuple, dict))


def _is_nested(layer):
    return isinstance(layer, (keras.src.models.functional.Functional, keras.Sequential))


def _follow(model, tensors, prefix, found):
    """Apply a model, layer by layer, to tensors; note what each layer gives in ``found``."""
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)

    def call(layer, *args, **options):
        path = f"{prefix}{layer.name}"
        if _is_nested(layer):
            given = tf.nest.flatten(args or list(options.values()))
            value = _follow(layer, given, f"{path}/", found)
        else:
            value = layer(*args, **options)
        found.setdefault(path, []).append(value)
        return value

    # As keras.models.clone_model does, which would cut the tensors off those that they come from.
    return model._run_through_graph(
        tf.nest.flatten(tensors), operation_fn=lambda layer: layer, call_fn=call
    )
