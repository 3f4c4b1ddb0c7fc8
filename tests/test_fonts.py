"""Names in any script, with any sign: figures show them as they are, or say which they cannot."""

import logging
import warnings

import numpy as np
import pandas as pd
import pytest
from depthgauge.figures import style
from depthgauge.figures.contact_sheet import draw_contact_sheet
from depthgauge.figures.fonts import OWN, fonts_for
from depthgauge.figures.heatmap import draw_heatmap
from depthgauge.figures.label_curves import draw_label_curves
from depthgauge.figures.learning_curve import draw_learning_curve
from depthgauge.figures.maps import draw_maps
from depthgauge.figures.misplaced import draw_misplaced
from depthgauge.figures.network import draw_network
from depthgauge.figures.reconstructions import draw_reconstructions
from depthgauge.figures.samples import draw_samples
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text
from PIL import Image

# Of two planes that are for private use, so that no font of a machine's has them.
ONE, TWO, THREE, FOUR = "\U000f1001", "\U000f1002", "\U00101003", "\U00101004"


def make_font(path, family, characters, style="Regular"):
    """Write a font in which each of ``characters`` is a black square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"u{ord(character):X}" for character in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in characters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    names = {"familyName": family, "styleName": style}
    builder.setupNameTable(names | {"psName": f"{family.replace(' ', '')}-{style}"})
    builder.setupOS2(usWeightClass=700 if style == "Bold" else 400)
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install fonts after Matplotlib took stock of those there are, as its users do."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    files = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: files)

    def add(family, characters, style="Regular"):
        files.append(make_font(tmp_path / f"{family} {style}.ttf", family, characters, style))

    (tmp_path / "broken.ttf").write_bytes(b"no font")
    files.append(str(tmp_path / "broken.ttf"))
    return add


def test_no_other_font_where_none_is_needed(monkeypatch):
    def refused():
        raise AssertionError("no need to look")

    monkeypatch.setattr(font_manager, "findSystemFonts", refused)
    for text in ("", "stone 10", "Größe ≥ 2 · …", "Собака", "قطة", "a\nb\tc\u200b\u3000"):
        assert fonts_for(text) == ([OWN], "")


def test_as_few_fonts_as_have_what_is_lacking(install):
    assert fonts_for(ONE + TWO + "x" + ONE) == ([OWN], ONE + TWO)
    install("Alpha", ONE)
    assert fonts_for(ONE + TWO) == ([OWN, "Alpha"], TWO)
    install("Gamma Sans", ONE + TWO)
    assert fonts_for(ONE + TWO) == ([OWN, "Gamma Sans"], "")
    install("Beta Serif", ONE + TWO + THREE)
    assert fonts_for(ONE + TWO) == ([OWN, "Gamma Sans"], "")  # a plain one, of equals
    assert fonts_for(TWO + THREE) == ([OWN, "Beta Serif"], "")
    install("Delta", FOUR)
    assert fonts_for(ONE + THREE + FOUR + "日")[0] == [OWN, "Beta Serif", "Delta"]


def test_regular_letters_rather_than_bold(install):
    install("Zeta", ONE)
    install("Alpha", ONE, "Bold")
    assert fonts_for(ONE) == ([OWN, "Zeta"], "")


def drawn(stem, label):
    with style.styled():
        figure = style.new_figure(2, 1)
        axes = figure.subplots()
        axes.set_xticks([0, 1], [label, "b"])
        figure.legend(handles=axes.plot([0, 1], [0, 1], label=label), title="t")
        style.save(figure, stem, pd.DataFrame({"x": [1]}), "")
    return figure


def test_figures_use_the_fonts_that_they_need(install, tmp_path, caplog):
    install("Alpha", ONE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = drawn(tmp_path / "a", ONE)
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {(OWN, "Alpha")}
    assert not caplog.records
    assert b"Alpha-Regular" in (tmp_path / "a.pdf").read_bytes()
    figure.canvas.draw()  # the tick's label is a square, and black
    label = figure.axes[0].get_xticklabels()[0].get_window_extent()
    pixels = np.asarray(figure.canvas.buffer_rgba())[::-1, :, 0]
    inside = pixels[int(label.y0) : int(label.y1), int(label.x0) : int(label.x1)]
    assert (inside < 128).mean() > 0.5
    figure = drawn(tmp_path / "b", "a")
    assert {tuple(text.get_fontfamily()) for text in figure.findobj(Text)} == {(OWN,)}


def test_what_no_font_has_is_said_once(install, tmp_path, caplog):
    with warnings.catch_warnings(record=True) as flood:
        warnings.simplefilter("always")
        drawn(tmp_path / "a", ONE)
    assert not flood
    (said,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"{ONE} (U+F1001)" in said.getMessage() and "fonts-noto" in said.getMessage()
    assert str(tmp_path / "a") in said.getMessage()


AWKWARD = ["$a_b^c$", r"\frac{x}%s", "{x}%d'\"", "_hidden", "犬 & <b>", "#1, 2;"]
TITLE = "$x_1$  ·  {y} 100 % \\"


@pytest.fixture
def pictures(tmp_path):
    """A folder of 24 images, and their manifest with awkward classes."""
    names = [f"{i}.jpg" for i in range(24)]
    for name in names:
        Image.new("RGB", (9, 9), (90, 120, 30)).save(tmp_path / name)
    table = pd.DataFrame({"image": names, "label": np.resize(AWKWARD, 24)})
    table.to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path, table


def _maps(folder, table, stem):
    rng = np.random.default_rng(3)
    placed = table.assign(x=rng.normal(size=len(table)), y=rng.normal(size=len(table)))
    draw_maps({"pool": placed}, stem, title=TITLE, perplexity=5, seed=1)
    return AWKWARD


def _heatmap(folder, table, stem):
    one, other = np.repeat(AWKWARD, 6), np.tile(AWKWARD, 6)
    rng = np.random.default_rng(4)
    pairs = pd.DataFrame({"class": one, "other": other, "pairs": 9})
    draw_heatmap({"pool": pairs.assign(distance=rng.random(36) + 1)}, stem, title=TITLE)
    return AWKWARD


def _samples(folder, table, stem):
    draw_samples(folder, folder / "manifest.csv", stem, title=TITLE)
    return AWKWARD


def _contact_sheet(folder, table, stem):
    cluster = [str(1 + place % 6) for place in range(len(table))]
    clusters = table[["image"]].assign(cluster=cluster, probability=1.0)
    draw_contact_sheet(folder, folder / "manifest.csv", clusters, stem, title=TITLE, note=TITLE)
    return AWKWARD


def _misplaced(folder, table, stem):
    found = table.assign(misplaced=True, neighbours_label=np.roll(table.label, 1), goodness=0.9)
    found = found.assign(neighbours=5, neighbours_other=4, class_goodness=1.1)
    draw_misplaced(folder, found, stem, title=TITLE)
    return AWKWARD


def _curves(folder, table, stem):
    curves = pd.DataFrame({"layer": AWKWARD, "method": "1-NN", "labels_per_class": 1})
    curves = curves.assign(accuracy=0.5, low=0.4, high=0.6, hidden=9, splits=3)
    draw_label_curves(curves, stem, title=TITLE, seed=1)
    return AWKWARD


def _learning_curve(folder, table, stem):
    history = pd.DataFrame({"epoch": [0, 1], "training": [0.2, 0.1], "validation": [0.3, 0.2]})
    history = history.assign(kept=[False, True], mean_image=0.1)
    draw_learning_curve(
        history.assign(train_images=8, validation_images=2), stem, title=TITLE, seed=1
    )
    return []


def _reconstructions(folder, table, stem):
    examples = {"image": ["a"], "original": np.zeros((1, 4, 4, 3), np.uint8)}
    examples["reconstruction"] = examples["original"]
    draw_reconstructions(examples, stem, title=TITLE, latent=2)
    return []


def _network(folder, table, stem):
    nodes = pd.DataFrame(
        [("input", "Placeholder", "", "9x9x3"), ("$p_1$", "MaxPool", "input", "4x4x3")],
        columns=["name", "op", "inputs", "shape"],
    )
    draw_network(nodes, {"$p_1$": "$p_1$:0"}, stem, title=TITLE)
    return ["$p_1$"]


FIGURES = [_maps, _heatmap, _samples, _contact_sheet, _misplaced, _curves]
FIGURES += [_learning_curve, _reconstructions, _network]


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__.strip("_"))
def test_awkward_names_stand_as_they_are(pictures, tmp_path, monkeypatch, draw):
    monkeypatch.setattr(style, "DPI", 40)
    texts = []
    monkeypatch.setattr(
        style, "_use_fonts", lambda figure, stem: texts.extend(figure.findobj(Text))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = draw(*pictures, tmp_path / "figure")
    assert not any(text.get_parse_math() for text in texts)
    written = [text.get_text() for text in texts if text.get_visible()]
    for name in [*names, TITLE]:
        assert any(name in text for text in written), (name, written)
    assert (tmp_path / "figure.pdf").stat().st_size > 0
