# What jobs ask for of memory, time and cores, and whether there is enough of it. No rule stands
# here. Beside each number stands what was measured, on two cores; Snakemake itself takes 270 MB of
# a job on a cluster.

from inspect import signature
from math import ceil

from depthgauge.capacity import check_disk, check_memory, disk_ahead

# What a thread does in a second at least, and a disk: half the rates of a slow machine.
FLOPS, BYTES = 20e9, 50e6


def per_attempt(amount):
    """What a job asks for: ``amount``, then twice as much if it has to be tried again, and so on.

    ``amount`` is a number or a function of the wildcards, and of the threads if it takes them.
    """
    if not callable(amount):
        return lambda wildcards, attempt: attempt * amount
    if "threads" in signature(amount).parameters:
        return lambda wildcards, threads, attempt: attempt * amount(wildcards, threads)
    return lambda wildcards, attempt: attempt * amount(wildcards)


def threads_up_to(most):
    """Threads of a job on a dataset: one where it is over before a second would be of use."""
    return lambda wildcards: 1 if IMAGES[wildcards.dataset] < 1000 else most


def image_threads(wildcards):
    """Threads that make images: small ones leave a core to the job that freezes the network."""
    kind = CONFIG["datasets"][wildcards.dataset]["kind"]
    return 1 if kind in ("synthetic", "digits", "mnist") else 4


def pairs_mb(dataset):
    """Megabytes of a dataset's condensed distances in float32."""
    return IMAGES[dataset] ** 2 * 2 // 10**6 + 1


def stack_mb(wildcards):
    """Megabytes of a dataset's pixels, at the size that an extractor takes."""
    size = CONFIG["extractors"][wildcards.extractor]["size"]
    return 3 * size**2 * IMAGES[wildcards.dataset] // 10**6 + 1


def distances_mb(wildcards):
    """Megabytes for all pairs, or a block, of a dataset.

    8 bytes a pair, and three panels of 20 kB an image, 32 MiB at least.
    """
    blocks = PLAN.blocks(wildcards.dataset)
    side = ceil(IMAGES[wildcards.dataset] / blocks)
    across = side if blocks == 1 else 2 * side
    sums = 8 * side**2 / (2 if blocks == 1 else 1)
    return ceil(600 + 1.2 * (sums + 62_000 * across) / 1e6)


def distances_minutes(wildcards, threads):
    """Minutes for all pairs, or a block, of the wildcards' layer, or of all of their extractor.

    Reading is included. Before the network is there, a layer is taken to be as wide as the paper's
    first.
    """
    side = ceil(IMAGES[wildcards.dataset] / PLAN.blocks(wildcards.dataset))
    network = network_file(".json")(wildcards)
    layers = [described(network, layer) for layer in layers_of(wildcards)]
    d = sum(341_056 if layer is None else layer["dim"] for layer in layers)
    seconds = 2 * side**2 * d / (threads * FLOPS) + 2 * side * d * 4 / BYTES
    return ceil(10 + seconds / 60)


def goodness_minutes(wildcards):
    """Minutes for the goodness of the wildcards' layer, or of all layers of their extractor."""
    extractor, pairs = wildcards.extractor, pairs_mb(wildcards.dataset)
    layers = layers_of(wildcards)
    readings = len(layers) * len(PLAN.poolings[extractor]) * len(PLAN.metrics)
    return 10 + readings * pairs * (10**4 + CONFIG["permutations"]) // 200_000


def check_capacity():
    """Stop if disk or memory cannot hold what the run's jobs are going to make."""
    jobs = [job for job in workflow.dag.jobs if workflow.dag.needrun(job)]
    cells = [
        (job.wildcards.dataset, job.wildcards.extractor, layer)
        for job in jobs
        if re.match("(distances|join_blocks)(_|$)", job.rule.name)
        for layer in layers_of(job.wildcards)
    ]
    made = [job.wildcards.dataset for job in jobs if job.rule.name == "dataset"]
    memory = {
        f"{job.rule.name} of {' '.join(job.wildcards)}": job.resources.mem_mb * 10**6
        for job in jobs
        if hasattr(job.wildcards, "layer")
    }
    try:
        check_disk("results", disk_ahead(PLAN, cells, made))
        if workflow.local_exec:
            check_memory(memory)
    except UserError as error:
        stop(error)


def warn_of_capacity():
    """Say before the first job, and in a dry run, what the whole plan would lack."""
    cells = [
        (dataset, extractor, layer)
        for dataset, extractor, layer in PLAN.cells()
        for name in PLAN.names(extractor, [layer])[:1]
        if not Path(
            DISTANCES.format(dataset=dataset, extractor=extractor, name=name)
        ).exists()
    ]
    try:
        check_disk("results", disk_ahead(PLAN, cells))
    except UserError as error:
        print(f"WARNING: the whole run does not fit here. {error}", file=sys.stderr)
