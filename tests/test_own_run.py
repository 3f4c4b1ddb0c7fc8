"""One command for a folder of one's own; and the wheel that carries it."""

import filecmp
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from conftest import REPOSITORY
from depthgauge.cli import main
from depthgauge.config import read_config
from depthgauge.errors import UserError
from depthgauge.own import run
from depthgauge.own.choice import own_config
from depthgauge.own.looks import look
from depthgauge.own.needs import Needs, plan_lines
from depthgauge.plan import make_plan
from PIL import Image

RNG = np.random.default_rng(20)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with two classes of 24 pictures, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for label in ("heron", "stork"):
        for number in range(24):
            save(tmp_path / "photos" / label / f"{number}.png")
    return Path("photos")


def save(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(file)


def invoke(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def test_a_sound_folder_is_one_line(photos):
    assert look(photos).lines() == [
        "photos: 48 pictures in 2 classes (24 each); all can be opened, no copies"
    ]
    assert invoke("check", photos).output == look(photos).lines()[0] + "\n"


def test_what_is_odd_is_named(photos):
    (photos / "heron/0.png").write_bytes(b"no picture")
    shutil.copy(photos / "stork/1.png", photos / "heron/copy.png")
    (photos / "stork/2.png").write_bytes(bytes(len((photos / "stork/3.png").read_bytes())))
    for number in range(60):
        save(photos / "egret" / f"{number}.png")
    save(photos / "ibis/0.png")
    first, *odd = look(photos).lines()
    assert first == "photos: 110 pictures in 4 classes (1 to 60 each)"
    assert odd == [
        "  ! what cannot be opened is left out: 2 (heron/0.png, stork/2.png)",
        "  ! exact copies count once: 1 (stork/1.png)",
        "  ! class 'ibis' has 1 picture: little can be said of so few",
        "  ! class 'egret' has 55 of 100 pictures: guessing it is right as often",
    ]


def test_a_picture_that_may_not_be_read_is_named_as_such(photos, monkeypatch):
    closed = photos / "heron/0.png"
    shutil.copy(closed, photos / "stork/copy.png")
    opened = open

    def refuse(file, *args, **options):
        if Path(file) == closed:
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, *args, **options)

    monkeypatch.setattr("builtins.open", refuse)
    assert look(photos).lines()[1:] == ["  ! what cannot be opened is left out: 1 (heron/0.png)"]


def test_formats_that_a_run_can_read_are_no_broken_pictures(photos, monkeypatch):
    # Stands in for pillow-heif: its pictures are known to Pillow once it was asked to.
    def register():
        Image.register_open("FAKE", lambda *_: Image.new("L", (2, 2)), is_fake)

    def is_fake(beginning):
        return beginning.startswith(b"fake heif")

    heif = ModuleType("pillow_heif")
    heif.__spec__, heif.register_heif_opener = ModuleSpec("pillow_heif", None), register
    monkeypatch.setitem(sys.modules, "pillow_heif", heif)
    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN})
    (photos / "heron/0.heic").write_bytes(b"fake heif")
    assert look(photos).lines()[1:] == []


def test_frames_of_films_are_asked_about(photos):
    for label in ("heron", "stork"):
        for number in range(24):
            old = photos / label / f"{number}.png"
            old.rename(photos / label / f"film{label[0]}{number // 4}_{number % 4:04}.png")
    (odd,) = look(photos).lines()[1:]
    assert odd.startswith("  ! by their names pictures may belong together")
    group = odd.split("--group '")[1].removesuffix("'")
    found = {re.search(group, f"heron/{file.name}")[1] for file in (photos / "heron").iterdir()}
    assert found == {f"filmh{number}" for number in range(6)}


def test_parts_of_a_split_are_no_classes(photos):
    (photos / "heron").rename(photos / "train")
    (photos / "stork").rename(photos / "Val")
    with pytest.raises(UserError, match="Val, train are the parts of a split.*photos/Val"):
        look(photos)


def test_parts_of_one_dataset_are_put_together(photos, caplog):
    parts = Path("parts")
    for name in ("train", "test"):
        shutil.copytree(photos, parts / name)
    assert invoke("run", parts, "-n").exit_code == 1 and "--split folder" in caplog.text
    done = invoke("check", parts, "--split", "folder")
    assert done.exit_code == 0 and "96 pictures in 2 classes" in done.output
    done = invoke("run", parts, "-n", "--split", "folder")
    assert done.exit_code == 0, done.output
    # What the config says is asked of it, and need not be typed again.
    Path("parts-depthgauge").mkdir()
    config = own_config(look(parts, split="folder"), split="folder")
    Path("parts-depthgauge/config.yaml").write_text(yaml.safe_dump(config))
    assert invoke("run", parts, "-n").exit_code == 0


def test_without_sub_folders_nothing_has_a_label(photos):
    assert look(photos / "heron").lines() == [
        "photos/heron: 24 pictures, unlabelled; all can be opened, no copies"
    ]


def test_by_default_what_needs_no_download_and_its_control(photos):
    config = own_config(look(photos))
    assert config["datasets"]["photos"]["path"] == str(photos.resolve())
    plan = make_plan(config)
    assert plan.downloads() == {} and not plan.sampled
    kinds = [spec["kind"] for spec in config["extractors"].values()]
    assert "pca" in kinds and 2 <= len(kinds) <= 3
    assert not any(spec.get("weights", "") is None for spec in config["extractors"].values())


def test_networks_are_names_and_files(photos, tmp_path):
    (tmp_path / "my net.onnx").touch()
    config = own_config(look(photos), "ResNet50, my net.onnx", layers=3)
    named, own, control = config["extractors"].items()
    assert named == (
        "ResNet50",
        {"kind": "keras_application", "application": "ResNet50", "layers": 3},
    )
    assert own == (
        "my-net",
        {"kind": "onnx", "path": str(tmp_path / "my net.onnx"), "layers": 3},
    )
    assert control[1]["kind"] == "pca"
    with pytest.raises(UserError, match="no network 'Resnet5'.*ResNet50"):
        own_config(look(photos), "Resnet5")


def test_what_is_a_control_is_said_as_the_plan_has_it(photos):
    config = own_config(look(photos), "ResNet50,efficientnet_untrained,EfficientNetLite0")
    config["extractors"]["ResNet50"]["control"] = True
    plan = make_plan(config)
    (said,) = (line for line in plan_lines(plan, Needs(plan, "results", 1), "x") if "pca" in line)
    assert said == (
        "networks: ResNet50 (control), 5 depths; efficientnet_untrained (control), 2 depths; "
        "EfficientNetLite0, 5 depths; pca (control), 1 depth"
    )


def test_many_pictures_are_sampled_and_it_is_said(photos, monkeypatch):
    monkeypatch.setattr("depthgauge.own.choice.QUICK", 46)
    plan = make_plan(own_config(look(photos), quick=True))
    assert plan.images == {"photos": 46}
    lines = plan_lines(plan, Needs(plan, Path("results"), 2), Path("x/config.yaml"))
    assert lines[0] == "a sample of 46 pictures is measured, chosen class by class"
    assert lines[-1].startswith("about ") and lines[-1].endswith("Config: x/config.yaml")
    assert "pairs" not in own_config(look(photos))


def test_minutes_and_disk_grow_with_the_pictures(photos):
    config = own_config(look(photos), "ResNet50")
    needs = []
    for images in (48, 480, 1920):
        plan = make_plan(config)
        plan.images = {"photos": images}
        needs.append(Needs(plan, Path("results"), 2))
    minutes, disk = ([getattr(need, name) for need in needs] for name in ("minutes", "disk"))
    assert sorted(minutes) == minutes and sorted(disk) == disk
    assert needs[0].fetched is None and len(needs[0].sources) == 1  # its size is not published
    assert Needs(make_plan(config), Path("results"), 8).minutes < needs[0].minutes


def test_a_dry_run_says_the_plan_and_writes_nothing(photos):
    done = invoke("run", photos, "--dry-run")
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) == 4
    assert list(Path().iterdir()) == [photos]


def test_without_a_terminal_nothing_is_asked_and_the_flag_named(photos, caplog):
    done = invoke("run", photos, "--networks", "ResNet50")
    assert done.exit_code == 1 and "--yes" in caplog.text
    assert list(Path().iterdir()) == [photos]


def test_a_run_writes_its_config_and_ways_to_the_pages(photos, monkeypatch, caplog):
    started = []

    class Started:
        returncode = 0

        def __init__(self, command, env):
            started.append(command)

        def wait(self):
            return self.returncode

    monkeypatch.setattr(run.subprocess, "Popen", Started)
    monkeypatch.setattr(run.signal, "signal", lambda *what: None)
    done = invoke("run", photos, "--cores", 2)
    assert done.exit_code == 0, done.output
    folder = Path("photos-depthgauge")
    text = (folder / "config.yaml").read_text()
    assert make_plan(yaml.safe_load(text)).images == {"photos": 48}
    assert "results/report.html" in (folder / "report.html").read_text()
    assert started[0][-2:] == ["--logger", "depthgauge"]
    # As it stands, so it is used; what is asked for anew is written anew, and the old one kept.
    (folder / "config.yaml").write_text(text.replace("seed: 1", "seed: 7"))
    assert invoke("run", photos, "--verbose").exit_code == 0
    assert "--logger" not in started[1]
    assert "seed: 7" in (folder / "config.yaml").read_text()
    assert invoke("run", photos, "--layers", 2).exit_code == 0
    assert "seed: 1" in (folder / "config.yaml").read_text()
    assert "seed: 7" in (folder / "config.yaml.before").read_text()
    # Paths in it are seen from where it lies, by the workflow and by the look before it.
    config = yaml.safe_load((folder / "config.yaml").read_text())
    rows = [f"{file.relative_to(photos)},{i % 2}" for i, file in enumerate(photos.rglob("*.png"))]
    (folder / "corrections.csv").write_text("\n".join(["image,label", *rows]))
    monkeypatch.setenv("HOME", str(folder.resolve()))
    for place in ("corrections.csv", "~/corrections.csv"):
        config["datasets"]["photos"]["labels"] = place
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        done = invoke("run", photos)
        assert done.exit_code == 0, done.output
    Started.returncode = 3
    assert invoke("run", photos).exit_code == 3
    # One broken by hand is told by its line; asked for anew, it is kept beside the new one.
    Started.returncode = 0
    (folder / "config.yaml").write_text("seed: 1\ndatasets: {a: {kind: digits}\nextractors: {}\n")
    assert invoke("run", photos).exit_code == 1 and len(started) == 6
    assert "photos-depthgauge/config.yaml: line 3: is no YAML" in caplog.text
    assert invoke("run", photos, "--layers", 2).exit_code == 0
    assert "kind: digits}" in (folder / "config.yaml.before").read_text()
    assert make_plan(read_config(folder / "config.yaml")).images == {"photos": 48}


def test_a_folder_of_other_pictures_is_not_gone_on_with(photos, caplog):
    (photos / "heron").rename("elsewhere")
    folder = Path("photos-depthgauge")
    folder.mkdir()
    config = {"datasets": {"photos": {"kind": "folder", "path": "/other/photos"}}}
    config["extractors"] = {"pca": {"kind": "pca"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (photos / "ibis").mkdir()
    save(photos / "ibis/0.png")
    assert invoke("run", photos).exit_code == 1
    assert "is of /other/photos; give another folder by --output" in caplog.text


def test_a_misspelt_folder_is_answered_with_the_one_beside(photos, caplog):
    assert invoke("check", "fotos").exit_code == 1
    assert "fotos: does not exist; did you mean 'photos'?" in caplog.text


# -- the wheel ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder in which the wheel of this checkout is unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=ignore)
    for name in ("Snakefile", "config.yaml", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    build = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *build, str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_carries_the_workflow_as_it_stands_here(installed):
    home = installed / "depthgauge" / "home"
    carried = {file.relative_to(home) for file in home.rglob("*") if file.is_file()}
    assert carried >= {
        file.relative_to(REPOSITORY)
        for folder in ("rules", "schemas", "report", "profiles")
        for file in (REPOSITORY / "workflow" / folder).rglob("*.*")
    }
    assert {Path("Snakefile"), Path("config.yaml")} <= carried
    assert all(filecmp.cmp(home / name, REPOSITORY / name, shallow=False) for name in carried)
    package = REPOSITORY / "workflow" / "depthgauge"
    for file in package.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert (installed / "depthgauge" / file.relative_to(package)).is_file(), file
    assert (installed / "snakemake_logger_plugin_depthgauge" / "__init__.py").is_file()


def test_a_wheel_plans_a_run_in_an_empty_folder(installed, photos):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    code = (
        "import depthgauge.own.run as run, subprocess\n"
        "begin = subprocess.Popen\n"
        "run.subprocess.Popen = lambda command, env: begin([*command, '--dry-run'], env=env)\n"
        "run.run_pictures('photos')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "pictures: 1 job" in done.stderr and "report: 2 jobs" in done.stderr
