"""The command ``depthgauge`` in processes that are forked from one that has imported what jobs use.

To import it takes seconds, longer than a job on the small data of tests. What computes is the same.
By itself this is that one process, which ends with its stdin.
"""

import array
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

# What stands for the command: it hands all that a process is given to the one that forks, and ends
# as the job does.
_ASKING = """
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(sys.argv[1])
    streams = array.array("i", [0, 1, 2]).tobytes()
    asked.sendmsg([b"-"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    said = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)])
    asked.sendall(said.encode() + b"\\n")
    sys.exit(int(asked.recv(9) or b"1"))
"""
_server = None


def forking():
    """Return what makes a shell call the forked command: variables of its environment."""
    global _server
    if _server is None:
        folder = tempfile.TemporaryDirectory(prefix="forked_jobs")
        place = os.path.join(folder.name, "socket")
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, __file__, place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | one,
        )
        process.stdout.readline()  # it listens
        _server = folder, process, place
    command = f'{sys.executable} -I -S -c "$DEPTHGAUGE_ASKING" {_server[2]} "$@"'
    return {"BASH_FUNC_depthgauge%%": f"() {{ {command}; }}", "DEPTHGAUGE_ASKING": _ASKING}


def _serve(place):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow"))
    import matplotlib.figure  # noqa: F401
    import numba  # noqa: F401
    import openTSNE  # noqa: F401
    import pandas  # noqa: F401
    import sklearn.cluster  # noqa: F401
    from depthgauge.cli import main
    from depthgauge.networks import keras_setup  # noqa: F401

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listening, sys.stdin], [], [], 1)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if sys.stdin in readable:
                return
            if listening in readable:
                asked, _ = listening.accept()
                if not os.fork():
                    listening.close()
                    _run(asked, main)
                asked.close()


def _run(asked, main):
    """Run a command as the process that asked would, and tell it the exit status."""
    _, ancillary, _, _ = asked.recvmsg(1, socket.CMSG_SPACE(12))
    for stream, handed in enumerate(array.array("i", ancillary[0][2])):
        os.dup2(handed, stream)
        os.close(handed)
    arguments, folder, environment = json.loads(asked.makefile().readline())
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    status = 1
    try:
        main(arguments, prog_name="depthgauge")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        asked.sendall(str(status).encode())
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.argv[1])
