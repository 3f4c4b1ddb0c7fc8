"""A run that is killed three times, twice in the middle of a write: tests/kills has twenty."""

import sys

import pytest
from conftest import REPOSITORY

pytest.importorskip("onnxruntime")
sys.path.insert(0, str(REPOSITORY / "tests/kills"))
import kill_runs


def test_a_run_that_is_killed_thrice_ends_in_the_same_bytes(tmp_path):
    targets = ["results/embeddings/drawn/net/stem.csv"]
    undisturbed, run = (
        kill_runs.make_run(tmp_path / name, models=False) for name in ("undisturbed", "killed")
    )
    kill_runs.finish(undisturbed, targets=targets)
    assert kill_runs.killed(run, 2, "drawn/images", targets=targets)
    left = [file.name for file in run.glob("results/datasets/drawn/.images.*")]
    assert left  # a folder, half made
    assert kill_runs.killed(run, 1, "net/stem.npy", targets=targets)
    assert kill_runs.killed(run, 1, "stem.csv", targets=targets)
    kill_runs.finish(run, 1, targets=targets)
    assert kill_runs.compare(undisturbed, run) == []
