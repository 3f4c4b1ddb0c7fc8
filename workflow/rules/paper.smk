# The paper's Table I and figures, by the paper's numbers: 1 the network, 2 to 5 what the datasets
# look like, 6 to 9 the maps, 10 to 13 goodness against depth.


rule table_1:
    input:
        code=modules("figures.table"),
        manifests=expand(
            "results/datasets/{dataset}/manifest.csv", dataset=CONFIG["datasets"]
        ),
        notes=expand("results/datasets/{dataset}/notes.csv", dataset=CONFIG["datasets"]),
    output:
        report(
            "results/table_1.csv",
            caption="../report/table_1.rst",
            category="Tables",
            labels={"what": "datasets", "network": ""},
        ),
        "results/table_1.md",
    log:
        "results/logs/table_1.log",
    benchmark:
        "results/benchmarks/table_1.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(700),
        runtime=growing(10),
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
        report(
            "results/figures/samples/{dataset}.png",
            caption="../report/figure.rst",
            category="{dataset}",
            labels={"what": "images", "network": ""},
        ),
        multiext("results/figures/samples/{dataset}", ".pdf", ".csv", ".txt"),
    log:
        "results/logs/samples/{dataset}.log",
    benchmark:
        "results/benchmarks/samples/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
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
        # Learned from one dataset or another, the network looks the same.
        nodes=lambda wildcards: network_of(next(iter(IMAGES)), wildcards.extractor)
        + ".csv",
        layers=lambda wildcards: network_of(next(iter(IMAGES)), wildcards.extractor)
        + ".json",
    output:
        report(
            "results/figures/networks/{extractor}.png",
            caption="../report/figure.rst",
            category="Networks",
            labels={"what": "schematic", "network": "{extractor}"},
        ),
        multiext("results/figures/networks/{extractor}", ".pdf", ".csv", ".txt"),
    log:
        "results/logs/schematic/{extractor}.log",
    benchmark:
        "results/benchmarks/schematic/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/networks/{extractor}",
    message:
        "Drawing the network of {wildcards.extractor}"
    shell:
        "depthgauge schematic {params.stem} {input.nodes} {input.layers}"
        " --title {wildcards.extractor} --log {log}"


PAPER = {
    1: expand("results/figures/networks/{extractor}.png", extractor=LAYERS),
}
for place, kind in enumerate(("synthetic", "mnist", "affective", "kylberg")):
    PAPER[2 + place] = of_kind(kind, "results/figures/samples/{dataset}.png")
    PAPER[6 + place] = of_kind(kind, "results/figures/maps/{dataset}/{extractor}.png")
    PAPER[10 + place] = of_kind(
        kind, "results/figures/violins/{dataset}/{extractor}.png"
    )

for number, files in PAPER.items():

    rule:
        name:
            f"figure_{number}"
        input:
            files,
        localrule: True


# All figures, of all datasets that the config has.
rule figures:
    input:
        "results/table_1.csv",
        PAPER[1],
        expand("results/figures/samples/{dataset}.png", dataset=CONFIG["datasets"]),
        expand(
            "results/figures/maps/{dataset}/{extractor}.png",
            dataset=CONFIG["datasets"],
            extractor=LAYERS,
        ),
        expand(
            "results/figures/violins/{dataset}/{extractor}.png",
            dataset=LABELLED,
            extractor=LAYERS,
        ),
    localrule: True
