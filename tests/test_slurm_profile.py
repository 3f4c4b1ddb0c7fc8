"""What the workflow would ask of a SLURM cluster for the paper's experiment."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from conftest import REPOSITORY
from snakemake.cli import parse_args

submission = pytest.importorskip("snakemake_executor_plugin_slurm.submit_string")
utils = pytest.importorskip("snakemake_executor_plugin_slurm.utils")

PROFILE = REPOSITORY / "workflow" / "profiles" / "slurm" / "profile.yaml"

# A process of its own: loading a workflow changes the environment and the current folder.
LIST_JOBS = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.enums import Quietness
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

repository, folder, config = map(Path, sys.argv[1:])
with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
    workflow = api.workflow(
        ResourceSettings(nodes=100),
        ConfigSettings(configfiles=[config]),
        snakefile=repository / "Snakefile",
        workdir=folder,
    )
    workflow.dag().execute_workflow(executor="dryrun")
    jobs = []
    for job in workflow._workflow.dag.jobs:
        asked = [
            job.rule.expand_resources(job.wildcards_dict, job.input, attempt)
            for attempt in (1, 2)
        ]
        jobs.append({
            "rule": job.rule.name,
            "local": job.rule.name in workflow._workflow._localrules,
            "threads": job.threads,
            "asked": [{k: v for k, v in one.items() if isinstance(v, int)} for one in asked],
        })
print("JOBS" + json.dumps(jobs))
"""


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """The jobs of the paper's experiment; what each asks for at its first and second attempt."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", LIST_JOBS, str(REPOSITORY)),
            *(str(tmp_path_factory.mktemp("paper")), str(REPOSITORY / "paper.yaml")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "JOBS[" in done.stdout, done.stdout
    return json.loads(done.stdout.rpartition("JOBS")[2])


def test_paper_is_under_300_jobs_that_ask_for_what_nodes_have(paper):
    on_nodes = [job for job in paper if not job["local"]]
    assert 100 < len(on_nodes) < 300
    for job in on_nodes:
        # Snakemake alone takes 270 MB of a job; and what asks for much waits for rare nodes.
        assert 500 <= job["asked"][0]["mem_mb"] <= 32_000, job
        assert 10 <= job["asked"][0]["runtime"] <= 12 * 60, job
        assert 1 <= job["threads"] <= 8, job


def test_second_attempt_gets_twice_as_much(paper):
    for job in paper:
        if not job["local"]:
            first, second = job["asked"]
            for resource in ("mem_mb", "runtime"):
                assert second[resource] == 2 * first[resource], job


def test_what_needs_the_network_stays_on_the_head_node(paper):
    assert {job["rule"] for job in paper if job["local"]} == {"all", "download", "plan"}


def submitted(job, attempt, **resources):
    """The words of the sbatch command of a job."""
    asked = Resources(job["asked"][attempt - 1] | resources)
    job = SimpleNamespace(threads=job["threads"], resources=asked)
    params = dict.fromkeys(("run_uuid", "slurm_logfile", "comment_str", "workdir"), "x")
    params |= {"account": "", "partition": ""}
    settings = SimpleNamespace(requeue=False, no_requeue=True, qos=None, reservation=None)
    command = submission.get_submit_command(job, params, settings=settings)
    return (command + utils.set_gres_string(job)).split()


class Resources(dict):
    """A job's resources, read in either of two ways as Snakemake's are."""

    __getattr__ = dict.__getitem__


def test_every_sbatch_names_memory_time_and_processors(paper):
    for job in paper:
        if not job["local"]:
            for attempt in (1, 2):
                asked = job["asked"][attempt - 1]
                words = submitted(job, attempt)
                assert words[words.index("--mem") + 1] == str(asked["mem_mb"])
                assert words[words.index("-t") + 1] == str(asked["runtime"])
                assert f"--cpus-per-task={job['threads']}" in words and "--no-requeue" in words
                assert not any("gpu" in word or "gres" in word for word in words)


def read(profile):
    return parse_args(["--workflow-profile", str(profile), "--dry-run"])[1]


def test_snakemake_reads_every_key_of_the_profile():
    args = read(PROFILE.parent)
    assert args.executor == "slurm" and args.retries == 3 and args.rerun_incomplete
    assert args.keep_going and args.show_failed_logs and args.latency_wait == 60
    assert args.slurm_status_command == "squeue" and args.slurm_no_requeue
    assert args.slurm_status_attempts == 360 and args.max_status_checks_per_second == 0.1
    assert args.slurm_init_seconds_before_status_checks == 20
    assert not isinstance(args.slurm_array_jobs, str)  # arrays lose results


def test_gpus_are_asked_for_by_uncommenting_the_profile(paper, tmp_path):
    text = PROFILE.read_text()
    lines = re.search(r"^# set-resources:\n(?:#   features_.*\n)+", text, re.M)[0]
    uncommented = text.replace(lines, re.sub(r"^# ", "", lines, flags=re.M))
    (tmp_path / "profile.yaml").write_text(uncommented)
    rules = set(read(tmp_path).set_resources)
    extracting = {job["rule"] for job in paper if job["rule"].startswith("features_")}
    assert rules == extracting
    job = next(job for job in paper if job["rule"] in rules)
    assert "--gpus=1" in submitted(job, 1, gpu=1)
