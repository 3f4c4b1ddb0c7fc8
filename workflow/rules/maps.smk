# Where the images lie: t-SNE from the distances, of one reading of each layer; clusters on the maps;
# who lies next to whom, and who lies among images of another label.


rule embedding:
    input:
        distances=layer_distances,
        rows=rows_to_follow,
        manifest="results/datasets/{dataset}/manifest.csv",
    output:
        "results/embeddings/{dataset}/{extractor}/{layer}.csv",
    log:
        "results/logs/embedding/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/embedding/{dataset}/{extractor}/{layer}.tsv"
    wildcard_constraints:
        dataset=datasets_of(few=False),
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(4)
    resources:
        # By angle two matrices are held. 4,000 images: 0.4 GB; 10,000: 0.8 GB, 90 s.
        mem_mb=per_attempt(
            lambda wildcards: 1000 + 5 * pairs_mb(wildcards.dataset) // 2
        ),
        runtime=per_attempt(lambda wildcards: 10 + IMAGES[wildcards.dataset] // 500),
    params:
        code=code("embedding"),
        reading=reading_followed,
        perplexity=CONFIG["perplexity"],
        seed=CONFIG["seed"],
    message:
        "Mapping {wildcards.dataset}, {wildcards.extractor}, {wildcards.layer}"
    shell:
        "depthgauge embedding {input.distances[0]} {input.manifest} --output {output}"
        " {params.reading}"
        " --dataset {wildcards.dataset} --extractor {wildcards.extractor}"
        " --layer {wildcards.layer} --perplexity {params.perplexity} --seed {params.seed}"
        " --threads {threads} --log {log}"


# One rule per extractor, since each has layers, and so outputs, of its own.
for extractor, layers in PLAN.layers.items():

    rule:
        name:
            f"clusters_{RULE_NAMES[extractor]}"
        input:
            embeddings=per_layer("results/embeddings/{dataset}/{extractor}/{layer}.csv"),
            distances=layer_distances,
            rows=rows_to_follow,
            manifest="results/datasets/{dataset}/manifest.csv",
        output:
            [
                f"results/clusters/{{dataset}}/{{extractor}}/{layer}.csv"
                for layer in layers
            ],
            summary="results/clusters/{dataset}/{extractor}.csv",
            agreement="results/clusters/{dataset}/{extractor}.agreement.csv",
        log:
            "results/logs/clusters/{dataset}/{extractor}.log",
        benchmark:
            "results/benchmarks/clusters/{dataset}/{extractor}.tsv"
        wildcard_constraints:
            dataset=datasets_of(few=False),
            extractor=extractor,
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(4)
        resources:
            # 10,000 images: 0.7 GB.
            mem_mb=per_attempt(
                lambda wildcards: 1000 + 5 * pairs_mb(wildcards.dataset) // 2
            ),
            runtime=per_attempt(
                lambda wildcards, count=len(layers): 10
                + count * (1 + IMAGES[wildcards.dataset] // 5000)
            ),
        params:
            code=code("clusters"),
            distances=lambda wildcards, input: [
                f"--distances={file}" for file in first_poolings(wildcards, input)
            ],
            reading=reading_followed,
            folder=lambda wildcards, output: os.path.dirname(output[0]),
            perplexity=CONFIG["perplexity"],
            seed=CONFIG["seed"],
        message:
            "Finding clusters in {wildcards.dataset}, {wildcards.extractor}"
        shell:
            "depthgauge clusters {input.embeddings} {params.distances} {params.reading}"
            " --folder {params.folder} --summary {output.summary} --agreement {output.agreement}"
            " --manifest {input.manifest}"
            " --dataset {wildcards.dataset} --extractor {wildcards.extractor}"
            " --perplexity {params.perplexity} --seed {params.seed} --threads {threads} --log {log}"

    rule:
        name:
            f"neighbours_{RULE_NAMES[extractor]}"
        input:
            manifest="results/datasets/{dataset}/manifest.csv",
            distances=layer_distances,
            rows=rows_to_follow,
        output:
            [
                f"results/neighbours/{{dataset}}/{{extractor}}/{layer}.csv"
                for layer in layers
            ],
        log:
            "results/logs/neighbours/{dataset}/{extractor}.log",
        benchmark:
            "results/benchmarks/neighbours/{dataset}/{extractor}.tsv"
        wildcard_constraints:
            dataset=datasets_of(few=False),
            extractor=extractor,
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(4)
        resources:
            # 10,000 images: 0.6 GB.
            mem_mb=per_attempt(
                lambda wildcards: 700 + 5 * pairs_mb(wildcards.dataset) // 2
            ),
            runtime=per_attempt(
                lambda wildcards, count=len(layers): 10
                + count * pairs_mb(wildcards.dataset) // 1000
            ),
        params:
            code=code("neighbours"),
            distances=first_poolings,
            reading=reading_followed,
            folder=lambda wildcards, output: os.path.dirname(output[0]),
        message:
            "Listing neighbours in {wildcards.dataset}, {wildcards.extractor}"
        shell:
            "depthgauge neighbours {input.manifest} {params.distances} --folder {params.folder}"
            " {params.reading} --threads {threads} --log {log}"

    # These of a dataset of few images, and how well few labels label it: a job's start takes longer
    # than one of them. Without labels there is less of it.
    for labelled in (True, False):
        kinds = ["embeddings", "clusters", "neighbours", *["misplaced"] * labelled]
        curves = labelled and CONFIG["labels_per_class"]

        rule:
            name:
                f"{'' if labelled else 'unlabelled_'}places_{RULE_NAMES[extractor]}"
            input:
                distances=layer_distances,
                rows=rows_to_follow,
                images=(per_layer(MEASURED["images"]) if labelled else []),
                manifest="results/datasets/{dataset}/manifest.csv",
            output:
                [
                    f"results/{kind}/{{dataset}}/{{extractor}}/{layer}.csv"
                    for kind in kinds
                    for layer in layers
                ],
                "results/clusters/{dataset}/{extractor}.csv",
                "results/clusters/{dataset}/{extractor}.agreement.csv",
                ["results/labelling/{dataset}/{extractor}/trials.csv"] if curves else [],
            log:
                "results/logs/places/{dataset}/{extractor}.log",
            benchmark:
                "results/benchmarks/places/{dataset}/{extractor}.tsv"
            wildcard_constraints:
                dataset=datasets_of(few=True, labelled=labelled),
                extractor=extractor,
            # Behind it are the figures, which take longest of all that is left.
            priority: 4
            conda:
                "../../envs/depthgauge.yaml"
            threads: threads_up_to(4)
            resources:
                mem_mb=per_attempt(1500),
                runtime=per_attempt(15 + 5 * len(layers)),
            params:
                code=code(
                    *("embedding", "clusters", "neighbours"),
                    *["misplaced"] * labelled,
                    *["label-accuracy"] * bool(curves),
                ),
                commands=commands_of_places,
            message:
                "Mapping {wildcards.dataset}, {wildcards.extractor}: clusters, neighbours, labelling trials"
            shell:
                "depthgauge together {params.commands:q} --threads {threads} --log {log}"

    rule:
        name:
            f"misplaced_{RULE_NAMES[extractor]}"
        input:
            images=per_layer(MEASURED["images"]),
            rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
            neighbours=per_layer("results/neighbours/{dataset}/{extractor}/{layer}.csv"),
        output:
            [
                f"results/misplaced/{{dataset}}/{{extractor}}/{layer}.csv"
                for layer in layers
            ],
        log:
            "results/logs/misplaced/{dataset}/{extractor}.log",
        benchmark:
            "results/benchmarks/misplaced/{dataset}/{extractor}.tsv"
        wildcard_constraints:
            dataset=datasets_of(few=False),
            extractor=extractor,
        conda:
            "../../envs/depthgauge.yaml"
        threads: 1
        resources:
            mem_mb=per_attempt(lambda wildcards: 700 + IMAGES[wildcards.dataset] // 100),
            runtime=per_attempt(10),
        params:
            code=code("misplaced"),
            neighbours=lambda wildcards, input: os.path.dirname(input.neighbours[0]),
            folder=lambda wildcards, output: os.path.dirname(output[0]),
        message:
            "Looking for misplaced images in {wildcards.dataset}, {wildcards.extractor}"
        shell:
            "depthgauge misplaced {input.images} --neighbours {params.neighbours}"
            " --folder {params.folder} --log {log}"


rule near_copies:
    input:
        manifest="results/datasets/{dataset}/manifest.csv",
        images="results/datasets/{dataset}/images",
        neighbours=lambda wildcards: [
            "results/neighbours/{}/{}/{}.csv".format(*cell)
            for cell in PLAN.near_copy_cells(wildcards.dataset)
        ],
    output:
        "results/near_copies/{dataset}.csv",
    log:
        "results/logs/near_copies/{dataset}.log",
    benchmark:
        "results/benchmarks/near_copies/{dataset}.tsv"
    priority: 4
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(4)
    resources:
        # Details of 4,000 pictures: 0.15 GB.
        mem_mb=per_attempt(
            lambda wildcards: 900
            + IMAGES[wildcards.dataset] * len(PLAN.cells([wildcards.dataset])) // 1000
        ),
        # Of an image some eight pairs, of one or two milliseconds each.
        runtime=per_attempt(lambda wildcards: 10 + IMAGES[wildcards.dataset] // 1000),
    params:
        code=code("near-copies"),
    message:
        "Looking for near copies in {wildcards.dataset}"
    shell:
        "depthgauge near-copies {input.manifest} {input.images} {input.neighbours}"
        " --output {output} --threads {threads} --log {log}"


rule cluster_table:
    input:
        summaries=expand(
            "results/clusters/{dataset}/{extractor}.csv",
            dataset=PLAN.datasets,
            extractor=PLAN.layers,
        ),
        goodness=["results/goodness.csv"] if LABELLED else [],
    output:
        "results/clusters.csv",
    log:
        "results/logs/cluster_table.log",
    benchmark:
        "results/benchmarks/cluster_table.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(700),
        runtime=per_attempt(10),
    params:
        code=code("cluster-table"),
        goodness="--goodness results/goodness.csv" if LABELLED else "",
    message:
        "Gathering the clusters in one table"
    shell:
        "depthgauge cluster-table {input.summaries} {params.goodness} --output {output}"
        " --log {log}"
