"""The command line: one command a stage, in the order of the data's way.

A command is declared here and does nothing here: it names the function that it calls.
"""

from functools import partial
from pathlib import Path

import click

from . import __version__
from .option_types import Block, OneReading, Shard, Spec, checked
from .readings import METRICS, POOLINGS
from .stage import Stages

FILE = click.Path(dir_okay=False, path_type=Path)
PATH = click.Path(path_type=Path)


@click.group(cls=Stages, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main():
    """How deep into a pretrained network to look for features of your images.

    \b
    For a folder of pictures, with one sub-folder per class:
      run                            all of it, from the folder to the report
      check                          the folder alone: what is there, and what is odd

    The workflow runs these commands in this order; each works by itself, too:

    \b
    images
      download, dataset              JPEGs and their manifest
    features
      autoencoder, pca               a network learned from the images themselves
      layers                         the depths that a network has, to choose from
      network                        a network frozen, its layers described
      features                       what it makes of the images, at several depths
    distances
      distances, join-blocks         between all pairs of images
      angle                          the same by angle, from those
    measures
      goodness, sampled-goodness     how well labels cluster, tested by permutation
      goodness-table                 all of it, with p corrected for the number of tests
      compare, verdict               depths against one another, and the one to use
      clusters, cluster-table        groups of images, without labels
      label-accuracy, linear-probe   how well few labels label the rest
      labels                         labels for the images that have none
      ask                            which images to label first, where none has a label
      neighbours, misplaced          images that lie among those of another label
      mislabelled                    all images, by how well another label fits
      near-copies                    images far nearer to each other than to others
    to go on with
      advised                        the features of the depth to use, and what extracts them
      apply, nearest                 new pictures: the same features of them, the nearest images
    figures
      embedding, maps                where the images lie
      violins, heatmap, depths       goodness: and chance, class by class, at all depths
      label-curves                   accuracy against the number of labels
      samples, table-one             the datasets: shown, and counted
      contact-sheet, misplaced-sheet   images of each cluster, and those misplaced
      ask-sheet, near-copies-sheet   the images to label first; near copies, in pairs
      schematic                      the network, with the layers marked
      learning-curve, reconstructions   how well an autoencoder learned
    of all of these
      together                       several from one process
    to read
      claims                         what somebody found, held against the results
      report                         one page that sums up the run
      explorer                       one page to walk the maps and see the images
      summary                        the numbers and verdicts, in the terminal
    """


stage = main.stage
file = partial(click.argument, type=FILE)
files = partial(click.argument, type=FILE, nargs=-1, required=True)
place = partial(click.argument, type=PATH)
file_option = partial(click.option, type=FILE)
written = partial(click.option, type=FILE, required=True)

name = click.argument("name")
dataset_spec, extractor_spec = (
    click.argument("spec", type=Spec(), callback=partial(checked, section))
    for section in ("datasets", "extractors")
)
stem = place("stem")
output = written("--output", "-o")
outputs = written("--output", "-o", "outputs", multiple=True)
folder = click.option("--folder", type=PATH, required=True, help="Of the LAYER.csv to write.")

dataset_name = click.option("--dataset", help="Its name, for seeds and tables.")
extractor_name = click.option("--extractor", help="Its name, for seeds and tables.")
layer_name = click.option("--layer", help="Its name, for seeds and tables.")
title = click.option("--title", help="Above the figure.")

seed = click.option("--seed", type=int, default=1, show_default=True, help="The run's seed.")
threads = click.option("--threads", type=click.IntRange(1))
perplexity = click.option("--perplexity", type=float, help="That of the maps.")
labels_per_class = click.option("--labels", "labels_per_class", multiple=True, type=int)
splits = click.option("--splits", type=click.IntRange(2))
poolings = click.option(
    *("--pooling", "poolings"),
    type=click.Choice(POOLINGS),
    multiple=True,
    help="Which values of a layer; several may be given.",
)
metrics = click.option(
    *("--metric", "metrics"),
    type=click.Choice(METRICS),
    multiple=True,
    help="How images are compared; both may be given.",
)
reading = click.option(
    "--reading", type=OneReading(), help="POOLING.METRIC of all layers, such as mean.angle."
)
rows = click.option(
    "--rows", type=PATH, help="Folder of LAYER.csv of `goodness`: take each layer's best reading."
)


split = click.option(
    "--split",
    type=click.Choice(["folder", "none"]),
    help="Sub-folders with the same sub-folders are parts (folder), or the classes (none).",
)


@stage("own.run:run_pictures")
@click.argument("pictures", type=PATH)
@click.option("--output", "-o", type=PATH, help="Folder to write.  [default: PICTURES-depthgauge]")
@click.option("--networks", help="Names (ResNet50) and files (.onnx, .keras), with commas between.")
@click.option("--layers", type=click.IntRange(1), help="How many depths of each network.")
@click.option("--quick", is_flag=True, help="Measure a sample of 300 pictures.")
@file_option("--labels", help="CSV with the columns image,label; then sub-folders are no classes.")
@click.option("--group", help="Regular expression: what in a path says which belong together.")
@split
@click.option("--cores", type=click.IntRange(1), help="How many to use, in place of all.")
@click.option("--open", "open_report", is_flag=True, help="Open the report when it is made.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--verbose", is_flag=True, help="Show Snakemake's own lines.")
def run():
    """Find the network and the depth for PICTURES, a folder with one sub-folder per class.

    Looks at the folder, says what will be done, and writes PICTURES-depthgauge: the config, the
    report, the explorer and all results. The same command goes on where it was stopped.
    """


@stage("own.looks:print_looks")
@click.argument("pictures", type=PATH)
@file_option("--labels", help="CSV with the columns image,label; then sub-folders are no classes.")
@split
def check():
    """Look at PICTURES, a folder with one sub-folder per class, and compute nothing."""


@stage("download:fetch")
@click.argument("urls", nargs=-1, required=True)
@output
@click.option("--checks", type=Spec(), help="YAML: sha256, md5, content_md5, size.")
@click.option("--mirror", type=PATH, help="Folder laid out HOST/PATH to look in first.")
@click.option("--optional", is_flag=True, help="If none has it, warn and leave an empty file.")
def download():
    """Fetch a file from the first of URLS that has it, and check it."""


@stage("datasets:make_dataset")
@name
@dataset_spec
@click.argument("sources", nargs=-1, type=PATH)
@click.option("--images", type=PATH, required=True, help="Folder to write the JPEGs to.")
@written("--manifest", help="CSV to write.")
@file_option("--notes", help="CSV to write: what a reader must know of the data.")
@click.option("--pairs", type=click.IntRange(1), help="Take a sample that has so many pairs.")
@click.option("--quality", type=click.IntRange(1, 100))
@seed
@threads
def dataset():
    """Make the dataset NAME of SPEC (YAML), with the downloaded SOURCES that it needs."""


@stage("networks.autoencoder:write_autoencoder")
@name
@extractor_spec
@place("images")
@file("manifest")
@written("--model", help="Model to write (.keras).")
@written("--history", help="CSV to write: the learning curve.")
@written("--examples", help=".npz to write: reconstructions.")
@dataset_name
@seed
@threads
def autoencoder():
    """Train the autoencoder NAME of SPEC (YAML) on IMAGES, without their labels."""


@stage("networks.pixel_pca:write_pca")
@name
@extractor_spec
@place("images")
@file("manifest")
@written("--model", help="Network to write (.keras).")
@dataset_name
@seed
@threads
def pca():
    """Fit the principal components NAME of SPEC (YAML) to the pixels of IMAGES."""


@stage("networks.freeze:write_network")
@name
@extractor_spec
@file_option("--source", help="The download or the model learned, where SPEC needs it.")
@written("--graph", help="Graph to write: .onnx of an ONNX file, else .pb.")
@written("--layers", help="Description to write (.json).")
@file_option("--nodes", help="Table of the graph's nodes to write (.csv).")
@seed
def network():
    """Freeze the extractor NAME of SPEC (YAML) into a graph, and describe its layers."""


@stage("networks.layers:print_layers")
@click.argument("network")
@click.option("--size", type=click.IntRange(8), help="Of the images, where the network has none.")
@click.option("--input", "source", help="Of a .pb: the tensor that takes images.")
def layers():
    """List the depths of NETWORK: an .onnx, .pb, .keras or .h5, or a name in keras.applications."""


@stage("networks.features:write_features")
@file("graph")
@file("layers")
@place("images")
@file("manifest")
@files("outputs")
@poolings
@file_option("--mean", "means", multiple=True, help=".npy to write: of each output.")
@click.option("--shard", type=Shard(), default="0/1", show_default=True, help="Part I of K.")
@click.option("--dtype", type=click.Choice(["float32", "float16"]))
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]))
@threads
def features():
    """Write the features of IMAGES at every one of LAYERS, one of OUTPUTS (.npy) a layer.

    With several poolings, one of OUTPUTS for each pooling of a layer, layer after layer.
    """


@stage("distances.distances:layer_distances")
@files("shards")
@outputs
@click.option("--block", type=Block(), help="Part A of the images against B, of K parts.")
@file_option("--manifest", help="Refuse shards of another manifest.")
@file_option("--layers", help="Refuse shards of another network: its description.")
@click.option("--layer", help="Refuse shards of another layer.")
@threads
def distances():
    """Compute the distances between all rows of SHARDS (.npy), condensed.

    With several --output, each takes its share of SHARDS: those of another pooling of the layer.
    Of very many images, compute blocks, each by itself, and join them. With --manifest,
    --layers and --layer, SHARDS must say that they were made from just these.
    """


@stage("distances.blocks:join_all_blocks")
@files("blocks")
@outputs
def join_blocks():
    """Put BLOCKS of distances (0,0 0,1 ... 1,1 ... of K parts) together, condensed.

    With several --output, each takes its share of BLOCKS: those of another pooling.
    """


@stage("distances.angle:write_angles")
@file("distances")
@output
@threads
def angle():
    """Compute distances by angle, as seen from the mean of all images, from Euclidean DISTANCES.

    DISTANCES is a .npy file, condensed or square; what is written is condensed.
    """


@stage("statistics.layer:goodness")
@file("distances")
@file("labels")
@file_option("--null", help=".npy to write: goodness when permuted.")
@file_option("--row", help="CSV to write: the rows of goodness.csv.")
@file_option("--classes", help="CSV to write: class by class.")
@file_option("--images", help="CSV to write: image by image.")
@file_option("--halves", help="CSV to write: accuracy in halves of the images.")
@dataset_name
@extractor_name
@layer_name
@file_option("--layers", help="The network's description: depth and dim of the layer.")
@poolings
@metrics
@click.option(
    "--permute",
    type=click.Choice(
        ["images", "within_groups", "groups", "similar_groups", "within_collections", "auto"]
    ),
    default="images",
    show_default=True,
    help="What changes labels; auto follows from the groups.",
)
@click.option(
    "--no-label",
    multiple=True,
    help="What stands for no label in LABELS of your own, in place of NA, nan, None and their kin; "
    "'' where they are names of classes.",
)
@click.option("--permutations", type=click.IntRange(1), default=9999, show_default=True)
@seed
@threads
def goodness():
    """Measure how LABELS cluster in Euclidean DISTANCES (.npy, condensed or square), and test it.

    LABELS is a manifest (image,label, maybe group and collection) or a CSV of one column. Of the
    layer in --layers, the distances in all --pooling lie beside DISTANCES. Without a file to write,
    what was found is printed.
    """


@stage("statistics.sampled_goodness:write_sampled_goodness")
@file("row")
@file("distances")
@file("manifest")
@output
@threads
def sampled_goodness():
    """Estimate a dataset's goodness from ROW (CSV) and DISTANCES of the sample in MANIFEST."""


@stage("maps.embedding:write_embedding")
@file("distances")
@file("manifest")
@output
@dataset_name
@extractor_name
@layer_name
@rows
@reading
@perplexity
@seed
@threads
def embedding():
    """Lay out the images of DISTANCES (condensed .npy) on a map by t-SNE."""


@stage("clusters.clusters:write_clusters")
@files("embeddings")
@written("--distances", multiple=True, help="LAYER.npy, condensed, of each map.")
@folder
@written("--summary", help="CSV to write: one row per layer.")
@written("--agreement", help="CSV to write: layers in pairs.")
@file_option("--manifest", help="Of the images: their groups are drawn as wholes.")
@dataset_name
@extractor_name
@rows
@reading
@perplexity
@seed
@threads
def clusters():
    """Find clusters on the maps EMBEDDINGS (LAYER.csv), in order of depth, and try them."""


@stage("clusters.cluster_table:write_cluster_table")
@files("summaries")
@output
@file_option("--goodness", help="goodness.csv, to stand beside.")
def cluster_table():
    """Put the SUMMARIES (CSV) of the clusters of all cells under one header."""


@stage("labelling.label_accuracy:write_label_accuracy")
@file("manifest")
@files("distances")
@output
@dataset_name
@rows
@reading
@labels_per_class
@splits
@seed
@threads
def label_accuracy():
    """Label most images of each of DISTANCES (LAYER.npy) from few; say how many come right."""


@stage("labelling.linear_probe:write_linear_probe")
@file("manifest")
@files("shards")
@output
@dataset_name
@layer_name
@labels_per_class
@splits
@seed
@threads
def linear_probe():
    """Fit linear classifiers to few of the features in SHARDS (.npy), try them on the rest."""


@stage("figures.label_curves:label_curves_figure")
@stem
@files("trials")
@written("--curves", help="CSV to write: means and intervals.")
@written("--differences", help="CSV to write: paired differences.")
@title
@seed
def label_curves():
    """Draw STEM.png and .pdf: accuracy against labels per class, from TRIALS (CSV)."""


@stage("labelling.labelling:write_labels")
@file("manifest")
@files("distances")
@output
@written("--accuracy", help="CSV to write: what to expect of it.")
@dataset_name
@metrics
@click.option(
    "--confidence", type=click.FloatRange(0, 1), help="Probability from which a label is given."
)
@seed
@threads
def labels():
    """Label the unlabelled images of MANIFEST by the best of DISTANCES (EXTRACTOR/LAYER.npy).

    LAYER.POOLING.npy are those of another pooling; of each layer the best reading is taken.
    """


@stage("labelling.mislabelled:write_mislabelled")
@file("manifest")
@file("verdict")
@files("distances")
@output
@dataset_name
@threads
def mislabelled():
    """Rank the images of MANIFEST (CSV) by how well another label fits, at what VERDICT advises.

    DISTANCES (EXTRACTOR/LAYER.npy) are those of the advised readings, others are not read.
    """


@stage("labelling.ask:write_ask")
@file("manifest")
@file("distances")
@output
@click.option("--metric", type=click.Choice(METRICS))
@click.option("--count", type=click.IntRange(1), help="How many images to ask for.")
@threads
def ask():
    """Write which images of MANIFEST (CSV) to label first, by their DISTANCES (.npy)."""


@stage("statistics.multiplicity:write_goodness_table")
@files("rows")
@click.option("--nulls", type=PATH, required=True, help="Folder of the cells' nulls.")
@output
def goodness_table():
    """Put the ROWS (CSV) of all cells under one header, and correct p for their number."""


@stage("statistics.comparison:write_comparisons")
@files("rows")
@output
@written("--ranking", required=False, help="CSV to write: each cell beside the best one.")
@seed
def compare():
    """Compare the cells of each dataset of ROWS (LAYER.csv) in pairs, with intervals.

    Beside each row its LAYER.images.csv is expected.
    """


@stage("statistics.verdict:write_verdict")
@file("goodness")
@file("ranking")
@files("halves")
@output
@click.option(
    "--control",
    "controls",
    multiple=True,
    help="EXTRACTOR=WORDS of one that must be beaten, and what to call it.",
)
def verdict():
    """Say which depth to use, from GOODNESS, RANKING and the HALVES of all cells (CSV)."""


@stage("advised.export:write_advised")
@file("advice")
@file("manifest")
@place("images")
@files("networks")
@output
@click.option("--dataset", required=True)
@click.option("--means", type=PATH, required=True, help="Folder of the features' means.")
@click.option("--parts", type=click.IntRange(1), help="In which they were extracted.")
@click.option("--kept", type=PATH, help="Folder of the features, to take those that are there.")
@click.option("--quality", type=click.IntRange(1, 100), help="Of the dataset's JPEGs.")
@threads
def advised():
    """Write the features of the cell that ADVICE (verdict.csv) has, and their extractor.

    ADVICE may be a table of your own: one row of extractor, layer, pooling and metric. NETWORKS are
    all graphs (EXTRACTOR.pb or .onnx); the output is README.md, beside which all lies.
    """


@stage("advised.apply:apply")
@place("advised")
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@written("--output", "-o", help=".npy (and .images.csv), .csv or .parquet to write.")
@threads
def apply():
    """Write the features of PICTURES, files and folders, as a run advises.

    ADVISED is results/advised/DATASET of the run, or, with one dataset, the run's folder.
    Pictures that cannot be read are named and left out; then the command fails at its end.
    """


@stage("advised.nearest:print_nearest")
@place("advised")
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option("--count", "-n", type=click.IntRange(1), help="Of images for each picture.")
@threads
def nearest():
    """Print the images of a run nearest to PICTURES, by the features that it advises.

    ADVISED is results/advised/DATASET of the run, or, with one dataset, the run's folder.
    """


@stage("figures.heatmap:heatmap_figure")
@stem
@files("classes")
@title
def heatmap():
    """Draw STEM.png and .pdf: mean distances of CLASSES (LAYER.classes.csv), one panel per depth.

    Of several readings of a layer the best is drawn, as LAYER.csv beside it says.
    """


@stage("figures.depths:depths_figure")
@stem
@file("goodness")
@file("verdict")
@click.option("--dataset", required=True)
def depths():
    """Draw STEM.png and .pdf: measures against depth, all extractors of one dataset."""


@stage("figures.violins:violins_figure")
@stem
@files("rows")
@seed
def violins():
    """Draw STEM.png and .pdf: goodness against depth and its null, from ROWS (CSV).

    Beside the rows of each layer (LAYER.csv) their null (LAYER.npy) is expected. The best reading
    of each is drawn.
    """


@stage("figures.maps:maps_figure")
@stem
@files("embeddings")
@file_option("--layers", help="The network's description: dims of the layers.")
@file_option("--row", "rows", multiple=True, help="Rows of goodness.csv of a layer.")
@reading
@title
@perplexity
@seed
def maps():
    """Draw STEM.png and .pdf: a panel for each of EMBEDDINGS (LAYER.csv), in depth order.

    They are of the best reading of each layer in the --row files, or of the --reading.
    """


@stage("figures.samples:draw_samples")
@stem
@place("images")
@file("manifest")
@title
def samples():
    """Draw STEM.png and .pdf: some of the IMAGES of every class."""


@stage("figures.contact_sheet:draw_most_stable")
@stem
@place("images")
@file("manifest")
@file("summary")
@place("clusters")
@click.option("--layer", help="The depth to draw in place of the most stable.")
@seed
def contact_sheet():
    """Draw STEM.png and .pdf: some of the IMAGES of every cluster, at the most stable depth.

    SUMMARY is that of the clusters, and CLUSTERS the folder of their LAYER.csv.
    """


@stage("figures.ask:draw_ask")
@stem
@place("images")
@file("asked")
@title
def ask_sheet():
    """Draw STEM.png and .pdf: the IMAGES that ASKED (CSV) says to label first."""


@stage("figures.network:schematic_figure")
@stem
@file("nodes")
@file("layers")
@title
def schematic():
    """Draw STEM.png and .pdf: the network of NODES (.csv) with its LAYERS (.json) marked."""


@stage("figures.learning_curve:learning_curve_figure")
@stem
@file("history")
@title
@seed
def learning_curve():
    """Draw STEM.png and .pdf: the errors in HISTORY (.csv) against the epochs of training."""


@stage("figures.reconstructions:reconstructions_figure")
@stem
@file("examples")
@title
@click.option("--latent", type=int, required=True, help="Values of the code.")
def reconstructions():
    """Draw STEM.png and .pdf: images held out, and what the autoencoder makes of them."""


@stage("together:run_together")
@click.argument("commands", nargs=-1, required=True)
@threads
def together():
    """Run COMMANDS in one process, each of them in quotes: 'violins STEM ROWS ...'."""


@stage("report.neighbour_table:write_neighbours")
@file("manifest")
@files("distances")
@folder
@rows
@reading
@click.option("--count", "k", type=click.IntRange(1))
@threads
def neighbours():
    """List the nearest neighbours of every image, at each of DISTANCES (LAYER.npy, condensed).

    Those of a layer in any pooling will do, LAYER.POOLING.npy, where others lie beside them.
    """


@stage("report.near_copies:write_near_copies")
@file("manifest")
@place("images")
@files("neighbours")
@output
@click.option("--limit", type=click.FloatRange(0, 1))
@threads
def near_copies():
    """List pairs of IMAGES far nearer to each other than to others, from NEIGHBOURS (LAYER.csv).

    NEIGHBOURS are layers of one or several networks, EXTRACTOR/LAYER.csv. Exact copies are no part
    of a dataset; these are a picture saved, cut, mirrored or lit otherwise, or two of one scene.
    """


@stage("figures.near_copies:draw_near_copies")
@stem
@place("images")
@file("table")
@title
def near_copies_sheet():
    """Draw STEM.png and .pdf: pairs of IMAGES that TABLE (CSV of `near-copies`) lists first."""


@stage("report.misplaced:write_all_misplaced")
@files("images")
@click.option("--neighbours", type=PATH, required=True, help="Folder of LAYER.csv.")
@folder
def misplaced():
    """Say which images lie among those of other labels, from IMAGES (LAYER.images.csv).

    Of several readings of a layer the best counts, as LAYER.csv beside IMAGES says.
    """


@stage("figures.misplaced:draw_advised")
@stem
@place("images")
@files("tables")
@file_option("--verdict", help="verdict.csv: draw the depth that it advises.")
@dataset_name
@extractor_name
def misplaced_sheet():
    """Draw STEM.png and .pdf: the worst of IMAGES at the depth advised, else the last of TABLES.

    TABLES are those of `misplaced` (LAYER.csv), in order of depth.
    """


@stage("report.explorer:write_explorer")
@file("plan")
@output
@click.option("--images", type=click.IntRange(2))
def explorer():
    """Write one page (.html) to explore the run of PLAN (plan.json), in its folder of results.

    Of a dataset with more than so many --images, a sample is shown.
    """


@stage("figures.table:table_one")
@stem
@files("manifests")
@click.option("--link", "links", multiple=True, help="DATASET=ADDRESS where it is described.")
def table_one():
    """Write STEM.csv and .md: the datasets of MANIFESTS (DATASET/manifest.csv).

    Beside each manifest its notes.csv is expected.
    """


@stage("report.claims:write_claims")
@file("claims")
@file("goodness")
@file("comparisons")
@file("table_1")
@output
def claims():
    """Hold CLAIMS (YAML) against what was found: GOODNESS, COMPARISONS and TABLE_1 (CSV)."""


@stage("report.report:write_report")
@file("plan")
@output
@written("--record", help="CSV to write: versions, machine, times.")
def report():
    """Write the page that sums up the run of PLAN (plan.json), in its folder of results.

    It names what of the run is missing.
    """


@stage("summary:print_summary")
@place("results")
@click.option("--table", is_flag=True, help="Print a line for each layer, too.")
def summary():
    """Print the verdicts of the folder RESULTS, and where to look for more."""
