"""Snakemake's command in processes that are forked from one that has imported it.

To import it takes a second, as long as to plan a small run. By itself this is that one process: a
line of JSON on stdin is a command, answered by a line with its exit status.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile

from forked_jobs import forking

_server = None


def run_snakemake(arguments, folder):
    """Run ``python -m snakemake`` in a folder; return its exit status and what it printed.

    Its jobs are forked as well, see forked_jobs.py.
    """
    global _server
    if _server is None:
        command = [sys.executable, __file__]
        _server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    with tempfile.NamedTemporaryFile("r") as printed:
        asked = [list(map(str, arguments)), str(folder), os.environ | forking(), printed.name]
        print(json.dumps(asked), file=_server.stdin, flush=True)
        return int(_server.stdout.readline()), printed.read()


def _serve():
    # It imports the first two itself, later: with its plugin for SLURM, and to check a config.
    import jsonschema  # noqa: F401
    import pandas  # noqa: F401
    import snakemake.cli  # noqa: F401

    for line in sys.stdin:
        arguments, folder, environment, file = json.loads(line)
        child = os.fork()
        if not child:
            for stream, path in ((0, os.devnull), (1, file)):
                os.dup2(os.open(path, os.O_RDWR), stream)
            os.dup2(1, 2)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            sys.argv, sys.path[0] = ["snakemake", *arguments], ""
            runpy.run_module("snakemake", run_name="__main__")
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
