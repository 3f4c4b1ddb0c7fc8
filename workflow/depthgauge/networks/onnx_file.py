"""ONNX files: read one, cut one down to the tensors that are wanted, run one."""

from pathlib import Path

import numpy as np

from ..errors import UserError

try:
    import onnx
    import onnxruntime
    from onnx import inliner
    from onnx.external_data_helper import load_external_data_for_model, uses_external_data
except ImportError as error:
    raise UserError(
        f"`kind: onnx` needs packages that are not installed ({error}): "
        "pip install onnxruntime onnx"
    ) from error


def read_onnx(path):
    """Return the ModelProto in an ``.onnx`` file, with the data that lie beside it.

    Functions of the model's own are replaced by what they are made of.

    Raises
    ------
    UserError
        If the file is missing, cut short or no ONNX, or lacks its external data.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such ONNX file; check `path`.")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, whichever implementation that has
        raise UserError(f"{path}: {_why_unreadable(path)}.") from error
    if not model.graph.node:
        raise UserError(f"{path}: {_why_unreadable(path)}.")
    _load_external(model, path)
    return inliner.inline_local_functions(model) if model.functions else model


def _why_unreadable(path):
    with open(path, "rb") as file:
        start = file.read(20)
    if start.startswith(b"version https://git"):
        return "is a pointer of Git LFS, not the file itself; `git lfs pull` fetches that"
    if start.startswith(b"\x08"):  # the field `ir_version`, which comes first
        return "begins as an ONNX file and is not whole: it was cut short; fetch it again"
    return "is not an ONNX file (.onnx, as torch.onnx.export and others write it)"


def _load_external(model, path):
    """Read the weights that lie in files beside the model."""
    files = {
        entry.value
        for tensor in onnx.external_data_helper._get_all_tensors(model)
        if uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    missing = sorted(file for file in files if not (path.parent / file).is_file())
    if missing:
        raise UserError(
            f"{path}: its weights are in {', '.join(missing)}, which must lie in the same folder "
            "and does not. Fetch both, leave their names as they are, and give the `path`."
        )
    try:
        load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # too short, or refused for where it lies
        raise UserError(
            f"{path}: the weights in {', '.join(sorted(files))} do not fit it ({error}). Fetch "
            "both files again."
        ) from error


def inputs_of(model):
    """Return {name: ValueInfoProto} of what a model must be given: no weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {given.name: given for given in model.graph.input if given.name not in weights}


def node_sources(node):
    """Return the tensors that a node takes, with those that the graphs inside it take."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            own = {given.name for given in [*graph.input, *graph.initializer]}
            for inner in graph.node:
                names += [name for name in node_sources(inner) if name not in own]
                own.update(inner.output)
    return names


def cut(model, tensors):
    """Return the model with ``tensors`` as outputs and nothing that they do not need.

    ONNX Runtime computes all of a graph, whatever is asked of it.
    """
    graph = model.graph
    needed, kept = set(tensors), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node_sources(node))
    smaller = onnx.ModelProto()
    smaller.ir_version = model.ir_version
    smaller.opset_import.extend(model.opset_import)
    smaller.graph.name = graph.name or "network"
    smaller.graph.node.extend(reversed(kept))
    smaller.graph.initializer.extend(w for w in graph.initializer if w.name in needed)
    smaller.graph.sparse_initializer.extend(
        w for w in graph.sparse_initializer if w.values.name in needed
    )
    smaller.graph.input.extend(given for given in graph.input if given.name in needed)
    # The runtime finds out their types and shapes by itself.
    smaller.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(tensors))
    return smaller


def onnx_function(model, tensors, *, optimised=True):
    """Return a callable from the model's one input to the arrays of ``tensors``.

    It computes on the thread that calls it, so that the numbers do not depend on how many do. A
    model that takes one image at a time is given one after the other.

    Raises
    ------
    UserError
        If ONNX Runtime lacks what the model asks for, such as an operator.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            cut(model, tensors).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's own kinds have no ancestor in common
        raise UserError(
            f"ONNX Runtime {onnxruntime.__version__} cannot run this network: "
            f"{_first_line(error)} Export it with operators of ONNX itself (and an opset that "
            "this version knows), or install a newer onnxruntime."
        ) from error
    (given,) = session.get_inputs()
    names = list(tensors)

    def run(images):
        if given.shape[0] != 1:
            return session.run(names, {given.name: images})
        rows = [session.run(names, {given.name: images[i : i + 1]}) for i in range(len(images))]
        return [np.concatenate(values) for values in zip(*rows, strict=True)]

    return run


def _first_line(error):
    line = str(error).strip().splitlines()[0]
    return line.rsplit(" : ", 1)[-1].rstrip(". ") + "."
