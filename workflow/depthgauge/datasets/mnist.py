"""MNIST's handwritten digits (LeCun, Cortes, Burges), from the published IDX files."""

import gzip
import struct
import zlib
from functools import partial

import numpy as np
from PIL import Image

from ..errors import UserError
from ..seeds import derive_seed
from .picture import Note, Picture, Source, stratified

TITLE = "MNIST"
CITATION = "LeCun, Cortes & Burges 1998"
LINK = "http://yann.lecun.com/exdb/mnist/"

IMAGES = {"test": 10_000, "train": 60_000}
PAPER = 10_000  # "a subset": the test split has exactly as many
BASES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
# Images and labels of each split, with the MD5 of the unzipped file: copies that were
# zipped again are common, and the content is what counts.
FILES = {
    "test": {
        "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
    },
    "train": {
        "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    },
}


def count(name, spec):
    """Return the number of images."""
    return spec["images"] or IMAGES[spec["split"]]


def sources(name, spec):
    """Return the split's two files: images, labels."""
    return [
        Source(f"mnist/{file}", [base + file for base in BASES], {"content_md5": md5})
        for file, md5 in FILES[spec["split"]].items()
    ]


def pictures(name, spec, sources, seed, scratch):
    """Return the digits and the notes.

    Keys of ``spec``: ``split`` (test, train), ``images`` (how many; null for all),
    ``choose`` (the ``first`` ones, or ``stratified``: at random by ``seed``, the digits
    in the proportions of the split). ``sources`` are the split's two files.
    """
    split, wanted, choose = spec["split"], count(name, spec), spec["choose"]
    pixels, labels = read_idx(sources[0], 3), read_idx(sources[1], 1)
    total = IMAGES[split]
    if not len(pixels) == len(labels) == total:
        raise UserError(
            f"{sources[0]} holds {len(pixels)} images and {sources[1]} {len(labels)} labels; the "
            f"{split} split has {total} of both. Delete both and let them be fetched again."
        )
    chosen = np.arange(wanted)
    if choose == "stratified":
        rng = np.random.default_rng(derive_seed(seed, name, split))
        chosen = np.array(stratified(labels, wanted, rng))
    chosen = chosen[np.argsort(labels[chosen], kind="stable")]
    made = [
        Picture(
            f"{labels[i]}__{split}_{i:05d}",
            str(labels[i]),
            f"MNIST {split} {i}",
            partial(Image.fromarray, pixels[i]),
        )
        for i in chosen
    ]
    how = "all" if wanted == total else "the first" if choose == "first" else "a stratified part"
    note = f"{how} of the {split} split's {total} digits"
    if wanted == PAPER and how != "a stratified part":
        reading = "the default" if split == "test" else "the other"
        note += f"; {reading} reading of the paper's subset of {PAPER}"
    return made, [Note(split, wanted, len(made), note)]


def read_idx(path, dimensions):
    """Return the uint8 array in the gzipped IDX file ``path``.

    The format: two zero bytes, the type (8: unsigned byte), the number of
    dimensions, each dimension as a big-endian 32-bit integer, then the values.

    Raises
    ------
    UserError
        If it is no such file, of another type or number of dimensions, cut short or too long.
    """
    remedy = "Delete it and let it be fetched again."
    try:
        with gzip.open(path) as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole gzip file ({error}). {remedy}") from error
    head = 4 + 4 * dimensions
    if len(data) < head or data[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(
            f"{path}: not an IDX file of {dimensions}-dimensional bytes (it begins with "
            f"{data[:4].hex()}, expected {bytes([0, 0, 8, dimensions]).hex()}). {remedy}"
        )
    shape = struct.unpack(f">{dimensions}I", data[4:head])
    values = np.frombuffer(data, np.uint8, offset=head)
    expected = int(np.prod(shape, dtype=object))
    if len(values) != expected:
        raise UserError(
            f"{path}: holds {len(values)} values where its head promises "
            f"{' x '.join(map(str, shape))} = {expected}. {remedy}"
        )
    return values.reshape(shape)
