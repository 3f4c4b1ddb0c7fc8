# How well labels cluster: a job for all readings of a layer, or of few images of all layers, then
# one table of all cells, the cells against one another, and the verdict.


rule goodness:
    input:
        distances=layer_distances,
        manifest="results/datasets/{dataset}/manifest.csv",
        layers=network_file(".json"),
    output:
        # Not removed before the job: a reading that is there and right is not measured again.
        [update(file) for file in MEASURED.values()],
    log:
        "results/logs/goodness/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/goodness/{dataset}/{extractor}/{layer}.tsv"
    wildcard_constraints:
        dataset=datasets_of(few=False),
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        # 4,000 images: 0.8 GB, 36 s on two busy cores; the moments take n^3, 7 s of 10,000 images.
        mem_mb=per_attempt(lambda wildcards: 1500 + 4 * pairs_mb(wildcards.dataset)),
        runtime=per_attempt(goodness_minutes),
    params:
        code=code("goodness"),
        commands=commands_of_goodness,
    message:
        "Testing goodness of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge together {params.commands:q} --threads {threads} --log {log}"


# Of few images: a job's start takes longer than a layer. One rule per extractor, since each has
# layers, and so outputs, of its own.
for extractor, layers in PLAN.layers.items():

    rule:
        name:
            f"goodness_of_{RULE_NAMES[extractor]}"
        input:
            distances=layer_distances,
            manifest="results/datasets/{dataset}/manifest.csv",
            layers=network_file(".json"),
        output:
            [
                update(file.replace("{layer}", layer))
                for layer in layers
                for file in MEASURED.values()
            ],
        log:
            "results/logs/goodness/{dataset}/{extractor}.log",
        benchmark:
            "results/benchmarks/goodness/{dataset}/{extractor}.tsv"
        wildcard_constraints:
            dataset=datasets_of(few=True),
            extractor=extractor,
        priority: 10
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(8)
        resources:
            mem_mb=per_attempt(1500),
            runtime=per_attempt(goodness_minutes),
        params:
            code=code("goodness"),
            commands=commands_of_goodness,
        message:
            "Testing goodness of {wildcards.dataset}, {wildcards.extractor}"
        shell:
            "depthgauge together {params.commands:q} --threads {threads} --log {log}"


# With `pairs`: beside what was measured of the sample, the goodness of the whole dataset, estimated.
rule sampled_goodness:
    input:
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
        # 10,000 images: 0.6 GB.
        mem_mb=per_attempt(
            lambda wildcards: 1000 + 5 * pairs_mb(wildcards.dataset) // 2
        ),
        runtime=per_attempt(lambda wildcards: 10 + pairs_mb(wildcards.dataset) // 100),
    params:
        code=code("sampled-goodness"),
    message:
        "Estimating goodness of all of {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge sampled-goodness {input.row} {input.distances[0]} {input.manifest}"
        " --output {output} --threads {threads} --log {log}"


rule goodness_table:
    input:
        rows=[
            f"results/{'sampled' if dataset in PLAN.sampled else 'nulls'}/{dataset}/{extractor}/{layer}.csv"
            for dataset, extractor, layer in PLAN.cells(LABELLED)
        ],
        nulls=of_cells("results/nulls/{dataset}/{extractor}/{layer}.npy", LABELLED),
    output:
        report("results/goodness.csv", **captions("goodness", "goodness")),
    log:
        "results/logs/goodness_table.log",
    benchmark:
        "results/benchmarks/goodness_table.tsv"
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(700),
        runtime=per_attempt(10),
    params:
        code=code("goodness-table"),
    message:
        "Gathering goodness in one table"
    shell:
        "depthgauge goodness-table {input.rows} --nulls results/nulls --output {output} --log {log}"


rule comparisons:
    input:
        rows=of_cells("results/nulls/{dataset}/{extractor}/{layer}.csv", LABELLED),
        images=of_cells(
            "results/nulls/{dataset}/{extractor}/{layer}.images.csv", LABELLED
        ),
    output:
        pairs=report(
            "results/comparisons.csv", **captions("comparisons", "comparisons")
        ),
        ranking=report("results/ranking.csv", **captions("ranking", "comparisons")),
    log:
        "results/logs/comparisons.log",
    benchmark:
        "results/benchmarks/comparisons.tsv"
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1500),
        runtime=per_attempt(20),
    params:
        code=code("compare"),
        seed=CONFIG["seed"],
    message:
        "Comparing depths and networks"
    shell:
        "depthgauge compare {input.rows} --output {output.pairs} --ranking {output.ranking}"
        " --seed {params.seed} --log {log}"


rule verdict:
    input:
        goodness="results/goodness.csv",
        ranking="results/ranking.csv",
        halves=of_cells(
            "results/nulls/{dataset}/{extractor}/{layer}.halves.csv", LABELLED
        ),
    output:
        report("results/verdict.csv", **captions("verdict", "verdict")),
    log:
        "results/logs/verdict.log",
    benchmark:
        "results/benchmarks/verdict.tsv"
    priority: 10
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(700),
        runtime=per_attempt(10),
    params:
        code=code("verdict"),
        controls=[
            f"--control={name}={words}" for name, words in PLAN.controls().items()
        ],
    message:
        "Choosing the depth to use"
    shell:
        "depthgauge verdict {input.goodness} {input.ranking} {input.halves}"
        " {params.controls:q} --output {output} --log {log}"
