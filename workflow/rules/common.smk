# Names, sizes and files that the rules share. No rule stands here.

import ast
import json
import os
import re
import sys
from math import ceil
from pathlib import Path

PACKAGE = Path(workflow.basedir) / "workflow" / "depthgauge"
sys.path.insert(0, str(PACKAGE.parent))

from depthgauge import datasets
from depthgauge.config import checked_config
from depthgauge.datasets.picture import Source
from depthgauge.errors import UserError
from depthgauge.fingerprint import fingerprint, is_foreign
from depthgauge.networks.keras_weights import keras_weights
from depthgauge.networks.learned import check_learned, is_learned, learned_layers
from depthgauge import readings
from depthgauge.datasets.sampling import sample_size
from depthgauge.distances.tiles import parts
from snakemake.exceptions import WorkflowError

# Rules call `depthgauge`: the one of this checkout, under the Python of the active
# environment or else the one that runs Snakemake.
os.environ.update(
    PATH=os.pathsep.join(
        [
            str(PACKAGE.parent / "bin"),
            str(Path(sys.executable).parent),
            os.getenv("PATH", ""),
        ]
    )
)

# One switch for all caches: XDG_CACHE_HOME, which Snakemake itself and others follow already.
# With it nothing is written to a home, nor beside the code, which a node may find read-only.
caches = os.getenv("XDG_CACHE_HOME")
if caches:
    for variable, folder in (
        ("NUMBA_CACHE_DIR", "numba"),
        ("MPLCONFIGDIR", "matplotlib"),
        ("KERAS_HOME", "keras"),
    ):
        os.environ.setdefault(variable, os.path.join(caches, folder))

# Starting takes TensorFlow 12 s, 12,000 images some 270 s on eight cores
# (5.5 images/s each): less than 5 % of a job is spent on starting it.
SHARD_IMAGES = 12_000

# What the main process found out of the user's folders, which takes a minute for 200,000 files,
# is handed on to its jobs, which read this file as well.
FOUND = (
    {} if workflow.is_main_process else json.loads(os.getenv("DEPTHGAUGE_FOUND", "{}"))
)


def found(look, name, spec):
    """The result of ``look(name, spec)``, looked up once a run."""
    key = f"{look.__name__} {name}"
    if key not in FOUND:
        FOUND[key] = look(name, spec)
    return FOUND[key]


def labelled_images(name, spec):
    """Which images of a dataset have a label: all, some or none."""
    if spec["kind"] != "folder":
        return "all"
    classes = datasets.check_folder(spec["path"], spec["labels"], spec["unlabelled"])
    if "" not in classes:
        return "all"
    return "some" if len(classes) > 1 else "none"


try:
    CONFIG = checked_config(config)
    IMAGES = {
        name: found(datasets.image_count, name, spec)
        for name, spec in CONFIG["datasets"].items()
    }
    # Of a dataset with more than so many `pairs`, a sample takes the place of all images.
    SAMPLED = {}
    if CONFIG["pairs"] is not None:
        size = sample_size(CONFIG["pairs"])
        SAMPLED = {name: size for name, count in IMAGES.items() if count > size}
        IMAGES |= SAMPLED
    SOURCES = {
        name: datasets.sources(name, spec) for name, spec in CONFIG["datasets"].items()
    }
    LISTINGS = {
        name: found(datasets.fingerprint, name, spec)
        for name, spec in CONFIG["datasets"].items()
    }
    LABELLED, PARTLY_LABELLED = (
        [
            name
            for name, spec in CONFIG["datasets"].items()
            if found(labelled_images, name, spec) == which
        ]
        for which in ("all", "some")
    )
    os.environ.update(DEPTHGAUGE_FOUND=json.dumps(FOUND))
    for name, spec in CONFIG["extractors"].items():
        if spec["kind"] in ("autoencoder", "pca"):
            check_learned(name, spec, IMAGES)
except UserError as error:
    raise WorkflowError(str(error)) from None

# In the environment, not among the parameters of a rule: another mirror makes nothing anew.
if CONFIG["mirror"]:
    os.environ.update(DEPTHGAUGE_MIRROR=os.path.expanduser(CONFIG["mirror"]))


def layer_names(spec):
    """The layers of an extractor, from shallow to deep."""
    if spec["kind"] in ("autoencoder", "pca"):
        return learned_layers(spec)
    if spec["layers"] == "pooling":
        return ["pool", "mixed_3_pool", "mixed_8_pool", "pool_3"]
    return list(spec["layers"])


LAYERS = {name: layer_names(spec) for name, spec in CONFIG["extractors"].items()}

# How layers are read: the poolings of each extractor, and the metrics of all.
POOLINGS = {
    name: sorted(spec["poolings"], key=readings.POOLINGS.index)
    for name, spec in CONFIG["extractors"].items()
}
METRICS = sorted(CONFIG["metrics"], key=readings.METRICS.index)


# What rules are called that each extractor has for itself. Names of rules have no `-`; two that
# differ in nothing else are told apart by their places.
RULE_NAMES = {}
for place, name in enumerate(LAYERS, start=1):
    rule_name = name.replace("-", "_")
    RULE_NAMES[name] = (
        f"{rule_name}_{place}" if rule_name in RULE_NAMES.values() else rule_name
    )


def pooled_files(pattern, extractor, layers=None):
    """The files of an extractor's layers in all of its poolings, layer after layer.

    In ``pattern``, ``{name}`` stands for LAYER or LAYER.POOLING.
    """
    return expand(
        pattern,
        name=[
            readings.pooled_name(layer, pooling)
            for layer in layers or LAYERS[extractor]
            for pooling in POOLINGS[extractor]
        ],
        allow_missing=True,
    )


def layer_distances(wildcards):
    """The distances of the wildcards' layer, a file a pooling."""
    pattern = "results/distances/{dataset}/{extractor}/{name}.npy"
    return pooled_files(pattern, wildcards.extractor, [wildcards.layer])


def network_distances(wildcards):
    """The distances of all layers of the wildcards' extractor, in all poolings."""
    pattern = "results/distances/{dataset}/{extractor}/{name}.npy"
    return pooled_files(pattern, wildcards.extractor)


def first_distances(wildcards):
    """The distances of each layer of the wildcards' extractor in its first pooling."""
    count = len(POOLINGS[wildcards.extractor])
    files = expand(
        network_distances(wildcards),
        dataset=wildcards.dataset,
        extractor=wildcards.extractor,
    )
    return files[::count]


def rows_to_follow(layers, extractor="{extractor}"):
    """An input function: the files that tell the best reading of each layer, with labels."""

    def files(wildcards):
        if wildcards.dataset not in LABELLED:
            return []
        chosen = layers(wildcards) if callable(layers) else layers
        folder = f"results/nulls/{{dataset}}/{extractor}"
        return [f"{folder}/{layer}.csv" for layer in chosen]

    return files


def of_layer(wildcards):
    """The wildcards' layer, alone."""
    return [wildcards.layer]


def of_network(wildcards):
    """The layers of the wildcards' extractor."""
    return LAYERS[wildcards.extractor]


def reading_followed(wildcards, extractor=None):
    """The options that tell a command which reading of each layer to follow."""
    extractor = extractor or wildcards.extractor
    if wildcards.dataset in LABELLED:
        return f"--rows results/nulls/{wildcards.dataset}/{extractor}"
    return "--reading " + ".".join(readings.usual(POOLINGS[extractor], METRICS))


# All layers of all networks on all datasets.
CELLS = [
    f"{dataset}/{extractor}/{layer}"
    for dataset in CONFIG["datasets"]
    for extractor, layers in LAYERS.items()
    for layer in layers
]


LEARNED = {
    name: spec["kind"]
    for name, spec in CONFIG["extractors"].items()
    if is_learned(spec)
}


def learned_name(dataset, extractor):
    """The name of what an extractor learned: under that of the dataset that it learned from."""
    return f"{CONFIG['extractors'][extractor]['trained_on'] or dataset}/{extractor}"


def network_of(dataset, extractor):
    """The network of an extractor for a dataset, without the suffix of .pb, .json or .csv."""
    if extractor in LEARNED:
        return f"results/networks/{learned_name(dataset, extractor)}"
    return f"results/networks/{extractor}"


# What the autoencoders are trained for, as DATASET/EXTRACTOR.
TRAINED = sorted(
    {
        learned_name(dataset, extractor)
        for dataset in CONFIG["datasets"]
        for extractor, kind in LEARNED.items()
        if kind == "autoencoder"
    }
)


def network_layers(wildcards):
    """The description of the network of the wildcards' dataset and extractor."""
    return network_of(wildcards.dataset, wildcards.extractor) + ".json"


def network_sources(name, spec):
    """The files that an extractor needs fetched: one, or none."""
    if "url" in spec:
        urls = [spec["url"]] if isinstance(spec["url"], str) else spec["url"]
        checks = {"sha256": spec.get("sha256"), "size": spec.get("bytes")}
        return [Source(f"networks/{name}/{urls[0].rsplit('/', 1)[-1]}", urls, checks)]
    if spec["kind"] == "keras_application" and spec["weights"] == "imagenet":
        url, checks = keras_weights(name, spec)
        return [Source(f"networks/keras/{url.rsplit('/', 1)[-1]}", [url], checks)]
    return []


def own_files(name, spec):
    """The files of the user's that an extractor is made from."""
    given = {key: spec[key] for key in ("path", "weights") if spec.get(key)}
    if given.get("weights") == "imagenet":
        del given["weights"]
    for key, file in given.items():
        if not Path(file).is_file():
            raise UserError(f"extractors.{name}.{key}: there is no file {file}.")
    return list(given.values())


try:
    NETWORK_SOURCES = {
        name: network_sources(name, spec) for name, spec in CONFIG["extractors"].items()
    }
    OWN_FILES = {
        name: own_files(name, spec) for name, spec in CONFIG["extractors"].items()
    }
except UserError as error:
    raise WorkflowError(str(error)) from None

# What each part of the config needs fetched; and all of it by its place in the downloads.
NEEDED = {f"datasets.{name}": needed for name, needed in SOURCES.items()}
NEEDED |= {f"extractors.{name}": needed for name, needed in NETWORK_SOURCES.items()}
DOWNLOADS = {source.path: source for needed in NEEDED.values() for source in needed}


def downloaded(sources):
    """Where downloads are, as inputs of what is made from them.

    A file is held to its checksum, published or recorded: fetched again, it is the same, and
    nothing is made anew for its date. An optional one may have been an empty file before.
    """
    files = [(source, f"results/downloads/{source.path}") for source in sources]
    return [file if source.optional else ancient(file) for source, file in files]


def not_fetched():
    """What could not be fetched, and what to do about it: a line for each part concerned."""
    lines = []
    for part, needed in NEEDED.items():
        files = [Path(file) for file in downloaded(needed)]
        for file in files:
            if file.exists() and not file.stat().st_size:
                lines.append(
                    f"{part}: LEFT OUT is {file.name}, which could not be fetched. Try again by "
                    f"`snakemake --cores 1 --force {file}` (and the --configfile of this run)."
                )
        tried = [
            file.name
            for source, file in zip(needed, files)
            if not file.exists()
            and Path(f"results/logs/download/{source.path}.log").exists()
        ]
        if tried:
            lines.append(
                f"{part}: {len(tried)} of {len(files)} files could not be fetched "
                f"({', '.join(tried[:3])}{', ...' if len(tried) > 3 else ''}). Bring them by a "
                "`mirror`, give a path of your own where there is a key for one, or take "
                f"{part} out of the config. All else is made, and kept."
            )
    return lines


def modules(*names):
    """The files of modules of the package and of all that they import from it.

    Declared as inputs, they make a rule run again when its code has changed.
    """
    found, queue = set(), [PACKAGE / f"{name.replace('.', '/')}.py" for name in names]
    while queue:
        file = queue.pop()
        if file in found:
            continue
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = file.parents[node.level - 1].joinpath(
                    *(node.module or "").split(".")
                )
                candidates = [folder.with_suffix(".py"), folder / "__init__.py"]
                candidates += [folder / f"{alias.name}.py" for alias in node.names]
                queue += [candidate for candidate in candidates if candidate.is_file()]
    return sorted(os.path.relpath(file) for file in found)


def shards(dataset):
    """The parts in which a dataset's features are extracted, I-of-K."""
    count = max(1, ceil(IMAGES[dataset] / SHARD_IMAGES))
    return [f"{part}-of-{count}" for part in range(count)]


def unless_kept(path):
    """Features are large and can be made again: removed after use, unless kept on request."""
    return path if CONFIG["keep_features"] else temp(path)


def turn(dataset, extractor):
    """The priority of a cell's features, below that of what uses them up, from 9 down to 0."""
    cells = [(name, network) for name in CONFIG["datasets"] for network in LAYERS]
    return 9 * (1 - cells.index((dataset, extractor)) / len(cells))


def pairs_mb(dataset):
    """Megabytes of a dataset's condensed distances in float32."""
    return IMAGES[dataset] ** 2 * 2 // 10**6 + 1


def growing(amount):
    """What a job asks for: ``amount``, then twice as much if it has to be tried again, and so on.

    ``amount`` is a number or a function of the wildcards. Beside each stands what was measured,
    on two cores; Snakemake itself takes 270 MB of a job on a cluster.
    """
    if callable(amount):
        return lambda wildcards, attempt: attempt * amount(wildcards)
    return lambda wildcards, attempt: attempt * amount


def threads_up_to(most):
    """Threads of a job on a dataset: one where it is over before a second would be of use."""
    return lambda wildcards: 1 if IMAGES[wildcards.dataset] < 1000 else most


def image_threads(wildcards):
    """Threads that make images: small ones leave a core to the job that freezes the network."""
    kind = CONFIG["datasets"][wildcards.dataset]["kind"]
    return 1 if kind in ("synthetic", "digits", "mnist") else 4


def per_layer(pattern):
    """The files of all layers of the wildcards' dataset and extractor, in depth order."""

    def files(wildcards):
        return expand(pattern, layer=LAYERS[wildcards.extractor], allow_missing=True)

    return files


def learned_as(kind):
    """The names of the extractors of a kind, for a wildcard; where there is none, no name."""
    return "|".join(name for name in LEARNED if LEARNED[name] == kind) or "(?!)"


def to_learn(extractor):
    """What the config says of an extractor, less what changes nothing about what is learned."""
    spec = CONFIG["extractors"][extractor]
    return {k: spec[k] for k in spec if k not in ("layers", "trained_on", "poolings")}


def stack_mb(wildcards):
    """Megabytes of a dataset's pixels, at the size that an extractor takes."""
    size = CONFIG["extractors"][wildcards.extractor]["size"]
    return 3 * size**2 * IMAGES[wildcards.dataset] // 10**6 + 1


def probed(extractor):
    """What the linear probe is of: the last layer, averaged where that is among the poolings."""
    poolings = POOLINGS[extractor]
    pooling = "mean" if "mean" in poolings else poolings[0]
    return readings.pooled_name(LAYERS[extractor][-1], pooling)


def of_kind(kind, pattern):
    """An input function: a file for each dataset of a kind, and each extractor."""

    def files(wildcards):
        names = [
            name for name, spec in CONFIG["datasets"].items() if spec["kind"] == kind
        ]
        if not names:
            raise WorkflowError(f"No dataset of the config is of the kind {kind}.")
        return expand(pattern, dataset=names, extractor=LAYERS)

    return files


def claims_file():
    """The file of claims, in the folder of the run or else beside the Snakefile; or none."""
    if CONFIG["claims"] is None:
        return []
    places = [Path(CONFIG["claims"]), Path(workflow.basedir) / CONFIG["claims"]]
    for place in places:
        if place.is_file():
            return str(place)
    raise WorkflowError(f"claims: there is no file {CONFIG['claims']}.")
