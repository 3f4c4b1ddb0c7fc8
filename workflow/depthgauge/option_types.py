"""What the options of commands may be given, besides the kinds that click knows."""

import re
from pathlib import Path

import click
import yaml

from .errors import UserError
from .readings import parse_reading


class Spec(click.ParamType):
    """A mapping in YAML, given inline or as the name of a file."""

    name = "yaml"

    def convert(self, value, param, ctx):
        if value.endswith((".yaml", ".yml", ".json")):
            try:
                value = Path(value).read_text(encoding="utf-8")
            except OSError as error:
                self.fail(f"{value}: {error.strerror}", param, ctx)
        try:
            spec = yaml.safe_load(value)
        except yaml.YAMLError as error:
            self.fail(f"not YAML: {error}", param, ctx)
        if not isinstance(spec, dict):
            self.fail(
                f"a mapping such as '{{kind: digits}}' was expected, not {value!r}", param, ctx
            )
        return spec


class Shard(click.ParamType):
    """I/K, part I of K, as (i, k)."""

    name = "i/k"

    def convert(self, value, param, ctx):
        part, _, parts = value.partition("/")
        if not (part.isdigit() and parts.isdigit() and int(part) < int(parts)):
            self.fail(f"I/K with I from 0 to K-1 was expected, such as 0/1, not {value}")
        return int(part), int(parts)


class Block(click.ParamType):
    """A,B/K, part A against part B of K, as (a, b, k)."""

    name = "a,b/k"

    def convert(self, value, param, ctx):
        found = re.fullmatch(r"(\d+),(\d+)/(\d+)", value)
        a, b, k = map(int, found.groups()) if found else (1, 0, 0)
        if not a <= b < k:
            self.fail(f"A,B/K with A <= B from 0 to K-1 was expected, such as 0,1/3, not {value}")
        return a, b, k


class OneReading(click.ParamType):
    """POOLING.METRIC, as a Reading."""

    name = "pooling.metric"

    def convert(self, value, param, ctx):
        try:
            return parse_reading(value)
        except UserError as error:
            self.fail(str(error), param, ctx)


def checked(section, ctx, param, spec):
    """Return the SPEC of NAME, which is checked and filled in as in a section of the config."""
    from .config import checked_spec  # and jsonschema, which starts slowly

    try:
        return checked_spec(section, ctx.params["name"], spec)
    except UserError as error:
        raise click.BadParameter(str(error), ctx, param) from None
