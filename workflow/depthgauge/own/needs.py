"""What a run will take: bytes to fetch, minutes and disk, as far as can be told before it."""

from pathlib import Path
from shutil import disk_usage

from ..capacity import disk_ahead, feature_bytes, size

# Values of a layer that is read whole, where the config does not say: about half of what a network
# has near its input.
_WIDE = 100_000
# Bytes for each network beside features, distances and images: its graph and the figures.
_BESIDE = 20_000_000


class Needs:
    """What a run needs, as far as can be told before it: bytes to fetch and of disk, and minutes.

    ``fetched`` is None where the size of a download is not known beforehand.
    """

    def __init__(self, plan, results, cores):
        there = Path(results, "downloads")
        sources = [one for one in plan.downloads().values() if not (there / one.path).exists()]
        sizes = [source.checks.get("size") for source in sources]
        self.sources = sources
        self.fetched = None if None in sizes else sum(sizes)
        disk = disk_ahead(plan, plan.cells(), plan.datasets, results=results)
        wide = max(
            (
                feature_bytes(max(plan.images.values()), [_WIDE] * len(plan.layers[name]))
                for name, spec in plan.config["extractors"].items()
                if isinstance(spec.get("layers"), int | str) and "flat" in plan.poolings[name]
            ),
            default=0,
        )
        features = max((n for what, n in disk.items() if what.startswith("features")), default=0)
        self.disk = sum(disk.values()) + max(wide - features, 0) + _BESIDE * len(plan.layers)
        top = Path(results).absolute()
        while not top.exists():
            top = top.parent
        self.free = disk_usage(top).free
        # Some of it waits for some other: not all cores work all the time.
        self.minutes = (20 + 1.3 * _seconds(plan) / cores) / 60


def plan_lines(plan, needs, file):
    """Return what is to be said of a run before it."""
    lines = []
    if plan.sampled:
        (count,) = {plan.images[name] for name in plan.sampled}
        lines.append(f"a sample of {count:,} pictures is measured, chosen class by class")
    networks, controls = [], plan.controls()
    for name, layers in plan.layers.items():
        depths = f"{len(layers)} {'depth' if len(layers) == 1 else 'depths'}"
        networks.append(f"{name}{' (control)' if name in controls else ''}, {depths}")
    lines.append(f"networks: {'; '.join(networks)}")
    readings = {"flat": "all values", "mean": "averages over the picture", "cls": "class token"}
    used = dict.fromkeys(pooling for names in plan.poolings.values() for pooling in names)
    lines.append(
        f"each depth read as {' and '.join(readings[name] for name in used)}, compared by "
        f"{' and by '.join({'euclidean': 'distance', 'angle': 'angle'}[m] for m in plan.metrics)}"
    )
    if needs.sources:
        names = ", ".join(Path(source.path).name for source in needs.sources)
        how_much = "size not known beforehand" if needs.fetched is None else size(needs.fetched)
        lines.append(f"to fetch: {names} ({how_much})")
    minutes = max(1, round(needs.minutes))
    lines.append(
        f"about {minutes} {'minute' if minutes == 1 else 'minutes'}, {size(needs.disk)} of disk "
        f"while it runs. Config: {file}"
    )
    return lines


def _seconds(plan):
    """Return about how many seconds of one core a run takes.

    From runs of 80 to 330 pictures through networks of 224 x 224 pixels; what grows with the pairs
    of images, from what was measured of 4,000 and more beside the rules' resources.
    """
    total = 20
    for dataset in plan.datasets:
        thousand = plan.images[dataset] / 1000
        total += 10 + 60 * thousand  # the features advised, extracted again
        for name, spec in plan.config["extractors"].items():
            wide = spec.get("size", 224)
            pixels = (wide if isinstance(wide, int) else max(wide)) ** 2 / 224**2
            each = 10 if name in plan.learned else 60 * pixels
            total += 30 + 25 * thousand**2 + each * thousand
            total += len(plan.layers[name]) * (3.5 + 8 * thousand**2)
    return total
