"""What is wrong with a config that Snakemake itself cannot read."""

from ..config import read_config
from ..errors import UserError


def config_error(arguments):
    """Return what is wrong with the config files of a call of Snakemake, or "".

    Snakemake reads them before any code of a workflow is run, and names neither file nor line.

    Parameters
    ----------
    arguments : sequence of str
        Those of the call, such as ``--configfile FILE``.
    """
    option, files = "", []
    for word in arguments:
        if word.startswith("--"):
            option, _, word = word.partition("=")
        if word and option in ("--configfile", "--configfiles"):
            files.append(word)
    for file in files:
        try:
            read_config(file)
        except UserError as error:
            return str(error)
    return ""
