"""The config: checked against its schema, with the defaults filled in."""

from difflib import get_close_matches
from functools import cache
from pathlib import Path

import jsonschema
import yaml

from .errors import UserError

SCHEMA = Path(__file__).parent.parent / "schemas" / "config.schema.yaml"


def checked_config(config):
    """Return a copy of ``config`` with the schema's defaults filled in.

    Raises
    ------
    UserError
        Naming every key that is unknown, missing or has a value that it cannot have.
    """
    schema = _schema()
    problems = sorted(
        {_problem(error) for error in jsonschema.Draft202012Validator(schema).iter_errors(config)}
    )
    if problems:
        raise UserError(
            "The config cannot be used:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
            + f"\nEvery key is described in {SCHEMA.parent.name}/{SCHEMA.name}."
        )
    filled = _with_defaults(config, schema)
    for section in ("datasets", "extractors"):
        filled[section] = {
            name: _with_defaults(spec, schema["$defs"][spec["kind"]])
            for name, spec in config[section].items()
        }
    return filled


def checked_extractor(name, spec):
    """Return what the config says of one extractor, checked and filled in as in a whole config."""
    config = {"datasets": {"any": {"kind": "digits"}}, "extractors": {name: spec}}
    return checked_config(config)["extractors"][name]


@cache
def _schema():
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def _with_defaults(values, schema):
    rules = {key: rule for key, rule in schema["properties"].items() if isinstance(rule, dict)}
    for key, rule in rules.items():
        if "$ref" in rule:
            rules[key] = {**_schema()["$defs"][rule["$ref"].rsplit("/", 1)[-1]], **rule}
    defaults = {key: rule["default"] for key, rule in rules.items() if "default" in rule}
    return {**defaults, **values}


def _problem(error):
    """Say in one line what is wrong: the key, what it holds, what was expected."""
    where = ".".join(map(str, error.absolute_path)) or "config"
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = sorted(set(error.instance) - set(known))
        return "; ".join(f"{where}: unknown key {key!r}{_hint(key, known)}" for key in unknown)
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{where}: lacks the key {', '.join(missing)}"
    if error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        return f"{where}: {error.instance!r} is not one of {choices}"
    if error.validator == "oneOf" and "path" in str(error.validator_value):
        return f"{where}: needs either `path` or `url`, and not both"
    if error.validator == "pattern" and error.parent and error.parent.validator == "propertyNames":
        where = where.removesuffix(f".{error.instance}")
    meaning = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
    return f"{where}: {error.message}" + (f" ({meaning})" if meaning else "")


def _hint(key, known):
    close = get_close_matches(key, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
