# No labels: clusters at every depth, how stable they are, and what is in them.

# A rule an extractor, since each has layers, and so outputs, of its own.
for extractor, layers in LAYERS.items():

    rule:
        name:
            f"clusters_{RULE_NAMES[extractor]}"
        input:
            code=modules("clusters.clusters"),
            embeddings=[
                f"results/embeddings/{{dataset}}/{extractor}/{layer}.csv"
                for layer in layers
            ],
            distances=pooled_files(
                f"results/distances/{{dataset}}/{extractor}/{{name}}.npy", extractor
            ),
            rows=rows_to_follow(layers, extractor),
        output:
            [
                f"results/clusters/{{dataset}}/{extractor}/{layer}.csv"
                for layer in layers
            ],
            summary=f"results/clusters/{{dataset}}/{extractor}.csv",
            agreement=f"results/clusters/{{dataset}}/{extractor}.agreement.csv",
        log:
            f"results/logs/clusters/{{dataset}}/{extractor}.log",
        benchmark:
            f"results/benchmarks/clusters/{{dataset}}/{extractor}.tsv"
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(4)
        resources:
            mem_mb=growing(lambda wildcards: 1000 + 2 * pairs_mb(wildcards.dataset)),
            runtime=growing(
                lambda wildcards, count=len(layers): 10
                + count * (1 + IMAGES[wildcards.dataset] // 5000)
            ),
        params:
            distances=lambda wildcards, input, count=len(POOLINGS[extractor]): [
                f"--distances={file}" for file in input.distances[::count]
            ],
            reading=lambda wildcards, extractor=extractor: reading_followed(
                wildcards, extractor
            ),
            folder=lambda wildcards, output: os.path.dirname(output[0]),
            extractor=extractor,
            perplexity=CONFIG["perplexity"],
            seed=CONFIG["seed"],
        message:
            f"Finding clusters in {{wildcards.dataset}}, {extractor}"
        shell:
            "depthgauge clusters {input.embeddings} {params.distances} {params.reading}"
            " --folder {params.folder} --summary {output.summary} --agreement {output.agreement}"
            " --dataset {wildcards.dataset} --extractor {params.extractor}"
            " --perplexity {params.perplexity} --seed {params.seed} --threads {threads} --log {log}"


rule cluster_table:
    input:
        code=modules("clusters.cluster_table"),
        summaries=expand(
            "results/clusters/{dataset}/{extractor}.csv",
            dataset=CONFIG["datasets"],
            extractor=LAYERS,
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
        mem_mb=growing(700),
        runtime=growing(10),
    params:
        goodness="--goodness results/goodness.csv" if LABELLED else "",
    message:
        "Gathering the clusters in one table"
    shell:
        "depthgauge cluster-table {input.summaries} {params.goodness} --output {output}"
        " --log {log}"


rule contact_sheet:
    input:
        code=modules("figures.contact_sheet"),
        images="results/datasets/{dataset}/images",
        manifest="results/datasets/{dataset}/manifest.csv",
        summary="results/clusters/{dataset}/{extractor}.csv",
        clusters=per_layer("results/clusters/{dataset}/{extractor}/{layer}.csv"),
    output:
        report(
            "results/figures/contact_sheets/{dataset}/{extractor}.png",
            caption="../report/figure.rst",
            category="{dataset}",
            labels={"what": "images of each cluster", "network": "{extractor}"},
        ),
        multiext(
            "results/figures/contact_sheets/{dataset}/{extractor}",
            ".pdf",
            ".csv",
            ".txt",
        ),
    log:
        "results/logs/contact_sheet/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/contact_sheet/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/contact_sheets/{dataset}/{extractor}",
        clusters=lambda wildcards, input: os.path.dirname(input.clusters[0]),
        seed=CONFIG["seed"],
    message:
        "Drawing the clusters of {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge contact-sheet {params.stem} {input.images} {input.manifest} {input.summary}"
        " {params.clusters} --seed {params.seed} --log {log}"
