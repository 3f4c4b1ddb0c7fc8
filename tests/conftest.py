"""What the tests share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture
def shared():
    """A function from a path under ../shared to the file there; skips where it is absent."""

    def file(path):
        if not (SHARED / path).exists():
            pytest.skip(f"../shared/{path} is not on this machine")
        return SHARED / path

    return file
