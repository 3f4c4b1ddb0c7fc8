# The images themselves: who lies next to whom, which are misplaced, and a page to see them all.

# A rule an extractor, since each has layers, and so outputs, of its own.
for extractor, layers in LAYERS.items():

    rule:
        name:
            f"neighbours_{RULE_NAMES[extractor]}"
        input:
            code=modules("report.neighbour_table"),
            manifest="results/datasets/{dataset}/manifest.csv",
            distances=pooled_files(
                f"results/distances/{{dataset}}/{extractor}/{{name}}.npy", extractor
            ),
            rows=rows_to_follow(layers, extractor),
        output:
            [
                f"results/neighbours/{{dataset}}/{extractor}/{layer}.csv"
                for layer in layers
            ],
        log:
            f"results/logs/neighbours/{{dataset}}/{extractor}.log",
        benchmark:
            f"results/benchmarks/neighbours/{{dataset}}/{extractor}.tsv"
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(4)
        resources:
            mem_mb=growing(lambda wildcards: 700 + pairs_mb(wildcards.dataset)),
            runtime=growing(
                lambda wildcards, count=len(layers): 10
                + count * pairs_mb(wildcards.dataset) // 1000
            ),
        params:
            distances=lambda wildcards, input, count=len(
                POOLINGS[extractor]
            ): input.distances[::count],
            reading=lambda wildcards, extractor=extractor: reading_followed(
                wildcards, extractor
            ),
            folder=lambda wildcards, output: os.path.dirname(output[0]),
        message:
            f"Listing neighbours in {{wildcards.dataset}}, {extractor}"
        shell:
            "depthgauge neighbours {input.manifest} {params.distances} --folder {params.folder}"
            " {params.reading}"
            " --threads {threads} --log {log}"

    rule:
        name:
            f"misplaced_{RULE_NAMES[extractor]}"
        input:
            code=modules("report.misplaced"),
            images=[
                f"results/nulls/{{dataset}}/{extractor}/{layer}.images.csv"
                for layer in layers
            ],
            rows=[
                f"results/nulls/{{dataset}}/{extractor}/{layer}.csv"
                for layer in layers
            ],
            neighbours=[
                f"results/neighbours/{{dataset}}/{extractor}/{layer}.csv"
                for layer in layers
            ],
        output:
            [
                f"results/misplaced/{{dataset}}/{extractor}/{layer}.csv"
                for layer in layers
            ],
        log:
            f"results/logs/misplaced/{{dataset}}/{extractor}.log",
        benchmark:
            f"results/benchmarks/misplaced/{{dataset}}/{extractor}.tsv"
        conda:
            "../../envs/depthgauge.yaml"
        threads: 1
        resources:
            mem_mb=growing(lambda wildcards: 700 + IMAGES[wildcards.dataset] // 100),
            runtime=growing(10),
        params:
            neighbours=lambda wildcards, input: os.path.dirname(input.neighbours[0]),
            folder=lambda wildcards, output: os.path.dirname(output[0]),
        message:
            f"Looking for misplaced images in {{wildcards.dataset}}, {extractor}"
        shell:
            "depthgauge misplaced {input.images} --neighbours {params.neighbours}"
            " --folder {params.folder} --log {log}"


# Not misplaced_..., which would be the rule of an extractor.
rule draw_misplaced:
    input:
        code=modules("figures.misplaced"),
        images="results/datasets/{dataset}/images",
        tables=per_layer("results/misplaced/{dataset}/{extractor}/{layer}.csv"),
        verdict="results/verdict.csv",
    output:
        multiext(
            "results/figures/misplaced/{dataset}/{extractor}", ".png", ".pdf", ".csv"
        ),
    log:
        "results/logs/misplaced_sheet/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/misplaced_sheet/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/misplaced/{dataset}/{extractor}",
    message:
        "Drawing misplaced images of {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge misplaced-sheet {params.stem} {input.images} {input.tables}"
        " --verdict {input.verdict} --dataset {wildcards.dataset}"
        " --extractor {wildcards.extractor} --log {log}"


rule explorer:
    input:
        code=modules("report.explorer"),
        page=[
            os.path.relpath(PACKAGE / "report" / "page" / f"explorer.{kind}")
            for kind in ("html", "css", "js")
        ],
        images=expand("results/datasets/{dataset}/images", dataset=CONFIG["datasets"]),
        embeddings=[f"results/embeddings/{cell}.csv" for cell in CELLS],
        neighbours=[f"results/neighbours/{cell}.csv" for cell in CELLS],
        clusters=[f"results/clusters/{cell}.csv" for cell in CELLS],
        cluster_summaries=expand(
            "results/clusters/{dataset}/{extractor}.csv",
            dataset=CONFIG["datasets"],
            extractor=LAYERS,
        ),
        goodness=[f"results/nulls/{cell}.csv" for cell in LABELLED_CELLS],
        image_goodness=[f"results/nulls/{cell}.images.csv" for cell in LABELLED_CELLS],
        misplaced=[f"results/misplaced/{cell}.csv" for cell in LABELLED_CELLS],
        labels=expand("results/labels/{dataset}/labels.csv", dataset=PARTLY_LABELLED),
    output:
        "results/explorer.html",
    log:
        "results/logs/explorer.log",
    benchmark:
        "results/benchmarks/explorer.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000 + max(IMAGES.values()) // 20),
        runtime=growing(10 + sum(IMAGES.values()) // 2000),
    params:
        seed=CONFIG["seed"],
    message:
        "Writing the explorer"
    shell:
        "depthgauge explorer {input.embeddings} --output {output} --seed {params.seed} --log {log}"
