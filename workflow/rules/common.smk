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
from depthgauge.errors import UserError
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


def layer_names(spec):
    """The layers of an extractor, from shallow to deep."""
    if spec["layers"] == "pooling":
        return ["pool", "mixed_3_pool", "mixed_8_pool", "pool_3"]
    return list(spec["layers"])


LAYERS = {name: layer_names(spec) for name, spec in CONFIG["extractors"].items()}

# Whatever is downloaded, by its place under results/downloads: (addresses, checks).
DOWNLOADS = {
    path: (urls, checks) for needed in SOURCES.values() for path, urls, checks in needed
}
NETWORK_SOURCES = {}
for extractor, spec in CONFIG["extractors"].items():
    if "url" in spec:
        urls = [spec["url"]] if isinstance(spec["url"], str) else spec["url"]
        path = f"networks/{extractor}/{urls[0].rsplit('/', 1)[-1]}"
        checks = {
            check: spec[key]
            for key, check in (("sha256", "sha256"), ("bytes", "size"))
            if key in spec
        }
        DOWNLOADS[path] = (urls, checks)
        NETWORK_SOURCES[extractor] = f"results/downloads/{path}"


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
