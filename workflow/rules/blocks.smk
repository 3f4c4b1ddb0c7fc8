# What the jobs of distances read and ask for, in one piece or in blocks. No rule stands here.

BLOCKS = {name: parts(count, CONFIG["block_images"]) for name, count in IMAGES.items()}

# What a thread does in a second at least, and a disk: half the rates of a slow machine.
FLOPS, BYTES = 20e9, 50e6


FOREIGN = set()


def shard_files(wildcards):
    """The shards of the wildcards' layer in all poolings, one pooling after the other."""
    return [
        file
        for pooling in POOLINGS[wildcards.extractor]
        for file in pooled_shards(wildcards, pooling)
    ]


def pooled_shards(wildcards, pooling):
    """The shards of the wildcards' layer in one pooling.

    Those on disk that are damaged, or were made from something else, are made anew, as
    Snakemake makes files anew that a job left incomplete. The job would refuse them.
    """
    name = readings.pooled_name(wildcards.layer, pooling)
    folder = f"results/features/{wildcards.dataset}/{wildcards.extractor}/{name}"
    files = {shard: f"{folder}/{shard}.npy" for shard in shards(wildcards.dataset)}
    network = network_of(wildcards.dataset, wildcards.extractor)
    sources = [
        f"results/datasets/{wildcards.dataset}/manifest.csv",
        f"{network}.pb",
        f"{network}.json",
    ]
    there = {shard: file for shard, file in files.items() if Path(file).exists()}
    if (
        there
        and all(Path(source).exists() for source in sources)
        and described(wildcards)
    ):
        own = described(wildcards)["poolings"]
        made_from = fingerprint(*sources) | {
            "layer": wildcards.layer,
            "pooling": pooling if pooling in own else "flat",
        }
        for shard, file in there.items():
            part, parts = map(int, shard.split("-of-"))
            if file not in FOREIGN and is_foreign(file, made_from, part, parts):
                FOREIGN.add(file)
                print(
                    f"{file}: damaged, or made from another manifest or network; made anew.",
                    file=sys.stderr,
                )
    workflow.dag.forcefiles.update(FOREIGN.intersection(files.values()))
    return list(files.values())


def network_graph(wildcards):
    """The network of the wildcards' dataset and extractor."""
    return network_of(wildcards.dataset, wildcards.extractor) + ".pb"


def described(wildcards):
    """The description of the wildcards' layer, or none before its network is there.

    One that was written before layers had poolings is made anew, and says nothing.
    """
    description = Path(network_layers(wildcards))
    if not description.exists():
        return None
    layers = json.loads(description.read_text())["layers"]
    own = (layer for layer in layers if layer["layer"] == wildcards.layer)
    return next((layer for layer in own if "poolings" in layer), None)


def dimension(wildcards):
    """Features an image; before the network is there, as many as the paper's first layer has."""
    layer = described(wildcards)
    return 341_056 if layer is None else layer["dim"]


def distances_mb(dataset, attempt):
    """Megabytes for all pairs, or a block, of a dataset.

    8 bytes a pair, and three panels of 20 kB an image, 32 MiB at least.
    """
    side = ceil(IMAGES[dataset] / BLOCKS[dataset])
    across = side if BLOCKS[dataset] == 1 else 2 * side
    sums = 8 * side**2 / (2 if BLOCKS[dataset] == 1 else 1)
    return attempt * ceil(600 + 1.2 * (sums + 62_000 * across) / 1e6)


def distances_minutes(wildcards, threads, attempt):
    """Minutes for all pairs, or a block, of a dataset, reading included."""
    side = ceil(IMAGES[wildcards.dataset] / BLOCKS[wildcards.dataset])
    d = dimension(wildcards)
    seconds = 2 * side**2 * d / (threads * FLOPS) + 2 * side * d * 4 / BYTES
    return attempt * ceil(10 + seconds / 60)


def datasets_in(blocks):
    """A pattern of the datasets of which the distances are made in one job, or in blocks."""
    names = [name for name, count in BLOCKS.items() if (count > 1) == blocks]
    return "|".join(names) or "(?!)"  # the latter matches nothing
