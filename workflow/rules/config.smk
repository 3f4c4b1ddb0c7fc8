# The package, which rules call and this code imports; and the config, looked at before it is read.
# No rule stands here.

import sys
from pathlib import Path

PACKAGE = Path(workflow.basedir) / "workflow" / "depthgauge"
sys.path.insert(0, str(PACKAGE.parent))

from depthgauge.config import read_config
from depthgauge.errors import UserError


def stop(error):
    """End Snakemake with a message of ours and none of its own: those name lines of this code."""
    print(f"ERROR: {error}", file=sys.stderr, flush=True)
    sys.exit(1)


def legible(file):
    """The path of a config file, if it can be read; Snakemake would say neither line nor file."""
    try:
        if workflow.is_main_process:  # jobs need not look again
            read_config(file)
    except UserError as error:
        stop(error)
    return file


for file in workflow.configfiles:
    legible(file)
