"""What each command costs before it does anything: its help, and the imports of its stage.

    python tests/bench/bench_startup.py [--repeats 2]

`help` is `depthgauge COMMAND --help`; `start_up` the interpreter, and all that the command
imports before its stage begins. `tensorflow` says whether that is among it.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

import depthgauge
from depthgauge import cli
from side_by_side import report, timed

PACKAGE = Path(depthgauge.__file__).parent
PRINT = "; import sys; print('tensorflow.python' in sys.modules)"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()

    rows = []
    for name, modules in stages().items():
        imports = f"import depthgauge.cli, {', '.join(modules)}" if modules else "pass"
        helps = [timed(python, "-m", "depthgauge", name, "--help") for _ in range(args.repeats)]
        loaded = []
        starts = [
            timed(lambda c=imports + PRINT, o=loaded: o.append(python("-c", c))) for _ in helps
        ]
        rows.append(
            {
                "command": name,
                "help_s": statistics.median(helps),
                "start_up_s": statistics.median(starts),
                "least_s": min(starts),
                "most_s": max(starts),
                "tensorflow": "True" in loaded[0],
            }
        )
    report(f"Start-up, {args.repeats} repeats", rows, args.output)


def stages():
    """Return {command: the modules that it imports}."""
    return {
        name: [f"depthgauge.{command.target.partition(':')[0]}"]
        for name, command in cli.main.commands.items()
        if getattr(command, "target", None)
    }


def python(*arguments):
    """Return what a fresh interpreter prints."""
    command = [sys.executable, *arguments]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PACKAGE.parent)
    return run.stdout


if __name__ == "__main__":
    main()
