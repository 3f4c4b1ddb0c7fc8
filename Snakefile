# depthgauge: how deep into a pretrained network to look for features of your images.
#
#   snakemake --cores all                            the embedded run (config.yaml)
#   snakemake --cores all --configfile CONFIG        an experiment of your own
#
# The data's way: images -> features -> distances -> goodness, maps -> figures -> report.

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/config.smk"


# A config of one's own replaces the embedded run's; Snakemake would merge the two.
if "datasets" not in config and "extractors" not in config:

    configfile: legible(Path(workflow.basedir) / "config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/together.smk"
include: "workflow/rules/resources.smk"


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    extractor="|".join(PLAN.layers),
    layer="|".join(sorted({layer for *_, layer in PLAN.cells()})),
    shard=r"\d+-of-\d+",


localrules:
    all,
    data,


rule all:
    input:
        in_results(PLAN.targets()),


include: "workflow/rules/datasets.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/autoencoder.smk"
include: "workflow/rules/distances.smk"
include: "workflow/rules/goodness.smk"
include: "workflow/rules/labelling.smk"
include: "workflow/rules/advised.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


if workflow.is_main_process:
    warn_of_capacity()


onstart:
    check_capacity()


onsuccess:
    for line in not_fetched(PLAN, "results"):
        logger.warning(line)
    # A part of the run is not summed up; and who draws the terminal sums up by itself.
    if not is_quiet() and all(map(os.path.exists, in_results(PLAN.targets()))):
        shell("depthgauge summary results")


onerror:
    for line in not_fetched(PLAN, "results"):
        logger.warning(line)
    # The page of what there is; it says what is missing, and is written anew when that is made.
    if os.path.exists("results/plan.json"):
        shell(
            "depthgauge report results/plan.json --output results/report.html"
            " --record results/run.csv --log results/logs/report.log || true"
        )
    if workflow.non_local_exec:
        logger.warning(
            "A job of which the log breaks off lacked memory or time, even at its last attempt. "
            "Give it more, `--set-resources RULE:mem_mb=MEGABYTES RULE:runtime=MINUTES`, and run "
            "the same command again: all that is made is kept (docs/cluster.md)."
        )
