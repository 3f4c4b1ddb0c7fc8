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
        ["results/goodness.csv", "results/verdict.csv"] if LABELLED else [],
        expand("results/figures/depths/{dataset}.png", dataset=LABELLED),
        expand(
            "results/figures/heatmaps/{dataset}/{extractor}.png",
            dataset=LABELLED,
            extractor=LAYERS,
        ),
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
        "results/clusters.csv",
        expand(
            "results/figures/contact_sheets/{dataset}/{extractor}.png",
            dataset=CONFIG["datasets"],
            extractor=LAYERS,
        ),
        expand(
            "results/figures/labelling/{dataset}/{extractor}.png",
            dataset=LABELLED if CONFIG["labels_per_class"] else [],
            extractor=LAYERS,
        ),
        expand("results/labels/{dataset}/labels.csv", dataset=PARTLY_LABELLED),
        expand(
            "results/figures/misplaced/{dataset}/{extractor}.png",
            dataset=LABELLED,
            extractor=LAYERS,
        ),
        "results/explorer.html",
        "results/table_1.csv",
        expand("results/figures/samples/{dataset}.png", dataset=CONFIG["datasets"]),
        expand("results/figures/networks/{extractor}.png", extractor=LAYERS),
        expand(
            "results/figures/{figure}/{trained}.png",
            figure=("learning_curves", "reconstructions"),
            trained=TRAINED,
        ),
        "results/claims.csv" if LABELLED and CONFIG["claims"] else [],
        "results/report.html",


include: "workflow/rules/datasets.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/autoencoder.smk"
include: "workflow/rules/blocks.smk"
include: "workflow/rules/distances.smk"
include: "workflow/rules/goodness.smk"
include: "workflow/rules/sampling.smk"
include: "workflow/rules/verdict.smk"
include: "workflow/rules/labelling.smk"
include: "workflow/rules/embeddings.smk"
include: "workflow/rules/clusters.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/room.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


onstart:
    check_room()


onsuccess:
    for line in not_fetched():
        print(line, file=sys.stderr)
    shell("depthgauge summary results")


onerror:
    for line in not_fetched():
        print(line, file=sys.stderr)
    # The page of what there is; it says what is missing, and is written anew when that is made.
    if os.path.isdir("results/figures"):
        shell(
            "depthgauge report results --config {RUN_CONFIG:q} --output results/report.html"
            " --record results/run.csv || true"
        )
    if workflow.non_local_exec:
        print(
            "A job of which the log breaks off lacked memory or time, even at its last attempt. "
            "Give it more, `--set-resources RULE:mem_mb=MEGABYTES RULE:runtime=MINUTES`, and run "
            "the same command again: all that is made is kept (docs/cluster.md).",
            file=sys.stderr,
        )
