import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import SCHEMA, checked_config, checked_spec, read_config
from depthgauge.datasets import check_apart
from depthgauge.errors import UserError

CONFIGS = [
    "config.yaml",
    "tests/configs/mnist.yaml",
    "tests/configs/real_sets.yaml",
    "tests/configs/slurm.yaml",
]


def embedded():
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def test_defaults_are_filled_in_without_touching_the_original():
    config = embedded()
    checked = checked_config(config)
    assert checked["permutations"] == 9999
    assert checked["datasets"]["synthetic"]["size"] == 299
    assert checked["extractors"]["efficientnet"]["resample"] == "bilinear"
    assert config == embedded()


def test_every_key_is_described():
    schema = yaml.safe_load(SCHEMA.read_text())
    definitions = schema["$defs"]

    def described(rule):
        reference = rule.get("$ref", "").rsplit("/", 1)[-1]
        return "description" in rule or "description" in definitions.get(reference, {})

    def check(properties):
        for key, rule in properties.items():
            if rule is True:
                continue
            assert described(rule), key
            check(rule.get("properties", {}))

    check(schema["properties"])
    for definition in definitions.values():
        check(definition.get("properties", {}))


@pytest.mark.parametrize("path", CONFIGS)
def test_configs_of_the_repository_are_valid(path):
    checked_config(yaml.safe_load((REPOSITORY / path).read_text()))


def test_all_problems_are_told_at_once():
    config = embedded() | {"sed": 3, "permutations": 0}
    with pytest.raises(UserError) as caught:
        checked_config(config)
    assert "unknown key 'sed'; did you mean 'seed'?" in str(caught.value)
    assert "permutations: 0 is less than the minimum of 1" in str(caught.value)


def test_own_and_downloaded_graph_exclude_each_other():
    graph = {"kind": "frozen_graph", "input": "x:0", "size": 8, "layers": {"y": "y:0"}}
    for extra in ({}, {"path": "a.pb", "url": "https://example.org/a.pb"}):
        config = embedded() | {"extractors": {"net": graph | extra}}
        with pytest.raises(UserError, match="either `path` or `url`"):
            checked_config(config)


@pytest.mark.parametrize("text", ["", "# all of it\n", "- a\n- b\n", "datasets\n", "3\n"])
def test_a_config_has_keys(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match="c.yaml: holds .*; a config has keys, `datasets:`"):
        read_config(tmp_path / "c.yaml")


def test_words_that_yaml_takes_for_something_else_are_told(tmp_path):
    config = yaml.safe_load("yes: 1\ndatasets: {no: {kind: digits}, 3: {kind: digits}}\n")
    config["extractors"] = yaml.safe_load("p: {kind: pca, on: 1}")
    with pytest.raises(UserError) as caught:
        checked_config(config)
    remedy = "is not text; if it is a name, put it in quotes"
    for words in (
        f"config: the key yes, on or true {remedy}",
        f"datasets: the key no, off or false {remedy}",
        f"datasets: the key 3 {remedy}",
        f"extractors.p: the key yes, on or true {remedy}",
    ):
        assert words in str(caught.value), words
    config = yaml.safe_load("sed: 2\ndatasets: {a: {kind: digits}}\n")
    config["extractors"] = yaml.safe_load("p: {kind: pca, trained_on: None}")
    with pytest.raises(UserError) as caught:
        checked_config(config)
    for words in (
        "unknown key 'sed'; did you mean 'seed'?",
        "extractors.p.trained_on: 'None' is text; write null",
    ):
        assert words in str(caught.value), words


def test_two_datasets_that_are_one_folder_are_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    folders = {"a": str(tmp_path), "b": f"{tmp_path}/link/."}
    specs = {
        name: checked_spec("datasets", name, {"kind": "folder", "path": path})
        for name, path in folders.items()
    }
    with pytest.raises(UserError, match="a and b are one folder"):
        check_apart(specs)
    check_apart(specs | {"b": specs["b"] | {"labels": "other.csv"}})
