"""Several short commands from one process, whose start takes longer than most of them."""

import logging
import shlex

import click

from .cli import main
from .errors import UserError
from .stage import call

log = logging.getLogger(__name__)


def run_together(commands, *, threads=1):
    """Run commands one after the other.

    Parameters
    ----------
    commands : sequence of str
        Each as one would type it after ``depthgauge``: its name, the path of what it makes or
        reads first, and what follows.
    threads : int
        Given to those that take them.

    Raises
    ------
    UserError
        If there is no such command; or, after all others have run, if some failed: it names each,
        and says why.
    """
    failed = []
    for line in commands:
        name, *words = shlex.split(line)
        if name not in main.commands:
            raise UserError(f"{name}: there is no such command; `depthgauge --help` lists them.")
        what = " ".join([name, *words[:1]])
        log.info("%s", what)
        try:
            command = main.commands[name]
            options = command.make_context(name, words).params
            options.pop("log")
            if "threads" in options:
                options["threads"] = threads
            call(command.target, options)
        except (UserError, click.ClickException) as error:
            failed.append(f"{what}: {error}")
        except MemoryError:
            raise
        except Exception:
            log.exception("%s:", what)
            failed.append(f"{what}: something unforeseen happened; please report it with this log.")
    if failed:
        raise UserError("\n".join(failed))
