import numpy as np
import pytest
from depthgauge.errors import UserError
from depthgauge.networks.pixels import load_pixels
from depthgauge.networks.tensorflow_whole import tf
from PIL import Image


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (28, 41, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path)
    return path, pixels


@pytest.mark.parametrize("size", [8, 28, 41, 64, 299])
def test_tf1_bilinear_is_tensorflows(picture, size):
    path, pixels = picture
    expected = tf.compat.v1.image.resize_bilinear(
        pixels[None].astype(np.float32), (size, size), align_corners=False, half_pixel_centers=False
    )[0]
    resized = load_pixels(path, size, "tf1_bilinear")
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, expected, atol=1e-3)


def test_bilinear_averages_when_it_shrinks(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[::2] = 200
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    shrunk = load_pixels(tmp_path / "stripes.png", 8, "bilinear")
    np.testing.assert_allclose(shrunk, 100, atol=8)


def test_grey_becomes_three_equal_channels(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    pixels = load_pixels(tmp_path / "grey.png", 16)
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_unreadable_file_is_named(tmp_path, content):
    path = tmp_path / "bad.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="bad.jpg"):
        load_pixels(path, 16)


def test_truncated_jpeg_is_named(tmp_path, picture):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(picture[1]).save(whole)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(UserError, match="cut.jpg"):
        load_pixels(cut, 16)
