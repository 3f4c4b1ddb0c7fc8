"""What a run was made with: versions, settings, machine, and the time that each stage took."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from .. import __version__
from ..tables import read_benchmark

PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "scipy", "scikit-learn", "numba")
PACKAGES += ("openTSNE", "pandas", "matplotlib", "pillow", "snakemake")
SETTINGS = ("seed", "permutations", "perplexity", "jpeg_quality", "precision", "features_dtype")


def run_record(results, config):
    """Return what the results were made with.

    The machine is the one that this is called on; of a run on a cluster, jobs may have been
    elsewhere. Stages are summed over the benchmarks of their last runs.

    Parameters
    ----------
    results : path
        The folder of results, with Snakemake's benchmarks in it.
    config : dict
        The run's, checked.

    Returns
    -------
    DataFrame
        part (version, setting, machine or stage), name and value; of a stage, in place of the
        value, jobs, seconds (of all jobs together) and megabytes (of the largest).
    """
    rows = [
        ("version", "depthgauge", __version__),
        ("version", "Python", platform.python_version()),
    ]
    rows += [("version", name, found) for name in PACKAGES if (found := _version(name))]
    rows += [("setting", name, config[name]) for name in SETTINGS if name in config]
    rows += [("machine", name, value) for name, value in _machine().items() if value]
    told = pd.DataFrame(rows, columns=["part", "name", "value"], dtype=object)
    return pd.concat([told, _stages(Path(results) / "benchmarks")], ignore_index=True)


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _machine():
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": _line("/proc/meminfo", "MemTotal"),
    }


def _line(file, name):
    """Return what a file of Linux says of ``name``."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")


def _stages(benchmarks):
    jobs = []
    for file in sorted(benchmarks.rglob("*.tsv")):
        stage = file.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        if stage != "report":  # its own is not known yet
            job = read_benchmark(file).iloc[-1]
            jobs.append(("stage", stage, job["s"], job["max_rss"]))
    table = pd.DataFrame(jobs, columns=["part", "name", "seconds", "megabytes"])
    return table.groupby(["part", "name"], as_index=False).agg(
        jobs=("seconds", "size"), seconds=("seconds", "sum"), megabytes=("megabytes", "max")
    )
