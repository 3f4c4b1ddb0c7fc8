# With `pairs`: the goodness of a whole dataset, estimated from the sample that was taken of it.


rule sampled_goodness:
    input:
        code=modules("statistics.sampled_goodness"),
        row="results/nulls/{dataset}/{extractor}/{layer}.csv",
        distances=layer_distances,
        manifest="results/datasets/{dataset}/manifest.csv",
    output:
        "results/sampled/{dataset}/{extractor}/{layer}.csv",
    log:
        "results/logs/sampled_goodness/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/sampled_goodness/{dataset}/{extractor}/{layer}.tsv"
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: 2
    resources:
        mem_mb=growing(lambda wildcards: 1000 + 2 * pairs_mb(wildcards.dataset)),
        runtime=growing(lambda wildcards: 10 + pairs_mb(wildcards.dataset) // 100),
    message:
        "Estimating goodness of all of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge sampled-goodness {input.row} {input.distances[0]} {input.manifest}"
        " --output {output} --threads {threads} --log {log}"
