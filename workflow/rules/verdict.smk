# Which depth to use: cells against one another, the verdict, and its figures.


rule comparisons:
    input:
        code=modules("statistics.comparison"),
        rows=[f"results/nulls/{cell}.csv" for cell in LABELLED_CELLS],
        images=[f"results/nulls/{cell}.images.csv" for cell in LABELLED_CELLS],
    output:
        report(
            "results/comparisons.csv",
            caption="../report/comparisons.rst",
            category="Tables",
            labels={"what": "comparisons", "network": ""},
        ),
    log:
        "results/logs/comparisons.log",
    benchmark:
        "results/benchmarks/comparisons.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        seed=CONFIG["seed"],
    message:
        "Comparing depths and networks"
    shell:
        "depthgauge compare {input.rows} --output {output} --seed {params.seed} --log {log}"


rule verdict:
    input:
        code=modules("statistics.verdict"),
        goodness="results/goodness.csv",
        comparisons="results/comparisons.csv",
        halves=[f"results/nulls/{cell}.halves.csv" for cell in LABELLED_CELLS],
    output:
        report(
            "results/verdict.csv",
            caption="../report/verdict.rst",
            category="Tables",
            labels={"what": "verdict", "network": ""},
        ),
    log:
        "results/logs/verdict.log",
    benchmark:
        "results/benchmarks/verdict.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(700),
        runtime=growing(10),
    message:
        "Choosing the depth to use"
    shell:
        "depthgauge verdict {input.goodness} {input.comparisons} {input.halves}"
        " --output {output} --log {log}"


rule heatmap:
    input:
        code=modules("figures.heatmap"),
        classes=per_layer("results/nulls/{dataset}/{extractor}/{layer}.classes.csv"),
        rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
    output:
        report(
            "results/figures/heatmaps/{dataset}/{extractor}.png",
            caption="../report/heatmap.rst",
            category="{dataset}",
            labels={"what": "class by class", "network": "{extractor}"},
        ),
        multiext("results/figures/heatmaps/{dataset}/{extractor}", ".pdf", ".csv"),
    log:
        "results/logs/heatmaps/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/heatmaps/{dataset}/{extractor}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/heatmaps/{dataset}/{extractor}",
    message:
        "Drawing class distances of {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge heatmap {params.stem} {input.classes}"
        " --title '{wildcards.dataset}  ·  {wildcards.extractor}' --log {log}"


rule depths:
    input:
        code=modules("figures.depths"),
        goodness="results/goodness.csv",
        verdict="results/verdict.csv",
    output:
        report(
            "results/figures/depths/{dataset}.png",
            caption="../report/depths.rst",
            category="{dataset}",
            labels={"what": "all depths of all networks", "network": ""},
        ),
        multiext("results/figures/depths/{dataset}", ".pdf", ".csv"),
    log:
        "results/logs/depths/{dataset}.log",
    benchmark:
        "results/benchmarks/depths/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        stem="results/figures/depths/{dataset}",
    message:
        "Drawing all depths of {wildcards.dataset}"
    shell:
        "depthgauge depths {params.stem} {input.goodness} {input.verdict}"
        " --dataset {wildcards.dataset} --log {log}"
