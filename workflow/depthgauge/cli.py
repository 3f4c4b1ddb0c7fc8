"""The command line: one command a stage, in the order of the data's way.

Each command imports its own stage only, so that none pays for another's libraries.
"""

import functools
import json
import logging
import re
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
    images
      download, dataset              JPEGs and their manifest
    features
      autoencoder, pca               a network learned from the images themselves
      network                        a network frozen, its layers described
      features                       what it makes of the images, at several depths
    distances
      distances, join-blocks         between all pairs of images
      angle                          the same by angle, from those
    what they say
      goodness, sampled-goodness     how well labels cluster, tested by permutation
      goodness-table                 all of it, with p corrected for the number of tests
      compare, verdict               depths against one another, and the one to use
      clusters, cluster-table        groups of images, without labels
      label-accuracy, linear-probe   how well few labels label the rest
      labels                         labels for the images that have none
      neighbours, misplaced          images that lie among those of another label
    figures
      embedding, maps                where the images lie
      violins, heatmap, depths       goodness: and chance, class by class, at all depths
      label-curves                   accuracy against the number of labels
      samples, table-one             the datasets: shown, and counted
      contact-sheet, misplaced-sheet   images of each cluster, and those misplaced
      schematic                      the network, with the layers marked
      learning-curve, reconstructions   how well an autoencoder learned
    to read
      claims                         what somebody found, held against the results
      report                         one page that sums up the run
      explorer                       one page to walk the maps and see the images
      summary                        the numbers and verdicts, in the terminal
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
@click.option("--pairs", type=click.IntRange(1), help="Take a sample that has so many pairs.")
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
@click.argument("images", type=PATH)
@click.argument("manifest", type=FILE)
@click.option("--model", type=FILE, required=True, help="Model to write (.keras).")
@click.option("--history", type=FILE, required=True, help="CSV to write: the learning curve.")
@click.option("--examples", type=FILE, required=True, help=".npz to write: reconstructions.")
@click.option("--dataset", default="", help="Name for the seeds.")
@seed
@threads
def autoencoder(name, spec, threads, **options):
    """Train the autoencoder NAME of SPEC (YAML) on IMAGES, without their labels."""
    from .config import checked_extractor
    from .networks.quiet_tensorflow import tf, use_threads
    from .networks.training import train_autoencoder

    use_threads(threads)
    tf.config.experimental.enable_op_determinism()
    train_autoencoder(name, checked_extractor(name, spec), threads=threads, **options)


@stage
@click.argument("name")
@click.argument("spec", type=Spec())
@click.argument("images", type=PATH)
@click.argument("manifest", type=FILE)
@click.option("--model", type=FILE, required=True, help="Network to write (.keras).")
@click.option("--dataset", default="", help="Name for the seed.")
@seed
@threads
def pca(name, spec, **options):
    """Fit the principal components NAME of SPEC (YAML) to the pixels of IMAGES."""
    from .config import checked_extractor
    from .networks.pixel_pca import fit_pca

    fit_pca(name, checked_extractor(name, spec), **options)


@stage
@click.argument("name")
@click.argument("spec", type=Spec())
@click.option("--source", type=FILE, help="The download or the model learned, where SPEC needs it.")
@click.option("--graph", type=FILE, required=True, help="GraphDef to write (.pb).")
@click.option("--layers", type=FILE, required=True, help="Description to write (.json).")
@click.option("--nodes", type=FILE, help="Table of the graph's nodes to write (.csv).")
@seed
def network(name, spec, **options):
    """Freeze the extractor NAME of SPEC (YAML) into a graph, and describe its layers."""
    from .config import checked_extractor
    from .networks.network import build_network
    from .networks.quiet_tensorflow import use_threads

    use_threads(1)
    build_network(name, checked_extractor(name, spec), **options)


@stage
@click.argument("graph", type=FILE)
@click.argument("layers", type=FILE)
@click.argument("images", type=PATH)
@click.argument("manifest", type=FILE)
@click.argument("outputs", nargs=-1, required=True, type=FILE)
@click.option(
    *("--pooling", "poolings"),
    type=click.Choice(["flat", "mean", "cls"]),
    multiple=True,
    default=["flat"],
    help="Which values of a layer; several may be given.",
)
@click.option("--mean", "means", multiple=True, type=FILE, help=".npy to write: of each output.")
@click.option("--shard", callback=_shard, default="0/1", show_default=True, help="Part I of K.")
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32")
@threads
def features(graph, layers, images, manifest, outputs, threads, **options):
    """Write the features of IMAGES at every one of LAYERS, one of OUTPUTS (.npy) a layer.

    With several poolings, one of OUTPUTS for each pooling of a layer, layer after layer.
    """
    from .manifest import read_manifest
    from .readings import layer_poolings, pooled
    from .room import check_features_room

    described = json.loads(layers.read_text())["layers"]
    if len(outputs) != len(described) * len(options["poolings"]):
        raise UserError(
            f"{len(outputs)} OUTPUTS were given for {len(described)} layers in "
            f"{len(options['poolings'])} poolings; give one for each."
        )
    dims = [
        pooled(layer, pooling)["dim"]
        for layer in described
        for pooling in layer_poolings(layer, options["poolings"])
    ]
    check_features_room(outputs, len(read_manifest(manifest)), dims, options["dtype"])

    from .networks.features import features
    from .networks.quiet_tensorflow import use_threads

    use_threads(threads)
    features(graph, layers, images, manifest, outputs, threads=threads, **options)


def _block(ctx, param, value):
    if value is None:
        return None
    found = re.fullmatch(r"(\d+),(\d+)/(\d+)", value)
    a, b, k = map(int, found.groups()) if found else (1, 0, 0)
    if not a <= b < k:
        raise click.BadParameter(
            f"A,B/K with A <= B from 0 to K-1 was expected, such as 0,1/3, not {value}"
        )
    return a, b, k


outputs = click.option("--output", "-o", "outputs", type=FILE, required=True, multiple=True)


@stage
@click.argument("shards", nargs=-1, required=True, type=FILE)
@outputs
@click.option("--block", callback=_block, help="A,B/K: part A of the images against B, of K parts.")
@click.option("--manifest", type=FILE, help="Refuse shards of another manifest.")
@click.option("--graph", type=FILE, help="Refuse shards of another network.")
@click.option("--layers", type=FILE, help="That network's description.")
@click.option("--layer", help="Refuse shards of another layer.")
@threads
def distances(shards, outputs, block, manifest, graph, layers, layer, threads):
    """Compute the distances between all rows of SHARDS (.npy), condensed.

    With several --output, each takes its share of SHARDS: those of another pooling of the layer.
    Of very many images, compute blocks, each by itself, and join them. With --manifest, --graph,
    --layers and --layer, SHARDS must say that they were made from just these.
    """
    from .distances.layer import layer_distances

    given = [manifest, graph, layers, layer]
    if None in given and any(given):
        raise UserError("--manifest, --graph, --layers and --layer go together: give all, or none.")
    source = (manifest, graph, layers) if layer else None
    layer_distances(shards, outputs, source=source, layer=layer, block=block, threads=threads)


@stage
@click.argument("blocks", nargs=-1, required=True, type=FILE)
@outputs
def join_blocks(blocks, outputs):
    """Put BLOCKS of distances (0,0 0,1 ... 1,1 ... of K parts) together, condensed.

    With several --output, each takes its share of BLOCKS: those of another pooling.
    """
    from .distances.joining import join_blocks

    count, left = divmod(len(blocks), len(outputs))
    if left:
        raise UserError(
            f"{len(blocks)} BLOCKS were given for {len(outputs)} files; give as many for each."
        )
    for place, output in enumerate(outputs):
        join_blocks(blocks[place * count : (place + 1) * count], output)


@stage
@click.argument("distances", type=FILE)
@output
@threads
def angle(distances, output, threads):
    """Compute distances by angle, as seen from the mean of all images, from Euclidean DISTANCES.

    DISTANCES is a .npy file, condensed or square; what is written is condensed.
    """
    from .distances.angle import write_angles
    from .statistics.matrices import read_distances

    write_angles(read_distances(distances), output, threads=threads)


metrics = click.option(
    *("--metric", "metrics"),
    type=click.Choice(["euclidean", "angle"]),
    multiple=True,
    default=["euclidean"],
    show_default=True,
    help="How images are compared; both may be given.",
)


@stage
@click.argument("distances", type=FILE)
@click.argument("labels", type=FILE)
@click.option("--null", type=FILE, help=".npy to write: goodness when permuted.")
@click.option("--row", type=FILE, help="CSV to write: the rows of goodness.csv.")
@click.option("--classes", type=FILE, help="CSV to write: class by class.")
@click.option("--images", type=FILE, help="CSV to write: image by image.")
@click.option("--halves", type=FILE, help="CSV to write: accuracy in halves of the images.")
@click.option("--dataset", default="", help="Name for the rows and the permutations' seed.")
@click.option("--extractor", default="", help="Name for the rows.")
@click.option("--layer", default="", help="Name for the rows.")
@click.option("--layers", type=FILE, help="The network's description: depth and dim of the layer.")
@click.option(
    *("--pooling", "poolings"),
    type=click.Choice(["flat", "mean", "cls"]),
    multiple=True,
    help="With --layers: those of which the distances lie beside DISTANCES.",
)
@metrics
@click.option(
    "--permute",
    type=click.Choice(["images", "within_groups", "groups", "within_collections"]),
    default="images",
    show_default=True,
    help="What changes labels.",
)
@click.option("--permutations", type=click.IntRange(1), default=9999, show_default=True)
@seed
@threads
def goodness(distances, labels, layer, layers, poolings, metrics, **options):
    """Measure how LABELS cluster in Euclidean DISTANCES (.npy, condensed or square), and test it.

    LABELS is a manifest (image,label, maybe group and collection) or a CSV of one column. Without a
    file to write, what was found is printed.
    """
    from .readings import Reading, layer_poolings, pooled
    from .statistics.cell import as_text
    from .statistics.layer_goodness import write_goodness

    depth, dims = "", {}
    if layers is not None:
        depth, described = _described(layers, layer)
        poolings = layer_poolings(described, poolings or ["flat"])
        dims = {pooling: pooled(described, pooling)["dim"] for pooling in poolings}
    readings = [Reading(pooling, metric) for pooling in poolings or [""] for metric in metrics]
    rows = write_goodness(
        distances, labels, layer=layer, depth=depth, dims=dims, readings=readings, **options
    )
    if not any(options[file] for file in ("null", "row", "classes", "images", "halves")):
        for row in rows:
            if len(rows) > 1:
                click.echo(f"\n{row['metric']}:")
            click.echo(as_text(row))


def _described(layers, name):
    """Return the depth and the description of the layer called ``name``."""
    described = json.loads(layers.read_text())["layers"]
    for depth, layer in enumerate(described, start=1):
        if layer["layer"] == name:
            return depth, layer
    raise UserError(
        f"{layers}: has no layer {name!r}; it has {', '.join(d['layer'] for d in described)}."
    )


@stage
@click.argument("row", type=FILE)
@click.argument("distances", type=FILE)
@click.argument("manifest", type=FILE)
@output
@threads
def sampled_goodness(**options):
    """Estimate a dataset's goodness from ROW (CSV) and DISTANCES of the sample in MANIFEST."""
    from .statistics.sampled_goodness import write_sampled_goodness

    write_sampled_goodness(**options)


def follows_reading(command):
    """Let a command follow one reading of each layer."""

    def parsed(ctx, param, value):
        from .readings import parse_reading

        try:
            return None if value is None else parse_reading(value)
        except UserError as error:
            raise click.BadParameter(str(error)) from None

    rows = click.option(
        "--rows",
        type=PATH,
        help="Folder of LAYER.csv of `goodness`: take each layer's best reading.",
    )
    reading = click.option(
        "--reading", callback=parsed, help="POOLING.METRIC of all layers, such as mean.angle."
    )
    return rows(reading(command))


@stage
@click.argument("distances", type=FILE)
@click.argument("manifest", type=FILE)
@output
@click.option("--dataset", default="", help="Name for the seed.")
@click.option("--extractor", default="", help="Name for the seed.")
@click.option("--layer", default="", help="Name for the seed.")
@follows_reading
@click.option("--perplexity", type=float, default=30, show_default=True)
@seed
@threads
def embedding(distances, manifest, output, layer, rows, reading, **options):
    """Lay out the images of DISTANCES (condensed .npy) on a map by t-SNE."""
    from .maps.embedding import write_embedding
    from .readings import chosen

    reading = chosen(layer, rows, reading)
    write_embedding(distances, manifest, output, layer=layer, reading=reading, **options)


@stage
@click.argument("embeddings", nargs=-1, required=True, type=FILE)
@click.option(
    "--distances",
    multiple=True,
    type=FILE,
    required=True,
    help="LAYER.npy, condensed, of each map.",
)
@click.option("--folder", type=PATH, required=True, help="To write LAYER.csv in.")
@click.option("--summary", type=FILE, required=True, help="CSV to write: a row a layer.")
@click.option("--agreement", type=FILE, required=True, help="CSV to write: layers in pairs.")
@click.option("--dataset", default="", help="Name for the rows and the seed.")
@click.option("--extractor", default="", help="Name for the rows and the seed.")
@follows_reading
@click.option("--perplexity", type=float, default=30, show_default=True, help="That of the maps.")
@seed
@threads
def clusters(embeddings, distances, folder, summary, agreement, rows, reading, **options):
    """Find clusters on the maps EMBEDDINGS (LAYER.csv), in order of depth, and try them."""
    from .clusters.clusters import write_clusters
    from .readings import chosen

    readings = [chosen(path.stem, rows, reading) for path in embeddings]
    write_clusters(embeddings, distances, folder, summary, agreement, readings=readings, **options)


@stage
@click.argument("summaries", nargs=-1, required=True, type=FILE)
@output
@click.option("--goodness", type=FILE, help="goodness.csv, to stand beside.")
def cluster_table(summaries, output, goodness):
    """Put the SUMMARIES (CSV) of the clusters of all cells under one header."""
    from .clusters.cluster_table import write_cluster_table

    write_cluster_table(summaries, output, goodness=goodness)


labels_per_class = click.option("--labels", "labels_per_class", multiple=True, type=int)
splits = click.option("--splits", type=click.IntRange(2), default=20, show_default=True)


@stage
@click.argument("manifest", type=FILE)
@click.argument("distances", nargs=-1, required=True, type=FILE)
@output
@click.option("--dataset", default="", help="Name for the seed.")
@follows_reading
@labels_per_class
@splits
@seed
@threads
def label_accuracy(manifest, distances, output, rows, reading, **options):
    """Label most images of each of DISTANCES (LAYER.npy) from few; say how many come right."""
    from .labelling.label_accuracy import write_label_accuracy
    from .readings import chosen, split_name

    readings = [chosen(split_name(path.stem)[0], rows, reading) for path in distances]
    write_label_accuracy(manifest, distances, output, readings=readings, **options)


@stage
@click.argument("manifest", type=FILE)
@click.argument("shards", nargs=-1, required=True, type=FILE)
@output
@click.option("--dataset", default="", help="Name for the seed.")
@click.option("--layer", default="", help="Name for the table.")
@labels_per_class
@splits
@seed
@threads
def linear_probe(manifest, shards, output, **options):
    """Fit linear classifiers to few of the features in SHARDS (.npy), try them on the rest."""
    from .labelling.linear_probe import write_linear_probe

    write_linear_probe(manifest, shards, output, **options)


@stage
@click.argument("stem", type=PATH)
@click.argument("trials", nargs=-1, required=True, type=FILE)
@click.option("--curves", type=FILE, required=True, help="CSV to write: means and intervals.")
@click.option("--differences", type=FILE, required=True, help="CSV to write: paired differences.")
@click.option("--title", default="", help="Above the panels.")
@seed
def label_curves(stem, trials, curves, differences, title, seed):
    """Draw STEM.png and .pdf: accuracy against labels a class, from TRIALS (CSV)."""
    import pandas as pd

    from .figures.label_curves import draw_label_curves
    from .labelling.label_summary import label_summary
    from .tables import read_table, write_table

    found = label_summary(pd.concat(map(read_table, trials), ignore_index=True))
    for table, path in zip(found, (curves, differences), strict=True):
        write_table(table, path)
    draw_label_curves(found[0], stem, title=title, seed=seed)


@stage
@click.argument("manifest", type=FILE)
@click.argument("distances", nargs=-1, required=True, type=FILE)
@output
@click.option("--accuracy", type=FILE, required=True, help="CSV to write: what to expect of it.")
@click.option("--dataset", default="", help="Name for the seed.")
@metrics
@click.option(
    *("--confidence", "confidence"),
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Probability from which a label is given.",
)
@seed
@threads
def labels(manifest, distances, output, accuracy, **options):
    """Label the unlabelled images of MANIFEST by the best of DISTANCES (EXTRACTOR/LAYER.npy).

    LAYER.POOLING.npy are those of another pooling; of each layer the best reading is taken.
    """
    from .labelling.labelling import write_labels

    write_labels(manifest, distances, output, accuracy, **options)


@stage
@click.argument("rows", nargs=-1, required=True, type=FILE)
@click.option("--nulls", type=PATH, required=True, help="Folder of the cells' nulls.")
@output
def goodness_table(rows, nulls, output):
    """Put the ROWS (CSV) of all cells under one header, and correct p for their number."""
    from .statistics.multiplicity import write_goodness_table

    write_goodness_table(rows, output, nulls=nulls)


@stage
@click.argument("rows", nargs=-1, required=True, type=FILE)
@output
@seed
def compare(rows, output, seed):
    """Compare the cells of each dataset of ROWS (LAYER.csv) in pairs, with intervals.

    Beside each row its LAYER.images.csv is expected.
    """
    from .statistics.comparison import write_comparisons

    write_comparisons(rows, output, seed=seed)


@stage
@click.argument("goodness", type=FILE)
@click.argument("comparisons", type=FILE)
@click.argument("halves", nargs=-1, required=True, type=FILE)
@output
def verdict(goodness, comparisons, halves, output):
    """Say which depth to use, from GOODNESS, COMPARISONS and the HALVES of all cells (CSV)."""
    from .statistics.verdict import write_verdict

    write_verdict(goodness, comparisons, halves, output)


@stage
@click.argument("stem", type=PATH)
@click.argument("classes", nargs=-1, required=True, type=FILE)
@click.option("--title", default="", help="Above the panels.")
def heatmap(stem, classes, title):
    """Draw STEM.png and .pdf: mean distances of CLASSES (LAYER.classes.csv), a panel a depth.

    Of several readings of a layer the best is drawn, as LAYER.csv beside it says.
    """
    from .best_reading import read_rows
    from .figures.heatmap import draw_heatmap
    from .tables import read_table

    tables = {file.name.removesuffix(".classes.csv"): read_table(file) for file in classes}
    rows = [file.with_name(f"{file.name.removesuffix('.classes.csv')}.csv") for file in classes]
    known = all(row.exists() for row in rows)
    draw_heatmap(tables, stem, rows=read_rows(rows) if known else None, title=title)


@stage
@click.argument("stem", type=PATH)
@click.argument("goodness", type=FILE)
@click.argument("verdict", type=FILE)
@click.option("--dataset", required=True)
def depths(stem, goodness, verdict, dataset):
    """Draw STEM.png and .pdf: measures against depth, all extractors of one dataset."""
    from .figures.depths import draw_depths
    from .tables import read_table

    cells, advised = (
        table[table.dataset == dataset] for table in map(read_table, (goodness, verdict))
    )
    draw_depths(cells, advised, stem)


@stage
@click.argument("stem", type=PATH)
@click.argument("rows", nargs=-1, required=True, type=FILE)
@seed
def violins(stem, rows, seed):
    """Draw STEM.png and .pdf: goodness against depth and its null, from ROWS (CSV).

    Beside the rows of each layer (LAYER.csv) their null (LAYER.npy) is expected. The best reading
    of each is drawn.
    """
    import numpy as np

    from .best_reading import read_rows
    from .figures.violins import draw_violins

    table = read_rows(rows)
    nulls = {
        layer: np.load(row.with_suffix(".npy"))
        for layer, row in zip(table.layer.unique(), rows, strict=True)
    }
    draw_violins(table, nulls, stem, seed=seed)


@stage
@click.argument("stem", type=PATH)
@click.argument("embeddings", nargs=-1, required=True, type=FILE)
@click.option("--layers", type=FILE, help="The network's description: dims of the layers.")
@click.option("--row", "rows", multiple=True, type=FILE, help="Rows of goodness.csv of a layer.")
@click.option("--reading", help="Without rows, POOLING.METRIC of all maps, such as mean.angle.")
@click.option("--title", default="", help="Above the panels.")
@click.option("--perplexity", type=float, default=30, show_default=True)
@seed
def maps(stem, embeddings, layers, rows, reading, title, perplexity, seed):
    """Draw STEM.png and .pdf: a panel for each of EMBEDDINGS (LAYER.csv), in depth order.

    They are of the best reading of each layer in the --row files, or of the --reading.
    """
    from .best_reading import read_rows
    from .figures.maps import draw_maps, layer_facts
    from .readings import parse_reading
    from .tables import read_table

    facts = layer_facts(
        [file.stem for file in embeddings],
        described=() if layers is None else json.loads(layers.read_text())["layers"],
        rows=read_rows(rows) if rows else None,
        reading=None if reading is None else parse_reading(reading),
    )
    draw_maps(
        {file.stem: read_table(file) for file in embeddings},
        stem,
        title=title,
        perplexity=perplexity,
        seed=seed,
        **facts,
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
@click.argument("images", type=PATH)
@click.argument("manifest", type=FILE)
@click.argument("summary", type=FILE)
@click.argument("clusters", type=PATH)
@seed
def contact_sheet(stem, images, manifest, summary, clusters, seed):
    """Draw STEM.png and .pdf: some of the IMAGES of every cluster, at the most stable depth.

    SUMMARY is that of the clusters, and CLUSTERS the folder of their LAYER.csv.
    """
    from .figures.contact_sheet import draw_most_stable

    draw_most_stable(images, manifest, summary, clusters, stem, seed=seed)


@stage
@click.argument("stem", type=PATH)
@click.argument("nodes", type=FILE)
@click.argument("layers", type=FILE)
@click.option("--title", default="", help="Above the network.")
def schematic(stem, nodes, layers, title):
    """Draw STEM.png and .pdf: the network of NODES (.csv) with its LAYERS (.json) marked."""
    from .figures.network import draw_network
    from .tables import read_table

    described = json.loads(layers.read_text())["layers"]
    marked = {layer["layer"]: layer["tensor"] for layer in described}
    draw_network(read_table(nodes), marked, stem, title=title)


@stage
@click.argument("stem", type=PATH)
@click.argument("history", type=FILE)
@click.option("--title", default="", help="Above the curve.")
@seed
def learning_curve(stem, history, title, seed):
    """Draw STEM.png and .pdf: the errors in HISTORY (.csv) against the epochs of training."""
    from .figures.learning_curve import draw_learning_curve
    from .tables import read_table

    draw_learning_curve(read_table(history), stem, title=title, seed=seed)


@stage
@click.argument("stem", type=PATH)
@click.argument("examples", type=FILE)
@click.option("--title", default="", help="Above the images.")
@click.option("--latent", type=int, required=True, help="Values of the code.")
def reconstructions(stem, examples, title, latent):
    """Draw STEM.png and .pdf: images held out, and what the autoencoder makes of them."""
    import numpy as np

    from .figures.reconstructions import draw_reconstructions

    draw_reconstructions(np.load(examples, allow_pickle=False), stem, title=title, latent=latent)


folder = click.option("--folder", type=PATH, required=True, help="Of the LAYER.csv to write.")


@stage
@click.argument("manifest", type=FILE)
@click.argument("distances", nargs=-1, required=True, type=FILE)
@folder
@follows_reading
@click.option("--count", "k", type=click.IntRange(1), default=8, show_default=True)
@threads
def neighbours(manifest, distances, folder, rows, reading, **options):
    """List the nearest neighbours of every image, at each of DISTANCES (LAYER.npy, condensed).

    Those of a layer in any pooling will do, LAYER.POOLING.npy, where others lie beside them.
    """
    from .readings import chosen, split_name
    from .report.neighbour_table import write_neighbours

    for path in distances:
        layer, _ = split_name(path.stem)
        followed = chosen(layer, rows, reading)
        write_neighbours(path, manifest, folder / f"{layer}.csv", reading=followed, **options)


@stage
@click.argument("images", nargs=-1, required=True, type=FILE)
@click.option("--neighbours", type=PATH, required=True, help="Folder of LAYER.csv.")
@folder
def misplaced(images, neighbours, folder):
    """Say which images lie among those of other labels, from IMAGES (LAYER.images.csv).

    Of several readings of a layer the best counts, as LAYER.csv beside IMAGES says.
    """
    from .report.misplaced import write_misplaced

    for layer in images:
        name = layer.name.removesuffix(".images.csv") + ".csv"
        write_misplaced(layer, neighbours / name, folder / name)


@stage
@click.argument("stem", type=PATH)
@click.argument("images", type=PATH)
@click.argument("tables", nargs=-1, required=True, type=FILE)
@click.option("--verdict", type=FILE, help="verdict.csv: draw the depth that it advises.")
@click.option("--dataset", default="", help="Name in the verdict.")
@click.option("--extractor", default="", help="Name in the verdict.")
def misplaced_sheet(stem, images, tables, **options):
    """Draw STEM.png and .pdf: the worst of IMAGES at the depth advised, else the last of TABLES.

    TABLES are those of `misplaced` (LAYER.csv), in order of depth.
    """
    from .figures.misplaced import draw_advised

    draw_advised(images, tables, stem, **options)


@stage
@click.argument("plan", type=FILE)
@output
@click.option("--images", type=click.IntRange(2), default=10_000, show_default=True)
def explorer(plan, output, images):
    """Write one page (.html) to explore the run of PLAN (plan.json), in its folder of results.

    Of a dataset with more than so many --images, a sample is shown.
    """
    from .plan import read_plan
    from .report.explorer import write_explorer

    write_explorer(plan.parent, read_plan(plan), output, images=images)


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


@stage
@click.argument("claims", type=FILE)
@click.argument("goodness", type=FILE)
@click.argument("comparisons", type=FILE)
@click.argument("table_1", type=FILE)
@output
def claims(claims, goodness, comparisons, table_1, output):
    """Hold CLAIMS (YAML) against what was found: GOODNESS, COMPARISONS and TABLE_1 (CSV)."""
    from .report.claims import write_claims

    write_claims(claims, goodness, comparisons, table_1, output)


@stage
@click.argument("plan", type=FILE)
@output
@click.option("--record", type=FILE, required=True, help="CSV to write: versions, machine, times.")
def report(plan, output, record):
    """Write the page that sums up the run of PLAN (plan.json), in its folder of results.

    It names what of the run is missing.
    """
    from .plan import read_plan
    from .report.report import write_report

    write_report(plan.parent, read_plan(plan), output, record)


@stage
@click.argument("results", type=PATH)
def summary(results):
    """Print the numbers and the verdicts of the folder RESULTS, and where to look for more."""
    from .plan import read_plan
    from .summary import summary

    click.echo(summary(results, read_plan(results / "plan.json")))
