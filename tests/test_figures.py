"""Figures: what is drawn is what was given, and is drawn alike each time."""

import json
import os
import re
import subprocess
import sys
import zlib

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.errors import UserError
from depthgauge.figures.contact_sheet import draw_most_stable
from depthgauge.figures.maps import draw_maps
from depthgauge.figures.network import draw_network
from depthgauge.figures.samples import draw_samples
from depthgauge.figures.style import line_by_line, new_figure, styled, symbols
from depthgauge.figures.table import write_table_one
from depthgauge.figures.violins import draw_violins
from legends import read_legend
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image
from scipy.stats import gaussian_kde


@pytest.fixture
def coarse(monkeypatch):
    """Fewer pixels, where they are not what is looked at."""
    monkeypatch.setattr("depthgauge.figures.style.DPI", 40)


def cells(goodness, permutations=199, layers=None, spread=0.001):
    """Rows of goodness.csv, and nulls, of layers of given goodness."""
    rng = np.random.default_rng(0)
    layers = layers or [f"layer_{i}" for i in range(len(goodness))]
    nulls = {layer: rng.normal(1, spread, permutations) for layer in layers}
    rows = pd.DataFrame(
        {
            "dataset": "planted",
            "extractor": "network",
            "layer": layers,
            "depth": range(1, len(layers) + 1),
            "dim": [341056 // (i + 1) for i in range(len(layers))],
            "images": 800,
            "classes": 4,
            "within": 1.0,
            "between": goodness,
            "goodness": goodness,
            "permutations": permutations,
            "null_mean": [nulls[layer].mean() for layer in layers],
            "null_sd": [nulls[layer].std() for layer in layers],
            "p_value": [
                (1 + np.sum(nulls[layer] >= g)) / (1 + permutations)
                for layer, g in zip(layers, goodness, strict=True)
            ],
        }
    )
    return rows, nulls


def embeddings(layers=("pool", "mixed", "last"), classes=4, n=60):
    rng = np.random.default_rng(1)
    names = [f"class{i}" for i in range(classes)] if classes else [""]
    labels = [names[i % len(names)] for i in range(n)]
    images = [f"{i}.jpg" for i in range(n)]
    return {
        layer: pd.DataFrame(
            {"image": images, "label": labels, "x": rng.normal(size=n), "y": rng.normal(size=n)}
        )
        for layer in layers
    }


def draw_both(folder):
    draw_violins(*cells([1.02, 1.3]), folder / "violins", seed=7)
    draw_maps(embeddings(), folder / "maps", title="planted", perplexity=30, seed=7)


def pictures(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[!.]*"))}


def pdf_text(data):
    """The bytes of a PDF, its compressed streams unfolded."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.S)
    unfolded = []
    for stream in streams:
        try:
            unfolded.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return data + b"\n".join(unfolded)


def test_each_figure_is_png_pdf_csv_and_caption(tmp_path):
    draw_both(tmp_path)
    assert {name for name in pictures(tmp_path) if not name.startswith(".")} == {
        f"{name}.{kind}" for name in ("violins", "maps") for kind in ("png", "pdf", "csv", "txt")
    }
    with Image.open(tmp_path / "violins.png") as image:
        assert image.info["dpi"][0] >= 200
        assert np.asarray(image.convert("L")).std() > 10  # something is drawn


def test_figures_are_drawn_alike_in_another_process(tmp_path):
    draw_both(tmp_path / "here")
    code = (
        "import pathlib, test_figures; "
        f"test_figures.draw_both(pathlib.Path({str(tmp_path / 'there')!r}))"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONHASHSEED": "11",
            "SOURCE_DATE_EPOCH": "86400",
            "MPLCONFIGDIR": str(tmp_path / "configuration"),
        },
    )
    assert pictures(tmp_path / "here") == pictures(tmp_path / "there")


def test_pdf_fonts_are_embedded_as_truetype_and_nothing_is_dated(tmp_path):
    draw_both(tmp_path)
    for name in ("violins", "maps"):
        text = pdf_text((tmp_path / f"{name}.pdf").read_bytes())
        assert b"/Type3" not in text
        assert b"/FontFile2" in text and b"DejaVuSans" in text
        assert b"Date" not in text


@pytest.mark.usefixtures("coarse")
def test_violins_csv_holds_what_is_drawn(tmp_path):
    rows, nulls = cells([1.02, 0.9995, 1.3])
    draw_violins(rows.sample(frac=1, random_state=0), nulls, tmp_path / "violins", seed=7)
    table = pd.read_csv(tmp_path / "violins.csv")
    true = table[table.series == "true"]
    assert list(true.layer) == list(rows.layer)
    np.testing.assert_array_equal(true.goodness, rows.goodness)
    np.testing.assert_array_equal(true.p_value, rows.p_value)
    np.testing.assert_allclose(true.null_sds, (rows.goodness - rows.null_mean) / rows.null_sd)
    for layer, null in nulls.items():
        drawn = table[(table.layer == layer) & (table.series == "null density")]
        assert drawn.goodness.min() == null.min() and drawn.goodness.max() == null.max()
        np.testing.assert_allclose(drawn.density, gaussian_kde(null)(drawn.goodness), rtol=1e-9)
        median = table[(table.layer == layer) & (table.series == "null quantile 0.5")]
        assert median.goodness.item() == np.median(null)


@pytest.mark.parametrize(
    "goodness, options",
    [
        ([1.2], {}),
        ([0.9], {}),
        (list(np.linspace(1, 1.5, 12)), {}),
        ([1.2, np.inf, 1.1], {}),
        ([np.inf], {}),
        ([1.2, 1.0], {"permutations": 9}),
        ([1.2, 1.0], {"permutations": 1}),
        ([1.2, 1.0], {"spread": 0.0}),
        ([1.0, 1.0], {"spread": 0.0}),
        ([1.2] * 12, {"layers": [f"a_very_long_name/of_a_layer:{i}" for i in range(12)]}),
    ],
)
@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("coarse")
def test_violins_of_unusual_cells_are_drawn(tmp_path, goodness, options):
    draw_violins(*cells(goodness, **options), tmp_path / "violins", seed=7)
    table = pd.read_csv(tmp_path / "violins.csv")
    np.testing.assert_array_equal(table[table.series == "true"].goodness, goodness)


@pytest.mark.usefixtures("coarse")
def test_nulls_with_infinite_values_are_drawn(tmp_path):
    rows, nulls = cells([1.2, 1.1])
    nulls["layer_0"][:5] = np.inf
    nulls["layer_1"][:] = np.inf
    draw_violins(rows, nulls, tmp_path / "violins", seed=7)
    assert (tmp_path / "violins.pdf").exists()


@pytest.mark.usefixtures("coarse")
def test_maps_csv_holds_what_is_drawn(tmp_path):
    given = embeddings()
    facts = {"dims": {"pool": 64, "mixed": 32, "last": 8}, "goodness": {"pool": 1.1, "last": 1.5}}
    draw_maps(given, tmp_path / "maps", title="planted", perplexity=30, seed=7, **facts)
    table = pd.read_csv(tmp_path / "maps.csv")
    assert list(table.layer.unique()) == list(given)  # the order of depth
    for layer, embedding in given.items():
        drawn = table[table.layer == layer].reset_index(drop=True)
        pd.testing.assert_frame_equal(drawn[["image", "label", "x", "y"]], embedding)
        assert (drawn.dim == facts["dims"][layer]).all()
    assert (table[table.layer == "last"].goodness == 1.5).all()
    assert table[table.layer == "mixed"].goodness.isna().all()


@pytest.mark.parametrize("layers, classes", [(1, 0), (1, 28), (5, 10), (7, 2)])
@pytest.mark.filterwarnings("error")
@pytest.mark.usefixtures("coarse")
def test_maps_of_many_shapes_are_drawn(tmp_path, layers, classes):
    given = embeddings([f"layer_{i}" for i in range(layers)], classes)
    draw_maps(given, tmp_path / "maps", title="planted", perplexity=30, seed=7)
    assert len(pd.read_csv(tmp_path / "maps.csv")) == 60 * layers


def test_legend_names_every_class_and_unlabelled_maps_have_none(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr("depthgauge.figures.maps.save", lambda figure, *_: figures.append(figure))

    def legend(given):
        draw_maps(given, tmp_path / "maps", title="t", perplexity=30, seed=7)
        return read_legend(figures[-1])

    assert legend(embeddings(classes=12)) == [f"class{i}" for i in range(12)]  # 2 before 10
    assert legend(embeddings(classes=0)) == []
    partly = embeddings()
    for embedding in partly.values():
        embedding.loc[:9, "label"] = ""
    assert legend(partly) == ["class0", "class1", "class2", "class3", "no label"]


@pytest.mark.usefixtures("coarse")
def test_dollars_in_names_are_no_mathematics(tmp_path):
    names = ["$1_to_$5", "$6_to_$10", r"over $\frac", "x"]
    labels = [names[i % 4] for i in range(60)]
    tables = {layer: table.assign(label=labels) for layer, table in embeddings().items()}
    draw_maps(tables, tmp_path / "maps", title="a $b_c$", perplexity=30, seed=7)
    with styled():
        text = Text(0, 0, "$1_to_$5")
        assert text.get_parse_math() is False
    with pytest.raises(ValueError, match="frac"):  # what it would be otherwise
        figure = Figure()
        figure.text(0, 0, r"over $\frac$")
        figure.savefig(tmp_path / "other.png")


def test_many_points_are_a_picture_inside_the_pdf(tmp_path):
    draw_maps(embeddings(["a"], n=5001), tmp_path / "many", title="t", perplexity=30, seed=7)
    draw_maps(embeddings(["a"], n=4999), tmp_path / "fewer", title="t", perplexity=30, seed=7)
    assert b"/Subtype /Image" in (tmp_path / "many.pdf").read_bytes()
    assert b"/Subtype /Image" not in (tmp_path / "fewer.pdf").read_bytes()


def two_readings(folder, layers=("pool", "mixed", "last")):
    """Write LAYER.csv and .npy of layers read in two ways: the latter is best, at first."""
    made = {
        reading: cells(goodness, layers=list(layers), spread=spread)
        for reading, goodness, spread in (
            (("flat", "euclidean"), [1.02, 1.03, 1.04], 0.001),
            (("mean", "angle"), [1.5, 1.6, 1.7], 0.01),
        )
    }
    best = dict(zip(layers, [1, 1, 0], strict=True))
    for layer in layers:
        rows, nulls = [], []
        for (pooling, metric), (of_reading, null) in made.items():
            row = of_reading[of_reading.layer == layer]
            rows.append(row.assign(pooling=pooling, metric=metric, knn1_half=row.goodness / 2))
            nulls.append(null[layer])
        rows = pd.concat(rows, ignore_index=True)
        rows["best_reading"] = rows.index == best[layer]
        rows.to_csv(folder / f"{layer}.csv", index=False)
        np.save(folder / f"{layer}.npy", np.array(nulls))
    return made


def invoke(*arguments):
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output


@pytest.mark.usefixtures("coarse")
def test_violins_are_of_the_best_reading(tmp_path, monkeypatch):
    made = two_readings(tmp_path)
    files = [tmp_path / f"{layer}.csv" for layer in ("pool", "mixed", "last")]
    invoke("violins", tmp_path / "violins", *files)
    table = pd.read_csv(tmp_path / "violins.csv")
    true = table[table.series == "true"]
    assert true.goodness.tolist() == [1.5, 1.6, 1.04]
    assert true.reading.tolist() == ["mean, angle", "mean, angle", "flat, euclidean"]
    medians = table[table.series == "null quantile 0.5"].goodness.tolist()
    (_, flat), (_, mean) = made.values()
    assert medians == [np.median(mean["pool"]), np.median(mean["mixed"]), np.median(flat["last"])]
    caption = (tmp_path / "violins.txt").read_text()
    assert "pool (mean, angle, 341,056 dimensions), 1.500" in caption

    figures = []
    monkeypatch.setattr(
        "depthgauge.figures.violins.save", lambda figure, *_: figures.append(figure)
    )
    invoke("violins", tmp_path / "violins", *files)
    named = [text.get_text().split() for text in figures[0].axes[1].get_xticklabels()]
    assert named[0] == ["pool", "mean,", "angle", "341,056"]
    assert named[2] == ["last", "flat,", "euclidean", "113,685"]


@pytest.mark.usefixtures("coarse")
def test_violins_of_one_reading_do_not_name_it(tmp_path):
    rows, nulls = cells([1.02, 1.3])
    draw_violins(rows, nulls, tmp_path / "violins", seed=7)
    alone = {"pooling": "flat", "metric": "euclidean", "best_reading": True}
    nulls = {layer: null[None] for layer, null in nulls.items()}
    draw_violins(rows.assign(**alone), nulls, tmp_path / "again", seed=7)
    for kind in ("png", "pdf", "txt"):
        kinds = [(tmp_path / f"{name}.{kind}").read_bytes() for name in ("violins", "again")]
        assert kinds[0] == kinds[1]
    assert "reading" not in (tmp_path / "again.txt").read_text()


@pytest.mark.usefixtures("coarse")
def test_violins_of_many_readings_are_drawn(tmp_path):
    layers = [f"layer_{i}" for i in range(18)]
    rows, nulls = cells([1.2] * 18, layers=layers)
    rows = rows.assign(pooling="flat", metric=["euclidean", "angle"] * 9, best_reading=True)
    draw_violins(rows, nulls, tmp_path / "violins", seed=7)
    assert (tmp_path / "violins.pdf").exists()


@pytest.mark.usefixtures("coarse")
def test_maps_tell_how_each_layer_is_read(tmp_path, monkeypatch):
    two_readings(tmp_path)
    poolings = {"flat": {"tensor": "t", "dim": 400}, "mean": {"tensor": "m", "dim": 20}}
    described = [
        {"layer": "pool", "dim": 400, "poolings": poolings},
        {"layer": "mixed", "dim": 7, "poolings": {"flat": {"tensor": "v", "dim": 7}}},  # a vector
        {"layer": "last", "dim": 5},
    ]
    (tmp_path / "layers.json").write_text(json.dumps({"layers": described}))
    (tmp_path / "maps").mkdir()
    files, rows = [], []
    for layer, embedding in embeddings().items():
        files.append(tmp_path / "maps" / f"{layer}.csv")
        embedding.to_csv(files[-1], index=False)
        rows.append(f"--row={tmp_path / layer}.csv")
    stem = tmp_path / "drawn"
    command = ["maps", stem, *files, "--layers", tmp_path / "layers.json"]
    invoke(*command, *rows)
    facts = pd.read_csv(stem.with_suffix(".csv"), keep_default_na=False)
    facts = facts.drop_duplicates("layer").set_index("layer")
    assert facts.reading.tolist() == ["mean, angle", "mean, angle", "flat, euclidean"]
    assert facts.goodness.tolist() == [1.5, 1.6, 1.04]
    assert facts.knn1_half.tolist() == [0.75, 0.8, 0.52]
    assert facts.dim.tolist() == [20, 7, 5]

    figures = []
    monkeypatch.setattr("depthgauge.figures.maps.save", lambda figure, *_: figures.append(figure))

    def titles(*options):
        invoke(*command, *options)
        return [axes.get_title().split("\n") for axes in figures[-1].axes]

    assert titles(*rows)[0] == [
        *("pool", "mean, angle", "20 dimensions", "same class 75.0%", "goodness 1.500")
    ]
    assert titles("--reading=mean.angle")[0] == ["pool", "mean, angle", "20 dimensions"]
    assert titles("--reading=flat.euclidean")[0] == ["pool", "400 dimensions"] == titles()[0]


@pytest.mark.usefixtures("coarse")
def test_contact_sheet_names_the_reading(tmp_path):
    images, manifest, stem = pictured(tmp_path, [""] * 12)
    names = pd.read_csv(manifest).image
    pd.DataFrame({"image": names, "cluster": "1", "probability": 1}).to_csv(
        tmp_path / "pool.csv", index=False
    )
    row = {"dataset": "d", "extractor": "e", "layer": "pool", "images": 12, "clusters": 1}
    row |= {"noise_share": 0.0, "stability": 0.9, "ari": np.nan, "ami": np.nan, "note": ""}
    for pooling, metric, said in [
        ("mean", "angle", "pool (mean, angle; the most stable depth)"),
        ("flat", "euclidean", "pool (the most stable depth)"),
    ]:
        summary = tmp_path / "summary.csv"
        pd.DataFrame([row | {"pooling": pooling, "metric": metric}]).to_csv(summary, index=False)
        draw_most_stable(images, manifest, summary, tmp_path, stem)
        assert said in stem.with_suffix(".txt").read_text()


@pytest.mark.parametrize("count", [1, 8, 9, 10, 11, 28, 100])
def test_classes_are_told_apart(count):
    assert len(set(symbols(count))) == count
    if count <= 10:
        assert len({colour for colour, _ in symbols(count)}) == count


def pictured(folder, labels):
    """A folder of images, a grey of its own for each, and its manifest."""
    (folder / "images").mkdir()
    names = [f"{i}.jpg" for i in range(len(labels))]
    for i, name in enumerate(names):
        Image.new("RGB", (20, 12), (i % 256,) * 3).save(folder / "images" / name)
    pd.DataFrame({"image": names, "label": labels}).to_csv(folder / "manifest.csv", index=False)
    return folder / "images", folder / "manifest.csv", folder / "samples"


@pytest.mark.usefixtures("coarse")
def test_samples_span_every_class_and_are_chosen_alike(tmp_path):
    labels = ["a"] * 30 + ["b10"] * 3 + ["b2"] * 30
    images, manifest, stem = pictured(tmp_path, labels)
    draw_samples(images, manifest, stem, title="t", per_class=5)
    table = pd.read_csv(tmp_path / "samples.csv")
    assert list(table.label) == ["a"] * 5 + ["b2"] * 5 + ["b10"] * 3
    assert list(table.row) == [0] * 5 + [1] * 5 + [2] * 3
    places = [int(name.removesuffix(".jpg")) for name in table.image[:5]]
    assert places == [3, 9, 15, 21, 27]  # the middles of five equal parts
    first = (tmp_path / "samples.png").read_bytes()
    draw_samples(images, manifest, stem, title="t", per_class=5)
    assert (tmp_path / "samples.png").read_bytes() == first


@pytest.mark.usefixtures("coarse")
def test_samples_of_many_classes_show_one_each(tmp_path):
    labels = [f"texture{i % 28}" for i in range(84)]
    draw_samples(*pictured(tmp_path, labels))
    table = pd.read_csv(tmp_path / "samples.csv")
    assert list(table.label) == [f"texture{i}" for i in range(28)]


@pytest.mark.usefixtures("coarse")
def test_samples_of_unlabelled_images(tmp_path):
    draw_samples(*pictured(tmp_path, [""] * 9), per_class=4)
    assert len(pd.read_csv(tmp_path / "samples.csv")) == 8


def test_samples_name_the_image_that_is_missing(tmp_path):
    images, manifest, stem = pictured(tmp_path, ["a", "b"])
    (images / "1.jpg").unlink()
    with pytest.raises(UserError, match=r"1\.jpg"):
        draw_samples(images, manifest, stem)
    (images / "1.jpg").write_bytes(b"<html>")
    with pytest.raises(UserError, match=r"1\.jpg.*not a readable image"):
        draw_samples(images, manifest, stem)


def test_table_one_says_what_is_missing(tmp_path):
    _, manifest, stem = pictured(tmp_path, ["a", "b", "b"])
    notes = tmp_path / "notes.csv"
    notes.write_text(
        "dataset,part,expected,found,note\n"
        'affective,iaps,394,0,"missing, left out"\n'
        "affective,artphoto,807,806,\n"
        "affective,,2,2,all|of them\n"
    )
    write_table_one(
        [("affective", "https://example.org/a", manifest, notes), ("mine", "", manifest, None)],
        stem,
    )
    table = pd.read_csv(tmp_path / "samples.csv", keep_default_na=False)
    assert list(table.columns) == ["dataset", "link", "samples", "classes", "note"]
    assert list(table.samples) == [3, 3] and list(table.classes) == [2, 2]
    assert table.note[0] == ("iaps: 0 of 394, missing, left out; artphoto: 806 of 807; all|of them")
    lines = (tmp_path / "samples.md").read_text().splitlines()
    assert "[affective](<https://example.org/a>)" in lines[2] and "all\\|of them" in lines[2]


def graph(*nodes):
    """A node table from (name, op, inputs[, shape])."""
    return pd.DataFrame(
        [(*node, "")[:4] for node in nodes], columns=["name", "op", "inputs", "shape"]
    )


INCEPTION = graph(
    ("input", "Placeholder", "", "?x9x9x3"),
    ("scale", "Const", ""),
    ("scaled", "Mul", "input;scale"),
    ("conv", "Conv2D", "scaled;w"),
    ("w", "Const", ""),
    ("bias", "BiasAdd", "conv:0;b"),
    ("relu", "Relu", "bias", "9x9x8"),
    ("m/pool", "MaxPool", "relu", "4x4x8"),
    ("m/one", "Conv2D", "relu"),
    ("m/two", "Conv2D", "m/one"),
    ("m/skip", "Conv2D", "relu"),
    ("m/join", "ConcatV2", "m/two;m/skip;m/pool;axis"),
    ("sum", "AddV2", "m/join;relu"),
    ("mean", "Mean", "sum;axes", "1x1x8"),
)


@pytest.mark.usefixtures("coarse")
def test_network_is_drawn_from_its_graph(tmp_path):
    layers = {"first": "relu:0", "pool": "m/pool:0", "last": "mean:0"}
    draw_network(INCEPTION, layers, tmp_path / "network", title="t")
    table = pd.read_csv(tmp_path / "network.csv", keep_default_na=False).set_index("box")
    # Bias and activation belong to their convolution, scaling to the input.
    assert list(table.index) == [
        *("input", "conv", "m/pool", "m/one", "m/two", "m/skip", "m/join", "sum", "mean")
    ]
    assert table.nodes["conv"] == "conv;bias;relu" and table.nodes["input"] == "input;scaled"
    assert table.inputs["sum"] == "m/join;conv" and table.kind["sum"] == "sum"
    assert dict(table.layer[table.layer != ""]) == {
        "conv": "first",
        "m/pool": "pool",
        "mean": "last",
    }
    # Branches are stacked, data flow to the right, what all pass lies on one line.
    assert table.y_inches[["m/pool", "m/one", "m/skip"]].nunique() == 3
    assert table.y_inches["m/one"] == table.y_inches["m/two"]
    for name, box in table.iterrows():
        for source in filter(None, box.inputs.split(";")):
            assert table.x_inches[source] < table.x_inches[name]
    assert table.y_inches[["input", "conv", "sum", "mean"]].nunique() == 1


def test_selected_layers_are_labelled_with_their_dimension(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        "depthgauge.figures.network.save", lambda figure, *_: figures.append(figure)
    )
    draw_network(INCEPTION, {"a": "m/pool:0", "b": "m/pool:0", "c": "mean"}, tmp_path / "n")
    texts = [text.get_text() for text in figures[0].axes[0].texts]
    assert "a = b\n4×4×8 = 128" in texts and "c\n1×1×8 = 8" in texts
    with pytest.raises(KeyError):
        draw_network(INCEPTION, {"a": "nowhere:0"}, tmp_path / "n")


BLOCK = graph(
    ("image", "Placeholder", "", "32x32x3"),
    ("patches", "Conv2D", "image;w", "4x4x8"),
    ("shape", "Shape", "patches"),
    ("batch", "StridedSlice", "shape;zero;one"),
    ("rows/shape", "Pack", "batch;sixteen;eight"),
    ("tokens", "Reshape", "patches;rows/shape", "16x8"),
    ("norm/mean", "Mean", "tokens;axis", "16x1"),
    ("norm/squares", "SquaredDifference", "tokens;norm/mean", "16x8"),
    ("norm/variance", "Mean", "norm/squares;axis", "16x1"),
    ("norm/rsqrt", "Rsqrt", "norm/variance", "16x1"),
    ("norm/centred", "Sub", "tokens;norm/mean", "16x8"),
    ("norm/scaled", "Mul", "norm/centred;norm/rsqrt", "16x8"),
    ("query", "BatchMatMulV2", "norm/scaled;wq", "16x8"),
    ("key", "Einsum", "norm/scaled;wk", "16x8"),
    ("value", "MatMul", "norm/scaled;wv", "16x8"),
    ("scores", "Einsum", "query;key", "16x16"),
    ("softmax", "Softmax", "scores", "16x16"),
    ("mixed", "BatchMatMulV2", "softmax;value", "16x8"),
    ("sum", "AddV2", "tokens;mixed", "16x8"),
    ("fc", "MatMul", "sum;wf", "16x8"),
    ("gelu/erf", "Erf", "fc", "16x8"),
    ("gelu", "Mul", "fc;gelu/erf", "16x8"),
    ("squeezed", "Mean", "gelu;axes", "1x8"),  # over the tokens
)


@pytest.mark.usefixtures("coarse")
def test_a_transformer_is_drawn_as_its_textbook_draws_it(tmp_path):
    """Norms and activations belong to what they follow; what makes a shape is left out."""
    layers = {"tokens": "tokens:0", "block": "sum:0"}
    draw_network(BLOCK, layers, tmp_path / "network", prefix_tokens={"block": 1, "tokens": 0})
    table = pd.read_csv(tmp_path / "network.csv", keep_default_na=False).set_index("box")
    assert dict(table.kind) == {
        **{"image": "input", "patches": "convolution"},
        **dict.fromkeys(["query", "key", "value"], "dense"),
        **{"scores": "product", "softmax": "softmax", "mixed": "product", "sum": "sum"},
        **{"fc": "dense", "squeezed": "average"},
    }
    assert set(table.inputs[["query", "key", "value"]]) == {"patches"}
    assert table.inputs["sum"] == "patches;mixed" and table.nodes["fc"] == "fc;gelu/erf;gelu"
    assert table.layer["patches"] == "tokens"
    caption = (tmp_path / "network.txt").read_text()
    assert "block, (1+15)×8 = 128" in caption and "tokens, 16×8 = 128" in caption


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("coarse")
def test_boxes_of_any_graph_lie_apart(tmp_path, seed):
    rng = np.random.default_rng(seed)
    nodes = [("n0", "Placeholder", "")]
    for i in range(1, 60):
        recent = np.arange(max(0, i - 4), i)
        sources = rng.choice(recent, min(len(recent), rng.integers(1, 4)), replace=False)
        op = "ConcatV2" if len(sources) > 1 else "Conv2D"
        nodes.append((f"n{i}", op, ";".join(f"n{j}" for j in sources)))
    draw_network(graph(*nodes), {"last": "n59"}, tmp_path / "network")
    table = pd.read_csv(tmp_path / "network.csv")
    assert len(table) == 60
    assert not table.duplicated(["x_inches", "y_inches"]).any()


@pytest.mark.parametrize("count, most", [(0, 3), (1, 3), (4, 3), (10, 9), (7, 3), (9, 3), (28, 5)])
def test_legends_read_line_by_line(count, most):
    entries, columns = line_by_line(list(range(count)), most)
    assert columns <= most
    figure = new_figure(5, 3)
    handles = [Line2D([], [], label=str(entry)) for entry in entries]
    legend = figure.legend(handles=handles, ncols=columns)
    assert read_legend(figure) == list(map(str, range(count)))
    lines = {round(text.get_window_extent().y0) for text in legend.get_texts()}
    assert len(lines) == -(-count // most)  # no more than are needed
