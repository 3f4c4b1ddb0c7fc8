"""The config: checked against its schema, with the defaults filled in."""

from functools import cache

import jsonschema
import yaml

from .errors import UserError
from .home import HOME
from .plain_values import odd_values, short
from .suggestions import did_you_mean
from .yaml_file import read_yaml

SCHEMA = HOME / "workflow" / "schemas" / "config.schema.yaml"

_TYPES = {"array": "a list", "object": "a mapping", "string": "text", "boolean": "true or false"}
_TYPES |= {"integer": "an integer", "number": "a number", "null": "null"}

# JSON Schema takes 200.0 for an integer, but Python cannot count up to it.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda checker, value: type(value) is int
    ),
)


def checked_config(config):
    """Return a copy of ``config`` with the schema's defaults filled in.

    Raises
    ------
    UserError
        Naming every key that is unknown, missing or has a value that it cannot have.
    """
    schema = _schema()
    problems = odd_values(config)
    if not problems:
        errors = _Validator(schema).iter_errors(config)
        problems = sorted({_problem(error) for error in errors} | _meant_as_null(config))
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


def read_config(path):
    """Return the config in the file at ``path``, as it is written.

    Raises
    ------
    UserError
        If it is no YAML, naming the line; or no mapping.
    """
    config = read_yaml(path)
    if not isinstance(config, dict):
        found = "nothing" if config is None else short(config)
        raise UserError(
            f"{path}: holds {found}; a config has keys, `datasets:` and `extractors:` among them "
            f"(workflow/{SCHEMA.parent.name}/{SCHEMA.name})."
        )
    return config


def checked_spec(section, name, spec):
    """Return one entry of ``datasets`` or ``extractors``, checked and filled in as in a config."""
    config = {"datasets": {"any": {"kind": "digits"}}, "extractors": {"any": {"kind": "pca"}}}
    return checked_config(config | {section: {name: spec}})[section][name]


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
    while error.validator == "anyOf":
        nearest = _nearest(error)
        if nearest is None:
            break
        error = nearest
    where = ".".join(map(str, error.absolute_path)) or "config"
    found = short(error.instance)
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = sorted(set(error.instance) - set(known), key=str)
        all_known = f"; known are {', '.join(known)}"
        return "; ".join(
            f"{where}: unknown key {key!r}{did_you_mean(key, known, all_known)}" for key in unknown
        )
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        rule = error.schema["properties"][missing[0]]
        choices = f", one of {', '.join(rule['enum'])}" if "enum" in rule else ""
        return f"{where}: lacks the key {', '.join(missing)}{choices}"
    if error.validator == "enum":
        choices = ["null" if choice is None else str(choice) for choice in error.validator_value]
        return f"{where}: {found} is not one of {', '.join(choices)}" + did_you_mean(
            error.instance, choices
        )
    if error.validator == "oneOf" and "path" in str(error.validator_value):
        return f"{where}: needs either `path` or `url`, and not both"
    if error.parent and error.parent.validator == "propertyNames":
        where = where.removesuffix(f".{error.instance}")
    rule = error.schema if isinstance(error.schema, dict) else {}
    meaning = rule.get("description", "")
    said = _SAID.get(error.validator, lambda *_: None)(found, error.validator_value)
    if error.validator == "anyOf":
        kinds = [kind for branch in _branches(error) for kind in _expected(branch[0])]
        words = [kind[1:-1] for kind in kinds if kind.startswith("`")]
        said = f"{found} is not {' or '.join(kinds)}{did_you_mean(error.instance, words)}"
    if error.validator == "pattern" and meaning:
        return f"{where}: {found} cannot be used; expected: {meaning[0].lower()}{meaning[1:]}"
    said = said or error.message.replace(repr(error.instance), found)
    if error.validator == "type" and "string" in error.validator_value:
        said += _unquoted(error.instance)
    return f"{where}: {said}" + (f" ({meaning})" if meaning else "")


def _meant_as_null(config):
    """Return a line for each value that is Python's word for null, which is text to YAML."""
    sections = {"": config}
    for section in ("datasets", "extractors"):
        specs = config.get(section)
        for name, spec in specs.items() if isinstance(specs, dict) else ():
            sections[f"{section}.{name}."] = spec if isinstance(spec, dict) else {}
    return {
        f"{where}{key}: 'None' is text; write null where none is meant, or ./None for a file of "
        "this name"
        for where, values in sections.items()
        for key, value in values.items()
        if value == "None"
    }


def _unquoted(value):
    """Say why a word came to be no text, where YAML may have made something else of it."""
    if type(value) is bool:
        return "; YAML reads yes, no, on and off so: put the word in quotes"
    return "; put it in quotes" if isinstance(value, int | float) else ""


# What is said of a rule that a value breaks: by the rule, of the value and of what it holds to.
_SAID = {
    "type": lambda found, types: (
        f"{found} is not {_kinds(types)}"
        + (f"; write {found[:-2]}" if "integer" in types and found.endswith(".0") else "")
    ),
    "minimum": lambda found, least: f"{found} is less than the minimum of {least:,}",
    "maximum": lambda found, most: f"{found} is more than the maximum of {most:,}",
    "exclusiveMinimum": lambda found, least: f"{found} is not above {least}",
    "minItems": lambda found, least: f"{found} has fewer than {least} entries",
    "maxItems": lambda found, most: f"{found} has more than {most} entries",
    "minProperties": lambda found, least: "nothing is named",
    "maxProperties": lambda found, most: f"{found} has more keys than {most}",
    "dependentRequired": lambda found, needs: (
        f"{' and '.join(needs)} are of a download, and there is no `url`"
    ),
    "minLength": lambda found, least: f"{found} is empty",
    "maxLength": lambda found, most: f"{found} has more than {most} characters",
    "uniqueItems": lambda found, _: f"{found} names something twice",
    "pattern": lambda found, pattern: f"{found} does not match {pattern}",
    "not": lambda found, _: f"{found} is not a value that it can have",
}


def _kinds(types):
    return " or ".join(_TYPES[kind] for kind in ([types] if isinstance(types, str) else types))


def _branches(error):
    """Return the errors of each of the schemas of which a value had to match one."""
    branches = {}
    for one in error.context:
        branches.setdefault(one.relative_schema_path[0], []).append(one)
    return list(branches.values())


def _nearest(error):
    """Return the error of the schema that a value of this type is meant for; None, where none is.

    One of another type, or of other fixed words, is not.
    """
    for branch in _branches(error):
        if all(_fits(one, error) for one in branch):
            return branch[0]
    return None


def _fits(one, error):
    if one.absolute_path != error.absolute_path:
        return True
    if one.validator == "anyOf":
        return _nearest(one) is not None
    return one.validator not in ("type", "const")


def _expected(error):
    """Return what a value had to be, each in a few words."""
    if error.validator == "const":
        return [f"`{error.validator_value}`"]
    if error.validator == "anyOf":
        return [kind for branch in _branches(error) for kind in _expected(branch[0])]
    return [_kinds(error.validator_value)]
