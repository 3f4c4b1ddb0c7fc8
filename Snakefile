# depthgauge: how deep into a pretrained network to look for features of your images.
#
#   snakemake --cores all                            the embedded run (config.yaml)
#   snakemake --cores all --configfile CONFIG        an experiment of your own
#
# The data's way: images -> features -> distances -> goodness, embeddings -> figures.

from snakemake.utils import min_version

min_version("9.0")

# A config of one's own replaces the embedded run's; Snakemake would merge the two.
if "datasets" not in config and "extractors" not in config:

    configfile: Path(workflow.basedir) / "config.yaml"


include: "workflow/rules/common.smk"


wildcard_constraints:
    dataset="|".join(CONFIG["datasets"]),
    extractor="|".join(CONFIG["extractors"]),
    layer="|".join(sorted({layer for layers in LAYERS.values() for layer in layers})),
    shard=r"\d+-of-\d+",


localrules:
    all,
    data,


rule all:
    input:
        "results/goodness.csv" if LABELLED else [],
        expand(
            "results/figures/violins/{dataset}/{extractor}.png",
            dataset=LABELLED,
            extractor=LAYERS,
        ),
        expand(
            "results/figures/maps/{dataset}/{extractor}.png",
            dataset=CONFIG["datasets"],
            extractor=LAYERS,
        ),
        "results/table_1.csv",
        expand("results/figures/samples/{dataset}.png", dataset=CONFIG["datasets"]),
        expand("results/figures/networks/{extractor}.png", extractor=LAYERS),


include: "workflow/rules/datasets.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/distances.smk"
include: "workflow/rules/goodness.smk"
include: "workflow/rules/embeddings.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/paper.smk"


onsuccess:
    for line in not_fetched():
        print(line, file=sys.stderr)
    if LABELLED and os.path.exists("results/goodness.csv"):
        shell("depthgauge summary results/goodness.csv results/figures")


onerror:
    for line in not_fetched():
        print(line, file=sys.stderr)
