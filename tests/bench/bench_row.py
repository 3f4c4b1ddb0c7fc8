"""A whole row, from images to figures, by Snakemake, beside the sum of what limits its stages.

    python tests/bench/bench_row.py [--per-class 20 | --mirror FOLDER] [--cores 2]

The row is scikit-learn's handwritten digits, or the 10,000 test digits of MNIST from a mirror,
through an untrained Inception-v3. Limits, in seconds of the whole machine: of extraction 11.5
GFLOP an image, and of distances n^2 d operations a layer, at the rate of sgemm; of all other jobs
the time that they took less their start-up, times the share of the cores that they asked for.
What is start-up is measured by `python -c 'import ...'`, three times a command: the median.
The fewer the images, the more of the time is start-up: the target is for 10,000 of them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import pandas as pd
import yaml
from bench_startup import python, stages
from side_by_side import report, row, sgemm, timed

REPOSITORY = Path(__file__).resolve().parents[2]
DIMS = 341_056, 83_232, 49_152, 2_048


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-class", type=int, default=20, help="digits of each of ten classes")
    parser.add_argument("--mirror", type=Path, help="take MNIST's 10,000 from this mirror instead")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--output", help="a CSV to write")
    args = parser.parse_args()
    n = 10_000 if args.mirror else 10 * args.per_class

    with tempfile.TemporaryDirectory() as folder:
        wall = run(Path(folder), row_config(args.per_class, args.mirror), args.cores)
        jobs = benchmarks(Path(folder, "results/benchmarks"))
    product, operations = sgemm(args.cores)
    rate = operations / min(timed(product) for _ in range(5))
    start_up = {
        name.replace("-", "_"): start_of(modules)
        for name, modules in stages().items()
        if modules and name.replace("-", "_") in set(jobs.stage)
    }
    jobs["start_up"] = jobs.stage.map(start_up).fillna(min(start_up.values()))
    jobs["limit"] = (jobs.seconds - jobs.start_up).clip(lower=0)
    share = jobs.threads.clip(upper=args.cores) / args.cores
    jobs["start_up"] *= share
    jobs["limit"] *= share
    limits = jobs.groupby("stage").limit.sum()
    limits["features"] = n * 11.5e9 / rate
    limits["distances"] = n * n * sum(DIMS) / rate
    table = [
        {
            "stage": stage,
            "jobs": len(part),
            "seconds": part.seconds.sum(),
            "start_up_s": part.start_up.sum(),
            "limit_s": limits[stage],
        }
        for stage, part in jobs.groupby("stage")
    ]
    title = f"A row of {n:,} images, {args.cores} cores"
    report(f"{title}: its stages", table, args.output and Path(args.output).with_stem("row_stages"))
    busy = (jobs.seconds * share).sum()
    overhead = max(wall - busy, 0) + jobs.start_up.sum()
    total = limits.sum()
    rows = [
        row("wall time of Snakemake", "s", [wall], "wall / limits", ([wall], [total]), "<= 1.25"),
        row(
            "Snakemake, imports, idle cores",
            "s",
            [overhead],
            "overhead / wall",
            ([overhead], [wall]),
            "<= 0.05",
        ),
    ]
    report(title, rows, args.output)


def start_of(modules):
    """Return the seconds that it takes to start a command, from the modules that it imports."""
    code = f"import depthgauge.cli, {', '.join(modules)}"
    return median(timed(python, "-c", code) for _ in range(3))


def row_config(per_class, mirror=None, poolings=("flat",), metrics=("euclidean",)):
    """Return the config of digits through an untrained Inception-v3; one reading, as the paper."""
    digits = {"kind": "digits", "per_class": per_class}
    mnist = {"kind": "mnist", "split": "test"}
    config = {
        "metrics": list(metrics),
        "datasets": {"digits": mnist if mirror else digits},
        "extractors": {
            "inception": {
                "kind": "keras_application",
                "application": "InceptionV3",
                "weights": None,
                "layers": "pooling",
                "poolings": list(poolings),
            }
        },
    }
    if mirror:
        config["mirror"] = str(mirror.resolve())
    return config


def run(folder, config, cores):
    """Run the workflow with ``config`` in ``folder``; return its seconds."""
    (folder / "row.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile"]
    command += ["--directory", folder, "--cores", str(cores), "--configfile", "row.yaml"]
    command += ["--benchmark-extended"]  # which tells the threads
    with open(folder / "log", "w") as log:
        try:
            return timed(subprocess.run, command, check=True, cwd=folder, stdout=log, stderr=log)
        except subprocess.CalledProcessError:
            sys.exit((folder / "log").read_text())


def benchmarks(folder):
    """Return the stage, the seconds, the threads and the peak memory (MB) of every job."""
    files = sorted(folder.rglob("*.tsv"))
    stage = [file.relative_to(folder).parts[0].removesuffix(".tsv") for file in files]
    jobs = pd.concat([pd.read_csv(file, sep="\t")[["s", "threads", "max_rss"]] for file in files])
    return jobs.rename(columns={"s": "seconds"}).assign(stage=stage).reset_index(drop=True)


if __name__ == "__main__":
    main()
