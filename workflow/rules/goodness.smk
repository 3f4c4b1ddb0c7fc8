# Clustering goodness and its permutation null, a job a layer; then one table of all.


rule goodness:
    input:
        code=modules("goodness"),
        distances="results/distances/{dataset}/{extractor}/{layer}.npy",
        manifest="results/datasets/{dataset}/manifest.csv",
        layers="results/networks/{extractor}.json",
    output:
        null="results/nulls/{dataset}/{extractor}/{layer}.npy",
        row="results/nulls/{dataset}/{extractor}/{layer}.csv",
    log:
        "results/logs/goodness/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/goodness/{dataset}/{extractor}/{layer}.tsv"
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards: 1000 + 2 * pairs_mb(wildcards.dataset),
        runtime=lambda wildcards: 10 + pairs_mb(wildcards.dataset) // 10,
    params:
        permutations=CONFIG["permutations"],
        seed=CONFIG["seed"],
    message:
        "Testing goodness of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge goodness {input.distances} {input.manifest} --layers {input.layers}"
        " --dataset {wildcards.dataset} --extractor {wildcards.extractor}"
        " --layer {wildcards.layer} --permutations {params.permutations} --seed {params.seed}"
        " --null {output.null} --row {output.row} --threads {threads} --log {log}"


rule goodness_table:
    input:
        code=modules("gather"),
        rows=[
            f"results/nulls/{dataset}/{extractor}/{layer}.csv"
            for dataset in LABELLED
            for extractor, layers in LAYERS.items()
            for layer in layers
        ],
    output:
        "results/goodness.csv",
    log:
        "results/logs/goodness_table.log",
    benchmark:
        "results/benchmarks/goodness_table.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    message:
        "Gathering goodness in one table"
    shell:
        "depthgauge gather {input.rows} --output {output} --log {log}"
