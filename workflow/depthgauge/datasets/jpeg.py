"""Any readable picture as a JPEG of the same size; grey stays grey, colour stays colour."""

import hashlib
import io
import logging
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps
from tqdm import tqdm

from ..errors import UserError
from ..excerpt import excerpt
from .picture import Note

log = logging.getLogger(__name__)

LONGEST_SIDE = 65_500  # of a JPEG
DEPTHS = (8, 10, 12, 14, 16)  # bits of a pixel that cameras and scanners make use of
WHITE = (1 << 16) - 1


class Jpeg(NamedTuple):
    """What was written of a picture: SHA-256 in hexadecimal."""

    source_sha256: str  # of a file's bytes, else of the raw pixels
    sha256: str  # of the JPEG
    pixels: str  # of the pixels, in RGB, before they were encoded


class Encoded(NamedTuple):
    """A picture as a JPEG."""

    data: bytes | None  # None where its white is not known yet
    source_sha256: str
    changes: list  # of str
    pixels: str  # as of a Jpeg
    brightest: int | None = None  # value of a channel of 16 bits


def write_jpegs(
    pictures, folder, *, quality=95, bits=None, threads=1, progress=True, skip_unreadable=False
):
    """Write each picture to ``folder`` as NAME.jpg.

    A JPEG that needs no change is copied byte for byte; everything else is encoded at
    ``quality`` without chroma subsampling. CMYK, palette, 16-bit, alpha, 1-bit and
    animated pictures and those with an EXIF orientation are converted, and one log
    line a kind says how many.

    Parameters
    ----------
    pictures : list of Picture
    folder : existing folder
    bits : int, optional
        How many of the 16 bits of deep grey pictures are used, the same for all: 12 where 4,095 is
        white. Without, the fewest of ``DEPTHS`` that hold the brightest value of all.
    skip_unreadable : bool
        Leave pictures out that cannot be read, with a log line, instead of failing.

    Returns
    -------
    list of Jpeg or None
        Of each picture; None where it was left out.
    list of Note
        What was left out, and which value of 16 bits is white.

    Raises
    ------
    UserError
        Naming the pictures that cannot be read, or one that has values above ``bits``.
    """
    register_heif()

    def write(picture, white):
        try:
            found = encode(picture.content, quality, white)
        except Exception as error:  # decoders of damaged files raise whatever they like
            if isinstance(error, MemoryError):
                raise
            return str(error) or type(error).__name__
        if found.data is None:
            return found
        (folder / f"{picture.name}.jpg").write_bytes(found.data)
        return found._replace(data=hashlib.sha256(found.data).hexdigest())

    def write_all(pictures, white):
        with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
            # Pillow refuses decompression bombs by itself; its warnings on files half as
            # large and on odd metadata are not for the reader.
            warnings.simplefilter("ignore")
            bar = tqdm(
                pool.map(write, pictures, repeat(white)),
                total=len(pictures),
                desc="JPEG",
                unit="image",
                mininterval=1,
                disable=not progress,
            )
            return list(bar)

    outcomes = write_all(pictures, None)
    # Which value is white is one for all, and so is known only when all were looked at.
    deep = [
        place for place, one in enumerate(outcomes) if not isinstance(one, str) and not one.data
    ]
    notes = []
    if deep:
        white, notes = _white(pictures, outcomes, deep, bits)
        again = write_all([pictures[place] for place in deep], white)
        for place, one in zip(deep, again, strict=True):
            outcomes[place] = one
    bad = [(p, one) for p, one in zip(pictures, outcomes, strict=True) if isinstance(one, str)]
    if bad:
        listing = "\n  ".join(excerpt([f"{picture.source}: {why}" for picture, why in bad]))
        if not skip_unreadable:
            raise UserError(
                f"{len(bad)} of {len(pictures)} pictures cannot be read:\n  {listing}\n"
                "Mend or remove them; a folder of your own may also be read without them, "
                "with `skip_unreadable: true` under the dataset in the config."
            )
        log.warning("Left out, for they cannot be read: %d pictures\n  %s", len(bad), listing)
        said = f"{len(bad)} unreadable, left out"
        notes.append(Note("", len(pictures), len(pictures) - len(bad), said))
        notes += [Note("", "", "", f"unreadable: {why}", p.source) for p, why in bad]

    changed, example, written = Counter(), {}, []
    for picture, one in zip(pictures, outcomes, strict=True):
        kept = not isinstance(one, str)
        for change in one.changes if kept else ():
            changed[change] += 1
            example.setdefault(change, picture.source)
        written.append(Jpeg(one.source_sha256, one.data, one.pixels) if kept else None)
    for change, count in sorted(changed.items()):
        log.info("%s: %d pictures (the first: %s)", change, count, example[change])
    return written, notes + _dark(outcomes)


def register_heif():
    """Let Pillow open HEIC and HEIF, where pillow-heif is installed."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()


def _white(pictures, outcomes, deep, bits):
    """Return (the value that is white in all deep grey pictures, notes that say so)."""
    brightest = max(deep, key=lambda place: outcomes[place].brightest)
    value = outcomes[brightest].brightest
    used = bits or next(depth for depth in DEPTHS if value < 1 << depth)
    white = (1 << used) - 1
    if value > white:
        raise UserError(
            f"{pictures[brightest].source}: has the value {value:,}, and `bits: {used}` makes "
            f"{white:,} white. Give more bits, or leave `bits` to be found."
        )
    said = (
        f"{len(deep)} pictures have 16 bits a pixel, of which {used} are used (the brightest value "
        f"is {value:,}): {white:,} is white in all of them"
    )
    notes = [Note("", "", "", said)]
    shallow = sum(not isinstance(one, str) and bool(one.data) for one in outcomes)
    if shallow:
        said = (
            f"{len(deep)} grey pictures of 16 bits stand beside {shallow} of 8 bits: what makes "
            "them differ in brightness may be the files, not what they show"
        )
        notes.append(Note("", "", "", said))
    for note in notes:
        log.warning("%s", note.note)
    return white, notes


def _dark(outcomes):
    """Return a note where colours of 16 bits use a few of these bits, and lose their levels."""
    found = [one.brightest for one in outcomes if not isinstance(one, str)]
    found = [value for value in found if value is not None]
    if not found or max(found) >= 1 << 14:
        return []
    said = (
        f"{len(found)} pictures of 16 bits a colour use few of these (the brightest value is about "
        f"{max(found):,}), and come out dark; save them with 8 bits"
    )
    log.warning("%s", said)
    return [Note("", "", "", said)]


def encode(content, quality, white=WHITE):
    """Return the Encoded of a file or of a function that makes an image.

    Parameters
    ----------
    content : Path or callable
    quality : int
    white : int, optional
        The value of 16 grey bits that is white. With None such a picture is not encoded, and its
        brightest value is told.
    """
    if not isinstance(content, Path):
        image = content()
        source = hashlib.sha256(image.tobytes()).hexdigest()
        return Encoded(_save(image, quality), source, [], _digest(image))
    raw = content.read_bytes()
    if not raw:
        raise ValueError("the file is empty")
    try:
        image = Image.open(io.BytesIO(raw))
    except Image.UnidentifiedImageError:
        raise ValueError("not a picture in a format that can be read") from None
    except Image.DecompressionBombError:
        raise ValueError(
            f"more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} million pixels; shrink it first"
        ) from None
    plain = image.format == "JPEG" and image.mode in ("L", "RGB")
    source = hashlib.sha256(raw).hexdigest()
    image, changes, brightest = _to_grey_or_rgb(image, white)
    if image is None:
        return Encoded(None, source, changes, "", brightest)
    if max(image.size) > LONGEST_SIDE:
        raise ValueError(f"longer than the {LONGEST_SIDE} pixels that a JPEG can have")
    data = raw if plain and not changes else _save(image, quality)
    return Encoded(data, source, changes, _digest(image), brightest)


def _digest(image):
    """Return a digest of an image's size and pixels; grey ones count as colours."""
    digest, rows = hashlib.sha256(b"%d x %d" % image.size), 256
    for top in range(0, image.height, rows):  # a few at a time, for the memory
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        digest.update(part.convert("RGB").tobytes())
    return digest.hexdigest()


def _save(image, quality):
    image.info = {}  # else comments of the source would be carried along
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _to_grey_or_rgb(image, white):
    """Return (the image loaded, upright and of mode L or RGB; a line for each change; brightest).

    Of grey ones of 16 bits there is no image where ``white`` is None; see ``encode``.
    """
    changes = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        changes.append("Several frames: the first was taken")
    # A PGM or PNG of mode I is one of 16 bits.
    deep = any(";16" in str(tile) for tile in image.tile) or (
        image.mode == "I" and image.format in ("PPM", "PNG")
    )
    # Pillow turns TIFFs by itself as it loads them; of PNGs it may know only afterwards.
    turned = _orientation(image) != 1
    if image.format == "PPM":  # which says itself what is white, and is scaled by that
        white = WHITE
    image.load()
    if turned or _orientation(image) != 1:
        changes.append("EXIF orientation: turned upright")
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and deep):
        pixels = np.asarray(image).astype(np.uint32)
        if white is None:
            return None, changes, int(pixels.max())
        changes.append(f"16 bits a channel: scaled to 8 ({white:,} is white)")
        # To the nearest. Pillow's own convert clips instead.
        pixels = (2 * 255 * pixels + white) // (2 * white)
        return Image.fromarray(pixels.astype(np.uint8)), changes, None
    brightest = None
    if deep:  # colours, of which Pillow keeps the upper bits
        changes.append(f"16 bits a channel: scaled to 8 ({WHITE:,} is white)")
        brightest = 257 * max(high for _, high in image.getextrema()[:3])
    if image.mode in ("I", "F"):
        raise ValueError(
            "32 bits a pixel, of which no one can tell what is white; convert it to 8 or 16 bits"
        )
    if image.has_transparency_data:
        changes.append("Alpha: laid on white")
        grey = image.mode in ("LA", "La", "L", "1")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return (
            Image.alpha_composite(white, image).convert("L" if grey else "RGB"),
            changes,
            brightest,
        )
    if image.mode == "CMYK":
        changes.append("CMYK: converted to RGB")
        return _cmyk_to_rgb(image), changes, brightest
    if image.mode == "P":
        changes.append("Palette: converted to RGB")
    elif image.mode == "1":
        changes.append("1 bit a pixel: converted to grey")
    elif image.mode not in ("L", "RGB"):
        changes.append(f"{image.mode}: converted to RGB")
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, changes, brightest


def _orientation(image):
    value = image.getexif().get(0x0112, 1)
    return value if value in range(1, 9) else 1


def _cmyk_to_rgb(image):
    """Convert by the picture's own colour profile where it has one that works."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            measured = ImageCms.Intent.RELATIVE_COLORIMETRIC
            return ImageCms.profileToProfile(image, source, target, measured, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            log.debug("a CMYK profile that cannot be used")
    return image.convert("RGB")
