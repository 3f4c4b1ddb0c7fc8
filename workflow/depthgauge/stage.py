"""What makes a function of the package a command: a log, and errors that a person can read."""

import ast
import functools
import logging
import sys
from contextlib import ExitStack, contextmanager
from copy import copy
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from . import quiet
from .errors import UserError


class Stages(click.Group):
    """A group of commands, each of which imports its own stage only, when it is run."""

    def stage(self, target):
        """Return a decorator that declares a command, which calls a function of the package.

        What is decorated lends the command its name, its options and its docstring. Arguments and
        options are given to the function by their names; one that is left out is left to the
        function's own default, which the help shows.

        Parameters
        ----------
        target : str
            The function, such as ``figures.heatmap:heatmap_figure``.
        """

        def command(declared):
            @functools.wraps(declared)
            def run(log, **options):
                with _told(declared.__name__, log):
                    return call(target, options)

            file = click.Path(dir_okay=False, path_type=Path)
            log = click.option("--log", type=file, help="Also write what happened to this file.")
            return self.command(cls=Stage, target=target)(log(run))

        return command


class Stage(click.Command):
    """A command of ``Stages``; ``target`` names the function that it calls."""

    def __init__(self, *args, target, **options):
        super().__init__(*args, **options)
        self.target = target

    def format_options(self, ctx, formatter):
        shown = copy(self)
        shown.params = [copy(option) for option in self.params]
        defaults = signature(self.target)
        for option in shown.params:
            default = defaults.get(option.name)
            if default and default is not ... and not option.show_default:
                option.default, option.show_default = default, True
        super(Stage, shown).format_options(ctx, formatter)


def call(target, options):
    """Call a function of the package, MODULE:FUNCTION, with those of ``options`` that are given."""
    module, _, name = target.partition(":")
    function = getattr(import_module(f".{module}", __package__), name)
    return function(**{k: v for k, v in options.items() if v not in (None, ())})


def signature(target):
    """Return the parameters of a function of the package, without importing its module.

    Parameters
    ----------
    target : str
        MODULE:FUNCTION.

    Returns
    -------
    dict of str to object
        The default of each parameter, as it is written where it is no literal; Ellipsis, where it
        has none.
    """
    module, _, name = target.partition(":")
    source = Path(find_spec(f".{module}", __package__).origin).read_text(encoding="utf-8")
    body = ast.parse(source).body
    (given,) = [node.args for node in body if getattr(node, "name", None) == name]
    # What a name stands for, where the module gives it to a literal.
    assigned = [node for node in body if isinstance(node, ast.Assign)]
    known = {ast.unparse(node.targets[0]): node.value for node in assigned}
    names = [argument.arg for argument in given.args + given.kwonlyargs]
    defaults = [None] * (len(given.args) - len(given.defaults)) + given.defaults + given.kw_defaults
    return {
        name: ... if default is None else _value(known.get(ast.unparse(default), default))
        for name, default in zip(names, defaults, strict=True)
    }


def _value(node):
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


@contextmanager
def _told(name, log):
    """Log to the terminal and to the file ``log``; on an error say what it is, and exit.

    In a run of which another process draws the terminal, all goes to the file alone.
    """
    with ExitStack() as stack:
        handlers = []
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            if quiet.is_quiet():
                stack.enter_context(quiet.into(log))
            else:
                handlers.append(logging.FileHandler(log, mode="w", encoding="utf-8"))
        handlers.append(logging.StreamHandler())
        logging.getLogger("depthgauge").setLevel(logging.INFO)  # libraries warn only
        logging.basicConfig(
            format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", handlers=handlers
        )
        logger = logging.getLogger(f"depthgauge.{name}")
        try:
            yield
        except UserError as error:
            logger.error("%s", error)
            sys.exit(1)
        except click.Abort:
            sys.exit("Nothing more was done.")
        except MemoryError:
            logger.error("Out of memory. Give the job more (mem_mb), or fewer threads.")
            sys.exit(1)
        except Exception:
            logger.exception("Something unforeseen happened; please report it with this log.")
            sys.exit(2)
