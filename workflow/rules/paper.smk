# The paper's Table I and figures 1 to 5: the datasets, the network and what they look like.


localrules:
    figure_1,
    figure_2,
    figure_3,
    figure_4,
    figure_5,


rule table_1:
    input:
        code=modules("figures.table"),
        manifests=expand(
            "results/datasets/{dataset}/manifest.csv", dataset=CONFIG["datasets"]
        ),
        notes=expand("results/datasets/{dataset}/notes.csv", dataset=CONFIG["datasets"]),
    output:
        multiext("results/table_1", ".csv", ".md"),
    log:
        "results/logs/table_1.log",
    benchmark:
        "results/benchmarks/table_1.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        stem=lambda wildcards, output: os.path.splitext(output[0])[0],
        links=[
            f"--link={name}={datasets.about(name, spec)['link']}"
            for name, spec in CONFIG["datasets"].items()
        ],
    message:
        "Writing Table I, the datasets"
    shell:
        "depthgauge table-one {params.stem} {input.manifests} {params.links:q} --log {log}"


rule samples:
    input:
        code=modules("figures.samples"),
        images="results/datasets/{dataset}/images",
        manifest="results/datasets/{dataset}/manifest.csv",
    output:
        multiext("results/figures/samples/{dataset}", ".png", ".pdf", ".csv"),
    log:
        "results/logs/samples/{dataset}.log",
    benchmark:
        "results/benchmarks/samples/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stem="results/figures/samples/{dataset}",
    message:
        "Drawing samples of {wildcards.dataset}"
    shell:
        "depthgauge samples {params.stem} {input.images} {input.manifest}"
        " --title {wildcards.dataset} --log {log}"


rule schematic:
    input:
        code=modules("figures.network"),
        nodes="results/networks/{extractor}.csv",
        layers="results/networks/{extractor}.json",
    output:
        multiext("results/figures/networks/{extractor}", ".png", ".pdf", ".csv"),
    log:
        "results/logs/schematic/{extractor}.log",
    benchmark:
        "results/benchmarks/schematic/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stem="results/figures/networks/{extractor}",
    message:
        "Drawing the network of {wildcards.extractor}"
    shell:
        "depthgauge schematic {params.stem} {input.nodes} {input.layers}"
        " --title {wildcards.extractor} --log {log}"


rule figure_1:
    input:
        expand("results/figures/networks/{extractor}.png", extractor=LAYERS),


for number, kind in enumerate(("synthetic", "mnist", "affective", "kylberg"), start=2):

    rule:
        name:
            f"figure_{number}"
        input:
            [
                f"results/figures/samples/{name}.png"
                for name, spec in CONFIG["datasets"].items()
                if spec["kind"] == kind
            ],
