"""Memory that is freed stays with the process."""

import subprocess
import sys

import pytest

# Takes and frees 96 MB in pieces of 3 MB, and prints the pages that the system had to bring.
CHURN = """
import resource, sys
from depthgauge.networks.tensorflow_setup import _keep_freed_memory
import numpy as np
if sys.argv[1] == "keep":
    _keep_freed_memory()
for _ in range(32):
    np.ones(3 << 17)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a matter of glibc's malloc")
def test_freed_memory_is_used_again():
    faults = {
        way: int(
            subprocess.run(
                [sys.executable, "-c", CHURN, way],
                capture_output=True,
                text=True,
                check=True,
                env={"PYTHONPATH": "workflow", "MALLOC_MMAP_THRESHOLD_": "1000000"},
            ).stdout
        )
        for way in ("keep", "give back")
    }
    assert faults["give back"] - faults["keep"] > 20 * (3 << 20) / 4096
