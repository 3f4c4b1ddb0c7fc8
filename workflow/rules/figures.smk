# Figures: violins of the null against depth, and maps.


rule violins:
    input:
        code=modules("figures.violins"),
        rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
        nulls=per_layer("results/nulls/{dataset}/{extractor}/{layer}.npy"),
    output:
        report(
            "results/figures/violins/{dataset}/{extractor}.png",
            caption="../report/figure.rst",
            category="{dataset}",
            labels={"what": "goodness and its null", "network": "{extractor}"},
        ),
        multiext(
            "results/figures/violins/{dataset}/{extractor}", ".pdf", ".csv", ".txt"
        ),
    log:
        "results/logs/violins/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/violins/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/violins/{dataset}/{extractor}",
        seed=CONFIG["seed"],
    message:
        "Drawing the violins of {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge violins {params.stem} {input.rows} --seed {params.seed} --log {log}"


rule maps:
    input:
        code=modules("figures.maps"),
        embeddings=per_layer("results/embeddings/{dataset}/{extractor}/{layer}.csv"),
        rows=lambda wildcards: (
            per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv")(wildcards)
            if wildcards.dataset in LABELLED
            else []
        ),
        layers=network_layers,
    output:
        report(
            "results/figures/maps/{dataset}/{extractor}.png",
            caption="../report/figure.rst",
            category="{dataset}",
            labels={"what": "maps", "network": "{extractor}"},
        ),
        multiext("results/figures/maps/{dataset}/{extractor}", ".pdf", ".csv", ".txt"),
    log:
        "results/logs/maps/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/maps/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/maps/{dataset}/{extractor}",
        rows=lambda wildcards, input: (
            [f"--row={row}" for row in input.rows]
            if input.rows
            else reading_followed(wildcards)
        ),
        perplexity=CONFIG["perplexity"],
        seed=CONFIG["seed"],
    message:
        "Drawing the maps of {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge maps {params.stem} {input.embeddings} {params.rows} --layers {input.layers}"
        " --title '{wildcards.dataset}  ·  {wildcards.extractor}'"
        " --perplexity {params.perplexity} --seed {params.seed} --log {log}"
