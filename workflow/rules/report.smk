# What a reader begins with: the plan of the run, the datasets in a table, the claims, and the pages.


# From it the pages know what they may read: what lies in the folder besides is another run's.
rule plan:
    output:
        "results/plan.json",
    log:
        "results/logs/plan.log",
    # Before all else: what is said while the run goes on is read from it.
    priority: 100
    localrule: True
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        plan=lambda wildcards: PLAN.text(),
    message:
        "Writing down what this run consists of"
    shell:
        "printf '%s' {params.plan:q} > {output} 2> {log}"


rule table_1:
    input:
        manifests=expand(
            "results/datasets/{dataset}/manifest.csv", dataset=PLAN.datasets
        ),
        notes=expand("results/datasets/{dataset}/notes.csv", dataset=PLAN.datasets),
    output:
        report("results/table_1.csv", **captions("table_1", "datasets")),
        "results/table_1.md",
    log:
        "results/logs/table_1.log",
    benchmark:
        "results/benchmarks/table_1.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(700),
        runtime=per_attempt(10),
    params:
        code=code("table-one"),
        stem=lambda wildcards, output: os.path.splitext(output[0])[0],
        # A function: in plain text Snakemake would read braces of a path as wildcards.
        links=lambda wildcards: [
            f"--link={name}={datasets.about(name, spec)['link']}"
            for name, spec in CONFIG["datasets"].items()
        ],
    message:
        "Writing Table I, the datasets"
    shell:
        "depthgauge table-one {params.stem} {input.manifests} {params.links:q} --log {log}"


rule claims:
    input:
        goodness="results/goodness.csv",
        comparisons="results/comparisons.csv",
        table_1="results/table_1.csv",
    output:
        report("results/claims.csv", **captions("claims", "claims")),
    log:
        "results/logs/claims.log",
    benchmark:
        "results/benchmarks/claims.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(700),
        runtime=per_attempt(10),
    params:
        code=code("claims"),
        depends=sha256(*filter(None, [claims_file()])),
        claims=lambda wildcards, output: claims_file(),
    message:
        "Holding the claims against what was found"
    shell:
        "depthgauge claims {params.claims:q} {input.goodness} {input.comparisons} {input.table_1}"
        " --output {output} --log {log}"


rule explorer:
    input:
        plan="results/plan.json",
        images=expand("results/datasets/{dataset}/images", dataset=PLAN.datasets),
        embeddings=of_cells("results/embeddings/{dataset}/{extractor}/{layer}.csv"),
        neighbours=of_cells("results/neighbours/{dataset}/{extractor}/{layer}.csv"),
        clusters=of_cells("results/clusters/{dataset}/{extractor}/{layer}.csv"),
        cluster_summaries=expand(
            "results/clusters/{dataset}/{extractor}.csv",
            dataset=PLAN.datasets,
            extractor=PLAN.layers,
        ),
        goodness=[
            file
            for kind in ("nulls/{}.csv", "nulls/{}.images.csv", "misplaced/{}.csv")
            for file in of_cells(
                f"results/{kind.format('{dataset}/{extractor}/{layer}')}", LABELLED
            )
        ],
        labels=in_results(filter(None, map(PLAN.labels, PLAN.datasets))),
        doubted=in_results(filter(None, map(PLAN.mislabelled, PLAN.datasets))),
        verdict=in_results(["verdict.csv"] if LABELLED else []),
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
        # 10,000 images: one layer 0.21 GB, eight 0.27 GB.
        mem_mb=per_attempt(
            700
            + max(IMAGES.values()) // 50
            + sum(min(IMAGES[name], 10_000) for name, *_ in PLAN.cells()) // 1000
        ),
        runtime=per_attempt(10 + sum(IMAGES.values()) // 2000),
    params:
        code=code(
            "explorer",
            "report/page/explorer.html",
            "report/page/explorer.css",
            *(
                f"report/page/explorer_{part}.js"
                for part in ("data", "map", "panels", "page")
            ),
        ),
        seed=CONFIG["seed"],
    message:
        "Writing the explorer"
    shell:
        "depthgauge explorer {input.plan} --output {output} --log {log}"


rule report:
    input:
        # All that there is; the page names what is missing.
        in_results(file for file in PLAN.targets() if file != "report.html"),
        in_results(
            f"{file.removesuffix('.png')}.txt"
            for file in PLAN.targets()
            if file.endswith(".png")
        ),
        plan="results/plan.json",
    output:
        page=report("results/report.html", **captions("page", "first page")),
        record="results/run.csv",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code(
            "report",
            *(
                f"report/page/{name}"
                for name in ("report.html", "report.css", "methods.html")
            ),
        ),
    message:
        "Writing the report"
    shell:
        "depthgauge report {input.plan} --record {output.record} --output {output.page} --log {log}"
