"""ONNX files as networks: one graph that takes RGB 0-255 and gives layers in all poolings."""

import json
import logging
from pathlib import Path

import numpy as np

from ..errors import UserError
from .channels import channel_axes, channels_last
from .dims import check_rows
from .nodes import Node
from .onnx_file import cut, inputs_of, node_sources, onnx, onnx_function, read_onnx
from .pixels import height_and_width, probe_images, size_of
from .waists import depth_count, depth_names, evenly, listed, waists

log = logging.getLogger(__name__)

_FLOAT = onnx.TensorProto.FLOAT
# Pillow's filters, by the numbers that preprocessor_config.json has for them.
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
# As TensorFlow and ITU-R BT.601 have it.
_GREY = [[0.2989], [0.587], [0.114]]
# Of a layer's largest value: how far an image's values may lie from those that it has alone.
_ALONE = 1e-3


class OnnxNetwork:
    """An ONNX file prepared: a graph from ``input``, RGB 0-255 of [N, height, width, 3], on.

    Parameters
    ----------
    name : str
        The extractor's name, for messages.
    spec : dict
        Its entry in the config, of ``kind: onnx``.
    path : path
        The file.

    Attributes
    ----------
    model : onnx.ModelProto
        No tensor of it has ``:`` or ``;`` in its name. One that takes a single image has a batch
        of 1; any other is written for any number.
    resizing : dict
        ``size``, ``resample`` and, where there is one, ``shortest_edge``.
    layers : dict of str to str
        The tensors of the layers, in the order of the config.
    chosen : dict of str to str
        The names in the file of layers that were chosen by depth.
    nodes : list of nodes.Node
    waists : list of str

    Raises
    ------
    UserError
        For a file that cannot be read or run, inputs other than one of images, another size than
        the fixed one, or a layer that is not there.
    """

    def __init__(self, name, spec, path):
        self.name, self.path = name, path
        model = read_onnx(path)
        renamed = _rename(model)
        self._original = {new: old for old, new in renamed.items()}
        tensors = {output: output for node in model.graph.node for output in node.output if output}
        known = {node.name: node.output[0] for node in model.graph.node if node.name} | tensors
        known |= {old: new for old, new in renamed.items() if new in tensors}
        count = depth_count(spec["layers"])
        wanted = spec["layers"] if not count else {}
        wanted = wanted if isinstance(wanted, dict) else {layer: layer for layer in wanted}
        unknown = [layer for layer in wanted.values() if layer not in known]
        self.layers = {layer: known[tensor] for layer, tensor in wanted.items() if not unknown}
        if self.layers:
            model = cut(model, list(self.layers.values()))
        given = self._image_input(model)
        config = _preprocessor_config(path)
        self._prepare(model, given, spec, config)
        self._look()
        if unknown:
            raise UserError(
                f"extractor {name}: {path} has no tensor {', '.join(map(repr, unknown))}. "
                f"{listed(self.named_waists())}"
            )
        self.chosen = {}
        if count:
            found = evenly(name, self.waists, count)
            self.layers = dict(zip(depth_names(count), found, strict=True))
            self.chosen = {layer: self.original(tensor) for layer, tensor in self.layers.items()}
            self.model = cut(self.model, found)

    def original(self, tensor):
        """Return what the file calls a tensor."""
        return self._original.get(tensor, tensor)

    def named_waists(self):
        """Return the waists, from shallow to deep: {the name that the file has: Node}."""
        nodes = {node.name: node for node in self.nodes}
        return {self.original(tensor): nodes[tensor] for tensor in self.waists}

    def _image_input(self, model):
        """Return the ValueInfoProto of the one input, of images."""
        given = inputs_of(model)
        listed_inputs = ", ".join(f"{name} {_shape_text(value)}" for name, value in given.items())
        images = [value for value in given.values() if len(_shape(value)) == 4]
        if len(given) != 1 and not (images[:1] and len(images) == 1 and not self.layers):
            raise UserError(
                f"extractor {self.name}: {self.path} takes {listed_inputs or 'no input'} "
                f"for these layers; images alone were expected. Name `layers` that depend on "
                "images alone, or export that part of the network by itself."
            )
        if len(images) != 1:
            raise UserError(
                f"extractor {self.name}: {self.path} takes {listed_inputs}; images were expected, "
                "[N, 3, height, width] or [N, height, width, 3]."
            )
        return images[0]

    def _prepare(self, model, given, spec, config):
        """Put what turns RGB 0-255 into what the model takes in front of it."""
        shape = _shape(given)
        colours = (1, 3)
        last = shape[3] in colours and shape[1] not in colours
        channels = shape[3] if last else shape[1]
        height, width = shape[1:3] if last else shape[2:]
        if isinstance(channels, int) and channels not in colours:
            raise UserError(
                f"extractor {self.name}: {self.path} takes {given.name} {_shape_text(given)}; "
                "images of 3 channels or 1 were expected, [N, 3, height, width] or "
                "[N, height, width, 3]."
            )
        if isinstance(shape[0], int) and shape[0] > 1:
            raise UserError(
                f"extractor {self.name}: {self.path} takes just {shape[0]} images at once; export "
                "it for one, or for any number (a dynamic axis)."
            )
        size = self._size(spec, config, height, width)
        resample = spec.get("resample") or config.get("resample") or "bilinear"
        self.resizing = {"size": size, "resample": resample}
        edge = spec.get("shortest_edge") or config.get("shortest_edge")
        if edge:
            if edge < max(height_and_width(size)):
                raise UserError(
                    f"extractor {self.name}: `shortest_edge` is {edge}, less than the pixels "
                    f"that are cut out of it, {size}."
                )
            self.resizing["shortest_edge"] = edge
        preprocessing = spec.get("preprocessing")
        if preprocessing is None and not config:
            log.warning(
                "%s: there is no preprocessor_config.json beside %s and no `preprocessing` in the "
                "config: the network is given RGB 0-255 as it is.",
                *(self.name, self.path),
            )
        steps = preprocessing if preprocessing is not None else config
        nodes, weights = _preprocess(steps, given, last, channels)
        batch = 1 if shape[0] == 1 else "N"
        model.graph.node.extend(nodes)
        _move_to_front(model.graph.node, len(nodes))
        model.graph.initializer.extend(weights)
        kept = [one for one in model.graph.input if one.name != given.name]
        del model.graph.input[:]
        image = onnx.helper.make_tensor_value_info(
            "input", _FLOAT, [batch, *height_and_width(size), 3]
        )
        model.graph.input.extend([image, *kept])
        self.model = model

    def _size(self, spec, config, height, width):
        """Return the ``size`` of images: stated, or fixed by the file, or as its config has it."""
        fixed = [side if isinstance(side, int) else None for side in (height, width)]
        size = spec.get("size") or (None if None in fixed else fixed) or config.get("size")
        if size is None:
            raise UserError(
                f"extractor {self.name}: {self.path} takes images of any size; state `size`."
            )
        sides = height_and_width(size)
        if not all(side in (None, own) for side, own in zip(fixed, sides, strict=True)):
            takes = " x ".join("any" if side is None else str(side) for side in fixed)
            raise UserError(
                f"extractor {self.name}: {self.path} takes images of {takes} (height x width) "
                f"pixels and no others; `size` is {size}. Leave `size` out, or export the network "
                "for another."
            )
        return size_of(*sides)

    def _look(self):
        """Run images through all of it: shapes, waists, and how many images it takes at once."""
        graph = self.model.graph
        dependent, table = {"input": "input"}, {"input": Node("input", "Placeholder", (), "")}
        others = set(inputs_of(self.model)) - {"input"}
        outputs = {output.name for output in graph.output}
        ends = set()
        for node in graph.node:
            sources = node_sources(node)
            inputs = tuple(dict.fromkeys(dependent[one] for one in sources if one in dependent))
            if others.intersection(sources):  # of other inputs, too
                others.update(node.output)
                ends.update(inputs)
            elif inputs:
                first = node.output[0]
                table[first] = Node(first, node.op_type, inputs, "")
                dependent.update(dict.fromkeys(filter(None, node.output), first))
                ends.update(first for one in node.output if one in outputs)
        size = self.resizing["size"]
        probes = probe_images(size)
        tensors = list(table)[1:]
        single = graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
        images = probes[:1] if single else probes
        try:
            found = self._values(tensors, images)
        except UserError:
            if single:
                raise
            log.info("%s: it computes one image at a time, for it refuses two.", self.name)
            self._one_by_one()
            found = self._values(tensors, probes[:1])
        shapes = {"input": (0, *height_and_width(size), 3)}
        shapes |= {tensor: value.shape for tensor, value in zip(tensors, found, strict=True)}
        self.axes = channel_axes(graph, shapes)
        self.nodes = [
            node._replace(shape="x".join(map(str, self._image_shape(shapes[node.name], node.name))))
            for node in table.values()
        ]
        self.waists = waists(self.nodes, "input", ends)

    def _image_shape(self, shape, tensor):
        """Return the shape of a tensor for one image, channels last as features have them."""
        return channels_last(shape, self.axes.get(tensor, len(shape) - 1)) if shape else []

    def _values(self, tensors, images):
        try:
            return onnx_function(self.model, tensors, optimised=False)(images)
        except UserError as error:
            raise UserError(f"extractor {self.name}: {self.path}: {error}") from error
        except Exception as error:
            raise UserError(
                f"extractor {self.name}: {self.path}: ONNX Runtime fails on an image of "
                f"{images.shape[1]} x {images.shape[2]} pixels: {str(error).splitlines()[0]} "
                "Check `size`."
            ) from error

    def _one_by_one(self):
        self.model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    def layer_values(self):
        """Return the values of the layers for two images, as they are in the file.

        Where two images at once have not the values that each has alone, the model is set to take
        one at a time.
        """
        probes, tensors = probe_images(self.resizing["size"]), list(self.layers.values())
        batch = self.model.graph.input[0].type.tensor_type.shape.dim[0]
        together = None if batch.dim_value == 1 else self._values(tensors, probes)
        self._one_by_one()
        values = self._values(tensors, probes)
        if together is not None:
            if all(map(_close, together, values)):
                batch.dim_param = "N"
            else:
                log.info(
                    "%s: it computes one image at a time, for two at once change each other's "
                    "values.",
                    self.name,
                )
        names = {layer: self.original(tensor) for layer, tensor in self.layers.items()}
        check_rows(self.name, names, values)
        return dict(zip(self.layers, values, strict=True))


def _close(found, expected):
    if found.shape != expected.shape:
        return False
    if found.dtype.kind != "f":
        return bool((found == expected).all())
    apart = np.abs(found.astype(float) - expected).max(initial=0)
    return bool(apart <= _ALONE * np.abs(expected).max(initial=0))


def _shape(value):
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]


def _shape_text(value):
    return f"[{', '.join(map(str, _shape(value)))}]"


def _rename(model):
    """Give tensors names without ``:`` and ``;``, and none the name ``input``; say which."""
    graph = model.graph
    outputs = (output for node in graph.node for output in node.output)
    given = [one.name for one in [*graph.input, *graph.initializer]]
    names = list(dict.fromkeys(filter(None, [*given, *outputs])))
    taken, renamed = {"input"}, {}
    taken.update(name for name in names if _plain(name))
    for name in names:
        if not _plain(name):
            start = name.removesuffix(":0").replace(":", "_").replace(";", "_")
            new, place = start, 1
            while new in taken:
                place += 1
                new = f"{start}_{place}"
            taken.add(new)
            renamed[name] = new
    if renamed:
        _rename_in(graph, renamed)
    return renamed


def _plain(name):
    return name != "input" and ":" not in name and ";" not in name and "depthgauge/" not in name


def _rename_in(graph, renamed):
    for one in [*graph.input, *graph.output, *graph.initializer, *graph.value_info]:
        one.name = renamed.get(one.name, one.name)
    for weights in graph.sparse_initializer:
        weights.values.name = renamed.get(weights.values.name, weights.values.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
        for attribute in node.attribute:
            inner = [attribute.g] if attribute.HasField("g") else []
            for graph_within in [*inner, *attribute.graphs]:
                _rename_in(graph_within, renamed)


def _move_to_front(nodes, count):
    moved = [*nodes[-count:], *nodes[:-count]] if count else list(nodes)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in moved]
    del nodes[:]
    nodes.extend(copies)


def _preprocess(steps, given, last, channels):
    """Return (nodes, weights) from ``input`` to the model's own input."""
    nodes, weights, at = [], [], "input"

    def add(op, *values, **attributes):
        nonlocal at
        place = len(nodes)
        names = [f"depthgauge/prepare_{place}_{i}" for i in range(len(values))]
        for name, value in zip(names, values, strict=True):
            weights.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        output = f"depthgauge/prepared_{place}"
        nodes.append(onnx.helper.make_node(op, [at, *names], [output], name=output, **attributes))
        at = output

    if channels == 1:
        add("MatMul", np.float32(_GREY))
    elif steps.get("channels") == "bgr":
        add("Gather", np.int64([2, 1, 0]), axis=3)
    for op, key, nothing in (("Sub", "mean", 0), ("Mul", "scale", 1)):
        values = np.atleast_1d(np.float32(steps.get(key, nothing)))
        if (values != nothing).any():
            add(op, values)
    if not last:
        add("Transpose", perm=[0, 3, 1, 2])
    kind = given.type.tensor_type.elem_type
    if kind != _FLOAT:
        add("Cast", to=kind)
    if not nodes:
        add("Identity")
    nodes[-1].output[0] = given.name
    return nodes, weights


def _preprocessor_config(path):
    """Return what ``preprocessor_config.json`` beside the file says, in the config's own terms.

    ``mean`` and ``scale`` of x in 0-255, ``size``, ``resample`` and ``shortest_edge``; {} without
    such a file. Its keys are those of Hugging Face's image processors.

    Raises
    ------
    UserError
        If it is not JSON, or if images are to be resized in a way that there is none for here.
    """
    file = Path(path).with_name("preprocessor_config.json")
    if not file.is_file():
        return {}
    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
        return _in_our_terms(stated)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(
            f"{file}: cannot be used ({error}). Correct it or move it away, and state "
            "`preprocessing`, `size` and `resample` in the config."
        ) from error


def _in_our_terms(stated):
    rescale = stated.get("rescale_factor", 1 / 255) if stated.get("do_rescale", True) else 1.0
    found = {"mean": 0.0, "scale": rescale}
    if stated.get("do_normalize", True) and "image_mean" in stated:
        mean, sd = (np.asarray(stated[key], float) for key in ("image_mean", "image_std"))
        found = {"mean": (mean / rescale).tolist(), "scale": (rescale / sd).tolist()}
    if "resample" in stated:
        if stated["resample"] not in _FILTERS:
            raise ValueError(f"resample {stated['resample']!r} is none of {_FILTERS}")
        found["resample"] = _FILTERS[stated["resample"]]
    size = _sides(stated["size"]) if stated.get("do_resize", True) and "size" in stated else {}
    crop = {}
    if stated.get("do_center_crop") and "crop_size" in stated:
        crop = _sides(stated["crop_size"])
    if "shortest_edge" in size:
        found |= {"size": crop.get("size", size["shortest_edge"])}
        found |= {"shortest_edge": size["shortest_edge"]}
    elif crop and size and crop != size:
        raise ValueError(f"resizing to {stated['size']} and cutting out {stated['crop_size']}")
    else:
        found |= crop or size
    return found


def _sides(size):
    """Return {"size"} or {"shortest_edge"} of what a processor states: a number or a mapping."""
    if isinstance(size, int):
        return {"size": size}
    if "shortest_edge" in size:
        return {"shortest_edge": size["shortest_edge"]}
    return {"size": size_of(size["height"], size["width"])}
