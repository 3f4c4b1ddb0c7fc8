"""Any readable picture as a JPEG of the same size; grey stays grey, colour stays colour."""

import hashlib
import io
import logging
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps
from tqdm import tqdm

from ..errors import UserError

log = logging.getLogger(__name__)

LONGEST_SIDE = 65_500  # of a JPEG


def write_jpegs(pictures, folder, *, quality=95, threads=1, progress=True, skip_unreadable=False):
    """Write each picture to ``folder`` as NAME.jpg.

    A JPEG that needs no change is copied byte for byte; everything else is encoded at
    ``quality`` without chroma subsampling. CMYK, palette, 16-bit, alpha, 1-bit and
    animated pictures and those with an EXIF orientation are converted, and one log
    line a kind says how many.

    Parameters
    ----------
    pictures : list of Picture
    folder : existing folder
    skip_unreadable : bool
        Leave pictures out that cannot be read, with a log line, instead of failing.

    Returns
    -------
    list of (str, str) or None, a picture each
        SHA-256 of the source (of a file's bytes, else of the raw pixels) and of the JPEG;
        None where the picture was left out.

    Raises
    ------
    UserError
        Naming the pictures that cannot be read.
    """

    def write(picture):
        try:
            data, digest, changes = encode(picture.content, quality)
        except Exception as error:  # decoders of damaged files raise whatever they like
            if isinstance(error, MemoryError):
                raise
            return None, str(error) or type(error).__name__
        (folder / f"{picture.name}.jpg").write_bytes(data)
        return (digest, hashlib.sha256(data).hexdigest()), changes

    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        # Pillow refuses decompression bombs by itself; its warnings on files half as
        # large and on odd metadata are not for the reader.
        warnings.simplefilter("ignore")
        bar = tqdm(
            pool.map(write, pictures),
            total=len(pictures),
            desc="JPEG",
            unit="image",
            mininterval=1,
            disable=not progress,
        )
        outcomes = list(bar)

    bad = [(p, why) for p, (digests, why) in zip(pictures, outcomes, strict=True) if not digests]
    if bad:
        lines = [f"{picture.source}: {why}" for picture, why in bad[:10]]
        lines += [f"... and {len(bad) - 10} more"] if len(bad) > 10 else []
        listing = "\n  ".join(lines)
        if not skip_unreadable:
            raise UserError(
                f"{len(bad)} of {len(pictures)} pictures cannot be read:\n  {listing}\n"
                "Mend or remove them; a folder of your own may also be read without them, "
                "with `skip_unreadable: true` under the dataset in the config."
            )
        log.warning("Left out, for they cannot be read: %d pictures\n  %s", len(bad), listing)

    changed, example = Counter(), {}
    for picture, (digests, changes) in zip(pictures, outcomes, strict=True):
        for change in changes if digests else ():
            changed[change] += 1
            example.setdefault(change, picture.source)
    for change, count in sorted(changed.items()):
        log.info("%s: %d pictures (the first: %s)", change, count, example[change])
    return [digests for digests, _ in outcomes]


def encode(content, quality):
    """Return (JPEG bytes, SHA-256 of the source, what was changed) of a file or a function."""
    if not isinstance(content, Path):
        image = content()
        return _save(image, quality), hashlib.sha256(image.tobytes()).hexdigest(), []
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
    image, changes = _to_grey_or_rgb(image)
    if max(image.size) > LONGEST_SIDE:
        raise ValueError(f"longer than the {LONGEST_SIDE} pixels that a JPEG can have")
    data = raw if plain and not changes else _save(image, quality)
    return data, hashlib.sha256(raw).hexdigest(), changes


def _save(image, quality):
    image.info = {}  # else comments of the source would be carried along
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _to_grey_or_rgb(image):
    """Return (the image loaded, upright and of mode L or RGB; a line for each change)."""
    changes = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        changes.append("Several frames: the first was taken")
    # A PGM or PNG of mode I is one of 16 bits.
    deep = any(";16" in str(tile) for tile in image.tile) or (
        image.mode == "I" and image.format in ("PPM", "PNG")
    )
    # Pillow turns TIFFs by itself as it loads them; of PNGs it may know only afterwards.
    turned = _orientation(image) != 1
    image.load()
    if turned or _orientation(image) != 1:
        changes.append("EXIF orientation: turned upright")
        image = ImageOps.exif_transpose(image)
    if deep or image.mode.startswith("I;16"):
        changes.append("16 bits a channel: scaled to 8 (65,535 is white)")
    if image.mode.startswith("I;16") or (image.mode == "I" and deep):
        # Exact: 257 * 255 = 65,535. Pillow's own convert clips instead.
        deep_pixels = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((deep_pixels + 128) // 257).astype(np.uint8)), changes
    if image.mode in ("I", "F"):
        raise ValueError(
            "32 bits a pixel, of which no one can tell what is white; convert it to 8 or 16 bits"
        )
    if image.has_transparency_data:
        changes.append("Alpha: laid on white")
        grey = image.mode in ("LA", "La", "L", "1")
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("L" if grey else "RGB"), changes
    if image.mode == "CMYK":
        changes.append("CMYK: converted to RGB")
        return _cmyk_to_rgb(image), changes
    if image.mode == "P":
        changes.append("Palette: converted to RGB")
    elif image.mode == "1":
        changes.append("1 bit a pixel: converted to grey")
    elif image.mode not in ("L", "RGB"):
        changes.append(f"{image.mode}: converted to RGB")
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, changes


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
