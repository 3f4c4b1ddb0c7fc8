"""Extractors learned from the images themselves: autoencoder, its control, and PCA."""

import itertools
import json
import logging
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import checked_config, checked_spec
from depthgauge.errors import UserError
from depthgauge.figures.learning_curve import draw_learning_curve
from depthgauge.figures.reconstructions import draw_reconstructions
from depthgauge.networks import autoencoder
from depthgauge.networks.autoencoder import build_autoencoder
from depthgauge.networks.graph import graph_function, read_graph
from depthgauge.networks.keras_save import save_model
from depthgauge.networks.learned import check_learned, is_learned, learned_layers
from depthgauge.networks.network import build_network
from depthgauge.networks.pixel_pca import fit_pca
from depthgauge.networks.pixels import load_stack
from depthgauge.networks.tensorflow_whole import tf
from PIL import Image

SMALL = {"kind": "autoencoder", "size": 16, "channels": [4, 8], "latent": 3, "epochs": 3}


def spec_of(**keys):
    return checked_spec("extractors", "net", SMALL | keys)


def blobs(n, size=16, seed=0):
    """Bright spots whose place is all that differs: two numbers say what an image shows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    at = rng.uniform(4, size - 4, (n, 2, 1, 1))
    spots = np.exp(-((x - at[:, 0]) ** 2 + (y - at[:, 1]) ** 2) / 8)
    return (255 * np.repeat(spots[..., None], 3, axis=3)).astype(np.uint8)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A folder of blobs, as PNGs so that pixels are what was drawn, and its manifest."""
    folder = tmp_path_factory.mktemp("blobs")
    (folder / "images").mkdir()
    names = [f"{i:02}.png" for i in range(30)]
    for name, pixels in zip(names, blobs(30), strict=True):
        Image.fromarray(pixels).save(folder / "images" / name)
    table = pd.DataFrame({"image": names, "label": ""})
    table.to_csv(folder / "manifest.csv", index=False)
    return folder


def test_training_learns_what_differs():
    spec = spec_of(epochs=60, latent=4)
    model = build_autoencoder(spec, 1)
    images, held_out = blobs(96), blobs(24, seed=1)
    curve = autoencoder.fit(model, images, held_out, spec, np.random.default_rng(0))
    mean_image = ((held_out / 255 - (images / 255).mean(0)) ** 2).mean()
    error = ((held_out / 255 - model.predict(held_out, verbose=0)) ** 2).mean()
    kept = curve[curve.kept].iloc[0]
    assert kept.validation == curve.validation.min() == pytest.approx(error, rel=1e-4)
    assert error < 0.5 * mean_image < curve.validation[0]
    assert kept.training < curve.training[1] < curve.training[0]


def test_training_ends_when_nothing_gets_better_and_keeps_the_best():
    spec = spec_of(epochs=50, patience=2, learning_rate=1e-12)  # too small to change anything
    model = build_autoencoder(spec, 1)
    before = model.get_weights()
    curve = autoencoder.fit(model, blobs(20), blobs(4), spec, np.random.default_rng(0))
    assert len(curve) < 51
    kept = int(curve.epoch[curve.kept].iloc[0])
    assert curve.epoch.iloc[-1] == kept + 2
    for weights, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_allclose(weights, old, atol=1e-6)


def after_step(monkeypatch, number, change):
    """Have ``change(model)`` called after the step of training of this number."""
    make_step = autoencoder._step

    def changed(model, *others):
        step, numbers = make_step(model, *others), itertools.count(1)

        def then_change(batch):
            loss = step(batch)
            if next(numbers) == number:
                change(model)
            return loss

        return then_change

    monkeypatch.setattr(autoencoder, "_step", changed)


def test_divergence_after_progress_keeps_the_last_good_weights(monkeypatch, caplog):
    def poison(model):
        model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])

    good = []
    after_step(monkeypatch, 8, lambda model: good.extend(model.get_weights()))  # two a pass
    after_step(monkeypatch, 9, poison)
    spec = spec_of(epochs=20)
    model = build_autoencoder(spec, 1)
    with caplog.at_level(logging.WARNING, "depthgauge"):
        images = blobs(32)
        curve = autoencoder.fit(model, images, images, spec, np.random.default_rng(0), name="net")
    assert curve.epoch.iloc[-1] == 5 and not np.isfinite(curve.validation.iloc[-1])
    assert curve.epoch[curve.kept].tolist() == [4]
    for weights, expected in zip(model.get_weights(), good, strict=True):
        np.testing.assert_array_equal(weights, expected)
    assert "diverged in epoch 5" in caplog.text and "learning_rate" in caplog.text


def test_a_network_that_dies_with_a_finite_loss_has_diverged(monkeypatch, caplog):
    def kill(model):
        first, bias, *rest = model.get_weights()
        model.set_weights([first, np.full_like(bias, -1e20), *rest])

    after_step(monkeypatch, 5, kill)  # two a pass
    spec, images = spec_of(epochs=20), blobs(32)
    with caplog.at_level(logging.WARNING, "depthgauge"):
        curve = autoencoder.fit(
            build_autoencoder(spec, 1), images, images, spec, np.random.default_rng(0)
        )
    assert np.isfinite(curve.validation).all() and curve.epoch.iloc[-1] == 3
    assert not curve.kept.iloc[-1]
    assert "diverged in epoch 3" in caplog.text


def test_divergence_from_the_start_is_an_error():
    spec = spec_of(learning_rate=1e30)
    images = blobs(20)
    with pytest.raises(UserError, match=r"diverged in epoch 1 .* smaller `learning_rate`"):
        autoencoder.fit(build_autoencoder(spec, 1), images, images, spec, np.random.default_rng(0))


def train(dataset, folder, threads, spec=SMALL):
    files = {"--model": "net.keras", "--history": "history.csv", "--examples": "examples.npz"}
    options = [word for option, file in files.items() for word in (option, str(folder / file))]
    arguments = [json.dumps(spec), str(dataset / "images"), str(dataset / "manifest.csv")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "depthgauge", "autoencoder", "net", *arguments, *options),
            *("--dataset", "blobs", "--threads", str(threads)),
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return {file: (folder / file).read_bytes() for file in files.values()}


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(dataset, folder, threads=3)


def test_training_gives_the_same_bytes_for_any_number_of_threads(dataset, trained, tmp_path):
    assert train(dataset, tmp_path, threads=1) == trained[1]


def test_large_images_are_trained_on_in_parts_side_by_side(dataset, tmp_path):
    large = SMALL | {"size": autoencoder.WHOLE + 4, "epochs": 1}
    folders = [tmp_path / str(threads) for threads in (1, 3)]
    for folder in folders:
        folder.mkdir()
    one, other = (train(dataset, folder, int(folder.name), large) for folder in folders)
    assert one == other
    # The parts' mean gradient is that of the whole.
    steps = []
    for parts in (1, autoencoder.PARTS):
        model = build_autoencoder(spec_of(), 1)
        optimizer = tf.keras.optimizers.SGD(0.1)
        loss = autoencoder._step(model, optimizer, parts)(blobs(16))
        steps.append([float(loss), *model.get_weights()])
    for whole, in_parts in zip(*steps, strict=True):
        np.testing.assert_allclose(in_parts, whole, rtol=1e-5, atol=1e-6)


def test_frozen_encoder_computes_what_the_saved_model_does(dataset, trained, tmp_path):
    folder, _ = trained
    model = tf.keras.models.load_model(folder / "net.keras", compile=False)
    spec = spec_of()
    build_network("net", spec, tmp_path / "g.pb", tmp_path / "g.json", source=folder / "net.keras")
    described = json.loads((tmp_path / "g.json").read_text())
    assert described["size"] == 16
    assert {layer["layer"]: layer["dim"] for layer in described["layers"]} == {
        "stage_1": 8 * 8 * 4,
        "stage_2": 4 * 4 * 8,
        "latent": 3,
    }
    run = graph_function(
        read_graph(tmp_path / "g.pb"), [layer["tensor"] for layer in described["layers"]]
    )
    images = blobs(5, seed=7).astype(np.float32)
    encoder = tf.keras.Model(
        model.inputs, [model.get_layer(name).output for name in learned_layers(spec)]
    )
    for actual, expected in zip(run(images), encoder(images), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    # The examples are what that model makes of images that the manifest names.
    examples = np.load(folder / "examples.npz", allow_pickle=False)
    np.testing.assert_array_equal(
        examples["original"], load_stack(dataset / "images", examples["image"], 16)
    )
    decoded = model(examples["original"].astype(np.float32)).numpy().clip(0, 1) * 255
    assert np.abs(decoded - examples["reconstruction"]).max() < 0.51


def test_control_starts_where_training_starts(tmp_path):
    spec = spec_of(train=False, layers=["latent"])
    build_network("control", spec, tmp_path / "g.pb", tmp_path / "g.json", seed=4)
    (layer,) = json.loads((tmp_path / "g.json").read_text())["layers"]
    run = graph_function(read_graph(tmp_path / "g.pb"), [layer["tensor"]])
    model = build_autoencoder(spec_of(), 4)
    encoder = tf.keras.Model(model.inputs, model.get_layer("latent").output)
    images = blobs(3).astype(np.float32)
    np.testing.assert_allclose(run(images)[0], encoder(images), rtol=1e-4, atol=1e-5)
    other = build_autoencoder(spec_of(), 5).get_weights()[0]
    assert not np.allclose(model.get_weights()[0], other)


def test_learned_network_without_its_model_says_how_to_make_it(tmp_path):
    with pytest.raises(UserError, match=r"depthgauge autoencoder.*--source"):
        build_network("net", spec_of(), tmp_path / "g.pb", tmp_path / "g.json")


def test_same_model_gives_the_same_file(tmp_path):
    for name in ("one", "two"):
        save_model(build_autoencoder(spec_of(), 1), tmp_path / f"{name}.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    assert sorted(file.name for file in tmp_path.glob("[!.]*")) == ["one.keras", "two.keras"]


def test_pca_is_the_singular_value_decomposition_of_the_centred_pixels(dataset, tmp_path):
    spec = checked_spec("extractors", "pca", {"kind": "pca", "size": 16, "components": 5})
    images, manifest = dataset / "images", dataset / "manifest.csv"
    fit_pca("pca", spec, images, manifest, tmp_path / "pca.keras", dataset="blobs")
    build_network(
        "pca", spec, tmp_path / "g.pb", tmp_path / "g.json", source=tmp_path / "pca.keras"
    )
    described = json.loads((tmp_path / "g.json").read_text())["layers"]
    assert [layer["layer"] for layer in described] == ["pixels", "components"]
    run = graph_function(read_graph(tmp_path / "g.pb"), [layer["tensor"] for layer in described])
    pixels, components = run(blobs(30).astype(np.float32))
    expected = blobs(30).reshape(30, -1) / 255
    np.testing.assert_allclose(pixels, expected, atol=1e-6)
    left, values, _ = np.linalg.svd(expected - expected.mean(0), full_matrices=False)
    scores = left[:, :5] * values[:5]
    signs = np.sign((scores * components).sum(0))
    np.testing.assert_allclose(components, scores * signs, atol=2e-4)


def test_validation_split_holds_out_a_fifth_in_whole_groups():
    images = [f"{i}.jpg" for i in range(40)]
    table = pd.DataFrame({"image": images, "label": "a"})
    assert autoencoder.validation_split(table, np.random.default_rng(0)).sum() == 8
    table["group"] = [f"photograph {i // 4}" for i in range(40)]
    held_out = autoencoder.validation_split(table, np.random.default_rng(0))
    assert held_out.sum() == 8
    assert set(table.group[held_out]).isdisjoint(table.group[~held_out])
    table["group"] = "the only one"
    assert autoencoder.validation_split(table, np.random.default_rng(0)).sum() == 8


@pytest.mark.parametrize(
    ("keys", "images", "message"),
    [
        ({"latent": 768}, 30, r"extractors.net.latent: 768 values are no fewer than the 768"),
        ({"size": 18}, 30, r"extractors.net.size: 18 cannot be halved 2 times.*16 or 20"),
        ({"trained_on": "digit"}, 30, r"no dataset 'digit'; did you mean 'digits'"),
        ({"layers": ["latent", "stage_3"]}, 30, r"no layer 'stage_3'; it has stage_1, stage_2, l"),
        ({"train": False, "trained_on": "digits"}, 30, "exclude each other"),
        ({}, 19, r"dataset digits has 19 images, too few.*at least 20 are needed"),
        ({"kind": "pca"}, 16, r"at least 17 are needed.*smaller `components`"),
        ({"kind": "pca", "size": 8, "components": 192}, 300, r"192 values are no fewer"),
    ],
)
def test_what_cannot_be_learned_is_said(keys, images, message):
    base = SMALL if keys.get("kind", "autoencoder") == "autoencoder" else {}
    spec = checked_spec("extractors", "net", base | keys)
    with pytest.raises(UserError, match=message):
        check_learned("net", spec, {"digits": images})


def test_config_refuses_nonsense_of_an_autoencoder():
    extractors = {"net": SMALL | {"latent": 0, "chanels": [4], "learning_rate": 0}}
    with pytest.raises(UserError) as caught:
        checked_config({"datasets": {"d": {"kind": "digits"}}, "extractors": extractors})
    message = str(caught.value)
    assert "did you mean 'channels'" in message and "net.latent: 0 is less" in message
    assert "net.learning_rate" in message
    assert not is_learned(spec_of(train=False)) and is_learned(spec_of())


def test_small_dataset_is_not_excused_where_it_is_not_trained_on():
    check_learned("net", spec_of(trained_on="large"), {"large": 20, "small": 2})
    check_learned("net", spec_of(train=False), {"small": 2})


def plan(folder, extractors):
    config = {"extractors": extractors}
    config["datasets"] = {
        name: {"kind": "synthetic", "per_class": 8, "size": 32} for name in ("one", "two")
    }
    (folder / "plan.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-n"),
            *("--snakefile", str(REPOSITORY / "Snakefile")),
            *("--directory", str(folder), "--configfile", str(folder / "plan.yaml")),
        ],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def jobs(printed, rule):
    """How many jobs of ``rule`` are in Snakemake's table of them."""
    counts = [line.split()[1] for line in printed.splitlines() if line.split()[:1] == [rule]]
    return int(counts[0]) if counts else 0


def test_workflow_learns_once_for_each_dataset_or_once_for_all(tmp_path):
    extractors = {
        "own": SMALL,
        "lent": SMALL | {"trained_on": "two"},
        "control": SMALL | {"train": False},
        "pca": {"kind": "pca", "size": 16},
    }
    code, printed = plan(tmp_path, extractors)
    assert code == 0, printed
    assert jobs(printed, "autoencoder") == 3
    assert jobs(printed, "pca") == 2
    assert jobs(printed, "learned_network") == 3 and jobs(printed, "network") == 1
    assert jobs(printed, "features_lent") == 2
    assert "results/networks/two/lent.pb" in printed
    assert "results/networks/one/lent.pb" not in printed
    assert "results/figures/reconstructions/two/lent.png" in printed


def test_workflow_refuses_what_cannot_be_learned_before_it_plans(tmp_path):
    code, printed = plan(tmp_path, {"net": SMALL | {"size": 18}})
    assert code == 1 and "18 cannot be halved" in printed and "Traceback" not in printed


@pytest.mark.parametrize("diverged", [False, True])
def test_learning_curve_writes_what_it_draws(tmp_path, diverged):
    history = pd.DataFrame(
        {
            "epoch": [0, 1, 2, 3],
            "training": [0.5, 0.2, 0.1, np.nan if diverged else 0.09],
            "validation": [0.5, 0.3, 0.2, np.nan if diverged else 0.25],
            "kept": [False, False, True, False],
            "mean_image": 0.4,
            "train_images": 16,
            "validation_images": 4,
        }
    )
    draw_learning_curve(history, tmp_path / "curve", title="blobs", seed=1)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "curve.csv"), history)
    assert (tmp_path / "curve.png").stat().st_size > 0


def test_reconstructions_give_the_error_of_each(tmp_path):
    original, decoded = blobs(3), blobs(3, seed=1)
    examples = {"image": np.array(list("abc")), "original": original, "reconstruction": decoded}
    draw_reconstructions(examples, tmp_path / "images", latent=2)
    table = pd.read_csv(tmp_path / "images.csv")
    expected = ((original / 255 - decoded / 255) ** 2).reshape(3, -1).mean(1)
    np.testing.assert_allclose(table.error, expected, atol=1e-6)
    assert table.image.tolist() == ["a", "b", "c"]
