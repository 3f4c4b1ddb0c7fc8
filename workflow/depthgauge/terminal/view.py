"""A run in the terminal: one line per stage, redrawn in place; without a terminal, plain lines."""

import sys
import textwrap
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from . import joblog

_BAR = 24
_MARKS = {"waiting": ("○", "dim"), "running": ("●", "cyan"), "done": ("✓", "green")}
_MARKS |= {"failed": ("✗", "red")}


class View:
    """Shows the stages of a run until it is stopped.

    Parameters
    ----------
    progress : stages.Progress
    stream : text stream
        Where to; if it is no terminal, each stage has a line when it begins and one when it ends.
    logs : dict of job to path
        The logs of the jobs, filled by whoever tells ``progress`` of them.
    """

    def __init__(self, progress, logs, stream=None):
        self.progress, self.logs, self.note, self.stopped = progress, logs, "", False
        self.console = console(stream)
        self.live = None
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self.live = Live(console=self.console, get_renderable=self._drawn, refresh_per_second=2)
            self.live.start()

    def say(self, text, style=""):
        """Print lines that stay, above the stages."""
        self.console.print(Text(text, style))

    def began(self, stage):
        """Say that a stage has begun, where there is no terminal to show it."""
        if self.live is None:
            self.say(f"{stage}: begun, {jobs(self.progress.of(stage))}")

    def ended(self, stage):
        """Say that a stage has ended, where there is no terminal to show it."""
        if self.live is None:
            progress = self.progress
            spent = progress.of(stage, progress.spent)
            self.say(f"{stage}: done, {jobs(progress.of(stage))} in {duration(spent)}")

    def stop(self):
        """Leave the stages as they are."""
        self.stopped = True
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _drawn(self):
        now, progress = time.monotonic(), self.progress
        shares, lines = {}, []
        for job in list(progress.running):
            told = job in self.logs and joblog.progress(self.logs[job])
            if told:
                shares[job] = told
        for stage in progress.stages():
            lines.append(self._line(stage, shares, now))
        width = self.console.width - 1
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        if self.stopped:
            return Text("\n").join(lines)
        lines += [Text(f"    {line}") for line in textwrap.wrap(self.note, max(width - 4, 20))]
        left = progress.left(now, {job: done / of for job, (done, of, _) in shares.items()})
        if left and progress.running:
            lines.append(Text(f"    about {duration(left)} left", "dim"))
        return Text("\n").join(lines)

    def _line(self, stage, shares, now):
        progress = self.progress
        of, done = progress.of(stage), progress.of(stage, progress.done)
        running = {
            job: rule
            for job, (rule, _) in list(progress.running.items())
            if stage in progress.begun and progress.of(stage, {rule: 1})
        }
        state = "waiting"
        if stage in progress.ended:
            state = "done"
        elif progress.of(stage, progress.failed):
            state = "failed"
        elif stage in progress.begun:
            state = "running"
        mark, style = _MARKS[state]
        line = Text.assemble("  ", (mark, style), f" {stage:<16}")
        if state == "waiting":
            return line
        if state == "done":
            spent = progress.of(stage, progress.spent)
            return line.append(f"{jobs(of):<{_BAR + 2}}{duration(spent):>8}", "dim")
        parts = [(rule, *shares[job]) for job, rule in running.items() if job in shares]
        share = (done + sum(part / whole for _, part, whole, _ in parts)) / of
        full = round(share * _BAR)
        line.append("━" * full, style).append("─" * (_BAR - full), "dim")
        line.append(f"  {done} of {of}")
        if parts:
            rule, part, whole, rate = parts[0]
            network = f"{rule.removeprefix('features_')} " if stage == "features" else ""
            line.append(f"   {network}{part:,.0f} of {whole:,.0f}, {_rate(rate)}", "dim")
        return line


def console(stream=None):
    """Return where to write to: a terminal, where lines end between words, or a file, whole."""
    stream = stream or sys.stderr
    return Console(file=stream, highlight=False, soft_wrap=not stream.isatty())


def duration(seconds):
    """Return seconds as a person writes them: 8 s, 3:07, 2 h 05."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02d} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def jobs(count):
    """Return a number of jobs in words."""
    return "1 job" if count == 1 else f"{count:,} jobs"


def _rate(text):
    """Say tqdm's rate, ``24.1image/s``, in words."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz/ ")
    unit = text[len(number) :]
    if unit.endswith("/s"):
        return f"{number} {unit.removesuffix('/s')}s a second"
    return f"{number} seconds a {unit.removeprefix('s/')}"
