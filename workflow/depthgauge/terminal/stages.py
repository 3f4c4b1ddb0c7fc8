"""The stages of a run, in which its many jobs are told, and how long what is left will take."""

import re
from collections import Counter
from pathlib import Path

from ..tables import read_benchmark

# By the names of rules; the first that fits counts.
STAGES = {
    "downloads": r"download",
    "pictures": r"dataset",
    "networks": r"(onnx_|learned_)?network|autoencoder|pca",
    "features": r"features_.+",
    "distances": r"(distances|distance_block|join_blocks)(_.+)?",
    "figures": r"embedding|(unlabelled_)?places_.+|figures_of_.+",
    "report": r"claims|explorer|report",
    "measures": r".+",
}
# In the order of the data's way; downloads are told of only where there are some.
ORDER = ["downloads", "pictures", "networks", "features", "distances", "measures"]
ORDER += ["figures", "report"]
# Rules that gather files, and the plan, which is written in no time: no stage's.
_GATHER = re.compile(r"all|data|plan|figures|figure_\d+")

# Seconds of a job, of a run of 300 pictures on two cores; what was measured in the folder of
# results, and then in this run, counts instead.
_SECONDS = {"features": 30, "networks": 10, "downloads": 20, "measures": 2.5}
_OTHERWISE = 3


def stage_of(rule):
    """Return the stage that a rule belongs to, or None for one that only gathers files."""
    if _GATHER.fullmatch(rule):
        return None
    return next(stage for stage, names in STAGES.items() if re.fullmatch(names, rule))


def measured(benchmarks):
    """Return the mean seconds of a job of each rule, from the folder ``benchmarks`` of a run.

    A rule of which there is one per extractor, such as ``features_NAME``, is called by the folder
    that they share: ``features``.
    """
    found = {}
    for place in sorted(Path(benchmarks).glob("*")):
        files = [place] if place.is_file() else sorted(place.rglob("*.tsv"))
        seconds = [second for file in files for second in read_benchmark(file).s.dropna()]
        if seconds:
            found[place.stem] = sum(seconds) / len(seconds)
    return found


class Progress:
    """The jobs of a run: how many of each stage are done, and what is left in seconds.

    Parameters
    ----------
    counts : dict of str to int
        The jobs of each rule.
    known : dict of str to float
        Seconds of a job by its rule, as ``measured`` returns them.
    """

    def __init__(self, counts, known=None):
        self.counts = {rule: count for rule, count in counts.items() if stage_of(rule)}
        self.known = known or {}
        self.done, self.failed, self.spent = Counter(), Counter(), Counter()
        self.running, self.lost, self.first = {}, {}, None
        self.begun, self.ended = {}, {}  # of stages

    def begin(self, job, rule, now):
        """Note that ``job`` of ``rule`` begins; return its stage if it is the first of it."""
        stage = stage_of(rule)
        if stage is None:
            return None
        self.first = now if self.first is None else self.first
        self.running[job] = (rule, now)
        if job in self.lost:  # it is tried again
            self.failed[self.lost.pop(job)] -= 1
        if stage in self.begun:
            return None
        self.begun[stage] = now
        return stage

    def end(self, job, now, *, failed=False):
        """Note that ``job`` has ended; return its stage if it was the last of it."""
        if job not in self.running:
            return None
        rule, began = self.running.pop(job)
        (self.failed if failed else self.done)[rule] += 1
        if failed:
            self.lost[job] = rule
        self.spent[rule] += now - began
        stage = stage_of(rule)
        if self.of(stage, self.done) < self.of(stage):
            return None
        self.ended[stage] = now
        return stage

    def of(self, stage, counts=None):
        """Return how many jobs a stage has; or how many of ``counts``, by rule, are its."""
        # A copy: a thread that draws asks while another counts.
        counts = list((self.counts if counts is None else counts).items())
        return sum(count for rule, count in counts if stage_of(rule) == stage)

    def stages(self):
        """Return the stages that have jobs, in order."""
        return [stage for stage in ORDER if self.of(stage)]

    def seconds(self, rule):
        """Return how long a job of ``rule`` takes: as in this run, else as in one before."""
        ended = self.done[rule] + self.failed[rule]
        if ended:
            return self.spent[rule] / ended
        shared = [name for name in self.known if rule == name or rule.startswith(f"{name}_")]
        if shared:
            return self.known[max(shared, key=len)]
        return _SECONDS.get(stage_of(rule), _OTHERWISE)

    def left(self, now, shares=None):
        """Return the seconds until all is done, or None before anything has begun.

        Parameters
        ----------
        now : float
            Seconds, of the clock that ``begin`` and ``end`` are told.
        shares : dict of job to float
            Which part of a running job is done, of those that tell.
        """
        if self.first is None:
            return None
        shares, waiting = shares or {}, Counter(self.counts)
        now_running = Counter(rule for rule, _ in list(self.running.values()))
        waiting -= Counter(dict(self.done)) + Counter(dict(self.failed)) + now_running
        work = sum(count * self.seconds(rule) for rule, count in waiting.items())
        busy = sum(list(self.spent.values()))
        for job, (rule, began) in list(self.running.items()):
            spent, share = now - began, shares.get(job, 0)
            busy += spent
            if share > 0.05:
                work += spent * (1 - share) / share
            else:
                work += max(self.seconds(rule) - spent, 0)
        at_once = max(1, busy / max(now - self.first, 1e-9))
        return work / at_once
