"""Images through a network: what computes a graph's tensors, and many images in batches."""

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

log = logging.getLogger(__name__)

# Images computed at once on one thread. Few, so that what passes between two operations stays
# in the cache and in memory that is used again: 13.4 images/s where 16 gave 11.6 and 2 no more.
BATCH = 4


def network_function(graph, tensors, precision="float32"):
    """Return a callable from images [N, height, width, 3] to the arrays of ``tensors``, and more.

    Parameters
    ----------
    graph : path
        ``.onnx``, or a frozen TensorFlow graph.
    tensors : list of str
    precision : str
        See :func:`depthgauge.networks.tensorflow_setup.usable_precision`.

    Returns
    -------
    callable, str
        The function, and the precision that it has.
    """
    if Path(graph).suffix == ".onnx":
        from .onnx_file import onnx_function, read_onnx

        if precision != "float32":
            log.warning("precision: %s is not used but float32, for an ONNX file.", precision)
        return onnx_function(read_onnx(graph), tensors), "float32"
    from .graph import graph_function, read_graph
    from .tensorflow_setup import usable_precision, use_precision

    precision = usable_precision(precision)
    use_precision(precision)
    return graph_function(read_graph(graph), tensors), precision


def batches(function, pixels, names, threads=1):
    """Yield what a network makes of images, batch after batch, in their order.

    Decoding overlaps with computing; ``threads`` batches are computed at once, each on one
    thread, so that the numbers do not depend on ``threads``.

    Parameters
    ----------
    function : callable
        As ``network_function`` returns it.
    pixels : callable
        From a name to float32 [height, width, 3], or to None: that image is left out.
    names : sequence
    threads : int

    Yields
    ------
    list, list of array
        The names of the batch that were not left out, of which there may be none; and of each
        tensor [so many, values].
    """

    def compute(batch, futures):
        decoded = [(name, future.result()) for name, future in zip(batch, futures, strict=True)]
        kept = [(name, image) for name, image in decoded if image is not None]
        if not kept:
            return [], []
        values = function(np.stack([image for _, image in kept]))
        return [name for name, _ in kept], [value.reshape(len(kept), -1) for value in values]

    with ExitStack() as stack:
        decoders = stack.enter_context(ThreadPoolExecutor(threads))
        computers = stack.enter_context(ThreadPoolExecutor(threads))
        stack.callback(computers.shutdown, cancel_futures=True)
        stack.callback(decoders.shutdown, cancel_futures=True)
        pending = deque()
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            decoded = [decoders.submit(pixels, name) for name in batch]
            pending.append(computers.submit(compute, batch, decoded))
            if len(pending) > threads + 1:  # one batch decodes while the others compute
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
