"""What the tests share."""

import copy
import os
from pathlib import Path

import hypothesis
import pytest

# How long an example takes is the machine's affair, and a test's only in `make bench`.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

# They take longest, and begin first: no worker is left with one of them in the end.
LONGEST = [
    "workflow",
    "kills",
    "own_run",
    "paper",
    "keys",
    "network",
    "onnx",
    "explorer",
    "threads",
]


def pytest_collection_modifyitems(items):
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))


@pytest.fixture
def shared():
    """A function from a path under ../shared to the file there; skips where it is absent."""

    def file(path):
        if not (SHARED / path).exists():
            pytest.skip(f"../shared/{path} is not on this machine")
        return SHARED / path

    return file


@pytest.fixture(autouse=True)
def own_generator(request):
    """Each test has a generator of its own: the RNG of its module, as that began.

    What a test draws does not hang on which others ran before it.
    """
    shared = getattr(request.module, "RNG", None)
    if shared is not None:
        request.module.RNG = copy.deepcopy(shared)
    yield
    if shared is not None:
        request.module.RNG = shared
