"""The workflow as a user runs it: small pictures, a small network, real commands."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from conftest import REPOSITORY
from depthgauge.cli import main
from depthgauge.distances.labelled import Labelled
from depthgauge.manifest import read_manifest
from depthgauge.readings import pooled_name
from depthgauge.seeds import derive_seed
from depthgauge.statistics.goodness import goodness
from depthgauge.statistics.sampled_goodness import sampled_goodness
from depthgauge.tables import TEXT, read_table
from forked_snakemake import run_snakemake
from pandas.api.types import is_string_dtype
from PIL import Image
from scipy.spatial.distance import pdist, squareform

COLUMNS = [
    *("dataset", "extractor", "layer", "pooling", "metric", "depth", "dim", "images", "classes"),
    *("within", "between", "goodness", "permutations", "null_mean", "null_sd", "p_value"),
]


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """A folder with a config, a Keras model and a flat folder of pictures."""
    from depthgauge.networks.tensorflow_whole import tf

    folder = tmp_path_factory.mktemp("experiment")
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    tf.keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(name="shallow"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(name="deep"),
        ]
    ).save(folder / "model.keras")
    rng = np.random.default_rng(0)
    (folder / "loose").mkdir()
    for i in range(12):
        pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "loose" / f"{i}.png")
    config = {
        "permutations": 199,
        "keep_features": True,
        "datasets": {
            "shapes": {"kind": "synthetic", "per_class": 8, "size": 32},
            "loose": {"kind": "folder", "path": "loose"},
        },
        "extractors": {
            "small": {
                "kind": "keras_file",
                "path": "model.keras",
                "layers": ["shallow", "deep"],
                "dims": {"shallow": 900, "deep": 8},
            }
        },
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config))
    return folder


def copy_of(experiment, folder):
    return Path(shutil.copytree(experiment, folder, ignore=shutil.ignore_patterns("results", ".*")))


def options(folder, *arguments, repository=REPOSITORY):
    return [
        *("--snakefile", str(repository / "Snakefile")),
        *("--directory", str(folder), "--configfile", str(folder / "experiment.yaml")),
        *("--workflow-profile", str(repository / "profiles" / "default"), *arguments),
    ]


def snakemake(folder, *arguments, expect=0, repository=REPOSITORY):
    status, printed = run_snakemake(options(folder, *arguments, repository=repository), folder)
    assert status == expect, printed
    return printed


@pytest.fixture(scope="session")
def finished(experiment, tmp_path_factory):
    """The experiment, run on two cores; with what was printed."""
    folder = copy_of(experiment, tmp_path_factory.mktemp("finished") / "run")
    return folder, snakemake(folder, "--cores", "2")


def test_run_makes_every_file_of_the_contract(finished):
    folder, printed = finished
    results = folder / "results"
    table = pd.read_csv(results / "goodness.csv")
    assert table.columns[:16].tolist() == COLUMNS
    # A vector is one cell for each metric, whatever poolings are asked for.
    assert table[["dataset", "layer", "pooling", "metric", "depth", "dim"]].values.tolist() == [
        ["shapes", "shallow", "flat", "euclidean", 1, 900],
        ["shapes", "shallow", "flat", "angle", 1, 900],
        ["shapes", "shallow", "mean", "euclidean", 1, 4],
        ["shapes", "shallow", "mean", "angle", 1, 4],
        ["shapes", "deep", "flat", "euclidean", 2, 8],
        ["shapes", "deep", "flat", "angle", 2, 8],
    ]
    assert table.groupby("layer").best_reading.sum().tolist() == [1, 1]
    assert (table.images == 32).all() and (table.classes == 4).all()
    assert f"{table.goodness[table.best_reading].iloc[0]:.4f}" in printed
    assert "results/figures" in printed
    for row in table.itertuples():
        name = pooled_name(row.layer, row.pooling)
        features = np.load(results / f"features/shapes/small/{name}/0-of-1.npy")
        assert features.shape == (32, row.dim) and features.dtype == np.float32
        mean = np.load(results / f"means/shapes/small/{name}/0-of-1.npy")
        np.testing.assert_allclose(mean, features.astype(float).mean(axis=0), rtol=1e-12)
        distances = np.load(results / f"distances/shapes/small/{name}.npy")
        np.testing.assert_allclose(distances, pdist(features.astype(float)), rtol=1e-5)
        if row.metric == "angle":
            centred = features - mean
            features = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        square = squareform(pdist(features.astype(float)))
        np.fill_diagonal(square, np.inf)
        manifest = pd.read_csv(results / "datasets/shapes/manifest.csv")
        labels = manifest.label.to_numpy()
        assert row.knn1 == np.mean(labels[square.argmin(axis=1)] == labels)
    for layer in ("shallow", "deep"):
        cells = table[table.layer == layer]
        null = np.load(results / f"nulls/shapes/small/{layer}.npy")
        assert null.shape == (len(cells), 199)
        beaten = (null >= cells.goodness.to_numpy()[:, None]).sum(axis=1)
        np.testing.assert_array_equal(cells.p_value, (1 + beaten) / 200)
        manifest = pd.read_csv(results / "datasets/shapes/manifest.csv")
        embedding = pd.read_csv(results / f"embeddings/shapes/small/{layer}.csv")
        assert embedding.columns.tolist() == ["image", "label", "x", "y"]
        assert embedding.image.tolist() == manifest.image.tolist()
    for figure in ("violins/shapes/small", "maps/shapes/small", "maps/loose/small"):
        for suffix in (".png", ".pdf", ".csv"):
            assert (results / f"figures/{figure}{suffix}").stat().st_size > 0


def test_run_ends_with_the_verdicts_and_where_to_look(finished):
    folder, printed = finished
    end = printed[printed.index("Where to look:") :]
    for name in ("report.html", "explorer.html", "figures", "goodness.csv"):
        assert f"results/{name}" in end
    said = " ".join(printed.split())
    page = (folder / "results/report.html").read_text()
    verdicts = pd.read_csv(folder / "results/verdict.csv")
    for row in verdicts[verdicts.scope == "dataset"].itertuples():
        assert f"{row.headline} {row.detail}" in said
    for row in verdicts.itertuples():
        assert row.scope == "depth" or html.escape(row.headline, quote=False) in page
    assert "Parts of this run are missing" not in (folder / "results/report.html").read_text()


def test_report_of_snakemake_needs_no_network(finished, monkeypatch):
    folder, _ = finished
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    snakemake(folder, "--report", "whole.html")
    page = (folder / "whole.html").read_text()
    figures = (folder / "results" / "figures").rglob("*.png")
    shown = {file for file in figures if f'"{file.relative_to(folder)}"' in page}
    kinds = {file.relative_to(folder / "results/figures").parts[0] for file in shown}
    assert kinds >= {"depths", "heatmaps", "maps", "networks", "samples", "violins"}
    assert "n = 32 images in 4 classes; 199 permutations; seed 1" in page  # a caption


def test_unlabelled_images_get_a_map_and_no_goodness(finished):
    folder, _ = finished
    assert (folder / "results/embeddings/loose/small/deep.csv").exists()
    assert not (folder / "results/nulls/loose").exists()


def test_features_advised_lie_ready_for_new_pictures(finished):
    folder, _ = finished
    advised, images = folder / "results/advised/shapes", folder / "results/datasets/shapes/images"
    command = ["apply", str(advised), str(images), "--output", str(folder / "new.npy")]
    done = subprocess.run([sys.executable, "-m", "depthgauge", *command], cwd=folder)
    assert done.returncode == 0 and not (folder / "results/advised/loose").exists()
    expected = pd.read_csv(advised / "images.csv").image.tolist()
    names = [Path(name).name for name in pd.read_csv(folder / "new.images.csv").image]
    assert sorted(names) == sorted(expected)
    made = np.load(folder / "new.npy")[[names.index(name) for name in expected]]
    true = np.load(advised / "features.npy")
    np.testing.assert_allclose(made, true, rtol=0, atol=1e-5 * np.abs(true).max())


def test_every_job_leaves_a_log_and_a_benchmark(finished):
    folder, _ = finished
    for kind, suffix in (("logs", "log"), ("benchmarks", "tsv")):
        for job in ("dataset/shapes", "network/small", "distances/shapes/small"):
            assert (folder / f"results/{kind}/{job}.{suffix}").stat().st_size > 0


def test_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished[0], "--cores", "2")


def test_readings_switched_on_later_make_only_what_is_new(experiment, finished, tmp_path):
    def few(config):
        config["metrics"] = ["euclidean"]
        config["extractors"]["small"]["poolings"] = ["flat"]

    target = "results/goodness.csv"
    folder = with_config(experiment, tmp_path / "run", few)
    snakemake(folder, "--cores", "2", target)
    results = folder / "results"
    assert pd.read_csv(results / "goodness.csv").pooling.tolist() == ["flat", "flat"]
    assert not list(results.glob("*/*/*/*.mean*"))
    before = (results / "distances/shapes/small/shallow.npy").stat().st_ino
    network = (results / "networks/small.pb").stat().st_mtime_ns

    shutil.copy(experiment / "experiment.yaml", folder)
    snakemake(folder, "--cores", "2", target)
    assert (results / "distances/shapes/small/shallow.npy").stat().st_ino == before
    assert (results / "networks/small.pb").stat().st_mtime_ns == network
    kept = "there already, made from the same"
    assert (results / "logs/distances/shapes/small.log").read_text().count(kept) == 2
    log = (results / "logs/goodness/shapes/small.log").read_text()
    assert log.count(kept) == 2 and "mean, angle: goodness" in log
    for name in (target, "results/nulls/shapes/small/shallow.npy"):
        assert (folder / name).read_bytes() == (finished[0] / name).read_bytes()
    assert "Nothing to be done" in snakemake(folder, "--cores", "2", target)


def test_a_layer_asked_for_later_leaves_the_others(experiment, finished, tmp_path):
    target = "results/goodness.csv"
    folder = with_config(
        experiment,
        tmp_path / "run",
        lambda c: c["extractors"]["small"].update(layers=["deep"], dims={}),
    )
    snakemake(folder, "--cores", "2", target)
    distances = folder / "results/distances/shapes/small/deep.npy"
    before = distances.stat().st_ino

    shutil.copy(experiment / "experiment.yaml", folder)
    snakemake(folder, "--cores", "2", target)
    assert distances.stat().st_ino == before
    kept = "there already, made from the same"
    logs = folder / "results/logs"
    for stage, times in (("distances", 1), ("goodness", 2)):
        log = (logs / f"{stage}/shapes/small.log").read_text()
        of_shallow, of_deep = log.split(f"INFO {stage} ")[1:]
        assert "shallow" in of_shallow.splitlines()[0] and "deep" in of_deep.splitlines()[0]
        assert (of_shallow.count(kept), of_deep.count(kept)) == (0, times)
    for name in ("distances/shapes/small/deep.npy", "distances/shapes/small/shallow.npy"):
        one, other = (run / "results" / name for run in (folder, finished[0]))
        np.testing.assert_array_equal(np.load(one), np.load(other))


def test_a_class_token_asked_of_a_map_is_said_before_the_first_image(experiment, tmp_path):
    folder = with_config(
        experiment,
        tmp_path / "run",
        lambda c: c["extractors"]["small"].update(poolings=["flat", "cls"]),
    )
    printed = snakemake(folder, "--cores", "1", expect=1)
    assert "layer shallow (15 x 15 x 4) has no class token" in printed
    assert "Traceback" not in printed
    assert not list(folder.glob("results/features/**/*.npy"))


def contents(folder):
    patterns = ("goodness.csv", "datasets/**/*", "features/**/*", "distances/**/*", "nulls/**/*")
    patterns += ("embeddings/**/*", "figures/**/*", "advised/**/*")
    files = [
        file
        for pattern in patterns
        for file in sorted((folder / "results").glob(pattern))
        if file.is_file() and not file.name.startswith(".snakemake")
    ]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def assert_same(folder, other):
    one, two = contents(folder), contents(other)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_killed_run_resumes_on_one_core_to_the_same_bytes(experiment, finished, tmp_path):
    folder = copy_of(experiment, tmp_path / "run")
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *options(folder, "--cores", "2")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        start_new_session=True,
    )
    deadline = time.monotonic() + 300
    while not list(folder.glob("results/nulls/*/*/*.npy")):  # in the thick of it
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (folder / "results/goodness.csv").exists()
    snakemake(folder, "--unlock")
    snakemake(folder, "--cores", "1")
    assert_same(folder, finished[0])


def copy_of_repository(folder):
    folder.mkdir()
    for name in ("Snakefile", "workflow", "profiles", "config.yaml", "envs"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def test_changed_module_runs_again_what_it_makes(finished, tmp_path):
    repository = copy_of_repository(tmp_path / "repository")
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder, symlinks=True)
    snakemake(folder, "--cores", "1", "--touch", repository=repository)
    assert "Nothing to be done" in snakemake(folder, "-n", repository=repository)
    module = repository / "workflow/depthgauge/maps/perplexity.py"  # embeddings and maps import it
    module.write_text(module.read_text() + "\n# said\n")
    assert "Nothing to be done" in snakemake(folder, "-n", repository=repository)
    module.write_text(module.read_text() + "\nCHANGED = True\n")
    planned = snakemake(folder, "-n", "--quiet", "rules", repository=repository)
    assert "places" in planned and "figures_of_results_shapes" in planned
    for untouched in ("features", "distances", "goodness", "figures_of_images"):
        assert untouched not in planned


def test_of_many_images_each_layer_is_a_job_and_gives_the_same_bytes(
    experiment, finished, tmp_path
):
    repository = copy_of_repository(tmp_path / "repository")
    module = repository / "workflow/depthgauge/plan.py"
    module.write_text(re.sub(r"^FEW = 1_000\b", "FEW = 10", module.read_text(), flags=re.M))
    folder = copy_of(experiment, tmp_path / "run")
    wanted = ["verdict.csv", "clusters.csv", "labelling/shapes/small/trials.csv"]
    wanted += ["near_copies/shapes.csv", "near_copies/loose.csv", "misplaced/shapes.csv"]
    wanted += ["misplaced/shapes/small/deep.csv"]
    wanted = [f"results/{file}" for file in wanted]
    printed = snakemake(folder, *wanted, "--cores", "2", repository=repository)
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, re.M)}
    expected = {"distances": 4, "goodness": 2, "embedding": 4, "label_accuracy": 1}
    expected |= {"clusters_small": 2, "neighbours_small": 2, "misplaced_small": 1}
    assert {rule: counts.get(rule) for rule in expected} == expected
    made = [
        str(file.relative_to(folder))
        for kind in ("distances", "nulls", "embeddings", "clusters", "neighbours", "misplaced")
        for file in (folder / "results" / kind).rglob("*.*")
        if not file.name.startswith(".")
    ]
    assert len(made) == 37
    assert [
        file
        for file in (*wanted, *made)
        if (folder / file).read_bytes() != (finished[0] / file).read_bytes()
    ] == []


def with_config(experiment, folder, change):
    folder = copy_of(experiment, folder)
    config = yaml.safe_load((folder / "experiment.yaml").read_text())
    change(config)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(permutation=9), "unknown key 'permutation'; did you mean 'permut"),
        (lambda c: c.update(metrics=["cosine"]), "metrics.0: 'cosine' is not one of euclidean, an"),
        (
            lambda c: c["extractors"]["small"].update(poolings=["max"]),
            "extractors.small.poolings.0: 'max' is not one of flat, mean, cls",
        ),
        (lambda c: c.update(permutations=0), "permutations: 0 is less than the minimum of 1"),
        (lambda c: c["datasets"]["shapes"].update(per_clas=2), "did you mean 'per_class'"),
        (lambda c: c["datasets"]["shapes"].update(kind="shape"), "'shape' is not one of synth"),
        (lambda c: c["datasets"].update({"a/b": {"kind": "digits"}}), "'a/b' cannot be used"),
        (lambda c: c["datasets"]["loose"].update(path="lose"), "lose"),
        (lambda c: c["extractors"]["small"].pop("path"), "extractors.small: lacks the key path"),
        (lambda c: c.pop("extractors"), "config: lacks the key extractors"),
    ],
)
def test_bad_config_is_said_before_anything_starts(experiment, tmp_path, change, message):
    folder = with_config(experiment, tmp_path / "run", change)
    printed = snakemake(folder, "--cores", "1", expect=1)
    assert message in printed
    assert "Traceback" not in printed
    assert not (folder / "results").exists()


def test_any_names_of_extractors_and_layers_are_planned(experiment, tmp_path):
    """Names that differ in `-` and `_` alone, or that rules and files of the workflow have."""

    def change(config):
        small = config["extractors"]["small"] | {"dims": {}}
        names = {"agreement": "shallow", "summary": "deep"}
        for name in ("a-b", "a_b", "sheet", "table"):
            config["extractors"][name] = small | {"layers": names}

    folder = with_config(experiment, tmp_path / "run", change)
    printed = snakemake(folder, "-n", "--quiet", "rules", "--cores", "1")
    for rule in ("features_a_b", r"features_a_b_\d+", "goodness_of_table"):
        assert re.search(rf"^{rule} +\d+$", printed, re.M), rule


def test_images_to_label_are_asked_by_the_first_network_that_is_no_control(experiment, tmp_path):
    def change(config):
        small = config["extractors"]["small"]
        config["extractors"] = {"a": small | {"control": True}, "b": small, "c": small}

    folder = with_config(experiment, tmp_path / "run", change)
    printed = snakemake(folder, "--dry-run", "--printshellcmds", "--", "results/ask/loose.csv")
    line = next(line for line in printed.splitlines() if "depthgauge ask " in line)
    assert re.findall(r"results/distances/loose/(\w+)/deep\.npy", line) == ["b"]


def test_names_that_look_like_numbers_or_nothing_stay_what_they_are(experiment, tmp_path):
    def change(config):
        layers = {"1e3": "shallow", "NA": "deep"}
        config.update(permutations=49, labels_per_class=[1], linear_probe=False)
        config["datasets"] = {"01": {"kind": "synthetic", "per_class": 6, "size": 32}}
        config["extractors"] = {"007": config["extractors"]["small"] | {"layers": layers}}
        config["extractors"]["007"].pop("dims")

    folder = with_config(experiment, tmp_path / "run", change)
    snakemake(folder, "--cores", "2", "results/report.html")
    results = folder / "results"
    tables = {
        name: read_table(results / f"{name}.csv")
        for name in ("goodness", "verdict", "comparisons", "clusters", "table_1")
    }
    for name, table in tables.items():
        assert set(table.dataset) == {"01"}, name
        for column in table.columns.intersection(["extractor", "extractor_a", "extractor_b"]):
            assert set(table[column]) == {"007"}, (name, column)
    for name in ("goodness", "clusters"):
        assert tables[name].layer.unique().tolist() == ["1e3", "NA"]
    for end in "ab":
        assert set(tables["comparisons"][f"layer_{end}"]) == {"1e3", "NA"}

    of_dataset, verdict = tables["verdict"].to_dict("records")
    assert of_dataset["layer"] == verdict["layer"]
    assert verdict["layer"] in ("1e3", "NA")
    use = [verdict[name] for name in ("layer", "pooling", "metric")]
    told = tables["comparisons"][tables["comparisons"].measure == "knn1_half"]
    alike = set()
    for row in told[(told.low <= 0) & (told.high >= 0)].itertuples():
        pair = [
            [row.layer_a, row.pooling_a, row.metric_a],
            [row.layer_b, row.pooling_b, row.metric_b],
        ]
        alike |= {".".join(cell) for cell in pair if use in pair and cell != use}
    assert alike and set(verdict["not_distinguishable"].split(";")) == alike
    assert f"layer {verdict['layer']}" in verdict["headline"]
    assert verdict["sentence"].startswith("01, 007: ")
    page = (results / "report.html").read_text()
    assert html.escape(of_dataset["headline"], quote=False) in page
    assert "Parts of this run are missing" not in page
    for figure in ("depths/01", "maps/01/007", "violins/01/007"):
        assert (results / f"figures/{figure}.png").stat().st_size > 0
    marked = read_table(results / "figures/depths/01.csv")
    assert set(marked[marked.verdict == "use"].layer) == {verdict["layer"]}
    # No column of text is read by what stands in it.
    for path in results.rglob("*.csv"):
        table = read_table(path)
        texts = table.columns[[is_string_dtype(table[name].dropna()) for name in table]]
        assert set(texts) <= TEXT | {"spread_warning", "value"}, path


@pytest.fixture(scope="module")
def from_distances(tmp_path_factory):
    """A run on planted distances: a sample, two collections, and a folder labelled in part."""
    folder = tmp_path_factory.mktemp("from_distances")
    (folder / "model.keras").touch()
    extractor = {"kind": "keras_file", "path": "model.keras", "layers": ["layer"]}
    config = {
        **{"permutations": 199, "pairs": 1000, "metrics": ["euclidean"], "label_confidence": 0.95},
        "datasets": {
            "partly": {"kind": "folder", "path": "partly", "unlabelled": "new"},
            "sampled": {"kind": "synthetic", "per_class": 100},
            "parted": {"kind": "synthetic", "per_class": 10},
        },
        "permute": {"parted": "within_collections"},
        "extractors": {"net": extractor | {"poolings": ["flat"]}},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config))
    rng = np.random.default_rng(3)
    results = folder / "results"
    for dataset, images in (("sampled", 48), ("parted", 40), ("partly", 44)):
        labels = np.arange(images) % 4
        points = rng.normal(size=(images, 5)) + np.eye(5)[labels]
        parts = np.arange(images) // 20
        if dataset == "partly":
            points += 2 * np.eye(5)[labels]
            labels = np.where(np.arange(images) < 24, labels.astype(str), "")
            for i, label in enumerate(labels):
                (folder / "partly" / (label or "new")).mkdir(parents=True, exist_ok=True)
                (folder / "partly" / (label or "new") / f"{i}.png").touch()
        columns = {"sampled": {"population": 100}, "parted": {"collection": parts}, "partly": {}}
        for file in (f"datasets/{dataset}/manifest.csv", f"distances/{dataset}/net/layer.npy"):
            (results / file).parent.mkdir(parents=True)
        table = pd.DataFrame({"image": [f"{i}.jpg" for i in range(images)], "label": labels})
        table.assign(**columns[dataset]).to_csv(
            results / f"datasets/{dataset}/manifest.csv", index=False
        )
        np.save(results / f"distances/{dataset}/net/layer.npy", pdist(points).astype(np.float32))
    flat = {"flat": {"tensor": "layer:0", "dim": 5}}
    layer = {"layer": "layer", "tensor": "layer:0", "shape": [5], "dim": 5, "poolings": flat}
    (results / "networks").mkdir()
    (results / "networks/net.json").write_text(json.dumps({"layers": [layer]}))
    rules = ("goodness_of_net", "sampled_goodness", "goodness_table", "labels")
    targets = ("results/goodness.csv", "results/labels/partly/labels.csv")
    snakemake(folder, *targets, "--cores", "2", "--allowed-rules", *rules)
    return folder


def test_sample_is_measured_and_the_whole_estimated(from_distances):
    results = from_distances / "results"
    row = read_table(results / "goodness.csv").set_index("dataset").loc["sampled"]
    assert (row.images, row.population_images) == (48, 400)
    estimate = sampled_goodness(
        np.load(results / "distances/sampled/net/layer.npy"), np.arange(48) % 4, [100] * 48
    )
    for name, value in estimate._asdict().items():
        assert row[f"population_{name}"] == value
    of_sample = read_table(results / "nulls/sampled/net/layer.csv").iloc[0]
    own = of_sample.index.drop("dataset")
    pd.testing.assert_series_equal(row[own], of_sample[own], check_names=False)


def test_labels_are_permuted_as_the_config_says(from_distances):
    """Each permutation leaves every collection its labels."""
    results = from_distances / "results"
    rows = read_table(results / "goodness.csv").set_index("dataset")
    assert rows.permuted.to_dict() == {"sampled": "images", "parted": "within_collections"}
    data = Labelled(
        np.load(results / "distances/parted/net/layer.npy"),
        read_manifest(results / "datasets/parted/manifest.csv").label,
        collections=np.arange(40) // 20,
    )
    expected = goodness(
        data,
        permute="within_collections",
        permutations=199,
        seed=derive_seed(1, "parted", "permutations"),
        progress=False,
    )
    np.testing.assert_array_equal(np.load(results / "nulls/parted/net/layer.npy")[0], expected.null)


def test_labels_are_given_from_the_confidence_of_the_config_on(from_distances):
    results = from_distances / "results"

    def labelled_from(confidence):
        files = ["datasets/partly/manifest.csv", "distances/partly/net/layer.npy"]
        written = [f"--{name}={from_distances / name}.csv" for name in ("output", "accuracy")]
        names = ["--dataset=partly", "--metric=euclidean", "--seed=1"]
        line = ["labels", *(str(results / file) for file in files), *written, *names]
        done = CliRunner().invoke(main, [*line, f"--confidence={confidence}"])
        assert done.exit_code == 0, (done.output, done.exception)
        return [(from_distances / f"{name}.csv").read_text() for name in ("output", "accuracy")]

    names = ("labels", "accuracy")
    found = [(results / f"labels/partly/{name}.csv").read_text() for name in names]
    assert found == labelled_from(0.95)
    assert found[0] not in (labelled_from(0.5)[0], labelled_from(0.99999)[0])
    table = read_table(results / "labels/partly/labels.csv")
    assert table.origin.value_counts()["given"] == 24 and len(table) == 44
    taken = table.origin == "propagated"
    assert taken.any() and (table.probability[taken] >= 0.95).all()
    assert (table.probability[table.origin == "unlabelled"] < 0.95).all()
    accuracy = read_table(results / "labels/partly/accuracy.csv")
    assert accuracy.expected_accuracy[0] > 0.5 and len(accuracy) == 4


def test_paths_of_the_users_may_have_anything_in_them(experiment, tmp_path, monkeypatch):
    """Braces, which Snakemake reads as wildcards, blanks and quotes, and `~` for the home."""
    from depthgauge.networks.tensorflow_whole import tf

    home = tmp_path / "home of {user}"
    monkeypatch.setenv("HOME", str(home))
    folder, own = tmp_path / "run", home / "my {x} it's"
    for place in (folder / "results", own / "nets {wildcards.x}", own / "photos {dataset}"):
        place.mkdir(parents=True)
    shutil.copy(experiment / "model.keras", own / "nets {wildcards.x}/a {model}.keras")
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3), name="x")
        tf.reduce_mean(images, axis=(1, 2), name="y")
    (own / "a {graph}.pb").write_bytes(graph.as_graph_def().SerializeToString())
    rng = np.random.default_rng(0)
    for i in range(8):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(own / f"photos {{dataset}}/{{{i}}} x.png")
    lines = [f"{{{i}}} x.png,{'ab'[i % 2]}" for i in range(8)]
    (own / "the {labels}.csv").write_text("\n".join(["image,label", *lines, ""]))
    claim = {"id": "size", "claim": "So many.", "check": "size", "dataset": "photos"}
    claims = [claim | {"images": 8, "classes": 2}]
    (own / "the {claims}.yaml").write_text(yaml.safe_dump(claims))
    there = "~/my {x} it's"
    kind = {"kind": "folder", "path": f"{there}/photos {{dataset}}"}
    model = {"kind": "keras_file", "path": f"{there}/nets {{wildcards.x}}/a {{model}}.keras"}
    graph = {"kind": "frozen_graph", "path": f"{there}/a {{graph}}.pb", "input": "x:0", "size": 8}
    config = {
        "permutations": 99,
        "claims": f"{there}/the {{claims}}.yaml",
        "datasets": {"photos": kind | {"labels": f"{there}/the {{labels}}.csv"}},
        "extractors": {
            "model": model | {"layers": ["deep"]},
            "graph": graph | {"layers": {"y": "y:0"}},
        },
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config))
    cells = {"dataset": ["photos"], "extractor": "model", "layer": "deep", "extractor_a": "model"}
    for name in ("goodness", "comparisons"):
        pd.DataFrame(cells).to_csv(folder / f"results/{name}.csv", index=False)
    made = ["networks/model.pb", "networks/graph.pb", "datasets/photos/manifest.csv"]
    targets = [f"results/{name}" for name in (*made, "claims.csv", "plan.json")]
    rules = ("network", "dataset", "table_1", "claims", "plan")
    snakemake(folder, *targets, "--cores", "2", "--allowed-rules", *rules)
    results = folder / "results"
    manifest = read_manifest(results / "datasets/photos/manifest.csv")
    assert manifest.source.tolist() == [f"{{{i}}} x.png" for i in range(8)]
    assert manifest.label.tolist() == ["a", "b"] * 4
    for name, layer in (("model", "deep"), ("graph", "y")):
        described = json.loads((results / f"networks/{name}.json").read_text())
        assert [one["layer"] for one in described["layers"]] == [layer]
    assert read_table(results / "claims.csv").outcome.tolist() == ["reproduced"]
    assert "photos {dataset}" in (results / "table_1.md").read_text()
    assert json.loads((results / "plan.json").read_text())["config"]["claims"] == config["claims"]
    assert "report" in snakemake(folder, "-n", "--quiet", "rules")


def test_unknown_layer_stops_before_the_first_job(experiment, tmp_path):
    folder = with_config(
        experiment,
        tmp_path / "run",
        lambda c: c["extractors"]["small"].update(layers=["shalow"], dims={}),
    )
    printed = snakemake(folder, "--cores", "1", expect=1)
    told = "extractors.small.layers.0: model.keras has no layer or tensor 'shalow'; it has: "
    assert told in printed and "shallow" in printed
    assert "Traceback" not in printed
    assert not (folder / "results").exists()


def test_unreadable_picture_is_named(experiment, tmp_path):
    folder = copy_of(experiment, tmp_path / "run")
    (folder / "loose/3.png").write_bytes(b"")
    target = "results/datasets/loose/manifest.csv"
    printed = snakemake(folder, "--cores", "1", target, expect=1)
    assert "3.png" in printed and "Traceback" not in printed


def test_missing_download_says_where_to_put_it(experiment, tmp_path):
    def change(config):
        config["datasets"] = {"shapes": config["datasets"]["shapes"]}
        url = "http://127.0.0.1:9/graph.pb"
        spec = {"kind": "frozen_graph", "url": url, "input": "x:0", "size": 8, "layers": {"y": "y"}}
        config["extractors"]["remote"] = spec

    folder = with_config(experiment, tmp_path / "run", change)
    printed = snakemake(folder, "--cores", "1", "results/networks/remote.pb", expect=1)
    assert "127.0.0.1" in printed and "mirror" in printed
    assert "Traceback" not in printed


MODULES = sorted(
    ".".join(file.relative_to(REPOSITORY / "workflow").with_suffix("").parts)
    for file in (REPOSITORY / "workflow/depthgauge").rglob("*.py")
    if file.name != "__main__.py"
)
# Where TensorFlow is imported, less what the plan of a run needs of it.
WITHOUT_TENSORFLOW = {"dims", "keras_weights", "learned", "pixels", "sources"}


def test_only_the_feature_stage_imports_tensorflow():
    others = [
        module
        for module in MODULES
        if ".networks." not in module or module.split(".")[-1] in WITHOUT_TENSORFLOW
    ]
    code = (
        "import importlib, sys\n"
        f"for module in {others}: importlib.import_module(module)\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules), 'TensorFlow was imported'"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_features_do_without_keras_which_is_there_when_it_is_asked_for():
    code = (
        "import sys\n"
        "import depthgauge.networks.features\n"
        "assert 'tensorflow' not in sys.modules\n"  # an ONNX file needs none
        "import depthgauge.networks.graph\n"
        "assert 'tensorflow.python' in sys.modules\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "from depthgauge.networks.tensorflow_whole import tf\n"
        "tf.keras.optimizers.Adam()"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_conda_environment_has_the_pins_of_the_lock():
    sys.path.insert(0, str(REPOSITORY / "envs"))
    from conda_from_lock import conda_environment

    lock = (REPOSITORY / "envs/requirements.lock").read_text()
    assert (REPOSITORY / "envs/depthgauge.yaml").read_text() == conda_environment(lock)
    pins = yaml.safe_load(conda_environment(lock))["dependencies"][-1]["pip"]
    assert len(pins) > 50 and all("==" in pin for pin in pins)
