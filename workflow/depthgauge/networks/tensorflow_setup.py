"""TensorFlow, set up for features: its start, threads, memory and precision.

Of TensorFlow it imports what runs a frozen graph, in a third of the time that all of it takes,
which is in :mod:`.tensorflow_whole`. Nothing but the stages of this folder imports either. What
each of these choices buys is in docs/architecture.md.
"""

import ctypes
import logging
import os
import re
import sys
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from tempfile import TemporaryFile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# What its libraries say of themselves as they are loaded, before they know that level.
_UNASKED = re.compile(rb"WARNING: All log messages before absl::|I\d{4} ")


def processor_flags(path="/proc/cpuinfo"):
    """Return the features of the processor; none where there is no such file, as on macOS."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


@contextmanager
def without_unasked():
    """Hold back what is written to stderr, and write it in the end without what is unasked.

    On a processor not known to have AVX nothing is held back: there TensorFlow says that it needs
    it, and ends the process.
    """
    if "avx" not in processor_flags():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            os.write(2, b"".join(line for line in file if not _UNASKED.match(line)))


@contextmanager
def absent(*modules):
    """Let imports of modules fail meanwhile, unless these have been imported."""
    held = [module for module in modules if module not in sys.modules]
    # An import of a module that is None fails.
    sys.modules.update(dict.fromkeys(held))
    try:
        yield
    finally:
        for module in held:
            del sys.modules[module]


@contextmanager
def _without_its_start():
    """Let modules of TensorFlow be imported without its package, which would import all of them."""
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = module_from_spec(find_spec("tensorflow"))
    try:
        yield
    finally:
        del sys.modules["tensorflow"]  # whoever imports it now has all of it, and its plug-ins


with _without_its_start(), without_unasked():
    from tensorflow.python import tf2

    tf2.enable()
    from tensorflow.core.framework.graph_pb2 import GraphDef  # noqa: F401
    from tensorflow.python.client.session import Session  # noqa: F401
    from tensorflow.python.framework import config
    from tensorflow.python.framework.graph_util_impl import extract_sub_graph  # noqa: F401
    from tensorflow.python.framework.importer import import_graph_def  # noqa: F401
    from tensorflow.python.framework.ops import Graph  # noqa: F401
    from tensorflow.python.ops import array_ops, math_ops  # noqa: F401

log = logging.getLogger(__name__)

# As Linux names what oneDNN needs for bfloat16 faster than float32.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def use_threads(threads):
    """Compute up to ``threads`` operations at once, each on one thread.

    One thread for each operation makes the numbers independent of how many there are: a sum
    split over several threads is rounded otherwise than one that is not.

    Call it before anything is computed.
    """
    _keep_freed_memory()
    config.enable_tensor_float_32_execution(False)  # a GPU's three digits
    config.set_intra_op_parallelism_threads(1)
    config.set_inter_op_parallelism_threads(threads)


def _keep_freed_memory():
    """Have glibc's malloc, where there is one, give nothing back before the process ends.

    A network's activations are megabytes each, and are freed at once; given back, each of them
    comes again as fresh pages that the system must fill with zeros.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
            mallopt(M_MMAP_MAX, 0)
            mallopt(M_TRIM_THRESHOLD, -1)


def use_precision(precision):
    """Run graphs in ``float32``, or multiply in ``bfloat16`` and add in float32.

    What a graph takes and gives stays float32; oneDNN does it, where the processor can.
    """
    option = {"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"}
    config.set_optimizer_experimental_options(option)


def usable_precision(precision, flags=None):
    """Return ``precision``, or float32, with a warning, where bfloat16 would be no faster.

    Parameters
    ----------
    precision : str
        ``float32`` or ``bfloat16``.
    flags : set of str, optional
        The processor's features as Linux names them; by default those of this one.
    """
    if precision != "bfloat16":
        return precision
    if not BFLOAT16 & (processor_flags() if flags is None else flags):
        reason = f"this processor has neither of {', '.join(sorted(BFLOAT16))}"
    elif os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        reason = "TF_ENABLE_ONEDNN_OPTS=0 switches oneDNN off, which does it"
    else:
        return precision
    log.warning("precision: bfloat16 is not used but float32, for %s.", reason)
    return "float32"
