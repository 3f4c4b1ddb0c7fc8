"""What Snakemake plans for one config after another, in one process, in a run made up as finished.

Usage: planned_jobs.py SNAKEFILE FOLDER < CONFIGS > PLANNED, both JSON. CONFIGS are pairs of a
config and a command by any name; the first config is the one of the run that is made up: FOLDER
gets all its files, empty, and what Snakemake remembers of its jobs. A command, if it is not empty,
is a line of the shell that changes files of the user's in a copy of FOLDER, before the plan is made
there. PLANNED tells for each the names of the rules of which jobs have a reason of their own to
make anew what is there, and of those whose jobs only follow from these. Jobs that make only what
was not there before are left out.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.settings.types import (
    ConfigSettings,
    ExecutionSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)


@contextlib.contextmanager
def workflow_of(snakefile, folder, config):
    """The workflow with its graph of jobs built, and nothing run."""
    os.environ.pop("DEPTHGAUGE_FOUND", None)
    output = OutputSettings(quiet={Quietness.ALL})
    with SnakemakeApi(output) as api:
        resources, settings = ResourceSettings(cores=1), ConfigSettings(config=config)
        made = api.workflow(resources, settings, snakefile=snakefile, workdir=folder)
        made.dag()
        workflow = made._workflow
        workflow.execution_settings = ExecutionSettings()
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        yield workflow


def make_up(snakefile, folder, config):
    """Make all jobs of ``config`` look finished in ``folder``."""
    with workflow_of(snakefile, folder, config) as workflow:
        jobs = [job for job in workflow.dag.needrun_jobs() if job.output]
        for job in jobs:
            for output in job.output:
                file = Path(output)
                file.parent.mkdir(parents=True, exist_ok=True)
                if is_flagged(output, "directory"):
                    file.mkdir(exist_ok=True)
                else:
                    file.write_text('{"layers": []}' if file.suffix == ".json" else "")
            asyncio.run(workflow.persistence.finished(job))
        for job in jobs:
            for file in job.output:
                if is_flagged(file, "temp"):
                    Path(file).unlink()
                else:
                    os.utime(file, (10**9, 10**9))


def planned(snakefile, folder, config, command):
    """Return (own, following): the rules of the jobs that would make anew what is there."""
    if command:
        with tempfile.TemporaryDirectory() as scratch:
            changed = shutil.copytree(folder, Path(scratch, "copy"))
            subprocess.run(command, shell=True, check=True, cwd=changed)
            return planned(snakefile, changed, config, "")
    with workflow_of(snakefile, folder, config) as workflow:
        own, following = set(), set()
        for job in workflow.dag.needrun_jobs():
            if job.output and not any(map(os.path.exists, job.output)):
                continue
            why = workflow.dag.reason(job)
            changed = why.params_changed or why.code_changed or why.input_changed
            (own if changed or why.missing_output else following).add(job.rule.name)
        return sorted(own), sorted(following - own - {"all"})


if __name__ == "__main__":
    snakefile, folder = map(Path, sys.argv[1:])
    configs = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        make_up(snakefile, folder, next(iter(configs.values()))[0])
        found = {name: planned(snakefile, folder, *given) for name, given in configs.items()}
    print(json.dumps(found))
