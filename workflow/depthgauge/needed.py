"""What a run needs fetched, where that lies, and what of it could not be had."""

from pathlib import Path

from . import datasets
from .networks.sources import network_sources


def needed(plan):
    """Return the files that each part of the config needs fetched.

    Parameters
    ----------
    plan : depthgauge.plan.Plan

    Returns
    -------
    dict of str to list of Source
        By ``datasets.NAME`` and ``extractors.NAME``. The path of a source is relative to the
        folder ``downloads`` of the results.
    """
    parts = {}
    for section, sources in (("datasets", datasets.sources), ("extractors", network_sources)):
        for name, spec in plan.config[section].items():
            parts[f"{section}.{name}"] = sources(name, spec)
    return parts


def left_out(plan, results):
    """Return the downloads without which a run went on: the paths of their empty files."""
    files = {source.path for sources in needed(plan).values() for source in sources}
    folder = Path(results, "downloads")
    return sorted(file for file in files if _is_empty(folder / file))


def not_fetched(plan, results):
    """Return what could not be fetched and what to do about it, a line for each part concerned."""
    lines = []
    for part, sources in needed(plan).items():
        files = {source.path: Path(results, "downloads", source.path) for source in sources}
        for file in files.values():
            if _is_empty(file):
                lines.append(
                    f"{part}: LEFT OUT is {file.name}, which could not be fetched. Try again by "
                    f"`snakemake --cores 1 --force {file}` (and the --configfile of this run)."
                )
        tried = [
            file.name
            for path, file in files.items()
            if not file.exists() and Path(results, "logs", "download", f"{path}.log").exists()
        ]
        if tried:
            lines.append(
                f"{part}: {len(tried)} of {len(files)} files could not be fetched "
                f"({', '.join(tried[:3])}{', ...' if len(tried) > 3 else ''}). Bring them by a "
                "`mirror`, give a path of your own where there is a key for one, or take "
                f"{part} out of the config. All else is made, and kept."
            )
    return lines


def _is_empty(file):
    return file.exists() and not file.stat().st_size
