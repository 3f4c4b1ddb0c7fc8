"""A small run on a throw-away SLURM cluster: the same files as on one machine.

    python tests/slurm/run.py        or: make test-slurm

1. On this machine, without SLURM.
2. On the cluster, by the profile in workflow/profiles/slurm, with a home that cannot be written.
3. Again, with Snakemake killed and the run resumed, a job over its memory, a job cancelled, a
   job that hangs until its time is up, and a node that dies.

Every table, matrix and figure must come out byte for byte the same (the third run stops before
the figures).
Needs root on Debian or Ubuntu (it installs SLURM); elsewhere it says that it is skipped.
"""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import Cluster, install

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 900  # seconds that one run may take
COMPARED = ("goodness.csv", "verdict.csv", "datasets/**/*", "distances/**/*", "nulls/**/*")
COMPARED += ("embeddings/**/*", "figures/**/*")
PROFILE = ("--workflow-profile", REPOSITORY / "workflow" / "profiles" / "slurm")
# The waits are for clusters: here Snakemake asks every second how the jobs are doing. And two cores
# play sixteen.
IMPATIENT = """
import runpy, sys
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
RemoteExecutor.next_seconds_between_status_checks = property(lambda _: 1, lambda *_: None)
sys.argv[0] = "snakemake"
runpy.run_module("snakemake", run_name="__main__")
"""
TOY = ("--latency-wait", "10", "--set-threads", "features_inception_untrained=2")
TOY += tuple(  # so that jobs spread over both nodes
    f"{what}_inception_untrained=8" for what in ("distances_of", "goodness_of", "places")
)

# What the run with faults is to make; the others draw figures, too.
MADE = ["results/goodness.csv", "results/verdict.csv"] + [
    f"results/embeddings/digits/inception_untrained/{layer}.csv"
    for layer in ("pool", "mixed_3_pool", "mixed_8_pool", "pool_3")
]
DRAWN = [f"results/figures/{kind}/digits/inception_untrained.png" for kind in ("violins", "maps")]


def main():
    why_not = install()
    if why_not:
        print(f"SKIPPED: the test on a SLURM cluster was not run: {why_not}.", flush=True)
        return
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("FAILED: stopped from outside"))
    folder = Path(tempfile.mkdtemp(prefix="dg"))  # short: sockets lie in it
    try:
        shutil.copy(REPOSITORY / "tests" / "configs" / "slurm.yaml", folder / "config.yaml")

        say("On this machine")
        before = time.monotonic()
        start(folder, "local", os.environ, "--cores", "2", "--", *MADE, *DRAWN).finish()
        print(f"{time.monotonic() - before:.0f} s", flush=True)

        (folder / "slurm").mkdir()
        with Cluster(folder / "slurm") as cluster:
            say("On a SLURM cluster of two nodes")
            print(cluster.ask("sinfo", "--Node", "--long"), flush=True)
            before = time.monotonic()
            arguments = (*PROFILE, *TOY, "--", *MADE, *DRAWN)
            start(folder, "cluster", on(cluster, folder), *arguments).finish()
            print(f"{time.monotonic() - before:.0f} s")
            first = cluster.jobs()
            show(first)
            price(first, folder / "cluster")
            assert {job["state"] for job in first} == {"COMPLETED"}, "a job failed unprovoked"
            assert len({job["node"] for job in first}) == 2, "a node was never used"
            compare(folder, "cluster")

            say("Again, with faults")
            before = time.monotonic()
            faults(cluster, folder)
            print(f"{time.monotonic() - before:.0f} s")
            second = cluster.jobs()[len(first) :]
            show(second)
            states = {(job["rule"], job["state"]) for job in second}
            wanted = {
                ("features_inception_untrained", "CANCELLED"),
                ("network", "FAILED"),
                ("distances_of_inception_untrained", "CANCELLED"),
                ("goodness_of_inception_untrained", "TIMEOUT"),
                ("places_inception_untrained", "NODE_FAIL"),
            }
            assert wanted <= states, f"these faults did not happen: {wanted - states}"
            compare(folder, "faults", all_but="figures")
        say(f"PASSED in {time.monotonic() - started:.0f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Run:
    """Snakemake at work in a folder; what it prints is kept."""

    def __init__(self, folder, environment, *arguments):
        folder.mkdir(exist_ok=True)
        self.printed = folder / "printed.txt"
        command = [sys.executable, "-c", IMPATIENT, "--snakefile", REPOSITORY / "Snakefile"]
        command += ["--directory", folder, "--configfile", folder.parent / "config.yaml"]
        command += arguments
        with open(self.printed, "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)),
                cwd=REPOSITORY,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.deadline = time.monotonic() + PATIENCE

    def going(self):
        if time.monotonic() > self.deadline:
            self.kill()
            self.fail(f"not done after {PATIENCE} s")
        return self.process.poll() is None

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def finish(self):
        while self.going():
            time.sleep(0.2)
        if self.process.returncode:
            self.fail(f"exit status {self.process.returncode}")

    def fail(self, why):
        lines = self.printed.read_text(errors="replace").splitlines()
        raise SystemExit("\n".join([*lines[-80:], f"FAILED: {why}"]))


def start(folder, name, environment, *arguments):
    return Run(folder / name, dict(environment), *arguments)


def on(cluster, folder):
    """Return the environment of a user whose home is read-only, as nodes' homes may be."""
    return {**cluster.environment, "HOME": "/dev/null", "XDG_CACHE_HOME": str(folder / "cache")}


def faults(cluster, folder):
    """Run once more, and let happen what happens on clusters."""
    # Each attempt at `network` may have 1,500 MB more; the first is too small for TensorFlow.
    # The jobs whose node is to die are held until another one hangs: else they might be done.
    arguments = (*PROFILE, *TOY, "--set-resources", "network:mem_mb=1500*attempt")
    arguments += ("places_inception_untrained:slurm_extra=--hold",)
    arguments += ("--", *MADE)
    run = start(folder, "faults", on(cluster, folder), *arguments)
    running(cluster, run, "features_inception_untrained")
    print("Snakemake is killed; the run is resumed as docs/cluster.md says.", flush=True)
    run.kill()
    identity = re.search(r"SLURM run ID: (\S+)", run.printed.read_text())[1]
    cluster.ask("scancel", "--name", identity)
    while (
        cluster.ask("squeue", "--noheader", "--name", identity) and run.deadline > time.monotonic()
    ):
        time.sleep(0.5)
    start(folder, "faults", on(cluster, folder), "--unlock").finish()
    run = start(folder, "faults", on(cluster, folder), *arguments)

    job = running(cluster, run, "distances_of_inception_untrained")
    cluster.ask("scancel", job["id"])
    print(f"Job {job['id']} ({job['rule']}) is cancelled.", flush=True)

    job = running(cluster, run, "goodness_of_inception_untrained")
    for process in cluster.processes(job["node"], job["id"]):
        os.kill(process, signal.SIGSTOP)
    cluster.ask("scontrol", "update", f"JobId={job['id']}", "TimeLimit=1")
    print(f"Job {job['id']} ({job['rule']}) hangs; it has one minute.", flush=True)

    job = running(cluster, run, "places_inception_untrained", not_on=job["node"])
    cluster.kill_node(job["node"])
    print(f"Node {job['node']} dies under job {job['id']} ({job['rule']}).", flush=True)
    dead = job["node"]
    while run.going():
        jobs = cluster.jobs()
        release(cluster, jobs, job["rule"])  # those submitted since, its second attempt among them
        states = {one["id"]: one["state"] for one in jobs}
        if dead and states[job["id"]] == "NODE_FAIL":
            cluster.start_node(dead)
            print(f"Node {dead} is started again.", flush=True)
            dead = None
        time.sleep(1)
    run.finish()


def running(cluster, run, rule, not_on=None):
    """Wait for a job of a rule to run, not on the node ``not_on``, and return it."""
    while run.going():
        jobs = cluster.jobs()
        release(cluster, jobs, rule, not_on)
        for job in jobs:
            if job["rule"] == rule and job["state"] == "RUNNING" and job["node"] != not_on:
                processes = cluster.processes(job["node"], job["id"])
                if len(processes) > 2:  # it has begun
                    return job
        time.sleep(0.3)
    run.fail(f"no job of {rule} was seen running")


def release(cluster, jobs, rule, not_on=None):
    """Let the jobs of a rule that were submitted held start, not on the node ``not_on``."""
    for job in jobs:
        if job["rule"] == rule and job["state"] == "PENDING":
            if not_on:
                cluster.ask("scontrol", "update", f"JobId={job['id']}", f"ExcNodeList={not_on}")
            cluster.ask("scontrol", "release", job["id"])


def compare(folder, name, all_but=None):
    one, two = (contents(folder / which / "results") for which in ("local", name))
    if all_but:
        one = {file: data for file, data in one.items() if not file.startswith(all_but)}
    assert one.keys() == two.keys(), f"other files: {sorted(one.keys() ^ two.keys())}"
    different = [file for file in one if one[file] != two[file]]
    assert not different, f"other bytes than on one machine: {different}"
    kinds = sorted({file.split("/")[0] for file in one})
    print(f"All {len(one)} files are the same as on one machine ({', '.join(kinds)}).", flush=True)


def contents(results):
    return {
        str(file.relative_to(results)): file.read_bytes()
        for pattern in COMPARED
        for file in results.glob(pattern)
        if file.is_file() and not file.name.startswith(".snakemake")
    }


def show(jobs):
    print(f"{'job':>5} {'state':10} {'node':12} {'time':>6} {'cpus':>4} {'memory':>7} rule")
    for job in jobs:
        print(
            f"{job['id']:>5} {job['state']:10} {job['node']:12} {job['used']:>6} {job['cpus']:>4} "
            f"{job['memory']:>7} {job['rule']} {job['wildcards']}"
        )


def price(jobs, folder):
    """Print what a job costs beyond its command: SLURM's seconds less those of the benchmark."""
    used = sum(_seconds(job["used"]) for job in jobs)
    commands = 0.0
    for file in folder.glob("results/benchmarks/**/*.tsv"):
        with open(file) as table:
            commands += float(next(csv.DictReader(table, delimiter="\t"))["s"])
    print(
        f"{len(jobs)} jobs held nodes for {used} s, their commands took {commands:.0f} s: "
        f"{(used - commands) / len(jobs):.1f} s a job for SLURM and Snakemake."
    )


def _seconds(clock):
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return seconds


def say(line):
    print(f"\n=== {line}", flush=True)


if __name__ == "__main__":
    main()
