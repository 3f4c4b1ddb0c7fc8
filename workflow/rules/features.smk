# Features: each network frozen once, then one forward pass a shard for all of its layers.


rule network:
    input:
        code=modules("network"),
        source=lambda wildcards: downloaded(NETWORK_SOURCES[wildcards.extractor]),
        files=lambda wildcards: OWN_FILES[wildcards.extractor],
    output:
        graph="results/networks/{extractor}.pb",
        layers="results/networks/{extractor}.json",
        nodes="results/networks/{extractor}.csv",
    log:
        "results/logs/network/{extractor}.log",
    benchmark:
        "results/benchmarks/network/{extractor}.tsv"
    priority: 30
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=15,
    params:
        spec=lambda wildcards: json.dumps(CONFIG["extractors"][wildcards.extractor]),
        source=lambda wildcards, input: [f"--source={file}" for file in input.source],
        seed=CONFIG["seed"],
    message:
        "Freezing the network of {wildcards.extractor}"
    shell:
        "depthgauge network {wildcards.extractor} {params.spec:q} {params.source:q}"
        " --graph {output.graph} --layers {output.layers} --nodes {output.nodes}"
        " --seed {params.seed} --log {log}"


# A rule an extractor, since each has layers, and so outputs, of its own.
for extractor, layers in LAYERS.items():

    rule:
        name:
            f"features_{extractor.replace('-', '_')}"
        input:
            code=modules("features"),
            graph=f"results/networks/{extractor}.pb",
            layers=f"results/networks/{extractor}.json",
            images="results/datasets/{dataset}/images",
            manifest="results/datasets/{dataset}/manifest.csv",
        output:
            [
                unless_kept(
                    f"results/features/{{dataset}}/{extractor}/{layer}/{{shard}}.npy"
                )
                for layer in layers
            ],
        log:
            f"results/logs/features/{{dataset}}/{extractor}/{{shard}}.log",
        benchmark:
            f"results/benchmarks/features/{{dataset}}/{extractor}/{{shard}}.tsv"
        conda:
            "../../envs/depthgauge.yaml"
        threads: 8
        resources:
            mem_mb=lambda wildcards, threads: 2000 + 800 * threads,
            runtime=120,
        params:
            shard=lambda wildcards: wildcards.shard.replace("-of-", "/"),
            dtype=CONFIG["features_dtype"],
        message:
            f"Extracting features of {{wildcards.dataset}} with {extractor}, part {{wildcards.shard}}"
        shell:
            "depthgauge features {input.graph} {input.layers} {input.images} {input.manifest}"
            " {output} --shard {params.shard} --dtype {params.dtype} --threads {threads} --log {log}"
