"""The command line: one command a stage, in the order of the data's way.

Each command imports its own stage only, so that none pays for another's libraries.
"""

import functools
import json
import logging
import sys
from pathlib import Path

import click
import yaml

from . import __version__
from .errors import UserError

FILE = click.Path(dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)


class Spec(click.ParamType):
    """A mapping in YAML, given inline or as the name of a file."""

    name = "yaml"

    def convert(self, value, param, ctx):
        if value.endswith((".yaml", ".yml", ".json")):
            try:
                value = Path(value).read_text(encoding="utf-8")
            except OSError as error:
                self.fail(f"{value}: {error.strerror}", param, ctx)
        try:
            spec = yaml.safe_load(value)
        except yaml.YAMLError as error:
            self.fail(f"not YAML: {error}", param, ctx)
        if not isinstance(spec, dict):
            self.fail(
                f"a mapping such as '{{kind: digits}}' was expected, not {value!r}", param, ctx
            )
        return spec


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """How deep into a pretrained network to look for features of your images.

    The workflow runs these commands in this order; each works by itself, too:

    \b
      download, dataset     images as JPEGs, and their manifest
      network, features     what a network makes of them, at several depths
      distances             between all pairs of images
      goodness, embedding   how well labels cluster, and maps to look at
      violins, maps         the figures
      table-one, samples    the datasets: counted, and shown
      schematic             the network, with the layers marked
      summary               the numbers in the terminal
    """


def stage(function):
    """Make ``function`` a command with a log and errors that a person can read."""

    @functools.wraps(function)
    def run(*args, log, **options):
        _log_to(log)
        logger = logging.getLogger(f"depthgauge.{function.__name__}")
        try:
            return function(*args, **options)
        except UserError as error:
            logger.error("%s", error)
            sys.exit(1)
        except MemoryError:
            logger.error("Out of memory. Give the job more (mem_mb), or fewer threads.")
            sys.exit(1)
        except Exception:
            logger.exception("Something unforeseen happened; please report it with this log.")
            sys.exit(2)

    run = click.option("--log", type=FILE, help="Also write what happened to this file.")(run)
    return main.command()(run)


def _log_to(path):
    handlers = [logging.StreamHandler()]
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, mode="w", encoding="utf-8"))
    logging.getLogger("depthgauge").setLevel(logging.INFO)  # libraries warn only
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers,
    )


def _shard(ctx, param, value):
    part, _, parts = value.partition("/")
    if not (part.isdigit() and parts.isdigit() and int(part) < int(parts)):
        raise click.BadParameter(f"I/K with I from 0 to K-1 was expected, such as 0/1, not {value}")
    return int(part), int(parts)


seed = click.option("--seed", type=int, default=1, show_default=True, help="The run's seed.")
threads = click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
output = click.option("--output", "-o", type=FILE, required=True)


@stage
@click.argument("urls", nargs=-1, required=True)
@output
@click.option("--checks", type=Spec(), default="{}", help="YAML: sha256, md5, content_md5, size.")
@click.option("--mirror", type=PATH, help="Folder laid out HOST/PATH to look in first.")
@click.option("--optional", is_flag=True, help="If none has it, warn and leave an empty file.")
def download(urls, output, checks, mirror, optional):
    """Fetch a file from the first of URLS that has it, and check it."""
    from .download import download
    from .files import whole

    try:
        download(urls, output, mirror=mirror, **checks)
    except UserError as error:
        if not optional:
            raise
        logging.getLogger(__name__).warning("%s\nGoing on WITHOUT IT.", error)
        with whole(output) as beside:
            beside.touch()


@stage
@click.argument("name")
@click.argument("spec", type=Spec())
@click.argument("sources", nargs=-1, type=PATH)
@click.option("--images", type=PATH, required=True, help="Folder to write the JPEGs to.")
@click.option("--manifest", type=FILE, required=True, help="CSV to write.")
@click.option("--notes", type=FILE, help="CSV to write: what a reader must know of the data.")
@click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True)
@seed
@threads
def dataset(**options):
    """Make the dataset NAME of SPEC (YAML), with the downloaded SOURCES that it needs."""
    from .datasets import make_dataset

    make_dataset(**options)


@stage
@click.argument("name")
@click.argument("spec", type=Spec())
@click.option("--source", type=FILE, help="The download: of SPEC's url, or of ImageNet weights.")
@click.option("--graph", type=FILE, required=True, help="GraphDef to write (.pb).")
@click.option("--layers", type=FILE, required=True, help="Description to write (.json).")
@click.option("--nodes", type=FILE, help="Table of the graph's nodes to write (.csv).")
@seed
def network(**options):
    """Freeze the extractor NAME of SPEC (YAML) into a graph, and describe its layers."""
    from .network import build_network

    build_network(**options)


@stage
@click.argument("graph", type=FILE)
@click.argument("layers", type=FILE)
@click.argument("images", type=PATH)
@click.argument("manifest", type=FILE)
@click.argument("outputs", nargs=-1, required=True, type=FILE)
@click.option("--shard", callback=_shard, default="0/1", show_default=True, help="Part I of K.")
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32")
@threads
def features(graph, layers, images, manifest, outputs, shard, dtype, threads):
    """Write the features of IMAGES at every one of LAYERS, one of OUTPUTS (.npy) a layer."""
    from .features import features
    from .quiet_tensorflow import use_threads

    use_threads(threads)
    features(graph, layers, images, manifest, outputs, shard=shard, dtype=dtype, threads=threads)


@stage
@click.argument("shards", nargs=-1, required=True, type=FILE)
@output
@threads
def distances(shards, output, threads):
    """Compute the distances between all rows of SHARDS (.npy), condensed."""
    from .distances import distances

    distances(shards, output, threads=threads)


@stage
@click.argument("distances", type=FILE)
@click.argument("manifest", type=FILE)
@click.option("--null", type=FILE, required=True, help=".npy to write: goodness when permuted.")
@click.option("--row", type=FILE, required=True, help="CSV to write: the row of goodness.csv.")
@click.option("--dataset", default="", help="Name for the row and the permutations' seed.")
@click.option("--extractor", default="", help="Name for the row.")
@click.option("--layer", default="", help="Name for the row.")
@click.option("--layers", type=FILE, help="The network's description: depth and dim of the layer.")
@click.option("--permutations", type=click.IntRange(1), default=9999, show_default=True)
@seed
@threads
def goodness(distances, manifest, null, row, layer, layers, **options):
    """Measure how labels cluster in DISTANCES (condensed .npy); test it by permutation."""
    from .goodness import write_goodness

    depth, dim = _depth_and_dim(layers, layer)
    write_goodness(distances, manifest, null, row, layer=layer, depth=depth, dim=dim, **options)


def _depth_and_dim(layers, name):
    if layers is None:
        return "", ""
    described = json.loads(layers.read_text())["layers"]
    for depth, layer in enumerate(described, start=1):
        if layer["layer"] == name:
            return depth, layer["dim"]
    raise UserError(
        f"{layers}: has no layer {name!r}; it has {', '.join(d['layer'] for d in described)}."
    )


@stage
@click.argument("distances", type=FILE)
@click.argument("manifest", type=FILE)
@output
@click.option("--dataset", default="", help="Name for the seed.")
@click.option("--extractor", default="", help="Name for the seed.")
@click.option("--layer", default="", help="Name for the seed.")
@click.option("--perplexity", type=float, default=30, show_default=True)
@seed
@threads
def embedding(distances, manifest, output, **options):
    """Lay out the images of DISTANCES (condensed .npy) on a map by t-SNE."""
    from .embedding import write_embedding

    write_embedding(distances, manifest, output, **options)


@stage
@click.argument("rows", nargs=-1, required=True, type=FILE)
@output
def gather(rows, output):
    """Put the ROWS (CSV) of many cells under one header."""
    from .gather import gather

    gather(rows, output)


@stage
@click.argument("stem", type=PATH)
@click.argument("rows", nargs=-1, required=True, type=FILE)
@seed
def violins(stem, rows, seed):
    """Draw STEM.png and .pdf: goodness against depth and its null, from ROWS (CSV).

    Beside each row (LAYER.csv) its null (LAYER.npy) is expected.
    """
    import numpy as np
    import pandas as pd

    from .figures.violins import draw_violins

    table = pd.concat([pd.read_csv(row) for row in rows], ignore_index=True)
    nulls = {
        layer: np.load(row.with_suffix(".npy"))
        for layer, row in zip(table.layer, rows, strict=True)
    }
    draw_violins(table, nulls, stem, seed=seed)


@stage
@click.argument("stem", type=PATH)
@click.argument("embeddings", nargs=-1, required=True, type=FILE)
@click.option("--layers", type=FILE, help="The network's description: dims of the layers.")
@click.option("--row", "rows", multiple=True, type=FILE, help="Row of goodness.csv, one a layer.")
@click.option("--title", default="", help="Above the panels.")
@click.option("--perplexity", type=float, default=30, show_default=True)
@seed
def maps(stem, embeddings, layers, rows, title, perplexity, seed):
    """Draw STEM.png and .pdf: a panel for each of EMBEDDINGS (LAYER.csv), in depth order."""
    import pandas as pd

    from .figures.maps import draw_maps

    dims = goodness = None
    if layers is not None:
        described = json.loads(layers.read_text())["layers"]
        dims = {layer["layer"]: layer["dim"] for layer in described}
    if rows:
        table = pd.concat([pd.read_csv(row) for row in rows])
        goodness = dict(zip(table.layer, table.goodness, strict=True))
    draw_maps(
        {
            file.stem: pd.read_csv(file, keep_default_na=False, dtype={"image": str, "label": str})
            for file in embeddings
        },
        stem,
        title=title,
        perplexity=perplexity,
        seed=seed,
        dims=dims,
        goodness=goodness,
    )


@stage
@click.argument("stem", type=PATH)
@click.argument("images", type=PATH)
@click.argument("manifest", type=FILE)
@click.option("--title", default="", help="Above the images.")
def samples(stem, images, manifest, title):
    """Draw STEM.png and .pdf: some of the IMAGES of every class."""
    from .figures.samples import draw_samples

    draw_samples(images, manifest, stem, title=title)


@stage
@click.argument("stem", type=PATH)
@click.argument("nodes", type=FILE)
@click.argument("layers", type=FILE)
@click.option("--title", default="", help="Above the network.")
def schematic(stem, nodes, layers, title):
    """Draw STEM.png and .pdf: the network of NODES (.csv) with its LAYERS (.json) marked."""
    import pandas as pd

    from .figures.network import draw_network

    described = json.loads(layers.read_text())["layers"]
    marked = {layer["layer"]: layer["tensor"] for layer in described}
    draw_network(pd.read_csv(nodes, keep_default_na=False), marked, stem, title=title)


@stage
@click.argument("stem", type=PATH)
@click.argument("manifests", nargs=-1, required=True, type=FILE)
@click.option("--link", "links", multiple=True, help="DATASET=ADDRESS where it is described.")
def table_one(stem, manifests, links):
    """Write STEM.csv and .md: the datasets of MANIFESTS (DATASET/manifest.csv).

    Beside each manifest its notes.csv is expected.
    """
    from .figures.table import write_table_one

    described = dict(link.split("=", 1) for link in links)
    write_table_one(
        [
            (folder.name, described.get(folder.name), manifest, folder / "notes.csv")
            for manifest in manifests
            for folder in [manifest.absolute().parent]
        ],
        stem,
    )


@main.command()
@click.argument("goodness", type=FILE)
@click.argument("figures", type=PATH)
def summary(goodness, figures):
    """Print the table GOODNESS (goodness.csv), and where the FIGURES are."""
    from .summary import summary

    click.echo(summary(goodness))
    click.echo(f"\nTable: {goodness}   Figures: {figures}/")
