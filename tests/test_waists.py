"""Waists, against every path of small random networks, one by one."""

import numpy as np
import pytest
from depthgauge.errors import UserError
from depthgauge.networks.nodes import Node
from depthgauge.networks.waists import depth_count, evenly, waists


def paths(nodes, end):
    """All paths from the images to ``end``, as sets of nodes."""
    if end == "input":
        return [{"input"}]
    inputs = {node.name: node.inputs for node in nodes}[end]
    return [path | {end} for name in inputs for path in paths(nodes, name)]


@pytest.mark.parametrize("seed", range(30))
def test_waists_are_what_every_path_passes(seed):
    rng = np.random.default_rng(seed)
    nodes = [Node("input", "Placeholder", (), "")]
    for place in range(12):  # convolutions: none is left out for what follows it
        near = nodes[-3:]
        count = rng.integers(1, min(2, len(near)) + 1)
        given = rng.choice(len(near), count, replace=False)
        nodes.append(Node(f"n{place}", "Conv", tuple(near[i].name for i in given), ""))
    passed = set.intersection(*paths(nodes, "n11")) - {"input"}
    assert waists(nodes, "input", ["n11"]) == sorted(passed, key=lambda name: int(name[1:]))


def test_one_of_a_convolution_its_norm_and_its_activation():
    ops = ["Sub", "Conv", "BatchNormalization", "Relu", "MaxPool", "Flatten", "Gemm", "Softmax"]
    names = ["input", *ops]
    nodes = [Node("input", "Placeholder", (), "")]
    nodes += [Node(op, op, (names[place], "weights"), "") for place, op in enumerate(ops)]
    assert waists(nodes, "input", ["Softmax"]) == ["Relu", "MaxPool", "Gemm"]


def test_evenly_ends_with_the_last():
    found = [str(place) for place in range(1, 13)]
    assert evenly("net", found, 6) == ["2", "4", "6", "8", "10", "12"]
    for many in range(1, 13):
        assert (
            len(set(evenly("net", found, many))) == many and evenly("net", found, many)[-1] == "12"
        )
    with pytest.raises(UserError, match="12 tensors"):
        evenly("net", found, 13)


def test_how_many():
    assert [depth_count(one) for one in ("auto", 4, "pooling", ["a"])] == [6, 4, None, None]
