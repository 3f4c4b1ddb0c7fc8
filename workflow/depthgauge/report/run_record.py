"""What a run was made with: versions, settings, machine, and the time that each stage took."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from .. import __version__
from ..tables import read_benchmark

PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "onnxruntime", "numpy", "scipy")
PACKAGES += ("scikit-learn", "numba", "openTSNE", "pandas", "matplotlib", "pillow", "snakemake")
SETTINGS = ("seed", "permutations", "perplexity", "jpeg_quality", "precision", "features_dtype")


def run_record(results, plan):
    """Return what the results were made with.

    The machine is the one that this is called on; of a run on a cluster, jobs may have been
    elsewhere. Stages are summed over the benchmarks of the last runs of the planned jobs.

    Parameters
    ----------
    results : path
        The folder of results, with Snakemake's benchmarks in it.
    plan : Plan
        The run's.

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
    rows += [("setting", name, plan.config[name]) for name in SETTINGS]
    rows += [("machine", name, value) for name, value in _machine().items() if value]
    told = pd.DataFrame(rows, columns=["part", "name", "value"], dtype=object)
    return pd.concat([told, _stages(Path(results), plan)], ignore_index=True)


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


def _stages(results, plan):
    jobs = []  # of those that ran: one that failed, or was not asked for, left no benchmark
    for stage, files in sorted(benchmarks(plan).items()):
        for file in files:
            if (results / file).exists():
                job = read_benchmark(results / file).iloc[-1]
                jobs.append(("stage", stage, job["s"], job["max_rss"]))
    table = pd.DataFrame(jobs, columns=["part", "name", "seconds", "megabytes"])
    return table.groupby(["part", "name"], as_index=False).agg(
        jobs=("seconds", "size"), seconds=("seconds", "sum"), megabytes=("megabytes", "max")
    )


def benchmarks(plan):
    """Return by stage what a plan's jobs leave as benchmarks, relative to the folder of results.

    That of the report is not among them, for it is written after it.
    """
    return {
        stage: [f"benchmarks/{stage}{'/' if job else ''}{job}.tsv" for job in sorted(jobs)]
        for stages, jobs in _jobs(plan).items()
        for stage in stages.split()
    }


def _jobs(plan):
    """Return what stages have a job for, by their names; one for the whole run has no name."""
    labelled, partly = plan.with_labels(), plan.with_labels("some")
    curves = labelled if plan.config["labels_per_class"] else []
    whole = [dataset for dataset in plan.datasets if plan.blocks(dataset) == 1]
    few = [dataset for dataset in plan.datasets if plan.few(dataset)]
    many = [dataset for dataset in plan.datasets if not plan.few(dataset)]
    many_labelled = [dataset for dataset in many if dataset in labelled]
    blocks = {name: plan.blocks(name) for name in plan.datasets if name not in whole}

    def pairs(datasets):
        return [f"{dataset}/{extractor}" for dataset in datasets for extractor in plan.layers]

    def cells(datasets):
        return ["/".join(cell) for cell in plan.cells(datasets)]

    return {
        "table_1 cluster_table explorer": [""],
        "goodness_table comparisons verdict": [""] if labelled else [],
        "claims": [""] if "claims" in plan.tables() else [],
        "download": plan.downloads(),
        "dataset figures_of_images figures_of_results": plan.datasets,
        "autoencoder": ["/".join(one) for one in plan.trained()],
        "pca": ["/".join(one) for one in plan.trained("pca")],
        "network": {
            plan.network(dataset, extractor).removeprefix("networks/")
            for dataset, extractor, _ in plan.cells()
            if plan.learned.get(extractor) != "pca"
        },
        "figures_of_networks": [""],
        "features": [
            f"{pair}/{shard}"
            for dataset in plan.datasets
            for pair in pairs([dataset])
            for shard in plan.shards(dataset)
        ],
        "distances": pairs(name for name in whole if name in few)
        + cells(name for name in whole if name in many),
        "distance_block": [
            f"{cell}/{a}-{b}-of-{count}"
            for dataset, count in blocks.items()
            for cell in cells([dataset])
            for a in range(count)
            for b in range(a, count)
        ],
        "join_blocks": cells(blocks),
        "goodness": pairs(name for name in few if name in labelled) + cells(many_labelled),
        "sampled_goodness": cells(name for name in plan.sampled if name in labelled),
        "figures_of_verdict": labelled,
        "misplaced": pairs(many_labelled),
        "label_accuracy": pairs(many_labelled if curves else []),
        "linear_probe": pairs(curves if plan.config["linear_probe"] else []),
        "labels": partly,
        "mislabelled": labelled,
        "advised": [*labelled, *partly],
        "ask": plan.with_labels("none"),
        "near_copies": plan.datasets,
        "embedding": cells(many),
        "neighbours clusters": pairs(many),
        "places": pairs(few),
    }
