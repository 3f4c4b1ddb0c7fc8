"""A YAML file that a person wrote: read, or told where it is none."""

import json
from pathlib import Path

import yaml

from .errors import UserError

# What PyYAML says, and what it means.
_WORDS = {
    "<block end>": "its end",
    "'<block mapping start>'": "a key that is indented otherwise",
    "flow sequence": "list in [ ]",
    "flow mapping": "mapping in { }",
    "block sequence": "list",
    "block mapping": "mapping",
    "quoted scalar": "text in quotes",
    "simple key": "key",
    "'<stream end>'": "the end of the file",
    "found unexpected end of stream": "the file ends",
}


def read_yaml(path):
    """Return what the YAML (or JSON) file at ``path`` holds.

    Raises
    ------
    UserError
        If it cannot be read, naming the line and what is wrong with it; or if a mapping has a key
        twice, of which only the last would count.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"{path}: {what}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line}: is not in UTF-8; save the file as that.") from None
    try:
        loader = yaml.SafeLoader(text)
        tree = loader.get_single_node()
        value = None if tree is None else loader.construct_document(tree)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        try:
            return json.loads(text)  # which may be indented by tabs
        except (ValueError, RecursionError):
            raise UserError(f"{path}: {_wrong(error, text)}") from None
    twice = list(_twice(tree, []))
    if twice:
        raise UserError(
            f"{path}: of two keys of one name only the last would count. Give one of the two "
            "another name, or take it out:\n" + "\n".join(f"  - {one}" for one in twice)
        )
    return value


def _wrong(error, text):
    """Say in one line where a text is no YAML, and why."""
    if isinstance(error, RecursionError):
        return "is nested too deep."
    if isinstance(error, yaml.reader.ReaderError):
        line = text[: error.position].count("\n") + 1
        return f"line {line}: has a character that no text has, {chr(error.character)!r}."
    mark = getattr(error, "problem_mark", None)
    if mark is None:  # of a value, such as a date that there is not
        return f"cannot be read as YAML: {error}."
    problem = error.problem
    if "'\\t'" in problem:
        problem = "a tab, where YAML takes spaces alone"
    begun = error.context_mark
    if error.context and begun and begun.line != mark.line:
        problem += f", {error.context} that begins in line {begun.line + 1}"
    for theirs, plain in _WORDS.items():
        problem = problem.replace(theirs, plain)
    lines = text.splitlines()
    there = lines[mark.line].strip() if mark.line < len(lines) else "the end of the file"
    return f"line {mark.line + 1}: is no YAML: {problem}; there stands: {there[:80]}"


def _twice(node, where):
    """Yield the keys that a mapping has more than once, and the lines of each."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item, where)
    elif isinstance(node, yaml.MappingNode):
        lines = {}
        for key, value in node.value:
            lines.setdefault((key.tag, str(key.value)), []).append(key.start_mark.line + 1)
            yield from _twice(value, [*where, str(key.value)])
        for (_, name), found in lines.items():
            if len(found) > 1:
                yield f"{'.'.join([*where, name])}: lines {', '.join(map(str, found))}"
