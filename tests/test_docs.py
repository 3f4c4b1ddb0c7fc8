"""The documents: their commands are run, planned or parsed; their links and configs are right."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner
from conftest import REPOSITORY
from depthgauge.cli import main
from depthgauge.config import checked_config
from snakemake.cli import parse_args

DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXT = {document.name: document.read_text(encoding="utf-8") for document in DOCUMENTS}
TUTORIAL = TEXT["tutorial.md"]

# First words of commands that no test runs, and why.
NOT_RUN = {
    "pip": "changes the environment that the tests run in",
    "source": "is the shell's own; the tests run in an environment already",
    "export": "is the shell's own, with a folder of the reader's",
    "squeue": "asks a SLURM cluster; tests/slurm/run.py starts one",
    "scancel": "asks a SLURM cluster; tests/slurm/run.py starts one",
    "scontrol": "asks a SLURM cluster; tests/slurm/run.py starts one",
    "git": "fetches from a server",
    "conda": "makes an environment from a server",
}
CHECKED = {"snakemake", "depthgauge", "make", "python"}
# What stands for something of the reader's, in commands that are parsed.
PLACES = {"N": "2", "CONFIG": "config.yaml", "FILE": "file", "FOLDER": "folder", "RUN": "run"}


def prose(text):
    """The text of a document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def blocks(text):
    """The lines of each indented block that is no part of a list, without comments."""
    found = re.findall(r"(?<=\n\n)((?:    .*\n)+)", prose(text) + "\n")
    found = [block.replace("\\\n", " ").splitlines() for block in found]
    found = [[re.sub(r"(^| )#.*", "", line.strip()).strip() for line in block] for block in found]
    return [lines for block in found if (lines := [line for line in block if line])]


def words(command):
    """A command as a list of words, with the program's name and no path to it."""
    program, *rest = [PLACES.get(word, word) for word in shlex.split(command)]
    return [program.removeprefix(".venv/bin/"), *rest]


def is_command(line):
    program = line.split()[0].removeprefix(".venv/bin/")
    return program in CHECKED or program in NOT_RUN or shutil.which(program) is not None


COMMANDS = {
    (name, line): words(line)
    for name, text in TEXT.items()
    for block in blocks(text)
    if is_command(block[0])
    for line in block
}
INLINE = {
    (name, code): words(code)
    for name, text in TEXT.items()
    for code in [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose(text))]
    if re.match(rf"(\.venv/bin/)?({'|'.join(CHECKED)}) ", code)
}


def of(program, commands):
    return {name: found[1:] for name, found in commands.items() if found[0] == program}


def test_every_command_is_checked_or_has_a_reason_not_to_be():
    assert {found[0] for found in COMMANDS.values()} - CHECKED - set(NOT_RUN) == set()
    assert {name for name, _ in COMMANDS} >= {"README.md", "tutorial.md", "cluster.md"}


@pytest.mark.parametrize(
    "options", (COMMANDS | INLINE).values(), ids=lambda found: " ".join(found)[:60]
)
def test_files_that_commands_take_from_the_repository_are_there(options):
    for word in options:
        if re.match(r"(envs|workflow|tests|docs|profiles)/", word):
            assert (REPOSITORY / word).exists()


# -- make ---------------------------------------------------------------------------------


def test_targets_of_make_exist():
    targets = {tuple(found) for found in of("make", COMMANDS | INLINE).values()}
    assert ("demo",) in targets
    for target in targets:
        done = subprocess.run(
            ["make", "-n", *target], cwd=REPOSITORY, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


# -- depthgauge ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", of("depthgauge", COMMANDS | INLINE).values(), ids=" ".join)
def test_commands_of_depthgauge_take_these_options(options):
    if options == ["--help"]:
        return
    command = main.commands[options[0]]
    if len(options) == 1:
        return  # named, not typed
    try:
        command.make_context(options[0], list(options[1:]))
    except click.exceptions.Exit as help_was_asked:
        assert help_was_asked.exit_code == 0


# -- snakemake ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder as the reader's: the checkout, and the pictures and configs of the documents."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Snakefile", "workflow", "profiles", "envs", "config.yaml", "paper.yaml"):
        (folder / name).symlink_to(REPOSITORY / name)
    named = re.compile(r"`([\w.]+)`\n\n```(?:python|yaml)\n(.*?)```", re.S)
    for text in TEXT.values():
        for name, code in named.findall(text):
            (folder / name).write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runpy.run_path("pictures.py")
    for label in (folder / "pictures").iterdir():  # twelve a class are enough here
        for picture in sorted(label.iterdir())[12:]:
            picture.unlink()
    shutil.copytree(folder / "pictures", folder / "second/pictures")
    shutil.copy(folder / "walk.yaml", folder / "second")
    shutil.copytree(folder / "pictures", folder / "photos")
    return folder


# One start of Snakemake for all commands; each has a process of its own, since loading a workflow
# changes the environment.
SNAKEMAKE = """
import json, os, sys
from snakemake.cli import main
codes = []
for number, arguments in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if child:
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        continue
    output = os.open(f"said{number}.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    main(arguments)
print(json.dumps(codes))
"""
# Dropped from a plan: how many cores, how much is said; and what a cluster is asked for, which
# tests/test_slurm_profile.py plans.
DROPPED = {"--cores": 1, "--quiet": 1, "-n": 0, "--workflow-profile": 1}


# The tutorial's first command that computes: for real.
(READ_PICTURES,) = [
    options for options in of("snakemake", COMMANDS).values() if "figures/samples" in str(options)
]


def plans():
    """The targets that the documents ask for, by what else stands in the command."""
    found = {}
    for options in of("snakemake", COMMANDS).values():
        _, given = parse_args(options)  # exits for an option that there is not
        if given.unlock:
            continue  # nothing is locked here; tests/test_workflow.py kills a run and unlocks it
        kept = list(options)
        for option, values in DROPPED.items():
            if option in kept:
                at = kept.index(option)
                del kept[at : at + values + 1]
        others = tuple(word for word in kept if word not in given.targets)
        found.setdefault(others, set()).update(given.targets or ["all"])
    return found


@pytest.fixture(scope="module")
def done(checkout):
    """What Snakemake says to each of `plans`, and to READ_PICTURES: (exit code, text)."""
    asked = {
        others: [*sorted(targets), "-n", "--printshellcmds", "--cores", "2", *others]
        for others, targets in plans().items()
    }
    asked[tuple(READ_PICTURES)] = READ_PICTURES
    run = subprocess.run(
        [sys.executable, "-c", SNAKEMAKE],
        cwd=checkout,
        input=json.dumps(list(asked.values())),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {
        others: (code, (checkout / f"said{number}.txt").read_text())
        for number, (others, code) in enumerate(zip(asked, json.loads(run.stdout), strict=True))
    }


def test_snakemake_plans_what_the_documents_ask_for(done):
    for others in plans():
        code, said = done[others]
        assert code == 0, (others, said[-3000:])
        assert "This was a dry-run" in said, others


def test_tutorial_names_files_that_its_run_makes(done):
    _, said = done["--configfile", "walk.yaml"]
    named = set(re.findall(r"`(results/[\w./-]+\.\w+)`", TUTORIAL.partition("\n## 8")[0]))
    assert len(named) > 8
    assert [file for file in named if file.rpartition(".")[0] not in said] == []


def test_every_kind_of_figure_has_a_word_on_how_to_read_it(done):
    for others, (_, said) in done.items():
        kinds = set(re.findall(r"results/figures/(\w+)/", said))
        assert [kind for kind in kinds if f"`figures/{kind}/`" not in TEXT["reading.md"]] == []
        assert "maps" in kinds or others == tuple(READ_PICTURES)


def test_tutorial_reads_the_pictures(checkout, done):
    code, said = done[tuple(READ_PICTURES)]
    assert code == 0, said
    assert (checkout / "results/figures/samples/mine.png").stat().st_size > 0
    manifest = (checkout / "results/datasets/mine/manifest.csv").read_text().splitlines()
    assert len(manifest) == 1 + 10 * 12


@pytest.mark.parametrize("options", of("snakemake", INLINE).values(), ids=" ".join)
def test_options_of_snakemake_exist(options):
    parse_args(list(options))


def test_tutorial_measures_distances_of_ones_own(checkout, monkeypatch, capsys):
    """Its last part, for real: the commands as they stand there, then the functions."""
    monkeypatch.chdir(checkout)
    part = TUTORIAL[TUTORIAL.index("Distances of your own") :]
    first, *lines = [line for block in blocks(part) if is_command(block[0]) for line in block]
    assert first == "python own.py" and len(lines) == 4
    runpy.run_path("own.py")
    said = ""
    for line in lines:
        ran = CliRunner().invoke(main, words(line)[1:])
        assert ran.exit_code == 0, (line, ran.output)
        said += ran.stdout
    assert "60 of 3 classes" in said
    assert (checkout / "map.csv").exists() and (checkout / "birds.png").exists()
    exec(re.findall(r"```python\n(.*?)```", part, re.S)[-1], {})
    goodness = re.search(r"between / within +([\d.]+)", said)[1]
    assert f"goodness {goodness}," in capsys.readouterr().out  # as the command said


# -- configs and links --------------------------------------------------------------------

YAML = [
    pytest.param(block, id=f"{name} {number}")
    for name, text in TEXT.items()
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.S), start=1)
]


@pytest.mark.parametrize("block", YAML)
def test_configs_of_the_documents_are_valid(block):
    embedded = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    checked_config(embedded | yaml.safe_load(block))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[document.name]):
        if re.match(r"https?:", link):
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            slugs = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]
            assert anchor in slugs, link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_files_of_the_repository_that_are_named_exist(document):
    named = re.findall(r"`((?:workflow|tests|docs|envs|profiles)/[\w./-]*)`", TEXT[document.name])
    assert [file for file in named if not (REPOSITORY / file).exists()] == []
