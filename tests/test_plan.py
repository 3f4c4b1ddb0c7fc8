"""The plan of a run: what it consists of, and what it is told by."""

import json

import pytest
from depthgauge import datasets, plan
from depthgauge.config import checked_config
from depthgauge.datasets.listing import list_files
from depthgauge.errors import UserError
from depthgauge.plan import Plan, make_plan, own_contents, read_plan
from PIL import Image

NET = {"kind": "frozen_graph", "path": "net.pb", "input": "x", "size": 8}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with pictures of which all, some or none have a label, and a network's file."""
    names = ["all/a", "all/b", "some/a", "some/b", "some/new", "none"]
    for name in names:
        (tmp_path / name).mkdir(parents=True)
        for place in range(4):
            Image.new("RGB", (8, 8)).save(tmp_path / name / f"{place}.png")
    (tmp_path / "net.pb").write_text("a network")
    monkeypatch.chdir(tmp_path)
    return tmp_path


CONFIG = {
    "datasets": {
        "all": {"kind": "folder", "path": "all"},
        "some": {"kind": "folder", "path": "some", "unlabelled": "new"},
        "none": {"kind": "folder", "path": "none"},
    },
    "extractors": {"net": NET | {"layers": {"shallow": "y", "deep": "z"}, "poolings": ["mean"]}},
}


def test_what_has_labels_is_found_in_the_folders(folder):
    made = make_plan(CONFIG)
    assert made.labelled == {"all": "all", "some": "some", "none": "none"}
    assert made.images == {"all": 8, "some": 12, "none": 4}
    assert [made.with_labels(which) for which in ("all", "some", "none")] == [
        ["all"],
        ["some"],
        ["none"],
    ]
    assert made.names("net") == ["shallow.mean", "deep.mean"]


def test_files_follow_from_the_labels(folder):
    made = make_plan(CONFIG)
    targets = made.targets()
    assert len(set(targets)) == len(targets)
    assert targets[-1] == "report.html"
    assert "figures/violins/all/net.png" in targets and "labels/some/labels.csv" in targets
    assert set(made.figures("some")) == {"maps", "contact_sheets", "near_copies", "samples"}
    assert set(made.figures("none")) == {"maps", "contact_sheets", "near_copies", "samples", "ask"}
    assert made.near_copy_cells("none") == [("none", "net", "deep")]
    assert made.near_copies("none") in targets and made.near_copies("all") in targets
    assert made.unlabelled_layer("net") == "deep"
    for count, place in ((1, 1), (2, 2), (4, 3), (5, 4), (6, 5), (9, 8)):
        made.layers["net"] = list(range(1, count + 1))
        assert made.unlabelled_layer("net") == place
    assert made.ask("some") is None and made.ask("none") in targets
    assert "labels/all/labels.csv" not in targets and made.labels("none") is None
    assert [made.advised(name) for name in ("all", "some", "none")] == [
        "advised/all/README.md",
        "advised/some/README.md",
        None,
    ]
    assert "advised/some/README.md" in targets
    unlabelled = make_plan(CONFIG | {"datasets": {"none": CONFIG["datasets"]["none"]}})
    assert unlabelled.tables() == ["clusters", "table_1"]
    assert "goodness.csv" not in unlabelled.targets()


@pytest.mark.parametrize(
    ("images", "layers", "few"), [(1000, 40, True), (1001, 40, False), (1000, 41, False)]
)
def test_of_few_images_all_layers_are_one_job_unless_a_shell_could_not_be_told(images, layers, few):
    depths = {f"layer_{i}": f"{i}:0" for i in range(layers)}
    config = CONFIG | {"extractors": {"net": NET | {"layers": depths}}}
    counted = dict.fromkeys(CONFIG["datasets"], images)
    made = Plan(checked_config(config), counted, dict.fromkeys(counted, "all"))
    assert made.few("all") == few


def test_a_plan_is_read_as_it_was_written(folder):
    made = make_plan(CONFIG | {"pairs": 1000})
    (folder / "plan.json").write_text(made.text())
    again = read_plan(folder / "plan.json")
    assert again.targets() == made.targets() and again.text() == made.text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": {}, "images": {}, "labelled": {}}'])
def test_what_is_no_plan_is_said(tmp_path, text):
    with pytest.raises(UserError, match="plan.json: there is no plan.*snakemake"):
        read_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UserError, match="plan.json: is not the plan of a run.*snakemake"):
        read_plan(tmp_path / "plan.json")


def test_what_was_found_is_not_looked_for_again(folder, monkeypatch):
    """A job of a cluster is handed it: folders of many thousand pictures, networks of gigabytes."""
    found = {}
    made = make_plan(CONFIG, found)
    contents = own_contents(made, found)
    assert contents.keys() == {"datasets.all", "datasets.some", "datasets.none", "extractors.net"}

    def refused(*arguments, **options):
        raise AssertionError("looked at again")

    for module, name in (
        *((datasets, name) for name in ("look", "check_folder")),
        *((plan, name) for name in ("sha256", "own_files")),
    ):
        stand_in = type("", (), {"__call__": refused, "__name__": name})()
        monkeypatch.setattr(module, name, stand_in)
    handed = json.loads(json.dumps(found))
    assert make_plan(CONFIG, handed).text() == made.text()
    assert own_contents(made, handed) == contents


def test_each_folder_is_listed_once(folder, monkeypatch):
    listed = []
    monkeypatch.setattr(
        datasets.folder, "list_files", lambda path: [listed.append(path.name), list_files(path)][1]
    )
    found = {}
    own_contents(make_plan(CONFIG, found), found)
    assert listed == ["all", "some", "none"]


def test_contents_change_with_the_files(folder):
    made = make_plan(CONFIG)
    before = own_contents(made, {})
    (folder / "net.pb").write_text("A network")
    Image.new("RGB", (9, 9)).save(folder / "some/a/0.png")
    after = own_contents(made, {})
    assert {name for name in before if before[name] != after[name]} == {
        "extractors.net",
        "datasets.some",
    }
    (folder / "net.pb").unlink()
    with pytest.raises(UserError, match=r"extractors\.net\.path: there is no file net\.pb"):
        own_contents(made, {})


def test_rows_are_told_from_those_of_another_run():
    config = {"datasets": {"here": {"kind": "digits"}}, "extractors": CONFIG["extractors"]}
    made = Plan(checked_config(config), {"here": 9}, {"here": "all"})
    cell = {"dataset": "here", "extractor": "net", "layer": "deep", "pooling": "mean"}
    assert made.has(cell) and made.has({"dataset": "here"}) and made.has(cell | {"layer": ""})
    for key in cell:
        assert not made.has(cell | {key: "of old"})
    assert not made.has(cell, datasets=[])
