"""Several commands from one process: each as by itself, and those that fail by name."""

import shlex

import pytest
from click.testing import CliRunner
from depthgauge.cli import main
from depthgauge.errors import UserError
from depthgauge.tables import write_table
from depthgauge.together import run_together
from pandas import DataFrame


@pytest.fixture
def history(tmp_path):
    """A table of which a learning curve is drawn."""
    table = DataFrame({"epoch": [1, 2], "training": [0.2, 0.1], "validation": [0.3, 0.2]})
    table = table.assign(kept=[False, True], mean_image=0.4, train_images=9, validation_images=1)
    write_table(table, tmp_path / "history.csv")
    return tmp_path / "history.csv"


def test_figures_are_those_of_their_commands(history, tmp_path):
    words = ["learning-curve", str(tmp_path / "one"), str(history), "--title=it's a title"]
    again = ["learning-curve", str(tmp_path / "two"), str(history), "--seed=2"]
    assert CliRunner().invoke(main, words).exit_code == 0
    alone = {end: (tmp_path / f"one.{end}").read_bytes() for end in ("png", "pdf", "csv")}
    log = tmp_path / "log"
    done = CliRunner().invoke(
        main, ["together", shlex.join(again), shlex.join(words), f"--log={log}"]
    )
    assert done.exit_code == 0, done.output
    assert {end: (tmp_path / f"one.{end}").read_bytes() for end in alone} == alone
    assert (tmp_path / "two.png").stat().st_size > 0


def test_figures_that_fail_are_named_and_the_others_drawn(history, tmp_path, monkeypatch):
    lines = [
        f"learning-curve {tmp_path / 'lacking'} {tmp_path / 'nothing.csv'}",
        f"learning-curve {tmp_path / 'odd'} {history} --no-such-option",
        f"reconstructions {tmp_path / 'broken'} {history} --latent 3",
        f"learning-curve {tmp_path / 'whole'} {history}",
    ]

    def fail(*_, **__):
        raise KeyError("a slip")

    monkeypatch.setattr("depthgauge.figures.reconstructions.reconstructions_figure", fail)
    with pytest.raises(UserError) as raised:
        run_together(lines)
    first, second, third = str(raised.value).splitlines()
    assert "learning-curve" in first and "lacking: " in first and "nothing.csv" in first
    assert "odd: " in second and "--no-such-option" in second
    assert "broken: " in third and "report" in third
    assert (tmp_path / "whole.png").stat().st_size > 0


def test_there_are_figures_only_of_commands(tmp_path):
    with pytest.raises(UserError, match="there is no such command"):
        run_together([f"portrait {tmp_path / 'stem'}"])
