"""Several figures from one process, whose start takes longer than most of them."""

import logging
import shlex

import click

from .cli import main
from .errors import UserError
from .stage import call

log = logging.getLogger(__name__)


def draw(commands):
    """Run commands that draw figures, one after the other.

    Parameters
    ----------
    commands : sequence of str
        Each as one would type it after ``depthgauge``: the command, the path of its figure without
        suffix, and what follows.

    Raises
    ------
    UserError
        After all others are drawn, if figures could not be: it names each, and says why.
    """
    failed = []
    for line in commands:
        name, *words = shlex.split(line)
        figure = " ".join([name, *words[:1]])
        log.info("%s", figure)
        if name not in main.commands:
            raise UserError(f"{name}: there is no such command; `depthgauge --help` lists them.")
        try:
            command = main.commands[name]
            options = command.make_context(name, words).params
            options.pop("log")
            call(command.target, options)
        except (UserError, click.ClickException) as error:
            failed.append(f"{figure}: {error}")
        except MemoryError:
            raise
        except Exception:
            log.exception("%s: something unforeseen happened.", figure)
            failed.append(
                f"{figure}: something unforeseen happened; please report it with this log."
            )
    if failed:
        raise UserError("\n".join(failed))
