# Clustering goodness, its permutation null and its company, a job for all readings of a layer; then
# one table of all cells.

LABELLED_CELLS = [
    f"{dataset}/{extractor}/{layer}"
    for dataset in LABELLED
    for extractor, layers in LAYERS.items()
    for layer in layers
]

for dataset in set(CONFIG["permute"]) - set(LABELLED):
    raise WorkflowError(
        f"permute: there is no labelled dataset {dataset!r}; there are {', '.join(LABELLED)}."
    )


rule goodness:
    input:
        code=modules("statistics.layer_goodness"),
        distances=layer_distances,
        manifest="results/datasets/{dataset}/manifest.csv",
        layers=network_layers,
    output:
        # Not removed before the job: a reading that is there and right is not measured again.
        null=update("results/nulls/{dataset}/{extractor}/{layer}.npy"),
        row=update("results/nulls/{dataset}/{extractor}/{layer}.csv"),
        classes=update("results/nulls/{dataset}/{extractor}/{layer}.classes.csv"),
        images=update("results/nulls/{dataset}/{extractor}/{layer}.images.csv"),
        halves=update("results/nulls/{dataset}/{extractor}/{layer}.halves.csv"),
    log:
        "results/logs/goodness/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/goodness/{dataset}/{extractor}/{layer}.tsv"
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        # 4,000 images: 0.8 GB, 36 s on two busy cores; the moments take n^3, 7 s of 10,000 images.
        mem_mb=growing(lambda wildcards: 1500 + 4 * pairs_mb(wildcards.dataset)),
        runtime=growing(
            lambda wildcards: 10
            + len(POOLINGS[wildcards.extractor])
            * len(METRICS)
            * (
                pairs_mb(wildcards.dataset)
                * (10**4 + CONFIG["permutations"])
                // 200_000
            )
        ),
    params:
        permute=lambda wildcards: CONFIG["permute"].get(wildcards.dataset, "images"),
        permutations=CONFIG["permutations"],
        poolings=lambda wildcards: [
            f"--pooling={pooling}" for pooling in POOLINGS[wildcards.extractor]
        ],
        metrics=[f"--metric={metric}" for metric in METRICS],
        seed=CONFIG["seed"],
    message:
        "Testing goodness of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge goodness {input.distances[0]} {input.manifest} --layers {input.layers}"
        " {params.poolings} {params.metrics}"
        " --dataset {wildcards.dataset} --extractor {wildcards.extractor}"
        " --layer {wildcards.layer} --permute {params.permute}"
        " --permutations {params.permutations} --seed {params.seed}"
        " --null {output.null} --row {output.row} --classes {output.classes}"
        " --images {output.images} --halves {output.halves} --threads {threads} --log {log}"


rule goodness_table:
    input:
        code=modules("statistics.multiplicity"),
        rows=[
            f"results/{'sampled' if dataset in SAMPLED else 'nulls'}/{dataset}/{extractor}/{layer}.csv"
            for dataset in LABELLED
            for extractor, layers in LAYERS.items()
            for layer in layers
        ],
        nulls=[f"results/nulls/{cell}.npy" for cell in LABELLED_CELLS],
    output:
        report(
            "results/goodness.csv",
            caption="../report/goodness.rst",
            category="Tables",
            labels={"what": "goodness", "network": ""},
        ),
    log:
        "results/logs/goodness_table.log",
    benchmark:
        "results/benchmarks/goodness_table.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(700),
        runtime=growing(10),
    message:
        "Gathering goodness in one table"
    shell:
        "depthgauge goodness-table {input.rows} --nulls results/nulls --output {output} --log {log}"
