"""Commands: declared in one place, done in others."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from depthgauge import cli, stage
from depthgauge.cli import main
from depthgauge.report.near_copies import LIMIT
from depthgauge.stage import Stages, signature

RULES = Path(cli.__file__).parents[1] / "rules"
TARGETS = {
    name: target
    for name, command in main.commands.items()
    if (target := getattr(command, "target", None))
}


@pytest.mark.parametrize("name", TARGETS)
def test_options_are_what_the_function_takes(name):
    takes = signature(TARGETS[name])
    # What takes any options hands them on.
    open_ended = {
        "statistics.layer:goodness": "statistics.layer:write_layer",
        "networks.features:write_features": "networks.features:features",
        "networks.pixel_pca:write_pca": "networks.pixel_pca:fit_pca",
    }.get(TARGETS[name])
    if open_ended:
        takes |= signature(open_ended)
    options = {o.name: o for o in main.commands[name].params if o.name != "log"}
    assert options.keys() <= takes.keys()
    # What may be left out has a default there; what has none there must be given.
    left_out = [key for key, option in options.items() if not option.required]
    unnamed = [key for key in left_out if takes[key] is ...]
    assert [key for key in unnamed if not options[key].show_default] == []
    if not open_ended:
        assert {key for key, default in takes.items() if default is ...} <= options.keys()


def test_rules_know_the_code_of_their_command():
    """Else a change of it would leave what it made as it is."""
    together = (RULES / "together.smk").read_text()
    listed = {}  # by function, the commands that it gives a rule to run together
    for function in re.findall(r"^def (commands_of_\w+)\(.*?(?=^def |\Z)", together, re.M | re.S):
        body = re.search(rf"^def {function}\(.*?(?=^def |\Z)", together, re.M | re.S)[0]
        words = re.findall(r'[\[(]\s*"([\w-]+)",', body)
        listed[function] = {word for word in words if word in TARGETS}
    called = set().union(*listed.values())
    for file in RULES.glob("*.smk"):
        for rule in re.split(r"^ *rule\b", file.read_text(), flags=re.M)[1:]:
            if found := re.search(r"code=code\((.*?)commands=(commands_of_\w+)", rule, re.S):
                known, function = found.groups()
                assert set(re.findall(r'"([\w-]+)"', known)) & TARGETS.keys() == listed[function]
            own = re.findall(r'^ *"depthgauge ([\w-]+) ', rule, flags=re.M)
            called |= set(own)
            # Downloads are held to checksums; datasets name the module of their kind.
            if own and own[0] not in ("download", "dataset", "together"):
                assert re.findall(r'code\(\s*"([\w-]+)"', rule) == own
    figures = (RULES / "figures.smk").read_text()
    assert "code=code(*sorted({figure.command for figure in drawn}))" in figures
    called |= set(re.findall(r'^    "([\w-]+)": dict', figures, re.M))
    assert called == TARGETS.keys() - {
        "angle",
        "apply",
        "check",
        "layers",
        "nearest",
        "run",
        "summary",
    }  # which no rule needs


def test_signatures_are_those_of_the_functions():
    assert signature("report.neighbour_table:write_neighbours") == {
        **dict.fromkeys(["manifest", "distances", "folder"], ...),
        **{"rows": None, "reading": None, "k": 8, "threads": 1, "progress": True},
    }
    assert signature("report.near_copies:write_near_copies")["limit"] == LIMIT
    assert signature("datasets:make_dataset")["seed"] is ...  # by name alone, without a default


def test_declaring_imports_no_library_of_a_stage():
    code = "import sys, depthgauge.cli; print(*sys.modules)"
    folder = Path(cli.__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.split())
    assert "depthgauge.readings" in loaded
    assert not loaded & {"numpy", "pandas", "numba", "matplotlib", "tensorflow", "jsonschema"}


def test_defaults_are_the_functions_own(monkeypatch):
    given = []
    group = Stages()

    @group.stage("report.neighbour_table:write_neighbours")
    @click.argument("distances", nargs=-1)
    @click.option("--count", "k", type=int, help="How many.")
    @click.option("--rows")
    def neighbours():
        """List them."""

    class Module:
        @staticmethod
        def write_neighbours(**options):
            given.append(options)

    monkeypatch.setattr(stage, "import_module", lambda name, package: Module)
    shown = CliRunner().invoke(group, ["neighbours", "--help"]).output
    assert "List them." in shown and "How many.  [default: 8]" in shown
    assert "--rows TEXT\n" in shown  # of None there is nothing to show
    for words in ([], ["a", "b", "--count", "3"]):
        assert CliRunner().invoke(group, ["neighbours", *words]).exit_code == 0
    assert given == [{}, {"distances": ("a", "b"), "k": 3}]


MADE = ["--images", "images", "--manifest", "manifest.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["distances", "a.npy", "-o", "b.npy", "--block", "1,0/2"], "A <= B"),
        (["features", *"abcde", "--shard", "2/2"], "I from 0 to K-1"),
        (["embedding", "a.npy", "b.csv", "-o", "c.csv", "--reading", "max.angle"], "mean.angle"),
        (["pca", "x", "{kind: pca, sizes: 3}", "a", "b", "--model", "c"], "did you mean 'size'"),
        (["dataset", "x", "{kind: digits, per_clas: 3}", *MADE], "did you mean 'per_class'"),
        (["dataset", "x", "{kind: digits}", *MADE, "--quality", "0"], "1<=x<=100"),
        (["pca", "x", "[pca]", "a", "b", "--model", "c"], "a mapping"),
    ],
)
def test_options_that_cannot_be_are_refused(words, said):
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and said in done.output
