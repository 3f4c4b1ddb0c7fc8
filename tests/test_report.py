"""The report and the captions: their numbers are those of the tables."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.config import checked_config
from depthgauge.figures.maps import draw_maps
from depthgauge.figures.violins import draw_violins
from depthgauge.report.report import write_report
from depthgauge.summary import where_to_look
from PIL import Image
from test_figures import cells, embeddings

CONFIG = checked_config(
    {
        "seed": 5,
        "permutations": 199,
        "metrics": ["euclidean"],
        "labels_per_class": [1, 50],
        "datasets": {"planted": {"kind": "digits"}, "loose": {"kind": "folder", "path": "mine"}},
        "extractors": {
            "network": {
                **{"kind": "keras_application", "application": "InceptionV3"},
                **{"weights": None, "layers": "pooling", "poolings": ["flat"]},
            }
        },
    }
)
FLAT = {"pooling": "flat", "metric": "euclidean"}
SENTENCE = "planted, network: use layer_1 (leave-one-out 1-NN accuracy 0.987)."


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), "#0072B2").save(path)
    path.with_suffix(".txt").write_text(f"Caption of {path.parent.name} {path.stem}.")


@pytest.fixture
def results(tmp_path):
    """A small folder of results: one labelled dataset and one that is not."""
    folder = tmp_path / "results"
    rows, _ = cells([1.0213, 1.3178])
    rows = rows.assign(p_max_t=0.005, goodness_low=1.01, goodness_high=1.4, auc=0.7, knn1=0.987)
    rows = rows.assign(**FLAT, best_reading=True)
    table(folder / "goodness.csv", rows)
    table(folder / "comparisons.csv", {"dataset": ["planted"]})
    verdict = {"scope": "depth", "dataset": "planted", "extractor": "network", "layer": "layer_1"}
    verdict |= FLAT | {"recipe": "Take all values of layer_1.", "sentence": SENTENCE}
    table(folder / "verdict.csv", [verdict])
    table(
        folder / "table_1.csv",
        [
            {"dataset": "planted", "link": "", "samples": 800, "classes": 4, "note": ""},
            {"dataset": "loose", "link": "", "samples": 12, "classes": 0, "note": ""},
        ],
    )
    for name in ("planted", "loose"):
        table(folder / f"datasets/{name}/manifest.csv", {"image": ["a"], "label": [""]})
        picture(folder / f"figures/samples/{name}.png")
        picture(folder / f"figures/maps/{name}/network.png")
    note = {"dataset": "planted", "part": "iaps", "expected": 1429, "found": 1035}
    table(folder / "datasets/planted/notes.csv", [note | {"note": "<script>alert(1)</script>"}])
    picture(folder / "figures/violins/planted/network.png")
    picture(folder / "figures/depths/planted.png")
    picture(folder / "figures/heatmaps/planted/network.png")
    table(folder / "labelling/planted/network/curves.csv", {"labels_per_class": [1]})
    jobs = folder / "benchmarks" / "distances" / "planted"
    jobs.mkdir(parents=True)
    for layer, seconds in (("layer_0", 2.5), ("layer_1", 1.25)):
        (jobs / f"{layer}.tsv").write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:02\t-\n")
    return folder


def page_of(results, config=CONFIG):
    write_report(results, config, results / "report.html", results / "run.csv")
    return (results / "report.html").read_text(encoding="utf-8")


def text_of(page):
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.S)).split())


def test_page_says_what_the_tables_say(results):
    page = page_of(results)
    text = text_of(page)
    assert SENTENCE in text
    row = "network layer_1 170,528 1.318 1.01 to 1.4 0.005 0.005 0.7 0.987"
    assert row in text
    assert "iaps: 1035 of 1429 images" in text
    assert "no points at 50 labels a class" in text
    assert "goodness and the verdict are left out" in text  # of the dataset without labels
    assert "199 permutations" in text and "seed 5" in text
    assert "distances 2 3.75 –" in text  # jobs, seconds, memory that was not measured
    assert "Alpaydin & Kaynak 1998" in text and "Szegedy et al. 2016" in text
    assert "missing" not in text
    assert "explorer" not in text


def test_how_to_compute_it(results):
    text = text_of(page_of(results))
    assert (
        "How to compute it Take all values of layer_1. import numpy as np x = values.resh" in text
    )
    said = text.split("The configuration")[0]
    assert "pooling" not in said and "reading" not in said.lower()  # where there is but one


def test_best_readings_are_shown_and_others_folded(results):
    cells = pd.read_csv(results / "goodness.csv")
    mean = {"pooling": "mean", "metric": "angle", "dim": 64, "goodness": 2.5}
    other = cells.assign(**mean, best_reading=cells.layer == "layer_1")
    cells["best_reading"] = cells.layer != "layer_1"
    table(results / "goodness.csv", pd.concat([cells, other]).sort_values("layer"))
    verdict = pd.read_csv(results / "verdict.csv")
    verdict = verdict.assign(pooling="mean", metric="angle", recipe="Take the values.")
    table(results / "verdict.csv", verdict)
    means = results / "means/planted/network/layer_1.mean"
    means.mkdir(parents=True)
    for shard in ("0-of-2", "1-of-2"):
        np.save(means / f"{shard}.npy", np.zeros(64))
    layers = [{"layer": "layer_1", "prefix_tokens": 5}]
    (results / "networks").mkdir()
    (results / "networks/network.json").write_text(json.dumps({"layers": layers}))
    config = json.loads(json.dumps(CONFIG)) | {"metrics": ["euclidean", "angle"]}
    config["extractors"]["network"]["poolings"] = ["flat", "mean"]
    page = page_of(results, config)
    shown, folded = text_of(page).split("The same layers in other readings")
    assert "network layer_0 flat euclidean 341,056 1.021" in shown
    assert "network layer_1 mean angle 64 2.5" in shown
    assert "network layer_0 mean angle" in folded and "network layer_1 flat euclidean" in folded
    assert (
        len(re.findall(r'<tr class="advised"><td>network</td><td>layer_1</td><td>mean', page)) == 1
    )
    assert page.count('class="advised"') == 1
    text = text_of(page)
    assert "values[:, 5:].mean(axis=1)" in text  # the patches alone
    assert "results/means/planted/network/layer_1.mean/1-of-2.npy , a shard" in text
    assert "Torgerson 1952" in text and "doi 10.1007/BF02288916" in text and "Gower 1966" in text
    # The rule, as the verdict follows it.
    assert "in a random half of the images" in " ".join(text.split())
    assert "doi 10.1111/j.1467-9868.2005.00506.x" in text
    assert "the mean over the positions of its map" in text


def test_pictures_are_inside_with_their_captions(results):
    page = page_of(results)
    assert page.count("data:image/png;base64,") == 6
    for kind, name in (("depths", "planted"), ("maps", "network"), ("violins", "network")):
        assert f"Caption of {'planted' if kind != 'depths' else kind} {name}." in text_of(page)
    for link in re.findall(r'(?:src|href)="([^"#]*)"', page):
        assert link.startswith(("data:", "figures/", "https://archive.ics")) or link.endswith("csv")
    assert 'href="figures/heatmaps/planted/network.png"' in page  # not shown, but not lost


def test_nothing_of_the_data_becomes_markup(results):
    assert "<script" not in page_of(results)


def test_same_results_give_the_same_bytes(results):
    first = page_of(results), (results / "run.csv").read_bytes()
    (results / "benchmarks" / "report.tsv").write_text("s\th:m:s\tmax_rss\n9\t0:00:09\t1\n")
    assert (page_of(results), (results / "run.csv").read_bytes()) == first


def test_missing_parts_are_named(results):
    for name in ("verdict.csv", "figures/maps/planted/network.png"):
        (results / name).unlink()
    shutil.rmtree(results / "datasets" / "loose")
    (results / "downloads").mkdir()
    (results / "downloads" / "part.zip").touch()
    text = text_of(page_of(results))
    assert "Parts of this run are missing" in text
    for name in ("verdict.csv", "figures/maps/planted/network.png", "datasets/loose/manifest.csv"):
        assert name in text
    assert "figures/violins/planted/network.png" not in text
    assert "went on without: part.zip" in text


def test_page_of_nothing_but_a_folder(tmp_path):
    assert "goodness.csv" in text_of(page_of(tmp_path))


def test_claims_are_shown(results):
    claim = {"id": "a", "claim": "It rises.", "dataset": "planted", "extractor": "network"}
    claim |= {"outcome": "not reproduced", "certain": "no", "numbers": "1 < 2", "intervals": ""}
    table(results / "claims.csv", [claim | {"reason": "Because."}])
    assert "It rises. network not reproduced no 1 < 2 Because." in text_of(page_of(results))


def test_command_and_where_to_look(results):
    options = ["--config", json.dumps(CONFIG), "--record", str(results / "run.csv")]
    page = results / "report.html"
    done = CliRunner().invoke(main, ["report", str(results), *options, "-o", str(page)])
    assert done.exit_code == 0, done.output
    said = where_to_look(results)
    assert str(page) in said and "figures" in said and "explorer" not in said


def test_help_is_a_tour_of_every_command():
    tour = CliRunner().invoke(main, ["--help"]).output.split("Commands:")[0]
    assert set(main.commands) <= set(re.findall(r"[a-z][a-z-]+", tour))


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_page_opens_in_a_browser(results):
    page_of(results)
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={results.parent / 'profile'}", "--enable-logging=stderr"),
            *("--window-size=1000,3000", f"--screenshot={results / 'page.png'}"),
            (results / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "CONSOLE" not in done.stderr  # what a page complains of
    with Image.open(results / "page.png") as shot:
        pixels = np.asarray(shot.convert("RGB")).reshape(-1, 3)
    assert (pixels == [0x00, 0x72, 0xB2]).all(axis=1).sum() > 500  # pictures are seen
    assert (pixels == [0xD0, 0x02, 0x1B]).all(axis=1).any()  # and the verdict's mark


@pytest.mark.usefixtures("coarse_figures")
def test_captions_say_what_the_tables_say(tmp_path):
    rows, nulls = cells([1.0213, 1.3178, 0.9996], layers=["first", "second", "third"])
    draw_violins(rows, nulls, tmp_path / "violins", seed=7)
    caption = (tmp_path / "violins.txt").read_text()
    for row in rows.itertuples():
        said = re.search(rf"{row.layer} \(([\d,]+) dimensions\), ([\d.]+), p = ([\d.]+)", caption)
        dim, goodness, p = (float(value.replace(",", "").rstrip(".")) for value in said.groups())
        assert dim == row.dim
        assert goodness == pytest.approx(row.goodness, abs=5e-4)
        assert p == pytest.approx(row.p_value, rel=0.05)
    assert "n = 800 images in 4 classes; 199 permutations; seed 7." in caption

    goodness = {"pool": 1.2345, "mixed": 2.5, "last": 1.0}
    draw_maps(
        embeddings(),
        tmp_path / "maps",
        title="planted  ·  network",
        perplexity=30,
        seed=7,
        dims={"pool": 341056, "mixed": 768, "last": 8},
        goodness=goodness,
    )
    caption = (tmp_path / "maps.txt").read_text()
    drawn = pd.read_csv(tmp_path / "maps.csv").drop_duplicates("layer")
    for row in drawn.itertuples():
        assert f"{row.layer}, {row.dim:,} dimensions, goodness {row.goodness:.3f}" in caption
    assert "of planted by network" in caption and "4 classes" in caption
    assert "n = 60 images; perplexity 19.7; seed 7." in caption


@pytest.fixture
def coarse_figures(monkeypatch):
    """Fewer pixels, where they are not what is looked at."""
    monkeypatch.setattr("depthgauge.figures.style.DPI", 40)
