# Room: what a run is going to take of disk and memory, held against what there is.

import atexit

from depthgauge.room import (
    IMAGE_BYTES,
    POOLING,
    bytes_under,
    check_disk,
    check_memory,
    distance_bytes,
    feature_bytes,
)


def known_dims(dataset, extractor):
    """Dimensions of an extractor's layers, as far as they are known before it is frozen."""
    described = Path(f"{network_of(dataset, extractor)}.json")
    poolings = POOLINGS[extractor]
    if described.exists():
        try:
            return [
                readings.pooled(layer, pooling)["dim"]
                for layer in json.loads(described.read_text())["layers"]
                for pooling in readings.layer_poolings(layer, poolings)
            ]
        except KeyError:  # written before layers had poolings; made anew
            return []
    spec = CONFIG["extractors"][extractor]
    if "flat" not in poolings:
        return []  # means are small
    if spec.get("layers") == "pooling" and spec.get("size", 299) == 299:
        return POOLING
    stated = spec.get("dims", {})
    return [stated.get(layer, 0) for layer in LAYERS[extractor]]


def disk_ahead(jobs):
    """Bytes that the jobs are going to write, by what they are, where it is much."""
    made = {"distances": [], "join_blocks": []}
    for job in jobs:
        for stage, wildcards in made.items():
            if f"{job.rule.name}_".startswith(f"{stage}_"):
                wildcards.append(job.wildcards)
    matrices = made["distances"] + made["join_blocks"]
    features = {}
    for dataset, extractor in {(m.dataset, m.extractor) for m in matrices}:
        dims = known_dims(dataset, extractor)
        needed = feature_bytes(IMAGES[dataset], dims, CONFIG["features_dtype"])
        there = bytes_under(f"results/features/{dataset}/{extractor}")
        features[f"features of {dataset} by {extractor}"] = max(0, needed - there)
    if features and not CONFIG["keep_features"]:  # those of one cell at a time
        largest = max(features, key=features.get)
        features = {largest: features[largest]}
    images = sum(
        IMAGES[job.wildcards.dataset] for job in jobs if job.rule.name == "dataset"
    )
    return features | {
        "distances": sum(
            distance_bytes(IMAGES[m.dataset]) * len(POOLINGS[m.extractor])
            for m in matrices
        ),
        "distances by angle, while they are looked at": max(
            (distance_bytes(IMAGES[m.dataset]) for m in matrices), default=0
        )
        * ("angle" in METRICS),
        # Until they are joined, the blocks of a matrix lie beside it.
        "blocks of distances": max(
            (
                distance_bytes(IMAGES[m.dataset]) * len(POOLINGS[m.extractor])
                for m in made["join_blocks"]
            ),
            default=0,
        ),
        "images": images * IMAGE_BYTES,
    }


def memory_ahead(jobs):
    """Bytes of memory of the jobs on a matrix, which grow with the square of the images."""
    return {
        f"{job.rule.name} of {' '.join(job.wildcards)}": job.resources.mem_mb * 10**6
        for job in jobs
        if hasattr(job.wildcards, "layer")
    }


def check_room():
    """Raise a WorkflowError if disk or memory cannot hold what is going to be made."""
    jobs = [job for job in workflow.dag.jobs if workflow.dag.needrun(job)]
    try:
        check_disk("results", disk_ahead(jobs))
        if workflow.local_exec:
            check_memory(memory_ahead(jobs))
    except UserError as error:
        raise WorkflowError(str(error)) from None


def warn_of_room():
    """After the plan of a dry run, say what would stop the run itself."""
    try:
        if workflow.dryrun and workflow.dag:
            check_room()
    except WorkflowError as error:
        print(f"WARNING: this will not run. {error}", file=sys.stderr)


atexit.register(warn_of_room)
