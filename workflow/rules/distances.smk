# Distances between all pairs of images, one matrix a layer.


rule distances:
    input:
        code=modules("distances"),
        shards=lambda wildcards: expand(
            "results/features/{dataset}/{extractor}/{layer}/{shard}.npy",
            shard=shards(wildcards.dataset),
            allow_missing=True,
        ),
    output:
        "results/distances/{dataset}/{extractor}/{layer}.npy",
    log:
        "results/logs/distances/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/distances/{dataset}/{extractor}/{layer}.tsv"
    priority: 20
    conda:
        "../../envs/depthgauge.yaml"
    threads: 8
    resources:
        # The sums take 8 bytes a pair; the panels of columns take the rest.
        mem_mb=lambda wildcards: 1500 + 3 * pairs_mb(wildcards.dataset),
        runtime=lambda wildcards: 10 + pairs_mb(wildcards.dataset) // 10,
    message:
        "Computing distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge distances {input.shards} --output {output} --threads {threads} --log {log}"
