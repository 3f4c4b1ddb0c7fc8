"""The network stage: any extractor of the config as one graph that takes RGB 0-255."""

from .sources import network_file


def write_network(name, spec, graph, layers, *, seed=0, source=None, nodes=None):
    """Call what freezes an extractor of its kind, in a process in which nothing is computed yet.

    See :func:`depthgauge.networks.network.build_network`; an ONNX file stays one, and TensorFlow
    is not started for it.
    """
    if spec["kind"] == "onnx":
        from .onnx_freeze import freeze_onnx

        freeze_onnx(name, spec, network_file(name, spec, source), graph, layers, nodes)
        return
    from .network import build_network
    from .tensorflow_setup import use_threads

    use_threads(1)
    build_network(name, spec, graph, layers, seed=seed, source=source, nodes=nodes)
