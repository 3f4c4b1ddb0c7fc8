# Distances between all pairs of images, one matrix a layer: in one job, or in blocks of pairs,
# a job each, that are joined.


rule distances:
    input:
        code=modules("distances.distances"),
        shards=shard_files,
        manifest="results/datasets/{dataset}/manifest.csv",
        graph=network_graph,
        layers=network_layers,
    output:
        "results/distances/{dataset}/{extractor}/{layer}.npy",
    log:
        "results/logs/distances/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/distances/{dataset}/{extractor}/{layer}.tsv"
    wildcard_constraints:
        dataset=datasets_in(blocks=False),
    priority: 20
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        mem_mb=lambda wildcards, attempt: distances_mb(wildcards.dataset, attempt),
        runtime=distances_minutes,
    message:
        "Computing distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge distances {input.shards} --manifest {input.manifest} --graph {input.graph}"
        " --layers {input.layers} --layer {wildcards.layer}"
        " --output {output} --threads {threads} --log {log}"


rule distance_block:
    input:
        code=modules("distances.distances"),
        shards=shard_files,
        manifest="results/datasets/{dataset}/manifest.csv",
        graph=network_graph,
        layers=network_layers,
    output:
        temp("results/blocks/{dataset}/{extractor}/{layer}/{a}-{b}-of-{k}.npy"),
    log:
        "results/logs/distance_block/{dataset}/{extractor}/{layer}/{a}-{b}-of-{k}.log",
    benchmark:
        "results/benchmarks/distance_block/{dataset}/{extractor}/{layer}/{a}-{b}-of-{k}.tsv"
    wildcard_constraints:
        dataset=datasets_in(blocks=True),
        a=r"\d+",
        b=r"\d+",
        k=r"\d+",
    priority: 20
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        mem_mb=lambda wildcards, attempt: distances_mb(wildcards.dataset, attempt),
        runtime=distances_minutes,
    message:
        "Computing distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}: "
        "block {wildcards.a},{wildcards.b} of {wildcards.k}"
    shell:
        "depthgauge distances {input.shards} --manifest {input.manifest} --graph {input.graph}"
        " --layers {input.layers} --layer {wildcards.layer}"
        " --block {wildcards.a},{wildcards.b}/{wildcards.k}"
        " --output {output} --threads {threads} --log {log}"


rule join_blocks:
    input:
        code=modules("distances.joining"),
        blocks=lambda wildcards: [
            f"results/blocks/{{dataset}}/{{extractor}}/{{layer}}/{a}-{b}-of-{k}.npy"
            for k in [BLOCKS[wildcards.dataset]]
            for a in range(k)
            for b in range(a, k)
        ],
    output:
        "results/distances/{dataset}/{extractor}/{layer}.npy",
    log:
        "results/logs/join_blocks/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/join_blocks/{dataset}/{extractor}/{layer}.tsv"
    wildcard_constraints:
        dataset=datasets_in(blocks=True),
    priority: 20
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        # A band of 256 rows; the rest is read and written in passing.
        mem_mb=lambda wildcards, attempt: attempt
        * (1000 + 3 * IMAGES[wildcards.dataset] // 1000),
        runtime=lambda wildcards, attempt: attempt
        * (10 + pairs_mb(wildcards.dataset) // 1000),
    message:
        "Joining distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge join-blocks {input.blocks} --output {output} --log {log}"
