"""One command for a folder of one's own: looks at it, says what it will do, and does it."""

import contextlib
import os
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path

import click
import yaml

from ..capacity import size
from ..config import checked_config, read_config
from ..errors import UserError
from ..home import SNAKEFILE
from ..plan import make_plan
from .choice import own_config
from .looks import look
from .needs import Needs, plan_lines

# What is asked about before it is done: bytes to fetch, minutes, and the share of the free disk.
ASK_BYTES, ASK_MINUTES, ASK_DISK = 100e6, 15, 0.2
# The pages lie in `results`; at the top of the folder stand ways to them.
_PAGE = (
    '<!doctype html><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0; url=results/{0}"><a href="results/{0}">{0}</a>\n'
)


def run_pictures(
    pictures,
    *,
    output=None,
    networks=None,
    layers=None,
    quick=False,
    labels=None,
    group=None,
    split=None,
    cores=None,
    open_report=False,
    yes=False,
    dry_run=False,
    verbose=False,
):
    """Run the workflow on a folder of pictures.

    Parameters
    ----------
    pictures : path
        With one sub-folder per class; or flat.
    output : path, optional
        The folder to write, with ``config.yaml``, the pages and ``results``; by default
        ``PICTURES-depthgauge`` in the current folder. A config that lies there is used as it is, if
        nothing is asked for that it would have to say.
    networks : str, optional
        Names and files of networks, with commas between; by default those of the config that comes
        with depthgauge that are trained and need no download, and its controls.
    layers : int, optional
        How many depths of each trained network.
    quick : bool
        Measure a sample of 300 pictures.
    labels : path, optional
        CSV with the columns image,label.
    group : str, optional
        Regular expression for what in a file's path says which pictures belong together.
    split : str, optional
        What sub-folders are that hold the same sub-folders: ``folder``, parts of one dataset; or
        ``none``, the classes.
    cores : int, optional
        By default all.
    open_report : bool
        Open the report when it is made.
    yes : bool
        Ask nothing.
    dry_run : bool
        Say what would be done, and do nothing.
    verbose : bool
        Show Snakemake's own lines.

    Raises
    ------
    UserError
        If the folder, the labels or a network cannot be used; if something is to be asked and there
        is no terminal.
    """
    pictures, output = Path(pictures), output and Path(output)
    asks = sys.stdin.isatty() and not yes
    output = output or Path(f"{pictures.resolve().name}-depthgauge")
    file = output / "config.yaml"
    config = None
    if file.exists() and not (networks or layers or quick or labels or group or split):
        config, spec = _kept(file, pictures)
        labels, split = spec.get("labels"), spec.get("split")
        labels = labels and output / Path(labels).expanduser()
    looks = look(pictures, labels, split)
    print("\n".join(looks.lines()))
    if config is not None:
        print(f"{file} is there and is used as it is; --networks and the like write it anew.")
    elif set(looks.classes) == {""} and asks and not dry_run:
        labels = _labels_asked()
        looks = look(pictures, labels, split) if labels else looks
    cores = cores or _all_cores()
    if config is None:
        config = own_config(looks, networks, layers, quick, labels, group, split)
    # Paths in a config are seen from the folder of the run, as the workflow will see them.
    results = (output / "results").resolve()
    with contextlib.chdir(output if file.exists() else "."):
        plan = make_plan(config)
        needs = Needs(plan, results, cores)
    print("\n".join(plan_lines(plan, needs, file)), flush=True)
    if dry_run:
        return
    _agree(needs, yes)
    _write(file, config, pictures)
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)),
        *("--directory", str(output), "--configfile", str(file)),
        # As the default profile has it, of which Snakemake would tell.
        *("--workflow-profile", "none", "--rerun-incomplete", "--keep-going"),
        *("--cores", str(cores)),
        *([] if verbose else ["--logger", "depthgauge"]),
    ]
    # The plugin and the commands are those of this package, wherever it lies.
    places = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(places)})
    # An interrupt is Snakemake's to answer: it ends its jobs, and removes what they had begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if started.wait():
        sys.exit(started.returncode)
    for page in ("report.html", "explorer.html"):
        (output / page).write_text(_PAGE.format(page), encoding="utf-8")
    if open_report:
        webbrowser.open((output / "report.html").resolve().as_uri())


def _kept(file, pictures):
    """Return the config at ``file``, and what it says of the folder of pictures."""
    config = read_config(file)
    specs = checked_config(config)["datasets"].values()
    paths = {spec["path"]: spec for spec in specs if spec.get("path")}
    if str(pictures.resolve()) not in paths:
        raise UserError(f"{file} is of {', '.join(paths)}; give another folder by --output.")
    return config, paths[str(pictures.resolve())]


def _all_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _labels_asked():
    """Ask for the labels of a flat folder."""
    print("There are no sub-folders: without labels there are maps and groups, and no verdict.")
    said = click.prompt("A CSV of labels (columns image,label), or none", default="none")
    return None if said == "none" else said


def _agree(needs, yes):
    """Ask before much is fetched, long computed or filled; without a terminal say how to agree."""
    much = []
    if needs.fetched is None or needs.fetched > ASK_BYTES:
        how_much = "" if needs.fetched is None else f", {size(needs.fetched)}"
        much.append(f"files are to be fetched{how_much}")
    if needs.minutes > ASK_MINUTES:
        much.append(f"it takes about {round(needs.minutes)} minutes")
    if needs.disk > ASK_DISK * needs.free:
        much.append(f"it takes {size(needs.disk)} of the {size(needs.free)} of disk that are free")
    if yes or not much:
        return
    if not sys.stdin.isatty():
        raise UserError(
            f"{'; '.join(much)}. There is no terminal to ask: say --yes to go on, or --quick for a "
            "sample of 300 pictures."
        )
    question = "; ".join(much)
    if not click.confirm(f"{question[0].upper()}{question[1:]}. Go on?", default=True):
        sys.exit("Nothing was done.")


def _write(file, config, pictures):
    """Write the config, unless it is there; another that is there is kept beside it."""
    text = (
        f"# Written by `depthgauge run {pictures}`; change it as you like. The same command, or\n"
        f"#   snakemake --snakefile {SNAKEFILE} --directory {file.parent} --configfile {file} \\\n"
        "#     --cores all\n"
        "# then makes what is missing and what is changed.\n"
    ) + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    if file.exists():
        with contextlib.suppress(UserError):  # one that cannot be read is kept like any other
            if read_config(file) == config:
                return
        file.replace(file.with_name("config.yaml.before"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
