import pytest
import yaml
from conftest import REPOSITORY
from depthgauge.config import SCHEMA, checked_config
from depthgauge.errors import UserError


def embedded():
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text())


def test_defaults_are_filled_in_without_touching_the_original():
    config = embedded()
    checked = checked_config(config)
    assert checked["permutations"] == 9999
    assert checked["datasets"]["synthetic"]["size"] == 299
    assert checked["extractors"]["inception_untrained"]["resample"] == "bilinear"
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


@pytest.mark.parametrize("path", ["config.yaml", "tests/configs/mnist.yaml"])
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
