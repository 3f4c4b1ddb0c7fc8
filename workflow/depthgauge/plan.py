"""The plan of a run: its datasets, networks, layers and readings, and the files made of them.

It is computed once, from the config and a look at the user's folders, before the first job. The
rules take their targets from it. It is written as results/plan.json, from which the pages know
what they may read: whatever else lies in the folder of results is another run's.

Paths are relative to the folder of results. A *cell* of the plan is a dataset, an extractor and
one of its layers; how it is read, its poolings and metrics, is the same for all of an extractor.
"""

import json
import zlib
from math import ceil
from pathlib import Path

from . import datasets
from .capacity import check_work
from .config import checked_config
from .datasets.sampling import sample_size
from .distances.blocks import parts
from .errors import UserError
from .fingerprint import sha256
from .networks.check_network import check_network
from .networks.learned import check_learned, is_learned, learned_layers
from .networks.sources import network_sources, own_files
from .networks.waists import depth_count, depth_names
from .readings import METRICS, POOLINGS, pooled_name
from .report.claims_file import find_claims, read_claims
from .urls import check_urls

# Starting takes TensorFlow 12 s, 12,000 images some 270 s on eight cores
# (5.5 images/s each): less than 5 % of a job is spent on starting it.
SHARD_IMAGES = 12_000
FEW = 1_000  # images of which stages are so short that their starts would be most of it
FEW_LAYERS = 40  # whose commands, up to 2 kB each, are one line of a shell: it may have 128 kB

# The layers of Inception-v3 that the paper uses, which `layers: pooling` stands for.
_POOLING_LAYERS = ["pool", "mixed_3_pool", "mixed_8_pool", "pool_3"]


class Plan:
    """What a run consists of.

    Parameters
    ----------
    config : dict
        As ``config.checked_config`` returns it.
    images : dict of str to int
        How many images of each dataset the run takes: all of it, or a sample.
    labelled : dict of str to str
        Which images of each dataset have a label: "all", "some" or "none".
    sampled : sequence of str
        The datasets of which a sample takes the place of all images.

    Attributes
    ----------
    layers : dict of str to list of str
        The layers of each extractor, from shallow to deep.
    poolings : dict of str to list of str
        Those of each extractor.
    metrics : list of str
    learned : dict of str to str
        The kind of each extractor that is fitted to the images of a dataset.
    """

    def __init__(self, config, images, labelled, sampled=()):
        self.config, self.images, self.labelled = config, dict(images), dict(labelled)
        self.sampled = list(sampled)
        self.datasets = list(config["datasets"])
        extractors = config["extractors"]
        self.layers = {name: _layer_names(spec) for name, spec in extractors.items()}
        self.poolings = {
            name: sorted(spec["poolings"], key=POOLINGS.index) for name, spec in extractors.items()
        }
        self.metrics = sorted(config["metrics"], key=METRICS.index)
        self.learned = {name: spec["kind"] for name, spec in extractors.items() if is_learned(spec)}

    def with_labels(self, which="all"):
        """Return the datasets of which all images have a label; or some, or none."""
        return [name for name in self.datasets if self.labelled[name] == which]

    def cells(self, datasets=None):
        """Return (dataset, extractor, layer) of all cells, or of those of ``datasets``."""
        return [
            (dataset, extractor, layer)
            for dataset in (self.datasets if datasets is None else datasets)
            for extractor, layers in self.layers.items()
            for layer in layers
        ]

    def names(self, extractor, layers=None):
        """Return what the files of an extractor's layers are called, layer after layer.

        LAYER or LAYER.POOLING, all poolings of the first layer, then all of the second.
        """
        return [
            pooled_name(layer, pooling)
            for layer in layers or self.layers[extractor]
            for pooling in self.poolings[extractor]
        ]

    def shards(self, dataset):
        """Return the names of the parts in which a dataset's features are extracted: I-of-K."""
        count = max(1, ceil(self.images[dataset] / SHARD_IMAGES))
        return [f"{part}-of-{count}" for part in range(count)]

    def blocks(self, dataset):
        """Return into how many parts the images are cut whose pairs are a job each; 1 is whole."""
        return parts(self.images[dataset], self.config["block_images"])

    def few(self, dataset):
        """Return whether all layers of an extractor are one job of each stage of a dataset."""
        layers = max(map(len, self.layers.values()))
        return self.images[dataset] <= FEW and layers <= FEW_LAYERS

    def learned_from(self, dataset, extractor):
        """Return the dataset from which an extractor learns that is used on ``dataset``."""
        return self.config["extractors"][extractor]["trained_on"] or dataset

    def network(self, dataset, extractor):
        """Return the path of the network for a dataset, without its suffix."""
        if extractor in self.learned:
            return f"networks/{self.learned_from(dataset, extractor)}/{extractor}"
        return f"networks/{extractor}"

    def graph(self, dataset, extractor):
        """Return the path of the network's graph: .onnx of an ONNX file, .pb of all others."""
        kind = self.config["extractors"][extractor]["kind"]
        return self.network(dataset, extractor) + (".onnx" if kind == "onnx" else ".pb")

    def trained(self, kind="autoencoder"):
        """Return (dataset, extractor) of every autoencoder that is trained, or of every PCA."""
        return sorted(
            {
                (self.learned_from(dataset, extractor), extractor)
                for dataset in self.datasets
                for extractor in self.learned
                if self.learned[extractor] == kind
            }
        )

    def controls(self):
        """Return the extractors that are controls, and what to call each in a sentence.

        A control is what a trained network must beat: the config says so (``control``), or its
        kind does.
        """
        told = {}
        for name, spec in self.config["extractors"].items():
            words = _untrained(spec)
            said = spec.get("control")
            if said or (words and said is None):
                told[name] = words or name
        return told

    def needed(self):
        """Return the files that each part of the config needs fetched.

        Lists of ``Source`` by ``datasets.NAME`` and ``extractors.NAME``; the path of a source is
        relative to the folder of downloads.
        """
        parts = {}
        for section, sources in (("datasets", datasets.sources), ("extractors", network_sources)):
            for name, spec in self.config[section].items():
                parts[f"{section}.{name}"] = sources(name, spec)
        return parts

    def downloads(self):
        """Return what is fetched, by its place in the folder of downloads."""
        return {source.path: source for needed in self.needed().values() for source in needed}

    def has(self, row, datasets=None):
        """Return whether a row of a table is about what the run consists of.

        Parameters
        ----------
        row : dict
            A dataset, an extractor, its layer and its reading, in the columns that have these
            names; what it does not name, or leaves empty, is not asked for.
        datasets : sequence of str, optional
            Those that it may be about, in place of all.
        """
        extractor = row.get("extractor")
        known = {"dataset": self.datasets if datasets is None else datasets}
        known |= {"extractor": self.layers}
        if extractor in self.layers:
            known |= {"layer": self.layers[extractor], "pooling": self.poolings[extractor]}
            known |= {"metric": self.metrics}
        return all(row[key] in names for key, names in known.items() if row.get(key))

    def tables(self):
        """Return the names of the tables about all datasets."""
        if not self.with_labels("all"):
            return ["clusters", "table_1"]
        claims = ["claims"] if self.config["claims"] else []
        return ["goodness", "verdict", "comparisons", "ranking", *claims, "clusters", "table_1"]

    def figures(self, dataset):
        """Return the pictures of a dataset (.png), by kind, in the order of reading."""
        labelled = self.labelled[dataset] == "all"
        kinds = {"depths": ["depths/{dataset}"]} if labelled else {}
        kinds |= {"maps": ["maps/{dataset}/{extractor}"]}
        if labelled:
            kinds |= {
                kind: [f"{kind}/{{dataset}}/{{extractor}}"]
                for kind in ("violins", "heatmaps", "misplaced")
            }
            if self.config["labels_per_class"]:
                kinds |= {"labelling": ["labelling/{dataset}/{extractor}"]}
        kinds |= {"contact_sheets": ["contact_sheets/{dataset}/{extractor}"]}
        kinds |= {"near_copies": ["near_copies/{dataset}"]}
        kinds |= {"samples": ["samples/{dataset}"]}
        found = {
            kind: [
                f"figures/{pattern.format(dataset=dataset, extractor=extractor)}.png"
                for pattern in patterns
                for extractor in (self.layers if "{extractor}" in pattern else [""])
            ]
            for kind, patterns in kinds.items()
        }
        if self.labelled[dataset] == "none":
            found["ask"] = [f"figures/ask/{dataset}.png"]
        trained = [extractor for name, extractor in self.trained() if name == dataset]
        if trained:
            for kind in ("learning_curves", "reconstructions"):
                found[kind] = [f"figures/{kind}/{dataset}/{extractor}.png" for extractor in trained]
        return found

    def schematic(self, extractor):
        """Return the picture of an extractor's network."""
        return f"figures/networks/{extractor}.png"

    def labels(self, dataset):
        """Return the table of labels that are proposed for a dataset, or None where none are."""
        return f"labels/{dataset}/labels.csv" if self.labelled[dataset] == "some" else None

    def ask(self, dataset):
        """Return the table of images to label first, or None where there are labels."""
        return f"ask/{dataset}.csv" if self.labelled[dataset] == "none" else None

    def mislabelled(self, dataset):
        """Return the table of doubtful labels, or None where not all images have one."""
        return f"misplaced/{dataset}.csv" if self.labelled[dataset] == "all" else None

    def near_copies(self, dataset):
        """Return the table of images that are far nearer to each other than to others."""
        return f"near_copies/{dataset}.csv"

    def near_copy_cells(self, dataset):
        """Return the cells by whose neighbours near copies are told: no controls, from half way."""
        return [
            (dataset, name, layer)
            for name in self.no_controls()
            for layer in self.layers[name][len(self.layers[name]) // 2 :]
        ]

    def no_controls(self):
        """Return the extractors that are no controls; where all are, all of them."""
        controls = self.controls()
        return [name for name in self.layers if name not in controls] or list(self.layers)

    def unlabelled_layer(self, extractor):
        """Return the layer that is looked at first where no labels say which is best.

        It is the one at five sixths of the depth (docs/statistics.md).
        """
        layers = self.layers[extractor]
        return layers[(5 * len(layers) + 3) // 6 - 1]

    def advised(self, dataset):
        """Return the README beside the features of the cell advised, or None without labels."""
        return f"advised/{dataset}/README.md" if self.labelled[dataset] != "none" else None

    def targets(self):
        """Return every file that a reader of the run is given, the report last."""
        files = [f"{name}.csv" for name in self.tables()]
        for dataset in self.datasets:
            files += [file for files in self.figures(dataset).values() for file in files]
            tables = [self.labels(dataset), self.ask(dataset), self.mislabelled(dataset)]
            files += filter(None, [*tables, self.advised(dataset)])
            files.append(self.near_copies(dataset))
        files += [self.schematic(extractor) for extractor in self.layers]
        return [*files, "explorer.html", "report.html"]

    def text(self):
        """Return the plan as JSON, from which :func:`read_plan` makes it again."""
        plan = {
            "config": self.config,
            "images": self.images,
            "labelled": self.labelled,
            "sampled": self.sampled,
        }
        return json.dumps(plan | {"crc32": _checksum(plan)})


def make_plan(config, found=None):
    """Return the plan of a run.

    Parameters
    ----------
    config : dict
        The user's.
    found : dict, optional
        What an earlier call found out of the user's folders, which takes a minute for 200,000
        files; it is filled in where it lacks something.

    Raises
    ------
    UserError
        If the config, or what it leads to, cannot be used.
    """
    config, found = checked_config(config), {} if found is None else found
    _check_places(config)

    datasets.check_apart(config["datasets"])
    specs = config["datasets"].items()
    told = {name: _of_dataset(found, name, spec) for name, spec in specs}
    images = {name: one["images"] for name, one in told.items()}
    sampled = {}
    if config["pairs"] is not None:
        size = sample_size(config["pairs"])
        sampled = {name: size for name, count in images.items() if count > size}
    images |= sampled
    labelled = {name: one["labelled"] for name, one in told.items()}
    for name, spec in config["extractors"].items():
        if spec["kind"] in ("autoencoder", "pca"):
            check_learned(name, spec, images)
        else:
            check_network(name, spec, _layer_names(spec))
    for name, what in config["permute"].items():
        if labelled.get(name) != "all":
            there = [dataset for dataset, which in labelled.items() if which == "all"]
            raise UserError(
                f"permute: there is no labelled dataset {name!r}; there are {', '.join(there)}."
            )
        grouped = told[name].get("grouped", True)  # of a folder it is known
        if what.endswith("groups") and not grouped:
            raise UserError(
                f"permute.{name}: {what} needs to know which images are in one group; tell it by "
                f"datasets.{name}.group."
            )
    plan = Plan(config, images, labelled, sampled)
    check_work(plan)
    return plan


def own_contents(plan, found):
    """Return a digest of the user's own files that each part of the config is made from.

    Parameters
    ----------
    plan : Plan
    found : dict
        As for ``make_plan``: what it has is not looked at again, and what it lacks is filled in.

    Returns
    -------
    dict of str to str
        By ``datasets.NAME`` and ``extractors.NAME``. Of pictures, of which there may be many
        thousand, names, sizes and dates count; of the files of a network every byte.

    Raises
    ------
    UserError
        If one of them is not there.
    """
    contents = {}
    for name, spec in plan.config["datasets"].items():
        contents[f"datasets.{name}"] = _of_dataset(found, name, spec)["fingerprint"]
    for name, spec in plan.config["extractors"].items():
        contents[f"extractors.{name}"] = _looked_up(found, _network_content, name, spec)
    return contents


def read_plan(path):
    """Return the plan of the run whose results lie in the folder of the file at ``path``.

    Raises
    ------
    UserError
        If there is no such file, or if it is not whole.
    """
    remedy = "It is written when a run begins; run `snakemake` again."
    try:
        written = json.loads(Path(path).read_text(encoding="utf-8"))
        checksum = written.pop("crc32", None)  # which earlier versions did not write
        if checksum not in (None, _checksum(written)):
            raise ValueError("its checksum is another")
        return Plan(**written)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no plan of a run. {remedy}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: is not the plan of a run ({error}). {remedy}") from None


def _untrained(spec):
    """Return what to call an extractor that learned nothing of what is in pictures, or ""."""
    if spec["kind"] == "pca":
        return f"the pixels alone ({spec['components']} principal components)"
    if spec["kind"] == "keras_application" and spec["weights"] is None:
        return f"{spec.get('application', 'a network')} with random weights"
    if spec["kind"] == "autoencoder" and not spec["train"]:
        return "an encoder that was not trained"
    return ""


def _checksum(plan):
    return zlib.crc32(json.dumps(plan, sort_keys=True).encode())


def _check_places(config):
    """Raise UserError where a key names a file, a folder or an address that there is not."""
    if config["mirror"] and not Path(config["mirror"]).expanduser().is_dir():
        raise UserError(
            f"mirror: there is no folder {config['mirror']}; expected one laid out HOST/PATH, as "
            "`wget -x` makes it. Leave the key out to download."
        )
    if config["claims"] is not None:
        try:
            read_claims(find_claims(config["claims"]))
        except UserError as error:
            raise UserError(f"claims: {error}") from None
    for name, spec in config["datasets"].items():
        check_urls(f"datasets.{name}.urls", spec.get("urls") or [])


def _of_dataset(found, name, spec):
    """Return what is told of a dataset; a message says which one of the config it is about."""
    try:
        return _looked_up(found, datasets.look, name, spec)
    except UserError as error:
        where = f"datasets.{name}"
        raise UserError(str(error) if where in str(error) else f"{where}: {error}") from None


def _looked_up(found, look, name, spec):
    """Return ``look(name, spec)``, or what ``found`` has of it."""
    key = f"{look.__name__} {name}"
    if key not in found:
        found[key] = look(name, spec)
    return found[key]


def _network_content(name, spec):
    return sha256(*own_files(name, spec))[:16]


def _layer_names(spec):
    """Return the layers of an extractor, from shallow to deep."""
    if spec["kind"] in ("autoencoder", "pca"):
        return learned_layers(spec)
    if count := depth_count(spec["layers"]):
        return depth_names(count)
    return _POOLING_LAYERS if spec["layers"] == "pooling" else list(spec["layers"])
