# Features: each network frozen once, then one forward pass a shard for all of its layers.


rule network:
    input:
        lambda wildcards: downloaded(NEEDED[f"extractors.{wildcards.extractor}"]),
    output:
        graph="results/networks/{extractor}.pb",
        layers="results/networks/{extractor}.json",
        nodes="results/networks/{extractor}.csv",
    log:
        "results/logs/network/{extractor}.log",
    benchmark:
        "results/benchmarks/network/{extractor}.tsv"
    wildcard_constraints:
        extractor=of_networks(onnx=False),
    priority: 30
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        # Inception-v3: 1.9 to 3.1 GB, 10 s.
        mem_mb=per_attempt(4500),
        runtime=per_attempt(15),
    params:
        code=code("network"),
        # What Snakemake remembers, and compares; a parameter that takes `output` it does not.
        depends=frozen_from,
        spec=lambda wildcards, output: json.dumps(
            CONFIG["extractors"][wildcards.extractor]
        ),
        source=lambda wildcards, input: [f"--source={file}" for file in input],
        seed=seed_of_network,
    message:
        "Freezing the network of {wildcards.extractor}"
    shell:
        "depthgauge network {wildcards.extractor} {params.spec:q} {params.source:q}"
        " --graph {output.graph} --layers {output.layers} --nodes {output.nodes}"
        " --seed {params.seed} --log {log}"


# The same for ONNX files, which stay what they are.
use rule network as onnx_network with:
    output:
        graph="results/networks/{extractor}.onnx",
        layers="results/networks/{extractor}.json",
        nodes="results/networks/{extractor}.csv",
    wildcard_constraints:
        extractor=of_networks(onnx=True),


# One rule per extractor, since each has layers, and so outputs, of its own.
for extractor in PLAN.layers:

    rule:
        name:
            f"features_{RULE_NAMES[extractor]}"
        input:
            graph=f"results/{PLAN.graph('{dataset}', extractor)}",
            layers=f"results/{PLAN.network('{dataset}', extractor)}.json",
            images="results/datasets/{dataset}/images",
            manifest="results/datasets/{dataset}/manifest.csv",
        output:
            features=[
                unless_kept(
                    extractor,
                    name,
                    f"results/features/{{dataset}}/{extractor}/{name}/{{shard}}.npy",
                )
                for name in PLAN.names(extractor)
            ],
            means=pooled_files(
                f"results/means/{{dataset}}/{extractor}/{{name}}/{{shard}}.npy",
                extractor,
            ),
        log:
            f"results/logs/features/{{dataset}}/{extractor}/{{shard}}.log",
        benchmark:
            f"results/benchmarks/features/{{dataset}}/{extractor}/{{shard}}.tsv"
        # One cell after another, each up to its distances: features of all would not fit.
        priority: lambda wildcards, extractor=extractor: priority_of(wildcards.dataset, extractor)
        conda:
            "../../envs/depthgauge.yaml"
        threads: threads_up_to(8)
        resources:
            # Inception-v3 on 1, 2, 8 threads: 2.2, 3.2, 6.7 GB; 5.5 images/s and thread. Networks
            # that take ten times as long still fit.
            mem_mb=per_attempt(lambda wildcards, threads: 2600 + 750 * threads),
            runtime=per_attempt(
                lambda wildcards, threads: 10 + SHARD_IMAGES // (30 * threads)
            ),
        params:
            code=code("features"),
            shard=lambda wildcards: wildcards.shard.replace("-of-", "/"),
            poolings=[f"--pooling={pooling}" for pooling in PLAN.poolings[extractor]],
            means=lambda wildcards, output: [f"--mean={file}" for file in output.means],
            dtype=CONFIG["features_dtype"],
            precision=CONFIG["precision"],
        message:
            f"Extracting features of {{wildcards.dataset}} with {extractor}, part {{wildcards.shard}}"
        shell:
            "depthgauge features {input.graph} {input.layers} {input.images} {input.manifest}"
            " {output.features} {params.poolings} {params.means} --shard {params.shard} --dtype {params.dtype}"
            " --precision {params.precision} --threads {threads} --log {log}"
