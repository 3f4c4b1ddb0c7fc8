"""The network stage: any extractor of the config as one graph that takes RGB 0-255."""

from pathlib import Path

from ..errors import UserError


def write_network(name, spec, graph, layers, *, seed=0, source=None, nodes=None):
    """Call what freezes an extractor of its kind, in a process in which nothing is computed yet.

    See :func:`depthgauge.networks.network.build_network`; an ONNX file stays one, and TensorFlow
    is not started for it.
    """
    if spec["kind"] == "onnx":
        from .onnx_freeze import freeze_onnx

        if source is None and "path" not in spec:
            raise UserError(
                f"extractor {name}: its `url` is a file to download; `depthgauge download` fetches "
                "it, and `--source FILE` hands it to this command."
            )
        freeze_onnx(name, spec, source or Path(spec["path"]).expanduser(), graph, layers, nodes)
        return
    from .network import build_network
    from .tensorflow_setup import use_threads

    use_threads(1)
    build_network(name, spec, graph, layers, seed=seed, source=source, nodes=nodes)
