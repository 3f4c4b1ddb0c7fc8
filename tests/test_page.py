"""Pages of pictures: where each lies, and at what proportions."""

import numpy as np
import pytest
from depthgauge.figures.page import new_page, put


@pytest.mark.parametrize(
    ("pixels", "standing", "extent"),
    [
        ((30, 60), False, (1, 3, 4.5, 3.5)),  # left, right, bottom, top: 2 inches wide, 1 high
        ((30, 60), True, (1, 3, 5, 4)),
        ((60, 30), False, (1.5, 2.5, 5, 3)),
        ((60, 30), True, (1.5, 2.5, 5, 3)),
        ((8, 8), False, (1, 3, 5, 3)),
    ],
)
def test_a_picture_keeps_its_proportions_within_its_square(pixels, standing, extent):
    figure, axes = new_page(6, 8, title="birds", note="two of them")
    put(axes, np.zeros((*pixels, 3), np.uint8), 1, 3, 2, standing=standing)
    assert axes.images[0].get_extent() == pytest.approx(extent)
    # The axes' units are inches from the upper left corner of the page.
    left, top = figure.dpi_scale_trans.inverted().transform(axes.transData.transform((1, 3)))
    assert (left, top) == pytest.approx((1, 8 - 3))
    assert axes.get_xlim() == (0, 6) and axes.get_ylim() == (8, 0)


def test_pictures_do_not_move_each_other():
    _, axes = new_page(6, 8)
    for place in range(3):
        put(axes, np.zeros((9, 9, 3), np.uint8), 2 * place, place, 1.5)
    assert [image.get_extent()[0] for image in axes.images] == [0, 2, 4]
    assert axes.get_xlim() == (0, 6) and axes.get_ylim() == (8, 0)
