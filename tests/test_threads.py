"""A stage that is given one thread computes on one: jobs side by side do not crowd each other."""

import os
import time

import numpy as np
import pytest
from depthgauge.distances.distances import distances
from depthgauge.distances.labelled import Labelled
from depthgauge.distances.matrix import Distances
from depthgauge.maps.embedding import embed
from depthgauge.statistics.goodness import goodness


def stage_distances(folder):
    features = np.random.default_rng(0).standard_normal((900, 30_000), dtype=np.float32)
    np.save(folder / "shard.npy", features)
    return lambda: distances([folder / "shard.npy"], folder / "out.npy", progress=False)


def stage_goodness(folder):
    rng = np.random.default_rng(0)
    condensed = rng.uniform(1, 2, 3000 * 2999 // 2).astype(np.float32)
    labels = rng.integers(0, 5, 3000).astype(str)
    return lambda: goodness(Labelled(condensed, labels), permutations=999, progress=False)


def stage_embedding(folder):
    points = np.random.default_rng(0).standard_normal((250, 5))
    condensed = np.linalg.norm(points[:, None] - points, axis=2)[np.triu_indices(250, 1)]
    return lambda: embed(Distances(condensed.astype(np.float32)), progress=False)


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core: nothing could run on two")
@pytest.mark.parametrize("stage", [stage_distances, stage_goodness, stage_embedding])
def test_one_thread_is_one_core(tmp_path, stage):
    run = stage(tmp_path)
    run()  # compiles
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert cpu > 0.1  # enough to tell
    # Reading ahead, and the kernel's work for it, may overlap.
    assert cpu <= 1.4 * wall
