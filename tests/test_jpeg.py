import hashlib
import io
import logging
import struct
import zlib

import numpy as np
import pytest
from depthgauge.datasets.jpeg import encode, write_jpegs
from depthgauge.datasets.picture import Picture
from depthgauge.errors import UserError
from PIL import Image, ImageCms

RNG = np.random.default_rng(0)
# Smooth, so that JPEG itself changes it by a level or two only.
RAMP = np.linspace(10, 240, 40 * 32).reshape(40, 32)
GREY = RAMP.astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def convert(path, quality=95):
    """Return (the JPEG opened, what was changed)."""
    data, digest, changes, *_ = encode(path, quality)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    return image, changes


def assert_looks(image, expected, tolerance=3):
    assert image.mode == ("L" if expected.ndim == 2 else "RGB")
    assert np.shape(image) == expected.shape
    assert np.abs(np.asarray(image, float) - expected).max() <= tolerance


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_size_and_colour_are_kept(tmp_path, pixels, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path, **({"lossless": True} if suffix == "webp" else {}))
    image, changes = convert(path)
    if suffix == "webp" and pixels.ndim == 2:  # WebP knows no grey
        pixels = np.stack([pixels] * 3, axis=-1)
    assert_looks(image, pixels)
    assert changes == []


def test_a_jpeg_that_needs_no_change_is_kept_byte_for_byte(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(COLOUR).save(path, quality=40)
    assert encode(path, 95)[0] == path.read_bytes()


def test_quality_counts(tmp_path):
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    sizes = [len(encode(tmp_path / "a.png", quality)[0]) for quality in (10, 50, 95)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_honoured(tmp_path, orientation, suffix):
    # What each value says was done to the upright picture (EXIF 2.32, tag 274).
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](COLOUR)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, **options)
    image, changes = convert(path)
    assert_looks(image, COLOUR, 6)
    assert bool(changes) == (orientation != 1)
    assert image.getexif().get(0x0112, 1) == 1


def test_comments_of_the_source_are_not_carried_along(tmp_path):
    Image.new("CMYK", (16, 16)).save(tmp_path / "a.jpg", comment=b"where I live")
    assert b"where I live" in (tmp_path / "a.jpg").read_bytes()
    assert b"where I live" not in encode(tmp_path / "a.jpg", 95)[0]


def test_cmyk(tmp_path):
    for suffix in ("jpg", "tif"):
        path = tmp_path / f"a.{suffix}"
        Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path)  # red
        image, changes = convert(path)
        assert_looks(image, np.full((16, 16, 3), (255, 0, 0)), 4)
        assert changes == ["CMYK: converted to RGB"]


def _cmyk_profile(lab):
    """An ICC profile in which every mixture of inks looks like the colour ``lab``."""
    code = bytes([round(lab[0] * 2.55), lab[1] + 128, lab[2] + 128])
    identity = struct.pack(">9i", *(np.eye(3, dtype=int) << 16).ravel())
    ramp = bytes(range(256))
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"x\0\0\0",
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": b"mft1"
        + bytes(4)
        + bytes([4, 3, 2, 0])
        + identity
        + ramp * 4
        + code * 16
        + ramp * 3,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">2I", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    head = bytes(4) + bytes(4) + struct.pack(">I", 0x02100000) + b"prtrCMYKLab " + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    head = head.ljust(128, b"\0")
    return struct.pack(">I", 128 + len(table) + len(body)) + head[4:] + table + body


def test_a_cmyk_profile_decides(tmp_path):
    # sRGB's red and its middle grey, by their Lab coordinates.
    for lab, rgb in [((54, 81, 70), (255, 0, 0)), ((50, 0, 0), (119, 119, 119))]:
        image = Image.new("CMYK", (16, 16), (10, 20, 200, 30))
        image.save(tmp_path / "a.tif", icc_profile=_cmyk_profile(lab))
        image, _ = convert(tmp_path / "a.tif")
        assert_looks(image, np.full((16, 16, 3), rgb), 5)


def test_a_cmyk_profile_that_does_not_fit_is_no_obstacle(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.tif", icc_profile=profile)
    image, _ = convert(tmp_path / "a.tif")
    assert_looks(image, np.full((16, 16, 3), (255, 0, 0)), 4)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled(tmp_path, suffix):
    deep = np.linspace(0, 65535, 40 * 32).reshape(40, 32).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 32 40 65535\n" + deep.astype(">u2").tobytes())
    else:
        Image.fromarray(deep).save(path)
    image, changes = convert(path)
    assert_looks(image, deep / 257)
    assert len(changes) == 1 and "16 bits" in changes[0]


def png_of_16_bits(deep):
    """The bytes of a colour PNG, which Pillow cannot write, of big-endian values."""
    rows = b"".join(b"\0" + row.tobytes() for row in deep)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 32, 40, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_16_bit_colour_is_scaled_and_said(tmp_path):
    deep = (COLOUR.astype(np.uint16) * 257).astype(">u2")
    (tmp_path / "a.png").write_bytes(png_of_16_bits(deep))
    image, changes = convert(tmp_path / "a.png")
    assert_looks(image, COLOUR)
    assert len(changes) == 1 and "16 bits" in changes[0]


def deep_pictures(folder, *pixels):
    """Pictures of 16 bits, a file for each array, and a folder to write to."""
    (folder / "out").mkdir()
    for place, deep in enumerate(pixels):
        Image.fromarray(deep).save(folder / f"{place}.tif")
    names = [f"{place}.tif" for place in range(len(pixels))]
    return [Picture(name, "x", name, folder / name) for name in names], folder / "out"


@pytest.mark.parametrize(
    ("bits", "brightest"), [(8, 255), (10, 256), (12, 4095), (14, 4096), (16, 16384), (16, 65535)]
)
def test_the_bits_that_all_pictures_use_decide_what_is_white(tmp_path, bits, brightest):
    rng = np.random.default_rng(bits)
    dark = rng.integers(0, brightest // 3, (24, 24)).astype(np.uint16)
    bright = rng.integers(0, brightest, (24, 24)).astype(np.uint16)
    bright[0, 0] = brightest
    pictures, out = deep_pictures(tmp_path, dark, bright)
    _, notes = write_jpegs(pictures, out, progress=False)
    (note,) = notes
    assert f"of which {bits} are used" in note.note and f"{2**bits - 1:,} is white" in note.note
    for picture, deep in zip(pictures, (dark, bright), strict=True):
        found = np.asarray(Image.open(out / f"{picture.name}.jpg"), float)
        expected = deep.astype(float) * 255 / (2**bits - 1)
        assert abs(found.mean() - expected.mean()) < 0.6
        again = encode(picture.content, 95, 2**bits - 1)
        assert (out / f"{picture.name}.jpg").read_bytes() == again.data


def test_the_bits_of_the_config_hold_and_more_is_refused(tmp_path):
    deep = np.full((8, 8), 1000, np.uint16)
    pictures, out = deep_pictures(tmp_path, deep)
    write_jpegs(pictures, out, bits=12, progress=False)
    assert Image.open(out / "0.tif.jpg").getpixel((0, 0)) == round(1000 * 255 / 4095)
    with pytest.raises(UserError, match="0.tif: has the value 1,000, and `bits: 8`"):
        write_jpegs(pictures, out, bits=8, progress=False)


def test_8_and_16_bits_beside_one_another_are_warned_of(tmp_path, caplog):
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 50
    pictures, out = deep_pictures(tmp_path, deep, deep.astype(np.uint8))
    _, notes = write_jpegs(pictures, out, progress=False)
    assert "1 grey pictures of 16 bits stand beside 1 of 8 bits" in notes[1].note
    assert notes[1].note in caplog.text


def test_dark_colours_of_16_bits_are_warned_of(tmp_path, caplog):
    out = tmp_path / "out"
    out.mkdir()
    for name, factor in (("dark", 16), ("whole", 257)):
        deep = (COLOUR.astype(np.uint16) * factor).astype(">u2")
        (tmp_path / f"{name}.png").write_bytes(png_of_16_bits(deep))
        _, notes = write_jpegs(
            [Picture(name, "x", name, tmp_path / f"{name}.png")], out, progress=False
        )
        assert [("come out dark" in note.note) for note in notes] == [True] * (name == "dark")


def test_pixels_alone_tell_what_is_a_copy(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([GREY] * 3, axis=-1)).save(tmp_path / "colour.bmp")
    exif = Image.Exif()
    exif[0x010E] = "a comment"
    Image.fromarray(GREY).save(tmp_path / "a.jpg")
    Image.fromarray(GREY).save(tmp_path / "b.jpg", exif=exif)
    Image.fromarray(GREY.T).save(tmp_path / "turned.png")
    Image.fromarray(GREY.reshape(32, 40)).save(tmp_path / "wider.png")
    found = {file.name: encode(file, 95).pixels for file in tmp_path.glob("*.*")}
    assert found["grey.png"] == found["colour.bmp"] and found["a.jpg"] == found["b.jpg"]
    assert len(set(found.values())) == 4


def test_alpha_is_laid_on_white(tmp_path):
    alpha = np.zeros((40, 32), np.uint8)
    alpha[:, 16:] = 255
    for mode, pixels in (("LA", GREY), ("RGBA", COLOUR)):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(np.dstack([pixels, alpha])).save(path)
        image, changes = convert(path)
        mask = alpha if mode == "LA" else alpha[..., None]
        expected = np.where(mask == 255, pixels, 255)
        assert_looks(image, expected, 60)  # ringing at the edge
        assert np.abs(np.asarray(image, float) - expected)[:, :8].max() <= 3
        assert np.abs(np.asarray(image, float) - expected)[:, 24:].max() <= 3
        assert changes == ["Alpha: laid on white"]


def test_palette_with_and_without_a_transparent_colour(tmp_path):
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 200, 30, 60])
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.png", transparency=1)
    got, changes = convert(tmp_path / "a.png")
    assert_looks(got, np.full((16, 16, 3), (200, 30, 60)))
    assert changes == ["Palette: converted to RGB"]
    got, changes = convert(tmp_path / "b.png")
    assert_looks(got, np.full((16, 16, 3), 255))
    assert changes == ["Alpha: laid on white"]


def test_one_bit_and_several_frames(tmp_path):
    Image.fromarray(GREY > 120).save(tmp_path / "a.png")
    image, changes = convert(tmp_path / "a.png", 100)
    assert_looks(image, np.where(GREY > 120, 255, 0), 40)
    assert changes == ["1 bit a pixel: converted to grey"]
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    for suffix in ("gif", "tif", "png"):
        path = tmp_path / f"b.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        image, changes = convert(path)
        assert_looks(image, np.full((16, 16, 3), (255, 0, 0)))
        assert "Several frames: the first was taken" in changes


def test_what_cannot_be_read_says_why(tmp_path):
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "w.png")
    whole = (tmp_path / "w.png").read_bytes()
    for name, data, why in [
        ("empty.png", b"", "empty"),
        ("text.jpg", b"not an image at all", "not a picture"),
        ("cut.png", whole[: len(whole) // 2], "truncated"),
    ]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises((ValueError, OSError), match=why):
            encode(tmp_path / name, 95)
    Image.fromarray(np.ones((9, 9), np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(ValueError, match="32 bits"):
        encode(tmp_path / "f.tif", 95)
    Image.new("L", (65_501, 1)).save(tmp_path / "long.png")
    with pytest.raises(ValueError, match="65500"):
        encode(tmp_path / "long.png", 95)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("L", (50, 50)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="million pixels"):
        encode(tmp_path / "a.png", 95)


def _pictures(folder, count):
    pictures = []
    for i in range(count):
        path = folder / f"{i}.png"
        Image.fromarray(RNG.integers(0, 256, (9, 9, 3 + i % 2), dtype=np.uint8)).save(path)
        pictures.append(Picture(f"p{i}", "x", f"{i}.png", path))
    return pictures


def test_every_bad_picture_is_listed_at_once_or_left_out(tmp_path, caplog):
    pictures = _pictures(tmp_path, 20)
    for i in range(0, 20, 3):
        pictures[i].content.write_bytes(b"")
    for i in range(1, 20, 3):
        pictures[i].content.write_bytes(b"GIF89a")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UserError, match="14 of 20") as error:
        write_jpegs(pictures, out, progress=False)
    text = str(error.value)
    assert "0.png: the file is empty" in text and "and 4 more" in text
    assert "skip_unreadable" in text
    with caplog.at_level(logging.INFO):
        digests, notes = write_jpegs(pictures, out, progress=False, skip_unreadable=True)
    assert notes[0][1:4] == (20, 6, "14 unreadable, left out")
    assert notes[1][3:] == ("unreadable: the file is empty", "0.png") and len(notes) == 15
    assert [i for i, d in enumerate(digests) if d] == list(range(2, 20, 3))
    assert "14 pictures" in caplog.text


def test_one_line_a_change_whatever_the_number(tmp_path, caplog):
    out = tmp_path / "out"
    out.mkdir()
    with caplog.at_level(logging.INFO):
        write_jpegs(_pictures(tmp_path, 10), out, progress=False)
    assert [r.message for r in caplog.records] == [
        "Alpha: laid on white: 5 pictures (the first: 1.png)"
    ]


def test_the_same_bytes_whatever_the_threads(tmp_path):
    pictures = _pictures(tmp_path, 30)
    results = []
    for threads in (1, 4):
        out = tmp_path / str(threads)
        out.mkdir()
        digests, _ = write_jpegs(pictures, out, threads=threads, progress=False)
        files = [(out / f"{p.name}.jpg").read_bytes() for p in pictures]
        assert [hashlib.sha256(f).hexdigest() for f in files] == [d.sha256 for d in digests]
        results.append((digests, files))
    assert results[0] == results[1]
