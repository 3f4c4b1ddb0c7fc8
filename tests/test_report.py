"""The report and the captions: their numbers are those of the tables."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest
import yaml
from accessibility import complaints
from click.testing import CliRunner
from depthgauge.belonging import line_of
from depthgauge.cli import main
from depthgauge.config import SCHEMA, checked_config
from depthgauge.figures.maps import draw_maps
from depthgauge.figures.violins import draw_violins
from depthgauge.plan import Plan
from depthgauge.report import report
from depthgauge.report.checks import checks
from depthgauge.report.other_groups import other_groups
from depthgauge.report.report import write_report
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
                **{"weights": None, "layers": ["layer_0", "layer_1"], "poolings": ["flat"]},
                "control": False,
            }
        },
    }
)
IMAGES = {"planted": 800, "loose": 12}
PLAN = Plan(CONFIG, IMAGES, {"planted": "all", "loose": "none"})
FLAT = {"pooling": "flat", "metric": "euclidean"}
HEADLINE = "Use network, layer layer_1."
DETAIL = "It tells your classes apart very well."


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), "#0072B2").save(path)
    if path.parent.name != "depths":
        path.with_suffix(".txt").write_text(f"Caption of {path.parent.name} {path.stem}.")


@pytest.fixture
def results(tmp_path):
    """A small folder of results: one labelled dataset and one that is not."""
    folder = tmp_path / "results"
    rows, _ = cells([1.0213, 1.3178])
    rows = rows.assign(
        p_max_t=0.005, goodness_low=1.01, goodness_high=1.4, auc=0.7, knn1=[0.8, 0.987]
    )
    rows = rows.assign(**FLAT, best_reading=True, knn1_half=[0.75, 0.975])
    rows = rows.assign(largest_class=200, smallest_class=9)
    table(folder / "goodness.csv", rows)
    ranking = rows[["dataset", "extractor", "layer", *FLAT, "knn1_half"]].assign(family="all")
    ranking = ranking.assign(worse_by=[0.225, 0], worse_low=[0.2, 0], worse_high=[0.25, 0])
    table(folder / "ranking.csv", ranking.assign(may_be_best=[0, 1]))
    table(folder / "comparisons.csv", {"dataset": ["planted"]})
    clusters = {"dataset": "planted", "extractor": "network", "layer": ["layer_0", "layer_1"]}
    clusters |= {"clusters": 4, "stability": [0.9, 1.0], "ami": [0.02, 0.9]}
    table(folder / "clusters.csv", clusters)
    verdict = {"scope": "dataset", "dataset": "planted", "extractor": "network"}
    verdict |= {"layer": "layer_1"} | FLAT | {"recipe": "Take all values of layer_1."}
    verdict |= {"headline": HEADLINE, "detail": DETAIL, "numbers": "AUC 0.700."}
    verdict |= {"answer": "use", "certainty": "firm", "guessing": 0.25, "knn1_half": 0.975}
    verdict |= {"layer_stability": 1.0, "quality": "very well"}
    of_net = verdict | {"scope": "depth", "headline": "Use layer layer_1."}
    table(folder / "verdict.csv", [verdict, of_net])
    worst = {
        "image": "a",
        "source": "mine/a.png",
        "label": "plover",
        "likely": "stork",
        "doubt": 0.5,
    }
    table(folder / "misplaced/planted.csv", [worst, worst | {"image": "b", "doubt": -0.1}])
    nearest = {"label": ["plover", "stork"], "nearest_label": "stork"} | FLAT
    table(folder / "nulls/planted/network/layer_1.images.csv", nearest)
    table(
        folder / "table_1.csv",
        [
            {"dataset": "planted", "link": "", "samples": 800, "classes": 4, "note": ""},
            {"dataset": "loose", "link": "", "samples": 12, "classes": 0, "note": ""},
        ],
    )
    note = {"dataset": "", "part": "iaps", "expected": 1429, "found": 1035}
    for name, said in (("planted", "<script>alert(1)</script>"), ("loose", "As it is.")):
        manifest = {"image": ["a"], "label": [""], "source": ["mine/a.png"]}
        table(folder / f"datasets/{name}/manifest.csv", manifest)
        (folder / f"datasets/{name}/images").mkdir()
        Image.new("RGB", (60, 40), "#0072B2").save(folder / f"datasets/{name}/images/a", "JPEG")
        table(folder / f"datasets/{name}/notes.csv", [note | {"note": said}])
        table(folder / f"near_copies/{name}.csv", {"group": []})
        for files in PLAN.figures(name).values():
            for file in files:
                picture(folder / file)
    picture(folder / "figures/networks/network.png")
    table(folder / "labelling/planted/network/curves.csv", {"labels_per_class": [1]})
    table(folder / "ask/loose.csv", {"image": ["a"]})
    (folder / "networks").mkdir()
    (folder / "networks/network.json").write_text('{"layers": []}')
    (folder / "explorer.html").touch()
    for name in ("planted", "loose"):
        (folder / "advised" / name).mkdir(parents=True)
        for file in ("README.md", "features.npy"):
            (folder / "advised" / name / file).touch()
    (folder / "plan.json").write_text(PLAN.text())
    benchmark(folder, "distances/planted/network", 3.75)
    return folder


def benchmark(results, job, seconds):
    file = results / "benchmarks" / f"{job}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:02\t-\n")


def page_of(results, plan=PLAN):
    (results / "plan.json").write_text(plan.text())
    write_report(results / "plan.json", results / "report.html", results / "run.csv")
    return (results / "report.html").read_text(encoding="utf-8")


def text_of(page):
    return " ".join(
        unescape(
            re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", page.replace("<wbr>", ""), flags=re.S)
        ).split()
    )


def test_page_shows_an_estimate_with_its_own_interval(results):
    rows = pd.read_csv(results / "goodness.csv")
    rows = rows.assign(population_images=60_000, population_goodness=1.111)
    rows = rows.assign(population_low=1.101, population_high=1.122)
    table(results / "goodness.csv", rows)
    text = text_of(page_of(results))
    assert "goodness its 95 % interval goodness of all 60,000 pictures its 95 % interval p" in text
    assert "1.318 1.01 to 1.4 1.111 1.101 to 1.122 0.005" in text
    assert "images, drawn at random, and all numbers are of these" in text
    said = CliRunner().invoke(main, ["summary", str(results)]).output
    assert "planted: 60,000 pictures" in said


def test_page_says_why_there_are_no_intervals(results):
    rows = pd.read_csv(results / "goodness.csv")
    rows = rows.assign(groups=4, goodness_low=np.nan, goodness_high=np.nan)
    table(results / "goodness.csv", rows.assign(permuted="within_collections"))
    text = text_of(page_of(results))
    assert "network, layer_1 1.318 – 0.005 0.005 0.7" in text
    why = "the images come in 4 groups, and by fewer than 10 no interval can be trusted"
    assert f"There are no intervals: {why}." in text
    assert f", for {why}); depths were compared" in text
    assert " is of another group of images. Intervals are" in text
    assert "Hsu 1984" not in text  # no interval, no ranking
    assert "labels were permuted within collections" in text


def test_page_says_what_the_tables_say(results):
    page = page_of(results)
    text = text_of(page)
    # The card, with the answer first; then the layers, the best first.
    assert "planted : 800 pictures of 4 classes certainty of the choice: ●●● firm" in text
    assert f"firm {HEADLINE} {DETAIL} The numbers of planted AUC 0.700." in text
    assert text.index(HEADLINE) < text.index("Every layer of every network")
    assert "network, layer_1 97.5 as good 170,528 network, layer_0 75.0 worse by 22.5 " in text
    assert "network, layer_1 1.318 1.01 to 1.4 0.005 0.005 0.7" in text
    assert "classes differ by more than chance a class has only 9 pictures the largest" in text
    assert "no control in this run no near copies 1 of 800 pictures may have a wrong label" in text
    assert "mine/a.png labelled plover , rather stork" in text
    assert "plover · 100 stork · 100" in text
    assert "loose : 12 pictures Without labels there is no verdict." in text
    assert "iaps: 1035 of 1429 images" in text
    assert "no points at 50 labels per class" in text
    assert "goodness and the verdict are left out" in text  # of the dataset without labels
    assert "199 permutations" in text and "seed 5" in text
    assert "distances 1 3.75 –" in text  # jobs, seconds, memory that was not measured
    assert "Alpaydin & Kaynak 1998" in text and "Szegedy et al. 2016" in text
    assert "missing" not in text
    assert 'href="explorer.html"' in page


def test_checks_of_how_much_is_right():
    cell = {"smallest_class": 10, "largest_class": 10, "images": 20}

    def told(quality, doubted=0):
        verdict = {"answer": "use", "quality": quality, "knn1_half": 0.59}
        found = checks(verdict, cell, [{}] * doubted, None, None, {})
        return [words for mark, words in found if mark == "look"]

    weak = ["of 100 pictures 41 are most like one of another class"]
    assert told("fairly well") == [] and told("somewhat") == told("poorly") == weak
    assert told("very well", 4) == ["4 of 20 pictures may have a wrong label"]
    assert told("very well", 5) == ["5 of 20 pictures look more like another class"]


def test_checks_of_how_even_classes_are():
    verdict = {"answer": "none"}

    def told(smallest, largest):
        cell = {"smallest_class": smallest, "largest_class": largest, "images": 100}
        return checks(verdict, cell, [], None, None, {})[2]

    assert told(20, 30) == ("good", "classes are balanced")
    assert told(20, 60) == ("none", "classes have 20 to 60 pictures")
    assert told(10, 90) == ("look", "the largest class is 9 times the smallest")


def test_groups_that_are_not_the_classes_are_told():
    """Two batches, found at every depth; classes by which nothing is sorted."""

    def row(layer, stability, ami, clusters=2):
        return {"layer": layer, "clusters": clusters, "stability": stability, "ami": ami}

    batches = [row("one", 0.9, 0.02), row("two", 1.0, 0.05), row("three", 1.0, 0.06)]
    assert other_groups(batches)["layer"] == "three"
    assert other_groups([*batches, row("four", 1.0, 0.7)]) is None  # the classes stand out as well
    assert other_groups([row("one", 0.7, 0.02)]) is None
    assert other_groups([row("one", 1.0, 0.0, clusters=1), {"layer": "two", "clusters": 0}]) is None
    cell = {"smallest_class": 50, "largest_class": 50, "images": 100}
    found = checks({"answer": "none"}, cell, [], None, batches[0], {})
    assert ("look", "pictures form 2 groups that are not the classes") in found


def test_summary_says_how_to_tell_which_pictures_belong_together(results):
    pattern = r"([^/]*)\d\.[^./]+$"
    verdict = pd.read_csv(results / "verdict.csv")
    verdict = verdict.assign(groups_suspected="neighbours", groups_line=line_of(pattern))
    table(results / "verdict.csv", verdict)
    said = CliRunner().invoke(main, ["summary", str(results)]).output
    assert "If those do that share their names but for the last digit, put this line" in said
    assert f"\n      group: '{pattern}'\n" in said
    table(results / "verdict.csv", verdict.assign(groups_line="group: REGEX"))
    said = CliRunner().invoke(main, ["summary", str(results)]).output
    assert "If they do, put this line" in said and "\n      group: REGEX\n" in said


def test_page_shows_groups_that_are_not_the_classes(results):
    assert "Groups that are not the classes" not in text_of(page_of(results))
    clusters = pd.read_csv(results / "clusters.csv").assign(ami=[0.02, 0.01])
    table(results / "clusters.csv", clusters)
    text = text_of(page_of(results))
    assert "pictures form 4 groups that are not the classes" in text
    assert "form 4 groups at network, layer layer_1. They come again" in text
    assert "(adjusted mutual information 0.01;" in text


def test_checks_of_near_copies():
    verdict, cell = {"answer": "none"}, {"smallest_class": 10, "largest_class": 10, "images": 20}

    def told(**near):
        found = checks(verdict, cell, [], near and {"pairs": 2, "images": 3, **near}, None, {})
        return [words for mark, words in found if "copies" in words and mark == "look"]

    assert told(conflicts=0, leaks=0) == ["3 of 20 pictures are near copies"]
    assert told(conflicts=1, leaks=2) == [
        "3 of 20 pictures are near copies, 1 pair of two labels, 2 pairs in two splits"
    ]
    assert told() == []


def test_near_copies_are_shown_group_by_group(results):
    pairs = [(1, "conflict", 0, 1), (1, "copy", 1, 2)]
    pairs += [(group, "copy", 2 * group, 2 * group + 1) for group in range(2, 8)]
    rows = [
        {"group": group, "kind": kind, "ratio": 0.2, "image": f"{one}", "other": f"{other}"}
        | {"label": "plover", "other_label": "stork" if kind == "conflict" else "plover"}
        for group, kind, one, other in pairs
    ]
    table(results / "near_copies/planted.csv", rows)
    labels = {"image": [f"{place}" for place in range(16)], "label": ["plover", "stork"] * 8}
    table(results / "datasets/planted/manifest.csv", labels)
    near = [(f"{i}", rank, f"{(i + rank) % 16}") for i in range(16) for rank in (1, 2)]
    near = pd.DataFrame(near, columns=["image", "rank", "neighbour"])
    table(results / "neighbours/planted/network/layer_1.csv", near)
    text = text_of(page_of(results))
    assert "15 pictures, in 7 groups, are far more like each other" in text
    assert "Of 8 pairs 1 has two labels." in text and "So many are hardly copies" not in text
    # Of labels that take turns the second neighbour has one's own, which is the nearest in a third.
    assert "of the same class for 33 of 100 pictures" in text
    assert "One pair of each of the first 6 groups: 0 ( plover ) and 1 ( stork ) 4 (" in text
    assert "14 ( plover )" not in text
    rows = pd.read_csv(results / "table_1.csv")
    rows.assign(samples=29).to_csv(results / "table_1.csv", index=False)
    assert "So many are hardly copies" in text_of(page_of(results))


def test_how_to_compute_it(results):
    text = text_of(page_of(results))
    assert "How to compute it Take all values of layer_1. The features of these pictures" in text
    lines = "depthgauge apply results/advised/planted PICTURES -o new.npy"
    command = (
        f"typed in the folder {results.parent.name} : depthgauge apply results/advised/planted"
    )
    assert lines in text and command in text
    assert "In Python, for planted import numpy as np x" in text and "advised/loose" not in text
    (results / "advised/planted/features.npy").unlink()  # where nothing is advised
    assert "depthgauge apply" not in text_of(page_of(results))
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
    for shard in ("0-of-2", "1-of-2", "0-of-1"):
        np.save(means / f"{shard}.npy", np.zeros(64))
    layers = [{"layer": "layer_1", "prefix_tokens": 5}]
    (results / "networks/network.json").write_text(json.dumps({"layers": layers}))
    config = json.loads(json.dumps(CONFIG)) | {"metrics": ["euclidean", "angle"]}
    config["extractors"]["network"]["poolings"] = ["flat", "mean"]
    page = page_of(results, Plan(config, IMAGES | {"planted": 24_000}, PLAN.labelled))
    shown, folded = text_of(page).split("The same layers of planted in other readings", 1)
    assert "network, layer_0 flat, euclidean 75.0" in shown
    assert "network, layer_1 mean, angle 97.5" in shown
    assert "network, layer_0 mean, angle" in folded and "network, layer_1 flat, euclid" in folded
    found = re.findall(r'<tr class="advised"><td>network, layer_1</td><td>mean, angle', page)
    assert len(found) == 2 == page.count('<tr class="advised"')  # in the ranking, and by goodness
    text = text_of(page)
    assert "values[:, 5:].mean(axis=1)" in text  # the patches alone
    assert "results/means/planted/network/layer_1.mean/1-of-2.npy , a shard" in text
    assert "0-of-1.npy" not in text  # of a run of fewer images
    assert "Torgerson 1952" in text and "doi 10.1007/BF02288916" in text and "Gower 1966" in text
    # The rule, as the verdict follows it.
    assert "in a random half of the images" in " ".join(text.split())
    assert "doi 10.1111/j.1467-9868.2005.00506.x" in text
    assert "best of its dataset by this accuracy" in text and "doi 10.1214/aos/1176346516" in text
    assert "called firm where no other layer may be the best" in text
    assert "must beat" not in text and "Near copies" not in text  # there are none
    assert "the mean over the positions of its map" in text


def test_how_to_compute_what_a_network_learned_is_told_by_its_own_description(results):
    config = json.loads(json.dumps(CONFIG))
    config["extractors"]["network"] = {"kind": "pca", "poolings": ["mean"], "layers": ["pixels"]}
    plan = Plan(checked_config(config), IMAGES, PLAN.labelled)
    change = {"layer": "pixels", "pooling": "mean"}
    for name, row in (("verdict", 0), ("goodness", 1)):
        rows = pd.read_csv(results / f"{name}.csv").iloc[[row]].assign(**change)
        table(results / f"{name}.csv", rows)
    page = page_of(results, plan)
    assert "<li><code>networks/planted/network.json</code></li>" in page
    assert "How to compute it" not in page
    (results / "networks/planted").mkdir()
    layers = [{"layer": "pixels", "prefix_tokens": 3}]
    (results / "networks/planted/network.json").write_text(json.dumps({"layers": layers}))
    assert "values[:, 3:].mean(axis=1)" in page_of(results, plan)


def test_pictures_are_inside_with_their_captions(results):
    page = page_of(results)
    # Of each dataset maps and samples; of one violins and a misplaced image, of the other what to
    # label first; and the network.
    assert len(re.findall("data:image/(?:png|jpeg);base64,", page)) == 9
    for where in ("planted network", "loose network", "samples planted", "networks network"):
        assert f"Caption of {where}." in text_of(page)
    for link in re.findall(r'(?:src|href)="([^"#]*)"', page):
        known = ("data:", "figures/", "https://archive.ics", "explorer.html")
        assert link.startswith(known) or link.endswith("csv")
    assert 'href="figures/heatmaps/planted/network.png"' in page  # not shown, but not lost


def test_nothing_of_the_data_becomes_markup(results):
    page = page_of(results)
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script") == 1  # the page's own


def test_same_results_give_the_same_bytes(results):
    first = page_of(results), (results / "run.csv").read_bytes()
    (results / "benchmarks" / "report.tsv").write_text("s\th:m:s\tmax_rss\n9\t0:00:09\t1\n")
    assert (page_of(results), (results / "run.csv").read_bytes()) == first


def test_missing_parts_are_named(results):
    for name in ("verdict.csv", "explorer.html", "figures/samples/loose.txt"):
        (results / name).unlink()
    (results / "figures/maps/planted/network.png").unlink()
    shutil.rmtree(results / "datasets" / "loose")
    page = page_of(results)
    text = text_of(page)
    assert "Parts of this run are missing" in text
    names = ["verdict.csv", "figures/maps/planted/network.png", "datasets/loose/manifest.csv"]
    names += ["datasets/loose/notes.csv", "explorer.html", "figures/samples/loose.txt"]
    listed = re.findall(r"<li><code>(.*?)</code></li>", page)
    assert sorted(listed) == sorted(names)
    assert 'href="verdict.csv"' not in page and 'href="explorer.html"' not in page
    links = set(re.findall('href="(figures/maps/.*?)"', page))
    assert links == {f"figures/maps/loose/network.{kind}" for kind in ("png", "pdf", "csv")}


@pytest.mark.parametrize("name", ["goodness", "ranking", "verdict", "misplaced/planted"])
def test_a_table_that_is_missing_does_not_take_the_page_along(results, name):
    (results / f"{name}.csv").unlink()
    page = page_of(results)
    assert f"<li><code>{name}.csv</code></li>" in page
    assert (HEADLINE in page) == (name != "verdict")


@pytest.mark.parametrize("which", ["all", "some", "none"])
def test_page_of_nothing_but_a_folder_names_all_that_was_planned(tmp_path, which):
    plan = Plan(CONFIG, IMAGES, dict.fromkeys(IMAGES, which))
    listed = re.findall(r"<li><code>(.*?)</code></li>", page_of(tmp_path, plan))
    assert set(plan.targets()) - set(listed) == {"report.html"}
    assert len(set(listed)) == len(listed)


def test_downloads_that_failed_are_those_that_the_run_needs(results):
    config = json.loads(json.dumps(CONFIG))
    config["datasets"] = {"art": {"kind": "affective"}}
    config["extractors"]["network"] |= {"weights": "imagenet"}
    plan = Plan(checked_config(config), {"art": 800}, {"art": "all"})
    for file in ("affective/testImages_abstract.zip", "kylberg/older.zip", "networks/old.tgz"):
        (results / "downloads" / file).parent.mkdir(parents=True, exist_ok=True)
        (results / "downloads" / file).touch()
    (results / "downloads/affective/testImages_artphoto.zip").write_text("there")
    text = text_of(page_of(results, plan))
    assert "the run went on without: affective/testImages_abstract.zip." in text


# -- what other runs left in the folder ----------------------------------------------------

ELSEWHERE = ("gone", "former", "layer_9", "Of old", "unheard")


def add_older_run(results):
    """Add what a larger run left: another dataset, network, layer, reading; claims and labels."""

    def with_rows(name, *changes):
        rows = pd.read_csv(results / f"{name}.csv", keep_default_na=False)
        added = [rows.iloc[[-1]].assign(**change) for change in changes]
        table(results / f"{name}.csv", pd.concat([rows, *added]))

    names = {"dataset": "gone"}, {"extractor": "former"}, {"layer": "layer_9"}
    said = [change | {"headline": f"Of old, {change}."} for change in names]
    with_rows("goodness", *names, {"dataset": "loose", "dim": 99_991})
    with_rows(
        "verdict", *said, {"dataset": "loose", "scope": "dataset", "headline": "Of old, loose."}
    )
    with_rows("table_1", {"dataset": "gone", "samples": 99_991})
    claim = {"id": "a", "claim": "Of old", "dataset": "gone", "extractor": "network"}
    claim |= {"outcome": "reproduced", "certain": "", "numbers": "", "intervals": ""}
    table(results / "claims.csv", [claim | {"reason": "Of old"}])
    for dataset, network in (("gone", "network"), ("planted", "former"), ("loose", "former")):
        for kind in ("maps", "violins", "heatmaps", "labelling", "contact_sheets", "unheard"):
            picture(results / f"figures/{kind}/{dataset}/{network}.png")
        table(results / f"labelling/{dataset}/{network}/curves.csv", {"labels_per_class": [2]})
        benchmark(results, f"unheard/{dataset}/{network}", 99_991)
        benchmark(results, f"distances/{dataset}/{network}/layer_0", 99_991)
    for kind in ("depths", "samples"):
        picture(results / f"figures/{kind}/gone.png")
    for kind in ("violins", "heatmaps", "misplaced"):
        picture(results / f"figures/{kind}/loose/network.png")  # when it had labels
    picture(results / "figures/depths/loose.png")
    picture(results / "figures/networks/former.png")
    benchmark(results, "distances/planted/network/layer_9", 99_991)
    (results / "downloads").mkdir()
    (results / "downloads/unheard.zip").touch()
    write_labels_of(results, "planted", "Of old")
    write_labels_of(results, "gone", "Of old")


def write_labels_of(results, dataset, label="heron"):
    labels = [label, label, "stork", label, "stork", ""]
    origins = ["given", "given", "given", "propagated", "propagated", "unlabelled"]
    rows = {"image": list("abcdef"), "label": labels, "probability": 1, "origin": origins}
    table(results / f"labels/{dataset}/labels.csv", rows)
    cell = {"extractor": "network", "layer": "layer_1"} | FLAT
    tried = cell | {"method": "label_spreading", "expected_accuracy": 0.8765, "low": 0.5}
    tried |= {"high": 0.9512, "unlabelled": 3, "propagated": 2, "propagated_accuracy": 0.9123}
    other = cell | {"layer": "layer_0", "method": "1-NN"}
    table(results / f"labels/{dataset}/accuracy.csv", [tried, other])


def test_nothing_of_another_run_is_shown(results):
    before, recorded = page_of(results), (results / "run.csv").read_bytes()
    said = CliRunner().invoke(main, ["summary", str(results)]).output
    assert "planted: 800 pictures" in said
    add_older_run(results)
    assert page_of(results) == before
    assert (results / "run.csv").read_bytes() == recorded
    assert CliRunner().invoke(main, ["summary", str(results)]).output == said
    for word in (*ELSEWHERE, "99,991", "99991"):
        assert word not in text_of(before) and word not in said and word not in recorded.decode()
    assert HEADLINE in said


def test_claims_of_other_datasets_are_shown_as_not_testable_alone(results):
    plan = Plan(CONFIG | {"claims": "claims.yaml"}, IMAGES, PLAN.labelled)
    add_older_run(results)
    claims = pd.read_csv(results / "claims.csv", keep_default_na=False)
    here = claims.assign(claim="It rises.", dataset="planted")
    lacking = claims.assign(claim="It falls.", outcome="not testable here", extractor="")
    former = claims.assign(dataset="planted", extractor="former")
    table(results / "claims.csv", pd.concat([claims, here, lacking, former]))
    text = text_of(page_of(results, plan))
    assert "It rises. network reproduced" in text and "It falls. not testable here" in text
    assert text.count("Of old") == 2  # the reasons of these


PARTLY = Plan(CONFIG, IMAGES, {"planted": "all", "loose": "some"})


@pytest.fixture
def partly(results):
    """The results of a run of which one dataset is labelled in part."""
    add_older_run(results)
    write_labels_of(results, "loose")
    (results / "plan.json").write_text(PARTLY.text())
    return results


def test_partly_labelled_dataset_has_its_labels_and_lacks_nothing(partly):
    results, page = partly, page_of(partly, PARTLY)
    text = text_of(page)
    assert "missing" not in text
    assert "Only some of its images have a label" in text
    assert "Of 6 images 3 had a label, and 2 got the one that is proposed for them" in text
    assert "1 got none, since it is less than 50 % probable" in text
    assert "by label spreading at network, layer_1, all its values by Euclidean distance" in text
    assert "87.6 % of them are expected to be right (95 % interval 50.0 % to 95.1 %)" in text
    assert "of those that got it, 91.2 %." in text
    assert "heron 2 1 stork 1 1" in text
    assert "depthgauge nearest results/advised/loose PICTURES" in text
    links = re.findall(r'href="(labels/.*?)"', page)
    assert links == ["labels/loose/labels.csv", "labels/loose/accuracy.csv"]
    assert "It has no labels" not in text
    (results / "labels/loose/labels.csv").unlink()
    text = text_of(page_of(results, PARTLY))
    assert "Parts of this run are missing" in text and "labels/loose/labels.csv" in text
    said = CliRunner().invoke(main, ["summary", str(results)]).output
    assert "labels/loose/labels.csv" in said and "labels/planted" not in said


def test_folder_that_got_its_last_labels_shows_none_that_are_proposed(partly):
    page = page_of(partly, Plan(CONFIG, IMAGES, dict.fromkeys(IMAGES, "all")))
    assert "labels/loose" not in page and "heron" not in page
    assert "It has no labels" not in page and "Only some" not in page
    assert "Of old, loose." in page  # its verdict, now that it has one


def test_curves_without_a_point_are_told(results):
    curves = results / "labelling/planted/network/curves.csv"
    table(curves, {"labels_per_class": []})
    assert "The curves of network have no points at 1, 50 labels" in text_of(page_of(results))
    curves.unlink()
    text = text_of(page_of(results))
    assert "no points" not in text and "labelling/planted/network/curves.csv" in text


def test_run_without_labels_has_no_tables_of_them(results):
    (results / "goodness.csv").write_text("not to be read")
    table(results / "ask/planted.csv", {"image": ["a"]})
    picture(results / "figures/ask/planted.png")
    page = page_of(results, Plan(CONFIG, IMAGES, dict.fromkeys(IMAGES, "none")))
    assert "goodness.csv" not in page and "verdict.csv" not in page and HEADLINE not in page
    assert "missing" not in text_of(page) and "Goodness is the mean" not in text_of(page)
    assert text_of(page).count("goodness and the verdict are left out, since") == 2


def test_every_kind_of_extractor_has_words():
    schema = yaml.safe_load(SCHEMA.read_text())
    kinds = schema["properties"]["extractors"]["additionalProperties"]["properties"]["kind"]["enum"]
    assert set(report._NETWORKS) == set(kinds)


def test_layers_that_were_chosen_by_depth_are_named(results):
    layers = [{"layer": "layer_0", "chosen": "block/<add>"}, {"layer": "layer_1", "chosen": "end"}]
    (results / "networks/network.json").write_text(json.dumps({"layers": layers}))
    page = page_of(results)
    assert "layer_0 is <code>block/&lt;add&gt;</code>, layer_1 is <code>end</code>." in page


def test_claims_are_shown(results):
    claim = {"id": "a", "claim": "It rises.", "dataset": "planted", "extractor": "network"}
    claim |= {"outcome": "not reproduced", "certain": "no", "numbers": "1 < 2", "intervals": ""}
    table(results / "claims.csv", [claim | {"reason": "Because."}])
    plan = Plan(CONFIG | {"claims": "claims.yaml"}, IMAGES, PLAN.labelled)
    assert "It rises. network not reproduced no 1 < 2 Because." in text_of(page_of(results, plan))


def test_commands(results):
    page, record = results / "page.html", results / "record.csv"
    options = ["--record", str(record), "--output", str(page)]
    done = CliRunner().invoke(main, ["report", str(results / "plan.json"), *options])
    assert done.exit_code == 0, done.output
    assert page.read_text(encoding="utf-8") == page_of(results)
    done = CliRunner().invoke(main, ["summary", str(results)])
    assert done.exit_code == 0, done.output
    words = [" ".join(line.split()) for line in done.output.splitlines()]
    assert words[:3] == ["planted: 800 pictures certainty of the choice: firm", HEADLINE, DETAIL]
    table_of = CliRunner().invoke(main, ["summary", "--table", str(results)]).output
    rows = [" ".join(line.split()) for line in table_of.splitlines()]
    assert rows[1].startswith("planted network layer_0 341,056 800 0.800 0.750 1.0213")
    assert rows[2].startswith("layer_1 170,528 800 0.987 0.975 1.3178")
    told = words[words.index("Where to look:") + 1 :]
    *told, blank, heading, command = told
    assert blank == "" and heading == "The same features of new pictures:"
    assert command == f"depthgauge apply {results / 'advised/planted'} PICTURES -o new.npy"
    places = [line.split()[0] for line in told]
    names = ("report.html", "explorer.html", "figures", "goodness.csv", "advised/planted")
    assert places == [str(results / name) for name in names]


def test_summary_says_which_planned_file_is_missing(results, caplog):
    for name in ("verdict.csv", "plan.json"):
        (results / name).unlink()
        done = CliRunner().invoke(main, ["summary", str(results)])
        assert done.exit_code == 1 and f"{results / name}: there is no" in caplog.text


def test_summary_of_a_run_without_labels_reads_no_table_of_them(results):
    (results / "goodness.csv").write_text("not to be read")
    (results / "plan.json").write_text(Plan(CONFIG, IMAGES, dict.fromkeys(IMAGES, "none")).text())
    done = CliRunner().invoke(main, ["summary", str(results)])
    assert done.exit_code == 0 and "goodness" not in done.output and "report.html" in done.output


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
    assert (pixels == [0xB0, 0x00, 0x20]).all(axis=1).any()  # and the ring of what is advised


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


# -- how the page reads ------------------------------------------------------------------------


def test_no_two_links_of_one_name_lead_to_different_places(results):
    found = {}
    for address, name in re.findall(r'<a href="([^"]*)">(.*?)</a>', page_of(results)):
        found.setdefault(text_of(name), set()).add(address)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_every_picture_is_told_in_words(results):
    alts = re.findall(r'<img [^>]*alt="([^"]*)"', page_of(results))
    assert len(alts) == 9 and all(len(alt.split()) >= 3 for alt in alts)
    label = re.search(r'<svg [^>]*aria-label="([^"]*)"', page_of(results))[1]
    assert "network: layer_0 75, layer_1 98; guessing gets 25. Advised: network, layer_1." in label


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    parts = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return parts @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("mode", [0, 1])
def test_words_stand_out_from_their_ground_by_day_and_by_night(mode):
    """Contrast of WCAG 2.2, 4.5 at least, as for small text."""
    css = (report._PAGE / "report.css").read_text()
    block = re.findall(r":root \{(.*?)\}", css, flags=re.S)[mode]
    colours = {
        name: code if len(code) == 7 else "#" + "".join(2 * digit for digit in code[1:])
        for name, code in re.findall(r"--(\w+): (#[0-9a-f]+)", block)
    }
    inks = ["ink", "quiet", "link", "accent", "good", "look", "c0", "c1", "c2", "c3", "c4"]
    for ground in ("ground", "card", "soft"):
        for ink in inks:
            light, dark = sorted((luminance(colours[n]) for n in (ink, ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")),
    reason="chromium and chromedriver are not installed",
)
def test_first_screen_prints_and_small_screens(results):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    page_of(results)
    options = webdriver.ChromeOptions()
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,720"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as browser:
        browser.get((results / "report.html").as_uri())
        size = "return document.querySelector('.card').getBoundingClientRect().bottom"
        assert browser.execute_script(size) <= browser.execute_script("return innerHeight")
        card = browser.find_element("css selector", ".card").text
        assert HEADLINE in card and DETAIL in card and "certainty of the choice: ●●● firm" in card
        assert (
            "classes differ by more than chance" in card
            and "1 of 800 pictures may have a wrong label" in card
        )
        # Nothing is wider than a telephone but what scrolls by itself.
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True},
        )
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        folded = browser.execute_script("return document.querySelectorAll('details:not([open])')")
        assert folded == []
        for scheme in ("light", "dark"):
            assert complaints(browser, scheme) == []
        assert browser.get_log("browser") == []
