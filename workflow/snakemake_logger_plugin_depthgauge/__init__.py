"""Snakemake's logger plugin `depthgauge`: a run in forty lines (`snakemake --logger depthgauge`).

Snakemake looks for packages of this name and imports them whatever it is about to do, so that
nothing heavy is imported here. Its own lines are in `.snakemake/log`, as ever, and in the terminal
with `--verbose`.
"""

import contextlib
import logging
import os
import re
import sys
import time

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

RESULTS = "results"
# A warning that many jobs give is said once, and of many warnings so many are said.
_WARNINGS = 8
# What Snakemake says around the error of a job, which is shown by itself.
_AROUND = (
    "CalledProcessError in file",
    "Exiting because a job execution failed",
    "At least one job did not complete successfully.",
)
# And when it is told to stop: by SIGTERM, by an interrupt.
_STOPPING = ("Will exit after finishing", "Terminating processes on user request")
# And around an error of ours in the Snakefile: where it was raised.
_PLACE = re.compile(r'^(\w+ in (file|rule) .*:|  File ".*", line \d+, in .*)\n?', re.MULTILINE)


class LogHandler(LogHandlerBase):
    def __post_init__(self):
        from depthgauge.quiet import VARIABLE

        self.shown = not self.common_settings.verbose
        if self.shown and not self.common_settings.dryrun:
            os.environ[VARIABLE] = "quiet"
        self.place = os.getcwd()  # from here, and not from `--directory`, files are named
        self.view = self.progress = None
        self.jobs, self.logs, self.cells = {}, {}, {}
        self.said, self.warned = set(), 0
        self.wrong = self.closed = self.broken = self.stopping = False

    writes_to_stream = property(lambda self: self.shown)
    writes_to_file = has_filter = has_formatter = needs_rulegraph = property(lambda self: False)

    def emit(self, record):
        if not self.shown or self.closed:
            return
        event = getattr(record, "event", None)
        tell = {
            LogEvent.RUN_INFO: self._planned,
            LogEvent.JOB_INFO: self._begins,
            LogEvent.JOB_FINISHED: lambda record: self._ended(record.job_id),
            LogEvent.JOB_ERROR: self._fails,
        }
        try:
            if event in tell:
                tell[event](record)
            elif record.levelno >= logging.WARNING:
                self._complains(record)
            elif str(record.msg).startswith(_STOPPING):
                self._stops()
            elif str(record.msg).startswith("Nothing to be done"):
                self._say("Nothing to do: all that was asked for is there.")
        except Exception:
            if not self.broken:  # a fault of ours is shown once, and stops nothing
                self.broken = True
                self.handleError(record)

    def close(self):
        if self.shown and not self.closed:
            self.closed = True
            if self.view:
                self.view.stop()
            self._at_the_end()
        super().close()

    def _planned(self, record):
        from depthgauge.terminal.stages import Progress, measured
        from depthgauge.terminal.view import View, jobs

        if self.progress is not None:
            return
        known = {} if self.common_settings.dryrun else measured(f"{RESULTS}/benchmarks")
        stats = {rule: count for rule, count in record.stats.items() if rule != "total"}
        self.progress = Progress(stats, known)
        if self.common_settings.dryrun:
            for stage in self.progress.stages():
                self._say(f"{stage}: {jobs(self.progress.of(stage))}")
            self._say("This was a dry run: nothing has been done.")
        else:
            self.view = View(self.progress, self.logs)

    def _begins(self, record):
        if self.view is None:
            return
        self.jobs[record.jobid] = record
        if record.log:
            self.logs[record.jobid] = record.log[0].split(" (")[0]
        stage = self.progress.begin(record.jobid, record.rule_name, time.monotonic())
        if stage:
            self.view.began(stage)

    def _ended(self, job):
        from depthgauge.terminal import joblog

        if job not in self.jobs:
            return
        for text in joblog.warnings(self.logs.get(job, "")):
            self._warn(text)
        stage = self.progress.end(job, time.monotonic())
        if stage:
            self.view.ended(stage)
        if self.jobs[job].rule_name == "goodness":
            self._so_far(**self.jobs[job].wildcards)

    def _so_far(self, dataset, extractor, layer):
        from depthgauge.errors import UserError
        from depthgauge.terminal.so_far import so_far

        done = self.cells.setdefault(dataset, set())
        done.add((extractor, layer))
        try:
            said = so_far(RESULTS, dataset, done)
        except UserError:  # the plan, which no job waits for, is not written yet
            return
        self.view.note = said or ""
        if said and said not in self.said:
            self.said.add(said)
            if self.view.live is None:
                self._say(said)

    def _fails(self, record):
        from depthgauge.terminal import joblog

        if self.view is None:
            return
        self.progress.end(record.jobid, time.monotonic(), failed=True)
        if self.stopping:
            return
        began, log = self.jobs.get(record.jobid), self.logs.get(record.jobid)
        name = (began and began.rule_msg) or record.rule_name
        error = joblog.last_error(log) if log else str(record.msg)
        if error in self.said:
            error = "For the same reason as the one above."
        self.said.add(error)
        lines = error.splitlines()
        lines = lines[:12] + ["..."] * (len(lines) > 12)
        self._say(f"FAILED: {name}", "bold red")
        lines.append(f"Its log: {self._seen(log)}" if log else "It has no log.")
        self._say("\n".join(f"    {line}" for line in lines))
        if len(self.progress.lost) == 1:
            self._say("    All that does not need it goes on.")

    def _stops(self):
        running = len(self.progress.running) if self.progress else 0
        if running and not self.stopping:
            self.stopping = True
            self._say(
                f"Stopping: {running} running job{'s are' if running > 1 else ' is'} waited for. "
                f"`kill -- -{os.getpgrp()}` ends {'them' if running > 1 else 'it'} at once."
            )

    def _complains(self, record):
        text = _PLACE.sub("", str(record.msg)).strip()
        if any(words in str(record.msg) for words in _AROUND):
            return
        if record.levelno >= logging.ERROR:
            if self.progress is None and not self.wrong:
                from depthgauge.terminal.config_error import config_error

                text = config_error(sys.argv[1:]) or text
            self.wrong = True
            self._say(text, "red")
        else:
            self._warn(text)

    def _warn(self, text):
        if text in self.said:
            return
        self.said.add(text)
        self.warned += 1
        if self.warned <= _WARNINGS:
            self._say(f"! {text}", "yellow")
        elif self.warned == _WARNINGS + 1:
            self._say(f"! There are more warnings; {self._seen(RESULTS)}/logs has them.", "yellow")

    def _say(self, text, style=""):
        if self.view is None:
            from depthgauge.terminal.view import console
            from rich.text import Text

            console().print(Text(text, style))
        else:
            self.view.say(text, style)

    def _at_the_end(self):
        if not self.progress or self.common_settings.dryrun:
            return
        jobs, done = (sum(counts.values()) for counts in (self.progress.counts, self.progress.done))
        failed = len(self.progress.lost)
        if failed and not self.stopping:
            self._say(
                f"{failed} of {jobs} jobs failed, {done} are done. Mend it and run the same "
                "command again: all that is made is kept."
            )
        elif self.wrong and not self.stopping:
            return
        elif done < jobs:
            self._say(
                f"Stopped: {done} of {jobs} jobs are done. The same command goes on from there."
            )
        else:
            from depthgauge.terminal.view import duration

            self._say(f"done in {duration(time.monotonic() - self.progress.first)}")
        if done == jobs and "report" in self.progress.counts:  # a part is not summed up
            results = self._seen(RESULTS)
            with contextlib.chdir(self.place):
                card(results)

    def _seen(self, path):
        return os.path.relpath(path, self.place)


def card(results):
    """Print what the run found whose results lie in the folder ``results``."""
    from depthgauge.summary import print_summary

    print_summary(results)
