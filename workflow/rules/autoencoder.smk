# Extractors learned from the images themselves: an autoencoder, and its control, a PCA.


rule autoencoder:
    input:
        images="results/datasets/{dataset}/images",
        manifest="results/datasets/{dataset}/manifest.csv",
    output:
        model="results/models/{dataset}/{extractor}.keras",
        history="results/models/{dataset}/{extractor}_history.csv",
        examples="results/models/{dataset}/{extractor}_examples.npz",
    log:
        "results/logs/autoencoder/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/autoencoder/{dataset}/{extractor}.tsv"
    wildcard_constraints:
        extractor=learned_as("autoencoder"),
    priority: 40
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(4)
    resources:
        # 8,000 images of 64 x 64: 1.0 GB; 600 of 296 x 296: 1.4 GB.
        mem_mb=per_attempt(lambda wildcards: 2000 + 7 * stack_mb(wildcards) // 2),
        runtime=per_attempt(lambda wildcards: 30 + IMAGES[wildcards.dataset] // 20),
    params:
        code=code("autoencoder"),
        spec=to_learn,
        seed=CONFIG["seed"],
    message:
        "Training {wildcards.extractor} on {wildcards.dataset}"
    shell:
        "depthgauge autoencoder {wildcards.extractor} {params.spec:q} {input.images}"
        " {input.manifest} --model {output.model} --history {output.history}"
        " --examples {output.examples} --dataset {wildcards.dataset}"
        " --seed {params.seed} --threads {threads} --log {log}"


# To fit and to freeze it are one job: to import TensorFlow takes longer than either.
rule pca:
    input:
        images="results/datasets/{dataset}/images",
        manifest="results/datasets/{dataset}/manifest.csv",
    output:
        model="results/models/{dataset}/{extractor}.keras",
        graph="results/networks/{dataset}/{extractor}.pb",
        layers="results/networks/{dataset}/{extractor}.json",
        nodes="results/networks/{dataset}/{extractor}.csv",
    log:
        "results/logs/pca/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/pca/{dataset}/{extractor}.tsv"
    wildcard_constraints:
        extractor=learned_as("pca"),
    priority: 40
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        # In bytes once, in single precision as many times as it is scaled and centred.
        mem_mb=per_attempt(lambda wildcards: 2000 + 14 * stack_mb(wildcards)),
        runtime=per_attempt(30),
    params:
        code=code("pca", "network"),
        depends=lambda wildcards: [to_learn(wildcards), frozen_from(wildcards)],
        seed=CONFIG["seed"],
        commands=commands_of_pca,
    message:
        "Fitting the components of {wildcards.extractor} to {wildcards.dataset}"
    shell:
        "depthgauge together {params.commands:q} --threads {threads} --log {log}"


use rule network as learned_network with:
    input:
        "results/models/{dataset}/{extractor}.keras",
    output:
        graph="results/networks/{dataset}/{extractor}.pb",
        layers="results/networks/{dataset}/{extractor}.json",
        nodes="results/networks/{dataset}/{extractor}.csv",
    log:
        "results/logs/network/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/network/{dataset}/{extractor}.tsv"
    wildcard_constraints:
        extractor=learned_as("autoencoder"),
    message:
        "Freezing the network of {wildcards.extractor}, learned from {wildcards.dataset}"
