"""What a run shows in the terminal."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import REPOSITORY
from depthgauge import cli
from depthgauge.plan import Plan
from depthgauge.terminal.config_error import config_error
from depthgauge.terminal.joblog import last_error, progress, warnings
from depthgauge.terminal.so_far import so_far
from depthgauge.terminal.stages import ORDER, STAGES, Progress, measured, stage_of
from depthgauge.terminal.view import View, duration
from terminal import on_terminal, rendered

ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow"), "TERM": "xterm"}
ENVIRONMENT.pop("NO_COLOR", None)

# A run in small: five jobs of four stages, that say what real ones say.
SNAKEFILE = """
rule all:
    input:
        "results/goodness.txt",
        expand("results/drawn_{{n}}.txt", n=range(3)),

rule dataset:
    output: "results/made.txt"
    log: "results/logs/dataset.log"
    message: "Making the images of photos"
    shell: "echo noise; echo '12:00:01 WARNING two classes' > {{log}}; touch {{output}}"

rule features_lite:
    input: "results/made.txt"
    output: "results/features.txt"
    log: "results/logs/features.log"
    message: "Extracting features of photos with lite"
    shell:
        "echo '12:00:01 WARNING two classes' > {{log}};"
        "echo '12:00:02 ERROR layer x: there is none' >> {{log}}; {features}"

rule goodness_table:
    input: "results/features.txt"
    output: "results/goodness.txt"
    shell: "touch {{output}}"

rule figures_of_images:
    input: "results/made.txt"
    output: "results/drawn_{{n}}.txt"
    shell: "touch {{output}}"
"""


def small_run(folder, *options, features="touch {output}", terminal=False):
    """Run the small workflow; return (exit status, lines shown)."""
    (folder / "Snakefile").write_text(SNAKEFILE.format(features=features))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--keep-going", *options]
    if terminal:
        return on_terminal(command, cwd=folder, env=ENVIRONMENT)
    done = subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout.splitlines()


def test_on_a_terminal_each_stage_has_a_line(tmp_path):
    status, lines = small_run(tmp_path, "--logger", "depthgauge", terminal=True)
    shown = [line.split() for line in lines if line.strip()]
    assert status == 0
    assert [line[:2] for line in shown if line[0] == "✓"] == [
        ["✓", "pictures"],
        ["✓", "features"],
        ["✓", "measures"],
        ["✓", "figures"],
    ]
    # What two jobs warn of is said once; a command that does not know of our terminal may write.
    assert [" ".join(line) for line in shown if line[0] == "!"] == ["! two classes"]
    assert len(shown) <= 7
    # Snakemake's own lines are in its log.
    (log,) = (tmp_path / ".snakemake/log").glob("*.log")
    assert "Job stats:" in log.read_text() and "Making the images of photos" in log.read_text()


def test_without_a_terminal_stages_begin_and_end_in_plain_lines(tmp_path):
    status, lines = small_run(tmp_path, "--logger", "depthgauge")
    lines = [re.sub(r"in \d+ s$", "in N s", line) for line in lines if line != "noise"]
    assert status == 0
    assert not any("\x1b" in line or "\r" in line for line in lines)
    assert sorted(lines) == sorted(
        [
            "pictures: begun, 1 job",
            "! two classes",
            "pictures: done, 1 job in N s",
            "features: begun, 1 job",
            "features: done, 1 job in N s",
            "measures: begun, 1 job",
            "measures: done, 1 job in N s",
            "figures: begun, 3 jobs",
            "figures: done, 3 jobs in N s",
            "done in N s",
        ]
    )
    again, lines = small_run(tmp_path, "--logger", "depthgauge")
    assert (again, lines) == (0, ["Nothing to do: all that was asked for is there."])


def test_a_failure_is_a_job_its_error_its_log_and_what_goes_on(tmp_path):
    status, lines = small_run(tmp_path, "--logger", "depthgauge", features="exit 1")
    lines = [line for line in lines if line != "noise" and "figures" not in line]
    assert status == 1
    assert lines == [
        "pictures: begun, 1 job",
        "! two classes",
        lines[2],
        "features: begun, 1 job",
        "FAILED: Extracting features of photos with lite",
        "    layer x: there is none",
        "    Its log: results/logs/features.log",
        "    All that does not need it goes on.",
        "1 of 6 jobs failed, 4 are done. Mend it and run the same command again: all that is made "
        "is kept.",
    ]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_says_how_to_end_its_jobs_and_how_to_go_on(tmp_path, told):
    waiting = "touch begun; sleep 60; touch over"
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(features=waiting))
    started = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "depthgauge"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        # Where tests run in the background, interrupts are ignored, by what they start as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    shown = []
    for line in started.stdout:
        shown.append(line)
        if line.startswith("features: begun"):
            while not (tmp_path / "begun").exists():  # its job, which is a little later
                time.sleep(0.1)
            os.kill(started.pid, told)  # and not its jobs, as Ctrl-C would
        if line.startswith("Stopping: 1 running job is waited for."):
            subprocess.run(re.search("`(.*)`", line)[1], shell=True, check=True)
    assert started.wait() == 1 and not (tmp_path / "over").exists()
    assert sum(line.startswith("Stopping: ") for line in shown) == 1
    assert not any("FAILED" in line for line in shown)
    assert shown[-1].endswith("of 6 jobs are done. The same command goes on from there.\n"), shown


def test_verbose_shows_snakemakes_own_lines_and_a_dry_run_counts(tmp_path):
    status, lines = small_run(tmp_path, "--logger", "depthgauge", "--dry-run")
    assert status == 0 and lines == [
        "pictures: 1 job",
        "features: 1 job",
        "measures: 1 job",
        "figures: 3 jobs",
        "This was a dry run: nothing has been done.",
    ]
    status, lines = small_run(tmp_path, "--logger", "depthgauge", "--verbose")
    assert status == 0 and "Job stats:" in lines


def refused(folder):
    """The lines that a dry run of c.yaml prints, which is refused."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            *("--configfile", "c.yaml", "--workflow-profile", "none", "--cores", "1"),
            *("--logger", "depthgauge", "--dry-run"),
        ],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_a_mistake_in_the_config_is_said_without_where_it_was_raised(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "c.yaml").write_text(
        "datasets: {photos: {kind: folder, path: pictuers}}\nextractors: {pca: {kind: pca}}\n"
    )
    assert refused(tmp_path) == [
        "ERROR: datasets.photos: pictuers: does not exist; did you mean 'pictures'? Expected a "
        "folder of images, with one sub-folder for each class."
    ]


def test_a_config_that_snakemake_cannot_read_is_told_by_its_line(tmp_path):
    broken = tmp_path / "c.yaml"
    broken.write_text("datasets: {}\n\textractors: {}\n")
    words = ["x", "--cores", "1", "--configfile", str(broken), "--logger", "depthgauge"]
    said = f"{broken}: line 2: is no YAML: "
    assert config_error(words).startswith(said)
    assert config_error([f"--configfile={broken}"]).startswith(said)
    assert config_error(["--cores", str(broken)]) == ""
    (line,) = refused(tmp_path)
    assert line.startswith("c.yaml: line 2: is no YAML: ")


def test_every_rule_has_a_stage():
    rules = Path(cli.__file__).parents[1] / "rules"
    named = {
        name
        for file in rules.glob("*.smk")
        for name in re.findall(r"^(?:use )?rule (?:\w+ as )?(\w+)", file.read_text(), re.M)
    }
    assert (
        stage_of("features_lite0") == "features" and stage_of("distances_flat_mean") == "distances"
    )
    assert {stage_of(name) for name in named} <= {*STAGES, None}
    assert {stage_of(name) for name in named if "network" in name} == {"networks"}
    assert stage_of("all") is stage_of("figure_3") is stage_of("figures") is None
    assert stage_of("figures_of_results_digits") == stage_of("figures_of_networks") == "figures"
    assert set(ORDER) == set(STAGES)


def test_time_left_is_work_over_what_is_done_at_once():
    run = Progress({"all": 1, "dataset": 1, "features_a": 4, "goodness": 2}, {"goodness": 7})
    assert run.left(0) is None
    assert run.begin(1, "dataset", 100) == "pictures"
    assert run.end(1, 104) == "pictures"
    # Two of `features` at once, of 10 seconds each.
    assert run.begin(2, "features_a", 104) == "features"
    assert run.begin(3, "features_a", 104) is None
    assert run.end(2, 114) is None and run.end(3, 114) is None
    # To come: two times 10 and two times 7 seconds; 24 seconds were worked in 14.
    assert run.left(114) == pytest.approx((2 * 10 + 2 * 7) / (24 / 14))
    # A job that says that a quarter is done after 5 s has 15 more.
    run.begin(4, "features_a", 114)
    assert run.left(119, {4: 0.25}) == pytest.approx((10 + 15 + 14) / (29 / 19))
    run.end(4, 124, failed=True)
    assert (run.of("features", run.done), run.of("features", run.failed)) == (2, 1)
    # Tried again, as on a cluster, it is no failure any more.
    run.begin(4, "features_a", 125)
    assert run.of("features", run.failed) == 0 and run.lost == {}


def test_benchmarks_of_an_earlier_run_are_means_by_rule(tmp_path):
    for name, seconds in (("features/d/a/0.tsv", 3), ("features/d/b/0.tsv", 5), ("plan.tsv", 1)):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"s\tmax_rss\n{seconds}.0\t-\n")
    assert measured(tmp_path) == {"features": 4, "plan": 1}
    assert Progress({"features_a": 1}, measured(tmp_path)).seconds("features_a") == 4


def test_a_quiet_job_writes_to_its_log_alone(tmp_path):
    code = (
        "import os, sys, time\n"
        "from depthgauge import quiet\n"
        "from depthgauge.terminal.joblog import progress\n"
        "from tqdm import tqdm\n"
        "with quiet.into('job.log'):\n"
        "    os.write(2, b'from a library in C\\n')\n"
        "    with tqdm(total=8, desc='lite', unit='image', mininterval=0) as bar:\n"
        "        bar.update(2)\n"
        "        bar.refresh()\n"
        "        print(progress('job.log')[:2], file=sys.stdout)\n"
        "    print('and from Python', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("(2.0, 8.0)\n", "")
    assert (tmp_path / "job.log").read_text() == "from a library in C\nand from Python\n"
    assert [file.name for file in tmp_path.iterdir()] == ["job.log"]


def test_a_stage_is_quiet_where_the_terminal_is_anothers(tmp_path):
    command = [sys.executable, "-m", "depthgauge", "layers", "none.onnx", "--log", "logs/a.log"]
    for variable, loud in (({}, True), ({"DEPTHGAUGE_TERMINAL": "quiet"}, False)):
        done = subprocess.run(
            command, cwd=tmp_path, env=ENVIRONMENT | variable, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert ("ERROR" in done.stderr) == loud
        assert "ERROR" in (tmp_path / "logs/a.log").read_text()


def test_what_a_log_says(tmp_path):
    log, bar = tmp_path / "a.log", tmp_path / "a.progress"
    assert progress(log) is None and warnings(log) == []
    log.write_text(
        "12:00:00 INFO begun\nsome library: ERROR of its own\n12:00:01 WARNING one\n  is small\n"
        "12:00:02 WARNING one\n  is small\n12:00:03 ERROR first\n12:00:04 ERROR last:\n  - a\n"
    )
    assert warnings(log) == ["one\n  is small"]
    assert last_error(log) == "last:\n  - a"
    log.write_text(
        "12:00:04 ERROR Unforeseen.\nTraceback (most recent call last):\n  x\nKeyError: 1\n"
    )
    assert last_error(log) == "Unforeseen.\nKeyError: 1"
    noise = "WARNING: All log messages before absl::InitializeLog() ...\nI0000 00:00:17 port.cc\n"
    log.write_text(f"{noise}12:00:01 WARNING few\n{noise}12:00:02 ERROR wrong\n{noise}")
    assert (warnings(log), last_error(log)) == (["few"], "wrong")
    log.write_text("12:00:00 INFO begun\n")
    assert "was killed" in last_error(log)
    for said, expected in (
        ("lite:  67%|#####   | 340/510 [00:14<00:07, 24.1image/s]", (340, 510, "24.1image/s")),
        ("moments:  5%| | 1.5M/30.0M [00:14<00:07, 3.0Mtriple/s]", (1.5e6, 30e6, "3.0Mtriple/s")),
        ("lite: 3image [00:14, 24.1image/s]", None),
    ):
        bar.write_text(said)
        assert progress(log) == expected


@pytest.mark.parametrize("seconds, said", [(7.6, "8 s"), (125, "2:05 min"), (7500, "2 h 05 min")])
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_early_answer_waits_for_a_network_that_is_no_control(tmp_path):
    config = {"datasets": {"photos": {}}, "metrics": ["euclidean"], "extractors": {}}
    for name, weights in (("lite", "imagenet"), ("raw", None), ("big", "imagenet")):
        spec = {"kind": "keras_application", "weights": weights}
        config["extractors"][name] = spec | {"layers": ["a", "b"], "poolings": ["mean"]}
    plan = Plan(config, {"photos": 20}, {"photos": "all"})
    (tmp_path / "plan.json").write_text(plan.text())
    for extractor, layer, knn1 in (("lite", "a", 0.55), ("lite", "b", 0.884), ("raw", "a", 0.9)):
        file = tmp_path / f"nulls/photos/{extractor}/{layer}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"dataset,extractor,layer,knn1_half\nphotos,{extractor},{layer},{knn1}\n")
    raw = {("raw", "a"), ("raw", "b")}
    assert so_far(tmp_path, "photos", {("lite", "a")}) is None
    assert so_far(tmp_path, "photos", raw) is None  # a control must be beaten, and is no answer
    assert so_far(tmp_path, "photos", raw | {("lite", "a"), ("lite", "b")}) == (
        "photos, so far: lite does best at b, where the most similar picture is of the same class "
        "for about 88 of 100; big to come"
    )
    everything = {(network, layer) for network in config["extractors"] for layer in "ab"}
    assert so_far(tmp_path, "photos", everything) is None


def test_stages_are_drawn_while_a_job_without_a_log_runs(tmp_path):
    run, shown = Progress({"figures_of_images_some": 2, "features_lite": 2}), io.StringIO()
    view = View(run, {2: tmp_path / "a.log"}, shown)
    run.begin(1, "figures_of_images_some", 0)
    run.begin(2, "features_lite", 0)
    (tmp_path / "a.progress").write_text("lite:  50%|### | 5/10 [00:01<00:01, 2.5image/s]")
    lines = str(view._drawn()).splitlines()
    bar = "━" * 6 + "─" * 18
    assert lines[0].startswith(f"  ● features        {bar}  0 of 2   lite 5 of 10")
    assert lines[1] == f"  ● figures         {'─' * 24}  0 of 2"
    assert lines[2].startswith("    about ")
    run.end(2, 1, failed=True)
    assert str(view._drawn()).startswith("  ✗ features")


def test_snakemake_finds_the_plugin_and_it_imports_nothing_heavy():
    code = (
        "import sys, snakemake_logger_plugin_depthgauge as plugin\n"
        "assert {'rich', 'pandas', 'numpy', 'depthgauge'}.isdisjoint(sys.modules)\n"
        "from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry\n"
        "print('depthgauge' in LoggerPluginRegistry().get_registered_plugins())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.stdout == "True\n", done.stderr


def test_a_complete_run_ends_with_its_card(monkeypatch, tmp_path, capsys):
    import snakemake_logger_plugin_depthgauge as plugin

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEPTHGAUGE_TERMINAL", "")
    monkeypatch.setattr(plugin, "card", lambda results: print(f"card of {results}"))
    handler = plugin.LogHandler(SimpleNamespace(verbose=False, dryrun=False), None)
    record = {"msg": "", "levelno": 20}
    handler.emit(SimpleNamespace(**record, event="run_info", stats={"report": 1, "total": 1}))
    job = {"jobid": 1, "rule_name": "report", "rule_msg": "Writing", "log": [], "wildcards": {}}
    handler.emit(SimpleNamespace(**record, event="job_info", **job))
    handler.emit(SimpleNamespace(**record, event="job_finished", job_id=1))
    handler.close()
    handler.close()
    assert capsys.readouterr().out == "card of results\n"


def test_the_terminal_of_these_tests_is_one():
    assert rendered("a\nb\n\x1b[1A\x1b[2Kc\r\n") == ["a", "c", ""]
    assert rendered("abcdef", width=4) == ["abcd", "ef"]
