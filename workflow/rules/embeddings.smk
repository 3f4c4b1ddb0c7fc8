# Maps: t-SNE from the distances that are already there, of one reading of each layer.


rule embedding:
    input:
        code=modules("maps.embedding"),
        distances=layer_distances,
        rows=rows_to_follow(of_layer),
        manifest="results/datasets/{dataset}/manifest.csv",
    output:
        "results/embeddings/{dataset}/{extractor}/{layer}.csv",
    log:
        "results/logs/embedding/{dataset}/{extractor}/{layer}.log",
    benchmark:
        "results/benchmarks/embedding/{dataset}/{extractor}/{layer}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(4)
    resources:
        # 10,000 images: 0.6 GB, 90 s.
        mem_mb=growing(lambda wildcards: 1000 + 2 * pairs_mb(wildcards.dataset)),
        runtime=growing(lambda wildcards: 10 + IMAGES[wildcards.dataset] // 500),
    params:
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
