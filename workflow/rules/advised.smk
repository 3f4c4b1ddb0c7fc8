# What a verdict is for: the features of the cell that it advises, and what extracts them.


rule advised:
    input:
        advice=advice,
        manifest="results/datasets/{dataset}/manifest.csv",
        images="results/datasets/{dataset}/images",
        graphs=graphs,
        layers=descriptions,
        means=means_of,
    output:
        # All lies beside it, and it comes last. Which files there are the verdict decides; and
        # features that are there and right are not removed, as an output would be.
        "results/advised/{dataset}/README.md",
    log:
        "results/logs/advised/{dataset}.log",
    benchmark:
        "results/benchmarks/advised/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        # As for features; the images of all shards go through one job, up to one layer.
        mem_mb=per_attempt(lambda wildcards, threads: 2600 + 750 * threads),
        runtime=per_attempt(
            lambda wildcards, threads: 10 + IMAGES[wildcards.dataset] // (30 * threads)
        ),
    params:
        code=code("advised"),
        means=lambda wildcards: f"results/means/{wildcards.dataset}",
        parts=lambda wildcards: len(PLAN.shards(wildcards.dataset)),
        # A parameter that takes `output` is not compared: whether features are kept changes none.
        kept=lambda wildcards, output: (
            f"--kept results/features/{wildcards.dataset}"
            if CONFIG["keep_features"]
            else ""
        ),
        quality=CONFIG["jpeg_quality"],
    message:
        "Writing the features advised for {wildcards.dataset}"
    shell:
        "depthgauge advised {input.advice} {input.manifest} {input.images} {input.graphs}"
        " --output {output} --dataset {wildcards.dataset} --means {params.means}"
        " --parts {params.parts} {params.kept} --quality {params.quality}"
        " --threads {threads} --log {log}"
