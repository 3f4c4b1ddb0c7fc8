"""Installs a lock file with pip, and says in one line how far it is.

python envs/install.py LOCK, by the Python of the environment that it is installed into.
"""

import re
import subprocess
import sys
import time


def main(lock):
    with open(lock, encoding="utf-8") as file:
        count = sum(bool(re.match(r"[\w.-]+==", line)) for line in file)
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    pip += ["--progress-bar", "off", "--require-hashes", "-r", lock]
    began, place, said = time.monotonic(), 0, []
    tell(f"setting up: {count} packages of {lock}, some hundred megabytes", end="\n")
    started = subprocess.Popen(pip, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in started.stdout:
        said.append(line)
        found = re.match(r"(Collecting|Requirement already satisfied:) ([\w.-]+)", line)
        if found:
            place += 1
            tell(f"setting up: {place} of {count}, {found[2]}", passing=True)
        elif size := re.search(r"Downloading .*\((\d+\.?\d* [MG]B)\)", line):
            tell(f"setting up: {place} of {count}, {size[1]}", passing=True)
        elif line.startswith("Installing collected"):
            tell(f"setting up: all {count} are here, and are unpacked", passing=True)
    if started.wait():
        sys.exit("".join(said[-20:]))
    tell(f"set up in {time.monotonic() - began:.0f} s", end="\n")


def tell(text, passing=False, end=""):
    """Print a line; one that is passing only on a terminal, where the next takes its place."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end=end, flush=True)
    elif not passing:
        print(text, flush=True)


main(sys.argv[1])
