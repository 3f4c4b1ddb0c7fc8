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
from depthgauge.keras_weights import keras_weights
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

# TensorFlow takes some seconds to start: a shard keeps two cores busy for minutes.
SHARD_IMAGES = 2500

try:
    CONFIG = checked_config(config)
    IMAGES = {
        name: datasets.image_count(name, spec)
        for name, spec in CONFIG["datasets"].items()
    }
    SOURCES = {
        name: datasets.sources(name, spec) for name, spec in CONFIG["datasets"].items()
    }
    LISTINGS = {
        name: datasets.fingerprint(name, spec)
        for name, spec in CONFIG["datasets"].items()
    }
    LABELLED = [
        name
        for name, spec in CONFIG["datasets"].items()
        if spec["kind"] != "folder" or "" not in datasets.check_folder(spec["path"])
    ]
except UserError as error:
    raise WorkflowError(str(error)) from None

# In the environment, not among the parameters of a rule: another mirror makes nothing anew.
if CONFIG["mirror"]:
    os.environ.update(DEPTHGAUGE_MIRROR=os.path.expanduser(CONFIG["mirror"]))


def layer_names(spec):
    """The layers of an extractor, from shallow to deep."""
    if spec["layers"] == "pooling":
        return ["pool", "mixed_3_pool", "mixed_8_pool", "pool_3"]
    return list(spec["layers"])


LAYERS = {name: layer_names(spec) for name, spec in CONFIG["extractors"].items()}


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


def pairs_mb(dataset):
    """Megabytes of a dataset's condensed distances in float32."""
    return IMAGES[dataset] ** 2 * 2 // 10**6 + 1


def per_layer(pattern):
    """The files of all layers of the wildcards' dataset and extractor, in depth order."""

    def files(wildcards):
        return expand(pattern, layer=LAYERS[wildcards.extractor], allow_missing=True)

    return files
