"""Digests of what a tensor is computed by: the same for the same computation, and for no other."""

import numpy as np
import pytest
from depthgauge.networks.digest import tensor_digests
from depthgauge.networks.tensorflow_whole import tf


def graph(*, seed=0, stride=2, order=(0, 1), prefix="", deeper=False, renamed=False):
    """A graph of two branches on one convolution; ``relu`` and ``pool`` are its tensors."""
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal((3, 3, 3, 4)).astype(np.float32)
    with tf.Graph().as_default() as made:
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        conv = tf.nn.conv2d(images, kernel, 1, "SAME", name=f"{prefix}conv")
        branches = [
            lambda: tf.nn.relu(conv, name=f"{prefix}relu"),
            lambda: tf.nn.max_pool2d(conv, 2, stride, "SAME", name=f"{prefix}pool"),
        ]
        for place in order:
            branches[place]()
        if renamed:
            tf.identity(made.get_tensor_by_name(f"{prefix}relu:0"), name="output")
        if deeper:
            tf.nn.relu(made.get_tensor_by_name(f"{prefix}pool:0"), name="more")
    return made.as_graph_def()


def digest(graph_def, tensor):
    return tensor_digests(graph_def, [tensor])[tensor]


@pytest.mark.parametrize("change", [{"order": (1, 0)}, {"deeper": True}, {"renamed": True}])
def test_what_else_is_in_the_graph_does_not_count(change):
    for tensor in ("relu:0", "pool:0"):
        assert digest(graph(**change), tensor) == digest(graph(), tensor)


def test_names_do_not_count():
    for tensor in ("relu:0", "pool:0"):
        assert digest(graph(prefix="block_"), f"block_{tensor}") == digest(graph(), tensor)
    assert digest(graph(renamed=True), "output:0") == digest(graph(), "relu:0")


def test_weights_and_operations_count():
    before = tensor_digests(graph(), ["relu:0", "pool:0"])
    assert before["relu:0"] != before["pool:0"]
    weights = tensor_digests(graph(seed=1), ["relu:0", "pool:0"])
    stride = tensor_digests(graph(stride=1), ["relu:0", "pool:0"])
    assert weights["relu:0"] != before["relu:0"] and weights["pool:0"] != before["pool:0"]
    assert stride["relu:0"] == before["relu:0"] and stride["pool:0"] != before["pool:0"]


def test_outputs_of_one_node_are_told_apart():
    with tf.Graph().as_default() as made:
        images = tf.compat.v1.placeholder(tf.float32, [None, 4], name="input")
        tf.split(images, 2, axis=1, name="halves")
    found = tensor_digests(made.as_graph_def(), ["halves:0", "halves:1"])
    assert found["halves:0"] != found["halves:1"]


def test_a_loop_is_digested_as_a_whole():
    def looped(steps):
        with tf.Graph().as_default() as made:
            images = tf.compat.v1.placeholder(tf.float32, [None, 4], name="input")
            tf.compat.v1.disable_control_flow_v2()
            tf.compat.v1.while_loop(
                lambda i, x: i < steps, lambda i, x: (i + 1, x * 2), [0, images], name="loop"
            )
            tf.compat.v1.enable_control_flow_v2()
        graph_def = made.as_graph_def()
        assert any(node.op == "NextIteration" for node in graph_def.node)
        return digest(graph_def, "loop/Exit_1:0")

    assert looped(3) == looped(3) != looped(4)
