"""What a run could not fetch, said at its end."""

from pathlib import Path


def not_fetched(plan, results):
    """Return what could not be fetched and what to do about it, a line for each part concerned.

    Parameters
    ----------
    plan : depthgauge.plan.Plan
    results : path
        The folder of results.
    """
    lines = []
    for part, sources in plan.needed().items():
        files = {source.path: Path(results, "downloads", source.path) for source in sources}
        for file in files.values():
            if file.exists() and not file.stat().st_size:
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
