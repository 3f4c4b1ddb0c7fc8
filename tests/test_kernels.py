"""Compiled kernels where their cache can be written, and where it cannot."""

import ast
import os
import shutil
import subprocess
import sys

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "workflow" / "depthgauge"
MODULE = """
from .kernels import kernel

@kernel()
def doubled(x):
    return 2 * x
"""
# Calls the kernel; prints how often compiled code was found in a cache, how often not, and
# whether there is one.
CODE = """
from depthgauge.module import doubled
assert doubled(21) == 42
stats = doubled.stats
found = sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
print(*found, int(stats.cache_path is not None))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with a package of one kernel that cannot be cached there, not even by root."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "depthgauge").mkdir()
    for name in ("__init__.py", "kernels.py"):
        shutil.copy2(REPOSITORY / "workflow" / "depthgauge" / name, folder / "depthgauge")
    (folder / "depthgauge" / "module.py").write_text(MODULE)
    (folder / "depthgauge" / "__pycache__").write_text("a file where a folder would be")
    return folder


def start(package, **environment):
    """Start a process whose home cannot be written to."""
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "PYTHONPATH": str(package)}
    base = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    return subprocess.Popen(
        [sys.executable, "-c", CODE],
        env=base | nowhere | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    return [int(count) for count in printed.split()]


def test_nowhere_to_write_compiles_and_computes(package):
    assert finish(start(package)) == [0, 1, 0]


def test_processes_that_start_at_once_share_one_cache(package, tmp_path):
    cache = tmp_path / "not" / "there"
    at_once = [start(package, NUMBA_CACHE_DIR=str(cache)) for _ in range(3)]
    assert all(finish(process)[2] for process in at_once)
    assert finish(start(package, NUMBA_CACHE_DIR=str(cache))) == [1, 0, 1]
    assert not (package / "depthgauge" / "__pycache__").is_dir()


def test_kernels_call_those_of_their_own_module_alone():
    """Or a change to another module would leave stale machine code in the cache."""
    trees = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    kernels = {path: [function.name for function in compiled(tree)] for path, tree in trees.items()}
    every = {name for names in kernels.values() for name in names}
    assert len(every) > 10
    for path, tree in trees.items():
        for function in compiled(tree):
            called = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            assert not (called & every) - set(kernels[path]), (path.name, function.name)


def compiled(tree):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(getattr(getattr(d, "func", d), "id", "") == "kernel" for d in node.decorator_list)
    ]
