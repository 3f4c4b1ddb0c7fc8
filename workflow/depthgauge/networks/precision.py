"""Which precision a processor multiplies in at speed."""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

# As Linux names what oneDNN needs for bfloat16 faster than float32.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


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


def processor_flags(path="/proc/cpuinfo"):
    """Return the features of the processor; none where there is no such file, as on macOS."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}
