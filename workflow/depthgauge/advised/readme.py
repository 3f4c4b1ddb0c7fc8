"""The README of a folder of advised features."""

from ..networks.pixels import height_and_width
from ..statistics.recipe import reading_words

_NOTHING = """\
# No features for {dataset}

No layer is advised for this dataset: at none do images of one class lie nearer to each other than
chance would have it. So there are no features to take along.
"""
_TEXT = """\
# The features advised for {dataset}

`features.npy` (float32, {images} x {dim}) has one row per image of `images.csv`, in its order:
{extractor}, layer {layer}, {reading}{scaled}.
`{file}` makes such vectors of float32 RGB images of 0-255, [N, {height}, {width}, 3].

    depthgauge apply . PICTURES -o new.npy
    depthgauge nearest . PICTURE

{how}:

{code}
"""
_SCALED = """; less the mean of these images,
divided by its length, so that the Euclidean distance of two vectors is that by angle"""
_IMAGES = "pixels = [np.float32(Image.open(file).convert('RGB'){resize}) for file in files]"
_PB = """\
import numpy as np, tensorflow as tf; from PIL import Image
network = tf.compat.v1.GraphDef.FromString(open('extractor.pb', 'rb').read())
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.import_graph_def(network, name='')
    vectors = session.run('{tensor}', {{'input:0': np.stack(pixels)}})"""
_ONNX = """\
import numpy as np, onnxruntime; from PIL import Image
network = onnxruntime.InferenceSession('extractor.onnx')
vectors = np.concatenate([network.run(None, {{'input': one[None]}})[0] for one in pixels])"""


def readme(dataset, described=None, images=0):
    """Return the text of README.md: what lies in the folder, and its use in Python.

    Parameters
    ----------
    dataset : str
    described : dict, optional
        What extractor.json says; without it nothing is advised.
    images : int
    """
    if described is None:
        return _NOTHING.format(dataset=dataset)
    (layer,) = described["layers"]
    onnx = ":" not in layer["tensor"]
    height, width = height_and_width(described["size"])
    first, rest = (_ONNX if onnx else _PB).format(tensor=layer["tensor"]).split("\n", 1)
    pixels, how = _pixels(described, height, width)
    by_angle = described["reading"]["metric"] == "angle"
    return _TEXT.format(
        dataset=dataset,
        images=images,
        dim=layer["dim"],
        extractor=described["extractor"],
        layer=layer["layer"],
        reading=reading_words(**described["reading"]),
        scaled=_SCALED if by_angle else "",
        file="extractor.onnx" if onnx else "extractor.pb",
        height=height,
        width=width,
        how=how,
        code="\n".join(f"    {line}" for line in [first, pixels, *rest.split("\n")]),
    )


def _pixels(described, height, width):
    """Return the line of Python that reads images, and what is to be said of it."""
    filter_ = described["resample"]
    converted = f"(what is no JPEG is made one first, of quality {described['jpeg_quality']})"
    if described.get("shortest_edge") or filter_ == "tf1_bilinear":
        edge = described.get("shortest_edge")
        steps = f"the shorter side {edge} pixels, then the middle" if edge else "no plain filter"
        said = f"In Python, of images of that size, as `apply` resizes them: {filter_}, {steps}"
        return _IMAGES.format(resize=""), f"{said} {converted}"
    resize = f".resize(({width}, {height}), Image.{filter_.upper()})"
    return _IMAGES.format(resize=resize), f"In Python, of the list `files` {converted}"
