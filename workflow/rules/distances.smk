# Distances between all pairs of images, a matrix for each layer and pooling: in one job a layer, or
# in blocks of pairs, a job each, that are joined. Of few images all layers are one job: to start it
# takes longer than a layer.

for extractor in PLAN.layers:

    rule:
        name:
            f"distances_of_{RULE_NAMES[extractor]}"
        input:
            shards=shard_files,
            manifest="results/datasets/{dataset}/manifest.csv",
            layers=network_file(".json"),
        output:
            # Not removed before the job: what is there and right is not made again.
            [
                update(f"results/distances/{{dataset}}/{{extractor}}/{name}.npy")
                for name in PLAN.names(extractor)
            ],
        log:
            "results/logs/distances/{dataset}/{extractor}.log",
        benchmark:
            "results/benchmarks/distances/{dataset}/{extractor}.tsv"
        wildcard_constraints:
            dataset=datasets_of(few=True, blocks=False),
            extractor=extractor,
        priority: 20
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(8)
        resources:
            mem_mb=per_attempt(distances_mb),
            runtime=per_attempt(distances_minutes),
        params:
            code=code("distances"),
            commands=commands_of_distances,
        message:
            "Computing distances of {wildcards.dataset}, {wildcards.extractor}"
        shell:
            "depthgauge together {params.commands:q} --threads {threads} --log {log}"


# A rule for each choice of poolings, since each has outputs of its own.
CHOICES = sorted(set(map(tuple, PLAN.poolings.values())))
for poolings in CHOICES:
    suffix = f"_{'_'.join(poolings)}" if len(CHOICES) > 1 else ""
    names = [readings.pooled_name("{layer}", pooling) for pooling in poolings]
    files = [
        f"results/distances/{{dataset}}/{{extractor}}/{name}.npy" for name in names
    ]
    of_these = "|".join(
        name for name, own in PLAN.poolings.items() if tuple(own) == poolings
    )

    rule:
        name:
            f"distances{suffix}"
        input:
            shards=shard_files,
            manifest="results/datasets/{dataset}/manifest.csv",
            layers=network_file(".json"),
        output:
            # Not removed before the job: a pooling that is there and right is not made again.
            [update(file) for file in files],
        log:
            "results/logs/distances/{dataset}/{extractor}/{layer}.log",
        benchmark:
            "results/benchmarks/distances/{dataset}/{extractor}/{layer}.tsv"
        wildcard_constraints:
            dataset=datasets_of(few=False, blocks=False),
            extractor=of_these,
        priority: 20
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(8)
        resources:
            mem_mb=per_attempt(distances_mb),
            runtime=per_attempt(distances_minutes),
        params:
            code=code("distances"),
            commands=commands_of_distances,
        message:
            "Computing distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
        shell:
            "depthgauge together {params.commands:q} --threads {threads} --log {log}"

    rule:
        name:
            f"distance_block{suffix}"
        input:
            shards=shard_files,
            manifest="results/datasets/{dataset}/manifest.csv",
            layers=network_file(".json"),
        output:
            [
                temp(
                    f"results/blocks/{{dataset}}/{{extractor}}/{name}/{{a}}-{{b}}-of-{{k}}.npy"
                )
                for name in names
            ],
        log:
            "results/logs/distance_block/{dataset}/{extractor}/{layer}/{a}-{b}-of-{k}.log",
        benchmark:
            "results/benchmarks/distance_block/{dataset}/{extractor}/{layer}/{a}-{b}-of-{k}.tsv"
        wildcard_constraints:
            dataset=datasets_of(blocks=True),
            extractor=of_these,
            a=r"\d+",
            b=r"\d+",
            k=r"\d+",
        priority: 20
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(8)
        resources:
            mem_mb=per_attempt(distances_mb),
            runtime=per_attempt(distances_minutes),
        params:
            code=code("distances"),
            outputs=lambda wildcards, output: [f"--output={file}" for file in output],
        message:
            "Computing distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}: "
            "block {wildcards.a},{wildcards.b} of {wildcards.k}"
        shell:
            "depthgauge distances {input.shards} --manifest {input.manifest}"
            " --layers {input.layers} --layer {wildcards.layer}"
            " --block {wildcards.a},{wildcards.b}/{wildcards.k}"
            " {params.outputs} --threads {threads} --log {log}"

    rule:
        name:
            f"join_blocks{suffix}"
        input:
            blocks=lambda wildcards, names=names: [
                f"results/blocks/{{dataset}}/{{extractor}}/{name}/{a}-{b}-of-{k}.npy"
                for name in names
                for k in [PLAN.blocks(wildcards.dataset)]
                for a in range(k)
                for b in range(a, k)
            ],
        output:
            files,
        log:
            "results/logs/join_blocks/{dataset}/{extractor}/{layer}.log",
        benchmark:
            "results/benchmarks/join_blocks/{dataset}/{extractor}/{layer}.tsv"
        wildcard_constraints:
            dataset=datasets_of(blocks=True),
            extractor=of_these,
        priority: 20
        conda:
            "../../envs/depthgauge.yaml"
        threads: 1
        resources:
            # A band of 256 rows; the rest is read and written in passing.
            mem_mb=per_attempt(
                lambda wildcards: 1000 + 3 * IMAGES[wildcards.dataset] // 1000
            ),
            runtime=per_attempt(
                lambda wildcards: 10 + pairs_mb(wildcards.dataset) // 1000
            ),
        params:
            code=code("join-blocks"),
            outputs=lambda wildcards, output: [f"--output={file}" for file in output],
        message:
            "Joining distances of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
        shell:
            "depthgauge join-blocks {input.blocks} {params.outputs} --log {log}"
