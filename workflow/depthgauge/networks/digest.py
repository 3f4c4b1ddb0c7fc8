"""What a tensor of a frozen graph is computed by, as one digest, whatever its nodes are called."""

import hashlib


def tensor_digests(graph_def, tensors):
    """Return a digest of all that each tensor is computed from.

    Two tensors have the same if the same operations make them of the same constants, however the
    nodes are called and ordered and whatever else the graphs compute. So a layer that is asked for
    later leaves what was made of the others as it is.

    Parameters
    ----------
    graph_def : GraphDef
        Frozen: its weights are constants.
    tensors : sequence of str
        Such as ``"pool/Relu:0"``.

    Returns
    -------
    dict of str to str
        By tensor a SHA-256 in hexadecimal.
    """
    nodes = {node.name: node for node in graph_def.node}
    shared = graph_def.library.SerializeToString(deterministic=True)
    if any(node.op == "NextIteration" for node in graph_def.node):  # a loop has no beginning
        shared = graph_def.SerializeToString(deterministic=True)
        nodes = {}
    made = {}
    for tensor in tensors:
        waiting = [_place(tensor)[0]] if nodes else []
        while waiting:
            node = nodes[waiting[-1]]
            sources = [_place(source) for source in node.input]
            missing = [name for name, _ in sources if name not in made]
            if missing:
                waiting += missing
            else:
                made[node.name] = _digest(node, [(made[name], port) for name, port in sources])
                waiting.pop()
    return {
        tensor: hashlib.sha256(b"".join([made.get(name, name.encode()), port, shared])).hexdigest()
        for tensor in tensors
        for name, port in [_place(tensor)]
    }


def _place(tensor):
    """Return the node of a tensor or of a control input (``^node``), and which output it is."""
    name, _, port = tensor.lstrip("^").partition(":")
    return name, b"^" if tensor.startswith("^") else (port or "0").encode()


def _digest(node, sources):
    if node.op == "Identity" and len(sources) == 1 and sources[0][1] == b"0":
        return sources[0][0]
    digest = hashlib.sha256(node.op.encode())
    for key in sorted(node.attr):
        if not key.startswith("_"):  # what TensorFlow noted for itself
            digest.update(key.encode() + node.attr[key].SerializeToString(deterministic=True))
    for source, port in sources:
        digest.update(source + port)
    return digest.digest()
