"""What a module computes by, as one digest: it changes when the code does, and not its comments."""

import ast
import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


def code_digest(*names):
    """Return a short digest of modules of this package and of all that they import from it.

    Comments, docstrings and the layout of the code do not count.

    Parameters
    ----------
    names : str
        Modules, such as ``"figures.maps"``; or files, such as ``"report/page/report.html"``, which
        count by themselves, without what they import.

    Returns
    -------
    str
        16 hexadecimal digits. The same code gives the same, wherever it lies.
    """
    files = {_PACKAGE / name for name in names if "/" in name}
    found = {file: _content(file)[0] for file in files}
    queue = [
        _PACKAGE.joinpath(*name.split(".")).with_suffix(".py") for name in names if "/" not in name
    ]
    while queue:
        file = queue.pop()
        if file not in found:
            found[file], imported = _content(file)
            queue += imported
    digest = hashlib.sha256()
    for file in sorted(found):
        digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\n{found[file]}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _content(file):
    """Return what of a file counts, and the files of the modules that it imports."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        return text, []
    tree, imported = ast.parse(text), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            candidates = [folder.with_suffix(".py"), folder / "__init__.py"]
            candidates += [folder / f"{alias.name}.py" for alias in node.names]
            imported += [candidate for candidate in candidates if candidate.is_file()]
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            del body[0]
    return ast.unparse(tree), imported


def _is_text(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
