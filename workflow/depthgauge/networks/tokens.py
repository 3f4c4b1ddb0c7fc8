"""How many tokens of a sequence stand before those of the patches, as the graph tells it."""

from collections import deque
from math import isqrt

from ..errors import UserError

# What cuts an image into patches: a map [height, width, channels], a position for each.
_CUTS = ("Conv2D", "ExtractImagePatches")
# A class token, one for distillation, and registers: more than the 8 seen are taken for no such.
MOST = 16


def tokens_before_patches(tensor, tokens):
    """Return the number of tokens before those of the patches in ``tensor`` [N, tokens, channels].

    The operation that cut the image into patches, the nearest convolution before the sequence,
    tells how many patches there are; what is more are a class token and registers. Where there is
    none, or the sequence is no longer one of its patches: one where all tokens but the first make
    a square, none elsewhere.

    Parameters
    ----------
    tensor : tf.Tensor
        Of a graph.
    tokens : int
        How many there are, which the graph need not know.
    """
    seen, waiting = {tensor.op}, deque([tensor.op])
    while waiting:
        operation = waiting.popleft()
        shape = operation.outputs[0].shape if operation.outputs else None
        if operation.type in _CUTS and shape.rank == 4 and None not in shape[1:3]:
            patches = shape[1] * shape[2]
            if patches > 1 and 0 <= tokens - patches <= MOST:
                return tokens - patches
        for source in operation.inputs:
            if source.op not in seen:
                seen.add(source.op)
                waiting.append(source.op)
    return one_before_a_square(tokens)


def one_before_a_square(tokens):
    """Return 1 where all ``tokens`` but the first make a square of patches, else 0."""
    return int(isqrt(tokens) ** 2 != tokens and isqrt(tokens - 1) ** 2 == tokens - 1)


def tokens_before(name, layer, stated, counted):
    """Return how many tokens stand before those of the patches: as stated, or else as counted.

    Raises
    ------
    UserError
        If the ``layer`` of extractor ``name`` has no more tokens than are stated.
    """
    tokens = layer["shape"][0]
    if stated is None:
        return counted
    if stated >= tokens:
        raise UserError(
            f"extractor {name}: `prefix_tokens` is {stated}, and layer {layer['layer']} has "
            f"{tokens} tokens in all; state how many stand before those of the patches."
        )
    return stated
