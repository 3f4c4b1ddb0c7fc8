"""The digest of code: it changes with what is computed, and with nothing else."""

import shutil

import pytest
from conftest import REPOSITORY
from depthgauge import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of four modules, and a function from names of modules to their digest."""
    files = {
        "errors.py": '"""Errors."""\n\n\nclass Trouble(Exception):\n    """Trouble."""\n',
        "sums.py": '"""Sums."""\n\nfrom .errors import Trouble\n\n\ndef total(a, b):\n'
        '    """Return the sum."""\n    # Plainly.\n    return a + b\n',
        "figures/__init__.py": "",
        "figures/bars.py": "from ..sums import total\n\nWIDTH = 3\n",
        "figures/page.html": "<p>one</p>\n",
        "apart.py": "X = 1\n",
    }
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(code, "_PACKAGE", tmp_path)

    def digest(*names):
        code._content.cache_clear()
        return code.code_digest(*names)

    yield tmp_path, digest
    code._content.cache_clear()


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Plainly.", "# In another way of saying it."),
        ('"""Return the sum."""', '"""Return the sum of a and b.\n\n    At length.\n    """'),
        ('"""Sums."""', '"""Of sums."""'),
        ("return a + b", "return (a\n            + b)"),
        ("\n\n\ndef", "\n\n\n\n\ndef"),
    ],
)
def test_words_about_the_code_change_nothing(package, old, new):
    folder, digest = package
    before = digest("figures.bars")
    edit(folder / "sums.py", old, new)
    assert digest("figures.bars") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("sums.py", "a + b", "a - b"),
        ("sums.py", "(a, b)", "(a, b=1)"),
        ("figures/bars.py", "WIDTH = 3", "WIDTH = 4"),
        ("errors.py", "class Trouble(Exception)", "class Trouble(ValueError)"),
    ],
)
def test_code_that_is_imported_counts_however_far_away(package, file, old, new):
    folder, digest = package
    before, apart = digest("figures.bars"), digest("apart")
    edit(folder / file, old, new)
    assert digest("figures.bars") != before
    assert digest("apart") == apart


def test_files_beside_count_by_themselves(package):
    folder, digest = package
    page, module = digest("apart", "figures/page.html"), digest("apart", "figures/bars.py")
    edit(folder / "sums.py", "a + b", "a * b")  # which bars.py imports
    assert digest("figures/bars.py", "apart") == module
    edit(folder / "figures/bars.py", "WIDTH = 3", "WIDTH = 4")
    assert digest("figures/bars.py", "apart") != module
    assert digest("figures/page.html", "apart") == page
    edit(folder / "figures/page.html", "one", "two")
    assert digest("figures/page.html", "apart") != page


def test_the_same_code_elsewhere_has_the_same_digest(tmp_path, monkeypatch):
    before = code.code_digest("statistics.layer", "report/page/report.html")
    ignore = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(REPOSITORY / "workflow/depthgauge", tmp_path / "else", ignore=ignore)
    monkeypatch.setattr(code, "_PACKAGE", copy)
    assert code.code_digest("report/page/report.html", "statistics.layer") == before
