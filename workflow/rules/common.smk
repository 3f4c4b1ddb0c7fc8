# What the rules share: the plan of the run, and its files by the wildcards of a job. No rule
# stands here.

import json
import os
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

from depthgauge import datasets, readings
from depthgauge.cli import main as depthgauge_command
from depthgauge.code import code_digest
from depthgauge.described import read_layers
from depthgauge.errors import UserError
from depthgauge.figures.kinds import SHOWN
from depthgauge.fingerprint import fingerprint, is_foreign, sha256
from depthgauge.networks.dims import check_dims
from depthgauge.not_fetched import not_fetched
from depthgauge.plan import SHARD_IMAGES, make_plan, own_contents
from depthgauge.quiet import is_quiet
from depthgauge.report.claims_file import find_claims
from snakemake.logging import logger

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

# What the main process found out of the user's folders, which takes a minute for 200,000 files,
# is handed on to the jobs, which read this file as well. Snakemake has no other way for it.
FOUND = (
    {} if workflow.is_main_process else json.loads(os.getenv("DEPTHGAUGE_FOUND", "{}"))
)

try:
    PLAN = make_plan(config, FOUND)
    CONFIG, IMAGES = PLAN.config, PLAN.images
    NEEDED = PLAN.needed()
    CONTENTS = own_contents(PLAN, FOUND)
    for name, spec in CONFIG["extractors"].items():
        # A network that is there is not made again for `dims`: it is held to them here.
        frozen = Path(f"results/{PLAN.network(PLAN.datasets[0], name)}.json")
        layers = read_layers(frozen) if frozen.exists() else []
        if [layer["layer"] for layer in layers] == PLAN.layers[name]:
            check_dims(name, spec.get("dims", {}), layers)
except UserError as error:
    stop(error)
os.environ.update(DEPTHGAUGE_FOUND=json.dumps(FOUND))

# In the environment, not among the parameters of a rule: another mirror makes nothing anew.
if CONFIG["mirror"]:
    os.environ.update(DEPTHGAUGE_MIRROR=os.path.expanduser(CONFIG["mirror"]))


def rule_names(names):
    """By name a name for a rule, in which there is no `-`.

    Names that have one, and so may come to be others, are told apart by their places.
    """
    found = {name: name for name in names if "-" not in name}
    for place, name in enumerate(names, start=1):
        rule_name = name.replace("-", "_")
        while name not in found and rule_name in found.values():
            rule_name += f"_{place}"
        found.setdefault(name, rule_name)
    return found


LABELLED = PLAN.with_labels("all")
DOWNLOADS = PLAN.downloads()

# What rules are called that each extractor, or each dataset, has for itself.
RULE_NAMES = rule_names(PLAN.layers)
RULE_NAMES_OF_DATASETS = rule_names(PLAN.datasets)


def code(*parts):
    """A parameter that changes, and makes a rule run again, when what a command does is changed.

    ``parts`` are the commands and, with a slash, other files of the package that they read.
    """
    read = [
        (
            part
            if "/" in part
            else depthgauge_command.commands[part].target.partition(":")[0]
        )
        for part in parts
    ]
    return lambda wildcards: code_digest(*read)


def dataset_code(wildcards):
    """What makes the images of the wildcards' dataset: the code of its kind, not of all kinds."""
    kind = CONFIG["datasets"][wildcards.dataset]["kind"]
    sampling = ["datasets.sampling"] if wildcards.dataset in PLAN.sampled else []
    return code_digest(
        "datasets/__init__.py",
        f"datasets.{kind}",
        "datasets.jpeg",
        "datasets.copies",
        *sampling,
    )


def seed_of_dataset(wildcards):
    """The run's seed where images are drawn by it; else all seeds give the same dataset."""
    spec = CONFIG["datasets"][wildcards.dataset]
    drawn = (
        spec["kind"] == "synthetic"
        or spec.get("per_class")
        or spec.get("choose") == "stratified"
        or wildcards.dataset in PLAN.sampled
    )
    return CONFIG["seed"] if drawn else 0


def permuted(wildcards):
    """What changes labels: as the config says; of a folder, as its groups demand."""
    own = CONFIG["datasets"][wildcards.dataset]["kind"] == "folder"
    return CONFIG["permute"].get(wildcards.dataset, "auto" if own else "images")


def in_results(files):
    """Paths of the plan, as paths of the run."""
    return [f"results/{file}" for file in files]


def of_cells(pattern, datasets=None):
    """The files of all layers of all networks, of all datasets or some."""
    return [
        pattern.format(dataset=dataset, extractor=extractor, layer=layer)
        for dataset, extractor, layer in PLAN.cells(datasets)
    ]


def per_layer(pattern):
    """An input function: a file for each layer of the wildcards' extractor, in depth order."""
    return lambda wildcards: expand(
        pattern, layer=PLAN.layers[wildcards.extractor], allow_missing=True
    )


def pooled_files(pattern, extractor, layers=None):
    """The files of an extractor's layers in all of its poolings, layer after layer.

    In ``pattern``, ``{name}`` stands for LAYER or LAYER.POOLING.
    """
    return expand(pattern, name=PLAN.names(extractor, layers), allow_missing=True)


# Distances of a layer in one of its poolings; {name} is LAYER or LAYER.POOLING.
DISTANCES = "results/distances/{dataset}/{extractor}/{name}.npy"

# What is written of a layer's goodness, and the option that says where.
MEASURED = {
    "null": "results/nulls/{dataset}/{extractor}/{layer}.npy",
    "row": "results/nulls/{dataset}/{extractor}/{layer}.csv",
    "classes": "results/nulls/{dataset}/{extractor}/{layer}.classes.csv",
    "images": "results/nulls/{dataset}/{extractor}/{layer}.images.csv",
    "halves": "results/nulls/{dataset}/{extractor}/{layer}.halves.csv",
}


def layers_of(wildcards):
    """The wildcards' layer; if they have none, all of their extractor, from shallow to deep."""
    if hasattr(wildcards, "layer"):
        return [wildcards.layer]
    return PLAN.layers[wildcards.extractor]


def layer_distances(wildcards):
    """The distances of the wildcards' layer, or of all of their extractor, in all poolings."""
    return pooled_files(DISTANCES, wildcards.extractor, layers_of(wildcards))


def first_poolings(wildcards, input):
    """Of the distances of a network those of each layer in its first pooling."""
    return input.distances[:: len(PLAN.poolings[wildcards.extractor])]


def rows_to_follow(wildcards):
    """The files that tell the best reading of the wildcards' layer, or of all, with labels."""
    if wildcards.dataset not in LABELLED:
        return []
    rows = "results/nulls/{{dataset}}/{{extractor}}/{layer}.csv"
    return expand(rows, layer=layers_of(wildcards))


def reading_followed(wildcards):
    """The options that tell a command which reading of each layer to follow."""
    if wildcards.dataset in LABELLED:
        return f"--rows results/nulls/{wildcards.dataset}/{wildcards.extractor}"
    usual = readings.usual(PLAN.poolings[wildcards.extractor], PLAN.metrics)
    return "--reading " + ".".join(usual)


def unlabelled_distances():
    """The distances that are looked at where there are no labels: of the first trained network."""
    extractor = PLAN.no_controls()[0]
    layer = PLAN.unlabelled_layer(extractor)
    pooling = readings.usual(PLAN.poolings[extractor], PLAN.metrics).pooling
    return f"results/distances/{{dataset}}/{extractor}/{readings.pooled_name(layer, pooling)}.npy"


def network_file(suffix):
    """An input function: the network of the wildcards' dataset and extractor."""
    return lambda wildcards: (
        f"results/{PLAN.network(wildcards.dataset, wildcards.extractor)}{suffix}"
    )


FOREIGN = set()


def shard_names(dataset, extractor, layer):
    """The shards of a layer, one pooling after the other: (pooling, shard, file)."""
    return [
        (pooling, shard, f"results/features/{dataset}/{extractor}/{name}/{shard}.npy")
        for pooling in PLAN.poolings[extractor]
        for name in [readings.pooled_name(layer, pooling)]
        for shard in PLAN.shards(dataset)
    ]


def shard_files(wildcards):
    """The shards of the wildcards' layer, or of all of their extractor, in all poolings.

    Those on disk that are damaged, or were made from something else, are made anew, as
    Snakemake makes files anew that a job left incomplete. The job would refuse them.
    """
    dataset, extractor = wildcards.dataset, wildcards.extractor
    manifest = f"results/datasets/{dataset}/manifest.csv"
    network = network_file(".json")(wildcards)
    found = []
    for layer in layers_of(wildcards):
        files = shard_names(dataset, extractor, layer)
        found += [file for *_, file in files]
        if not (described(network, layer) and os.path.exists(manifest)):
            continue
        there = [
            one for one in files if Path(one[-1]).exists() and one[-1] not in FOREIGN
        ]
        made_from = {
            pooling: fingerprint(manifest, network, layer, pooling)
            for pooling in {pooling for pooling, *_ in there}
        }
        for pooling, shard, file in there:
            if is_foreign(file, made_from[pooling], *map(int, shard.split("-of-"))):
                FOREIGN.add(file)
                print(
                    f"{file}: damaged, or made from another manifest or network; made anew.",
                    file=sys.stderr,
                )
    workflow.dag.forcefiles.update(FOREIGN.intersection(found))
    return found


def described(network, name):
    """The description of a layer of a network (.json), or none before that is there.

    One that an earlier version wrote, without digests, is made anew, and says nothing.
    """
    if not os.path.exists(network):
        return None
    try:
        layers = read_layers(network)
    except UserError as error:
        stop(error)
    for layer in layers:
        flat = layer.get("poolings", {}).get("flat", {})
        if layer["layer"] == name and "digest" in flat:
            return layer


def datasets_of(**asked):
    """A pattern of the datasets that are as asked.

    ``few``: of so few images that the layers of an extractor are one job; ``blocks``: of which the
    distances are made in blocks of pairs; ``labelled``: of which all images have a label.
    """
    names = []
    for name in PLAN.datasets:
        blocks, labelled = PLAN.blocks(name) > 1, name in LABELLED
        is_so = {"few": PLAN.few(name), "blocks": blocks, "labelled": labelled}
        if asked.items() <= is_so.items():
            names.append(name)
    return "|".join(names) or "(?!)"  # the latter matches nothing


def downloaded(sources):
    """Where downloads are, as inputs of what is made from them.

    A file is held to its checksum, published or recorded: fetched again, it is the same, and
    nothing is made anew for its date. An optional one may have been an empty file before.
    """
    files = [(source, f"results/downloads/{source.path}") for source in sources]
    return [file if source.optional else ancient(file) for source, file in files]


def learned_as(kind):
    """The names of the extractors of a kind, for a wildcard; where there is none, no name."""
    names = [name for name, learned in PLAN.learned.items() if learned == kind]
    return "|".join(names) or "(?!)"


def of_networks(onnx):
    """The names of the extractors that are ONNX files, or of the others, for a wildcard."""
    extractors = CONFIG["extractors"].items()
    names = [name for name, spec in extractors if (spec["kind"] == "onnx") == onnx]
    return "|".join(names) or "(?!)"


def spec_less(extractor, *keys):
    """What the config says of an extractor, less the keys that change nothing about a file."""
    spec = CONFIG["extractors"][extractor]
    return json.dumps({key: spec[key] for key in spec if key not in keys})


def frozen_from(wildcards):
    """All that the graph of the wildcards' extractor depends on.

    The graph has all poolings, whichever are read, and `dims` is a check. Files of the user's own
    count by their content, wherever they lie; which download it is, its place among the inputs says.
    """
    extractor = wildcards.extractor
    moved = ["path", "url"]
    if CONFIG["extractors"][extractor].get("weights") not in (None, "imagenet"):
        moved.append("weights")
    spec = spec_less(extractor, "poolings", "dims", "trained_on", "control", *moved)
    return [spec, CONTENTS[f"extractors.{extractor}"]]


def to_learn(wildcards):
    """What the config says of what the wildcards' extractor learns."""
    return spec_less(
        wildcards.extractor,
        *("layers", "trained_on", "poolings", "dims", "resample", "control"),
    )


def seed_of_network(wildcards):
    """The run's seed where the weights are drawn by it; a trained network is the same for all."""
    spec = CONFIG["extractors"][wildcards.extractor]
    drawn = spec["kind"] == "autoencoder" or spec.get("weights", "") is None
    return CONFIG["seed"] if drawn else 0


def unless_kept(extractor, name, path):
    """Features are large and can be made again: removed after use, unless kept on request.

    What the linear probe is of stays, where it is a mean and small: asked for later, the probe
    would have all of them made again.
    """
    small = name == probed(extractor) and name not in PLAN.layers[extractor]
    return path if CONFIG["keep_features"] or small else temp(path)


def priority_of(dataset, extractor):
    """The priority of a cell's features, below that of what uses them up, from 9 down to 5."""
    cells = [(name, network) for name in PLAN.datasets for network in PLAN.layers]
    return 9 - 4 * cells.index((dataset, extractor)) / len(cells)


def probed(extractor):
    """What the linear probe is of: the last layer, averaged where that is among the poolings."""
    poolings = PLAN.poolings[extractor]
    pooling = "mean" if "mean" in poolings else poolings[0]
    return readings.pooled_name(PLAN.layers[extractor][-1], pooling)


def captions(caption, what, dataset="", extractor=""):
    """How Snakemake's own report shows a file: the text with it, and where it is found.

    The text is one of `workflow/report/`, by its name, or any, by its whole path.
    """
    category = "Start here" if caption == "page" else "Tables"
    if dataset or extractor:
        category = dataset or "Networks"
    return {
        "caption": caption if os.path.isabs(caption) else f"../report/{caption}.rst",
        "category": category,
        "labels": {"what": what, "network": extractor},
    }


# What stands above a figure of a dataset and a network.
TITLE = "{dataset}  ·  {extractor}"


def advice(wildcards):
    """The table that says which cell is advised for the wildcards' dataset."""
    if wildcards.dataset in LABELLED:
        return "results/verdict.csv"
    return "results/labels/{dataset}/accuracy.csv"


def graphs(wildcards):
    """The networks of all extractors, for the wildcards' dataset."""
    return in_results(PLAN.graph(wildcards.dataset, name) for name in PLAN.layers)


def descriptions(wildcards):
    """The descriptions beside ``graphs``."""
    return [f"{os.path.splitext(graph)[0]}.json" for graph in graphs(wildcards)]


def means_of(wildcards):
    """The means of the features of the wildcards' dataset, in all layers and poolings."""
    return [
        f"results/means/{wildcards.dataset}/{extractor}/{name}/{shard}.npy"
        for extractor in PLAN.layers
        for name in PLAN.names(extractor)
        for shard in PLAN.shards(wildcards.dataset)
    ]


def any_network(suffix):
    """An input function: the network of the wildcards' extractor for any dataset."""
    return lambda wildcards: (
        f"results/{PLAN.network(PLAN.datasets[0], wildcards.extractor)}{suffix}"
    )


def jobs_of_figures(table):
    """What is drawn in one job: what it needs, the dataset, or "" where it is of none, the figures.

    Each of the plan's figures is told as ``table`` does, by command, and with the dataset and the
    extractor that it is of, "" where it is of none or all.
    """
    figures = [
        (dataset, file)
        for dataset in PLAN.datasets
        for files in PLAN.figures(dataset).values()
        for file in files
    ]
    figures += [("", PLAN.schematic(extractor)) for extractor in PLAN.layers]
    commands = {told["kind"]: command for command, told in table.items()}
    jobs = {}
    for dataset, file in figures:
        stem = Path(file).with_suffix("")
        command = commands[stem.parts[1]]
        figure = {
            "outputs": {},
            **table[command],
            "command": command,
            "stem": f"results/{stem.as_posix()}",
            "dataset": dataset,
            "called": SHOWN[stem.parts[1]],
            "extractor": stem.name if len(stem.parts) == 3 + bool(dataset) else "",
        }
        # What is to be said of it.
        figure["caption"] = os.path.abspath(f"{figure['stem']}.txt")
        jobs.setdefault((figure["needs"], dataset), []).append(
            SimpleNamespace(**figure)
        )
    return [(*job, drawn) for job, drawn in jobs.items()]


def filled(figure, given):
    """What is given for a figure, with its dataset and extractor: in texts, or called with it."""
    if callable(given):
        given = given(figure)
    if isinstance(given, dict):
        return {key: filled(figure, value) for key, value in given.items()}
    if isinstance(given, list):
        return [filled(figure, value) for value in given]
    names = {"dataset": figure.dataset, "extractor": figure.extractor}
    return str(given).format(**names)


def flat(files):
    """All files of some that have names, and are one or many by each."""
    return [
        file
        for some in files.values()
        for file in ([some] if isinstance(some, str) else some)
    ]


def command_line(figure):
    """The command that draws a figure, as one would type it."""
    files = SimpleNamespace(
        **filled(figure, figure.inputs), **filled(figure, figure.outputs)
    )
    options = filled(figure, figure.options)
    return shlex.join(
        [
            *(figure.command, figure.stem, *figure.handed(figure, files)),
            *(f"--{key}={value}" for key, value in options.items()),
        ]
    )


def of_kind(kind, pattern):
    """An input function: a file for each dataset of a kind, and each extractor."""

    def files(wildcards):
        names = [
            name for name, spec in CONFIG["datasets"].items() if spec["kind"] == kind
        ]
        if not names:
            stop(f"No dataset of the config is of the kind {kind}.")
        return expand(pattern, dataset=names, extractor=PLAN.layers)

    return files


def claims_file():
    """The file of claims, in the folder of the run or else beside the Snakefile; or none."""
    return None if CONFIG["claims"] is None else find_claims(CONFIG["claims"])
