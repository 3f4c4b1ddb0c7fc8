"""What a tensor of an ONNX graph is computed by, as one digest, whatever its nodes are called."""

import hashlib

from .onnx_file import node_sources, onnx


def onnx_digests(model, tensors):
    """Return a digest of all that each tensor is computed from, as ``digest.tensor_digests`` does.

    Parameters
    ----------
    model : onnx.ModelProto
        Its weights inside.
    tensors : sequence of str

    Returns
    -------
    dict of str to str
        By tensor a SHA-256 in hexadecimal.
    """
    shared = repr(sorted((opset.domain, opset.version) for opset in model.opset_import)).encode()
    made = {}
    for given in model.graph.input:
        made[given.name] = hashlib.sha256(given.type.SerializeToString(deterministic=True)).digest()
    for weights in model.graph.initializer:
        made[weights.name] = _weights(weights)
    for node in model.graph.node:
        digest = hashlib.sha256(f"{node.domain} {node.op_type}".encode())
        for attribute in sorted(node.attribute, key=lambda attribute: attribute.name):
            digest.update(attribute.SerializeToString(deterministic=True))
        for source in [*node.input, *node_sources(node)]:
            digest.update(made.get(source, b"none"))
        for place, output in enumerate(node.output):
            made[output] = digest.digest() + bytes([place])
        if node.op_type == "Identity":
            made[node.output[0]] = made[node.input[0]]
    return {tensor: hashlib.sha256(made[tensor] + shared).hexdigest() for tensor in tensors}


def _weights(tensor):
    kept = onnx.TensorProto()
    kept.CopyFrom(tensor)
    kept.name = kept.doc_string = ""
    return hashlib.sha256(kept.SerializeToString(deterministic=True)).digest()
