"""Write envs/depthgauge.yaml, the conda environment with the pins of envs/requirements.lock."""

import re
from pathlib import Path

ENVS = Path(__file__).parent
HEADER = """\
# Made from requirements.lock by `make lock`; change pyproject.toml instead.
channels: [conda-forge, nodefaults]
dependencies:
  - python =3.12
  - pip
  - pip:
"""


def conda_environment(lock):
    """Return the text of the environment with every pin of the text ``lock``."""
    pins = re.findall(r"^[A-Za-z0-9][^\s=]*==[^\\\n]*", lock, flags=re.MULTILINE)
    return HEADER + "".join(f'      - "{pin.strip()}"\n' for pin in pins)


if __name__ == "__main__":
    lock = (ENVS / "requirements.lock").read_text()
    (ENVS / "depthgauge.yaml").write_text(conda_environment(lock))
