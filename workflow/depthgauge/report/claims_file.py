"""The file of claims about the results: found, and checked before anything is computed."""

from pathlib import Path

from ..errors import UserError
from ..yaml_file import read_yaml

_TEXT, _NUMBER = (lambda value: isinstance(value, str)), (lambda value: type(value) in (int, float))
# What each check needs beside id, claim and check.
CHECKS = {
    "order": {"dataset", "pairs"},
    "lowest": {"dataset", "others", "layers"},
    "significance": {"dataset", "layers", "p"},
    "dimensions": {"layers"},
    "size": {"dataset", "images", "classes"},
}
# What each key holds, and how that is said.
_HOLDS = {
    "id": (_TEXT, "text"),
    "claim": (_TEXT, "text"),
    "dataset": (_TEXT, "text"),
    "others": (lambda value: _names(value), "a list of datasets"),
    "layers": (lambda value: _names(value), "a list of layers"),
    "pairs": (
        lambda value: (
            isinstance(value, list)
            and value
            and all(_names(pair) and len(pair) == 2 for pair in value)
        ),
        "a list of pairs of layers",
    ),
    "p": (_NUMBER, "a number"),
    "images": (_NUMBER, "a number"),
    "classes": (_NUMBER, "a number"),
}
_DIMS = (
    lambda value: (
        isinstance(value, dict)
        and value
        and all(_TEXT(key) and _NUMBER(dim) for key, dim in value.items())
    ),
    "how many values each layer has, by layer",
)


def find_claims(path):
    """Return where the file of ``claims`` is: in the folder of the run, or beside the Snakefile.

    Raises
    ------
    UserError
        If there is none.
    """
    path = Path(path).expanduser()
    for place in (path, Path(__file__).parents[3] / path):
        if place.is_file():
            return str(place)
    raise UserError(f"there is no file {path}, in the folder of the run or in the workflow's.")


def read_claims(path):
    """Return the list of claims at ``path`` (YAML).

    Raises
    ------
    UserError
        If it is no such list, or if a claim lacks what its check needs.
    """
    claims = read_yaml(path)
    if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
        raise UserError(f"{path}: a list of claims was expected, each with id, claim and check.")
    for place, claim in enumerate(claims, start=1):
        name = f"{path}: claim {claim.get('id', place)}"
        check = claim.get("check")
        if not isinstance(check, str) or check not in CHECKS:
            raise UserError(f"{name}: check must be one of {', '.join(CHECKS)}.")
        needed = {"id", "claim", "check"} | CHECKS[check]
        if set(claim) != needed:
            wrong = ", ".join(sorted(map(str, set(claim) ^ needed)))
            raise UserError(f"{name}: needs the keys {', '.join(sorted(needed))}; wrong: {wrong}.")
        for key in sorted(needed - {"check"}):
            holds, expected = _DIMS if (check, key) == ("dimensions", "layers") else _HOLDS[key]
            if not holds(claim[key]):
                raise UserError(f"{name}: {key}: {claim[key]!r} is not {expected}.")
    return claims


def _names(value):
    return isinstance(value, list) and value and all(map(_TEXT, value))
