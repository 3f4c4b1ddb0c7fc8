"""The small drawing of the report: what it draws, and that a network looks alike in all."""

import re
from itertools import pairwise

import pytest
from depthgauge.report.chart import accuracy_chart

NETWORKS = ["one", "two", "pca"]


def chart(**accuracies):
    cells = [
        {"extractor": network, "layer": f"layer_{depth}", "depth": depth, "knn1_half": knn1}
        for network, found in accuracies.items()
        for depth, knn1 in enumerate(found, 1)
    ]
    advised = {"guessing": 0.25, "extractor": "two", "layer": "layer_2"}
    return accuracy_chart(cells, advised, NETWORKS, controls=["pca"])


@pytest.mark.parametrize("order", [["one", "two", "pca"], ["pca", "two", "one"]])
def test_a_network_has_its_colour_and_mark_whatever_the_order(order):
    found = {"one": [0.5, 0.6], "two": [0.7, 0.9], "pca": [0.4]}
    drawn = chart(**{network: found[network] for network in order})
    labels = dict(re.findall(r'class="label (c\d)"[^>]*>. (\w+)<', drawn))
    assert labels == {"c0": "one", "c1": "two", "c2": "pca"}
    assert drawn.count("dashed") == 1 and drawn.count("<polyline") == 2
    assert drawn.count('class="advised"') == 1
    assert "two, layer_2: 90 of 100" in drawn and "guessing gets 25" in drawn


def test_labels_do_not_stand_on_one_another():
    heights = re.findall(
        r'class="label[^>]* y="([\d.]+)"', chart(one=[0.5, 0.5], two=[0.5, 0.5], pca=[0.5])
    )
    heights = sorted(map(float, heights))
    assert len(heights) == 4
    assert min(b - a for a, b in pairwise(heights)) >= 13


def test_lines_rise_with_accuracy():
    (points,) = re.findall(r'class="line c0" points="([^"]*)"', chart(one=[0.3, 0.6, 0.9]))
    x, y = zip(*(map(float, point.split(",")) for point in points.split()), strict=True)
    assert list(x) == sorted(x) and list(y) == sorted(y, reverse=True)
    assert (y[0] - y[1]) == pytest.approx(y[1] - y[2], abs=0.2)
