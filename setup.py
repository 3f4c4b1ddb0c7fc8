"""What pyproject.toml cannot say: a wheel carries the workflow as well as the package.

The rules have one home, the folders of this checkout. They are copied when a wheel is built, to
`depthgauge/home` in it, under the same paths; `depthgauge.home` finds them in either place.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = [
    *("Snakefile", "config.yaml", "envs/depthgauge.yaml", "profiles"),
    *(f"workflow/{folder}" for folder in ("rules", "schemas", "report", "profiles")),
]


class BuildWithWorkflow(build_py):
    def run(self):
        super().run()
        if self.editable_mode:
            return
        home = Path(self.build_lib, "depthgauge", "home")
        shutil.rmtree(home, ignore_errors=True)
        for name in CARRIED:
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if Path(name).is_dir() else shutil.copy2
            copy(name, home / name)


setup(cmdclass={"build_py": BuildWithWorkflow})
