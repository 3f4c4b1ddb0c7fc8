import json
import logging
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import REPOSITORY
from depthgauge.networks.features import features
from depthgauge.networks.network import build_network
from depthgauge.networks.tensorflow_setup import (
    BFLOAT16,
    processor_flags,
    usable_precision,
    use_precision,
    without_unasked,
)
from PIL import Image


def test_bfloat16_is_used_where_the_processor_has_it(monkeypatch, caplog):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert usable_precision("bfloat16", {"avx2", "avx512_bf16"}) == "bfloat16"
    assert usable_precision("float32", {"avx512_bf16"}) == "float32"
    assert not caplog.records


def test_float32_takes_its_place_elsewhere_and_the_log_says_why(monkeypatch, caplog):
    assert usable_precision("bfloat16", {"avx2", "fma"}) == "float32"
    assert "not used but float32" in caplog.text and "avx512_bf16" in caplog.text
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert usable_precision("bfloat16", {"avx512_bf16"}) == "float32"
    assert "TF_ENABLE_ONEDNN_OPTS=0" in caplog.text
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_flags_of_a_processor(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\n")
    assert processor_flags(file) >= {"fpu", "avx2", "amx_bf16"}
    assert processor_flags(tmp_path / "absent") == set()


@pytest.mark.parametrize("flags, held_back", [({"avx"}, True), (set(), False)])
def test_only_what_nobody_asked_for_is_left_out_of_stderr(flags, held_back, monkeypatch, capfd):
    monkeypatch.setattr("depthgauge.networks.tensorflow_setup.processor_flags", lambda: flags)
    unasked = "WARNING: All log messages before absl::InitializeLog() ...\nI0000 00:00 port.cc\n"
    told = "E0000 00:00 wrong\nWARNING: of others\n"
    with pytest.raises(ZeroDivisionError), without_unasked():
        os.write(2, f"{unasked}{told}".encode())
        assert bool(capfd.readouterr().err) != held_back
        raise ZeroDivisionError
    os.write(2, b"later\n")
    assert capfd.readouterr().err == (f"{told}later\n" if held_back else "later\n")


@pytest.mark.skipif("avx" not in processor_flags(), reason="nothing is held back")
@pytest.mark.parametrize("module", ["tensorflow_whole", "keras_setup", "keras_network"])
def test_tensorflow_starts_without_a_word_in_part_and_as_a_whole(module):
    start = "import depthgauge.networks.tensorflow_setup, sys; assert 'tensorflow' not in "
    start += f"sys.modules; import depthgauge.networks.{module}"
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_tensorflow_is_imported_by_two_modules_alone():
    """Else what comes first could be a part that imports itself in a circle."""
    package = REPOSITORY / "workflow/depthgauge"
    importing = {
        file.stem
        for file in package.rglob("*.py")
        if re.search(r"^\s*(from|import) (tensorflow|keras)\b", file.read_text(), re.M)
    }
    assert importing == {"tensorflow_setup", "tensorflow_whole", "keras_setup"}


# Not MobileNet's deeper layers: untrained, they are 1.3 hundredths off.
NETWORKS = [("InceptionV3", 96, ["mixed3", "mixed8"]), ("MobileNet", 64, ["conv_pw_3_relu"])]


@pytest.fixture(params=NETWORKS, ids=lambda network: network[0])
def extracted(tmp_path, monkeypatch, request):
    """A function from a precision to (features of noise through a network, what made them)."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    rng = np.random.default_rng(0)
    names = [f"{i}.png" for i in range(6)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / name)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("image,label\n" + "".join(f"{name},x\n" for name in names))
    application, size, layers = request.param
    spec = {"kind": "keras_application", "application": application, "weights": None, "size": size}
    graph, described = tmp_path / "net.pb", tmp_path / "net.json"
    build_network("net", spec | {"layers": layers}, graph, described)

    def run(precision):
        outputs = [tmp_path / f"{precision}-{layer}.npy" for layer in layers]
        features(graph, described, tmp_path, manifest, outputs, precision=precision)
        with open(outputs[0], "rb") as file:
            made_from = json.loads(file.readline().decode("latin-1").split("# depthgauge: ")[1])
        return [np.load(file) for file in outputs], made_from

    yield run
    use_precision("float32")  # it is the process's, and other tests run in it


def test_features_in_bfloat16_are_within_a_hundredth_or_those_of_float32(extracted):
    single, made_from = extracted("float32")
    assert made_from["precision"] == "float32"
    half, made_from = extracted("bfloat16")
    for one, other in zip(single, half, strict=True):
        assert one.dtype == other.dtype == np.float32
        error = np.linalg.norm(one - other) / np.linalg.norm(one)
        if BFLOAT16 & processor_flags():
            assert made_from["precision"] == "bfloat16"
            assert 0 < error <= 0.01
        else:
            assert made_from["precision"] == "float32"
            assert error == 0
