"""Whether disk and memory suffice for a run: estimated and said before it starts."""

import os
import shutil
from pathlib import Path

import numpy as np

from .described import read_layers
from .errors import UserError
from .readings import layer_poolings, pooled

# The paper's four layers, which `pooling` stands for at the size that Inception-v3 was made for.
POOLING = (341_056, 83_232, 49_152, 2_048)
# Of one JPEG, about; small beside its features.
IMAGE_BYTES = 40_000

REMEDIES = (
    "Free some or go to a larger place (`snakemake --directory`), or change the config: "
    "`features_dtype: float16` halves the features, `keep_features: false` removes them after use, "
    "`pairs: 1000000` takes a sample of 1,415 images of each larger dataset; or take fewer images "
    "(`images`, `per_class`) or fewer of the shallow layers, which are the wide ones."
)


# Jobs of a run at most: Snakemake plans so many in about half a minute.
MOST_JOBS = 10_000
# Days that one job may take, by what two cores do in a second. 9,999 permutations of 4,000 images
# took 36 s; points of a labelling curve take half of what `label_accuracy` asks for.
MOST_DAYS = 30
PERMUTED_PAIRS, LABELLED_IMAGES = 2e9, 1000


def check_work(plan):
    """Hold the work of a run against what anybody waits for, before its jobs are thought of.

    Parameters
    ----------
    plan : depthgauge.plan.Plan

    Raises
    ------
    UserError
        If there are more than 10,000 jobs, or if one of them would take more than 30 days: with
        the key that counts too far.
    """
    for dataset in plan.datasets:
        images, blocks = plan.images[dataset], plan.blocks(dataset)
        matrices = sum(len(plan.layers[extractor]) for extractor in plan.layers)
        jobs = len(plan.shards(dataset)) * len(plan.layers)
        jobs += matrices * (blocks * (blocks + 1) // 2 if blocks > 1 else 1)
        if jobs > MOST_JOBS:
            raise UserError(
                f"datasets.{dataset}: {images:,} images at {matrices} layers make {jobs:,} jobs, "
                f"and {MOST_JOBS:,} can be planned. Take fewer images, a sample of them (`pairs: "
                f"1000000`) or larger blocks (`block_images: {plan.config['block_images']}` now)."
            )
        if plan.labelled[dataset] != "all":
            continue
        permutations, splits = plan.config["permutations"], plan.config["label_splits"]
        counts = plan.config["labels_per_class"]
        permuted = images**2 / 2 * permutations
        readings = max(map(len, plan.poolings.values())) * len(plan.metrics)
        for key, value, seconds in (
            ("permutations", permutations, readings * permuted / PERMUTED_PAIRS),
            ("label_splits", splits, splits * len(counts) * images / LABELLED_IMAGES),
        ):
            if seconds > MOST_DAYS * 86_400:
                raise UserError(
                    f"{key}: {value:,} take a job some {seconds / 86_400:,.0f} days for the "
                    f"{images:,} images of {dataset}; expected {MOST_DAYS} days at most. Give a "
                    f"smaller number, or fewer images (`pairs: 1000000` takes a sample)."
                )


def feature_bytes(images, dims, dtype="float32"):
    """Return the bytes that the features of ``images`` images take at layers of ``dims``."""
    return images * sum(dims) * np.dtype(dtype).itemsize


def distance_bytes(images):
    """Return the bytes of the condensed distances of ``images`` images in single precision."""
    return images * (images - 1) // 2 * 4


def known_dims(plan, dataset, extractor, results):
    """Return the values that an extractor gives of an image, at each layer and pooling.

    They are those of its network once that is there; before, those of the layers read flat, as far
    as the config states them. Means are small.
    """
    described = Path(results, f"{plan.network(dataset, extractor)}.json")
    poolings = plan.poolings[extractor]
    layers = []
    if described.exists():
        layers = read_layers(described)
    if layers and all("poolings" in layer for layer in layers):  # not of an earlier version
        return [
            pooled(layer, pooling)["dim"]
            for layer in layers
            for pooling in layer_poolings(layer, poolings)
        ]
    spec = plan.config["extractors"][extractor]
    if "flat" not in poolings:
        return []
    if spec.get("layers") == "pooling" and spec.get("size", 299) == 299:
        return POOLING
    return [spec.get("dims", {}).get(layer, 0) for layer in plan.layers[extractor]]


def disk_ahead(plan, cells, datasets=(), *, results="results"):
    """Return the bytes that a run is going to write and that lie there at the same time.

    Parameters
    ----------
    plan : depthgauge.plan.Plan
    cells : sequence of (dataset, extractor, layer)
        Of which the distances are yet to be made.
    datasets : sequence of str
        Of which the images are.
    results : path

    Returns
    -------
    dict of str to int
        By what they are, as ``check_disk`` takes them.
    """
    features = {}
    for dataset, extractor in {cell[:2] for cell in cells}:
        dims = known_dims(plan, dataset, extractor, results)
        needed = feature_bytes(plan.images[dataset], dims, plan.config["features_dtype"])
        there = bytes_under(Path(results, "features", dataset, extractor))
        features[f"features of {dataset} by {extractor}"] = max(0, needed - there)
    if features and not plan.config["keep_features"]:  # those of one cell at a time
        largest = max(features, key=features.get)
        features = {largest: features[largest]}
    matrices = [
        (dataset, distance_bytes(plan.images[dataset]) * len(plan.poolings[extractor]))
        for dataset, extractor, _ in cells
    ]
    largest = max((distance_bytes(plan.images[dataset]) for dataset, *_ in cells), default=0)
    return features | {
        "distances": sum(count for _, count in matrices),
        "distances by angle, while they are looked at": largest * ("angle" in plan.metrics),
        # Until they are joined, the blocks of a matrix lie beside it.
        "blocks of distances": max(
            (count for dataset, count in matrices if plan.blocks(dataset) > 1), default=0
        ),
        "images": sum(plan.images[dataset] for dataset in datasets) * IMAGE_BYTES,
    }


def bytes_under(folder):
    """Return the bytes of all files under ``folder``; 0 where there is none."""
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())


def check_disk(folder, needs, *, free=None):
    """Hold what is going to be written against the disk that is free.

    Parameters
    ----------
    folder : path
        Where; if it does not exist yet, the nearest folder above it that does is looked at.
    needs : dict of str to int
        Bytes that are yet to be written and will lie there at the same time, by what they are.
    free : int, optional
        Free bytes, instead of those that the system tells.

    Raises
    ------
    UserError
        If more is needed than is free: with both numbers, the largest needs and remedies.
    """
    folder = Path(folder).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free if free is None else free
    needed = sum(needs.values())
    if needed > free:
        largest = sorted(needs.items(), key=lambda need: -need[1])[:4]
        raise UserError(
            f"{folder}: {size(needed)} of disk are needed there and {size(free)} are free: "
            f"{', '.join(f'{what} {size(count)}' for what, count in largest if count)}. {REMEDIES}"
        )


def check_memory(needs, *, total=None):
    """Hold the largest job against the memory of this machine.

    Parameters
    ----------
    needs : dict of str to int
        Bytes that each job needs, by what it does.
    total : int, optional
        Bytes of memory, instead of those that the system tells.

    Raises
    ------
    UserError
        If there is less: with both numbers, the job and remedies.
    """
    if total is None:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    what, needed = max(needs.items(), key=lambda need: need[1], default=("", 0))
    if needed > total:
        raise UserError(
            f"{what}: needs about {size(needed)} of memory, and this machine has {size(total)}. "
            "Memory grows with the square of the number of images: change the config to take "
            "fewer (`images`, `per_class`) or a sample of them (`pairs: 1000000` takes 1,415 "
            "images of each larger dataset), or use a larger machine."
        )


def check_features_disk(outputs, images, dims, dtype, *, free=None):
    """Before the first image: whether all layers of a dataset find room beside one another.

    Parameters
    ----------
    outputs : list of path
        A shard of each layer, in the folder of all shards of that layer.
    images : int
        Of the whole dataset.
    dims : list of int
        Of the layers.
    dtype : str
    free : int, optional
        As for ``check_disk``.

    Raises
    ------
    UserError
        As ``check_disk``.
    """
    folders = [Path(output).parent for output in outputs]
    there = sum(bytes_under(folder) for folder in folders)
    needed = feature_bytes(images, dims, dtype) - there
    what = f"features of {images:,} images with {sum(dims):,} values each"
    check_disk(folders[0], {what: max(0, needed)}, free=free)


def size(count):
    """Return a number of bytes as a person writes it."""
    for unit, bytes_of_it in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= bytes_of_it:
            return f"{count / bytes_of_it:.3g} {unit}"
    return f"{count / 1e3:.3g} kB"
