"""Runs a wheel in an empty folder: pictures, `depthgauge run`, a report.

python tests/wheel/run.py WHEEL; some minutes. The wheel is installed into a folder of its own and
uses the libraries of the environment that this is run in.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image


def main(wheel):
    with TemporaryDirectory() as scratch:
        site, empty = Path(scratch, "site"), Path(scratch, "empty")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
        subprocess.run([*pip, wheel], check=True)
        rng = np.random.default_rng(1)
        for channel, label in enumerate(("red", "green", "blue")):
            folder = empty / "photos" / label
            folder.mkdir(parents=True)
            for number in range(10):
                pixels = rng.integers(0, 120, (40, 40, 3), dtype=np.uint8)
                pixels[..., channel] += 100
                Image.fromarray(pixels).save(folder / f"{number}.png")
        command = [sys.executable, "-m", "depthgauge", "run", "photos", "--yes", *sys.argv[2:]]
        environment = os.environ | {"PYTHONPATH": str(site)}
        subprocess.run(command, cwd=empty, env=environment, check=True)
        made = empty / "photos-depthgauge"
        for name in ("config.yaml", "report.html", "results/report.html", "results/verdict.csv"):
            assert (made / name).is_file(), f"{name} is missing"
    print("The wheel runs.")


main(sys.argv[1])
