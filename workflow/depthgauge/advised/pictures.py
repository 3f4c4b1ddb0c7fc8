"""Pictures of the user's, as the vectors that an advised extractor makes of them."""

import io
import logging
from pathlib import Path

from tqdm import tqdm

from ..datasets.folder import EXTENSIONS
from ..datasets.jpeg import encode
from ..datasets.picture import natural_key
from ..errors import UserError
from ..excerpt import excerpt
from ..networks.forward import batches, network_function
from ..networks.pixels import load_pixels

log = logging.getLogger(__name__)


def picture_files(pictures):
    """Return the picture files that are named, and those in the folders that are, in order.

    Raises
    ------
    UserError
        If something is not there, or a folder holds no pictures.
    """
    files = []
    for place in map(Path, pictures):
        if not place.exists():
            raise UserError(f"{place}: there is no such picture and no such folder.")
        if place.suffix in (".npy", ".npz", ".csv", ".parquet"):
            raise UserError(
                f"{place}: is no picture. Features that are made already cannot be taken: those of "
                "another network are not comparable. Give the pictures that they are of."
            )
        found = [place]
        if place.is_dir():
            found = [
                file
                for file in place.rglob("*")
                if file.suffix.lower() in EXTENSIONS and _is_seen(file.relative_to(place))
            ]
            found.sort(key=lambda file: natural_key(str(file)))
        if not found:
            raise UserError(
                f"{place}: holds no pictures. Expected files that end in one of "
                f"{', '.join(EXTENSIONS)}."
            )
        files += found
    return files


def _is_seen(path):
    return not any(part.startswith(".") for part in path.parts)


class Vectors:
    """The vectors of picture files, made as they are iterated over.

    Each picture goes the way of the run's own: it is made a JPEG, as ``datasets.jpeg.encode``
    does, in memory, and is then resized. So the images that the run was of come out as they are
    in its features, but for rounding.

    Parameters
    ----------
    advised : depthgauge.advised.folder.Advised
    files : list of path
    threads : int

    Attributes
    ----------
    unreadable : dict of path to str
        Those that were left out so far, and why.
    """

    def __init__(self, advised, files, threads=1):
        self.advised, self.files, self.threads = advised, files, threads
        self.unreadable = {}

    def __iter__(self):
        """Yield (path, float32 [dim]) of each file that can be read."""
        if self.advised.graph.suffix != ".onnx":
            from ..networks.tensorflow_setup import use_threads

            use_threads(self.threads)
        function, _ = network_function(self.advised.graph, [self.advised.tensor])
        made = batches(function, self._pixels, self.files, self.threads)
        with tqdm(total=len(self.files), unit="image", leave=False, disable=None) as bar:
            for kept, values in made:
                bar.update(len(kept))
                if kept:
                    yield from zip(kept, values[0], strict=True)

    def _pixels(self, file):
        try:
            jpeg, *_ = encode(file, self.advised.quality)
        except MemoryError:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they like
            self.unreadable[file] = str(error) or type(error).__name__
            return None
        return load_pixels(io.BytesIO(jpeg), *self.advised.resizing)

    def check(self):
        """Raise UserError that names the files that could not be read, if there are any."""
        if not self.unreadable:
            return
        bad = [f"{file}: {self.unreadable[file]}" for file in self.files if file in self.unreadable]
        raise UserError(
            f"{len(bad)} of {len(self.files)} pictures cannot be read, and are left out:\n  "
            + "\n  ".join(excerpt(bad))
        )
