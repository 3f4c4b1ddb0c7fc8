# Figures: violins of the null against depth, and maps.


rule violins:
    input:
        code=modules("figures.violins"),
        rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
        nulls=per_layer("results/nulls/{dataset}/{extractor}/{layer}.npy"),
    output:
        multiext(
            "results/figures/violins/{dataset}/{extractor}", ".png", ".pdf", ".csv"
        ),
    log:
        "results/logs/violins/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/violins/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
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
        layers="results/networks/{extractor}.json",
    output:
        multiext("results/figures/maps/{dataset}/{extractor}", ".png", ".pdf", ".csv"),
    log:
        "results/logs/maps/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/maps/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stem="results/figures/maps/{dataset}/{extractor}",
        rows=lambda wildcards, input: [f"--row={row}" for row in input.rows],
        perplexity=CONFIG["perplexity"],
        seed=CONFIG["seed"],
    message:
        "Drawing the maps of {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge maps {params.stem} {input.embeddings} {params.rows} --layers {input.layers}"
        " --title '{wildcards.dataset}  ·  {wildcards.extractor}'"
        " --perplexity {params.perplexity} --seed {params.seed} --log {log}"
