# Few labels: how well they label the rest, and labels for what has none.


rule label_accuracy:
    input:
        manifest="results/datasets/{dataset}/manifest.csv",
        distances=layer_distances,
        rows=rows_to_follow,
    output:
        "results/labelling/{dataset}/{extractor}/trials.csv",
    log:
        "results/logs/label_accuracy/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/label_accuracy/{dataset}/{extractor}.tsv"
    wildcard_constraints:
        dataset=datasets_of(few=False),
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        # A trial holds the distances of its labelled images, 5,000 at most, to all. 4,000 images:
        # 0.4 GB; 10,000: 0.8 GB.
        mem_mb=per_attempt(
            lambda wildcards, threads: 1000
            + 5 * pairs_mb(wildcards.dataset) // 2
            + threads
            * min(IMAGES[wildcards.dataset] // 25, 4 * pairs_mb(wildcards.dataset))
        ),
        runtime=per_attempt(lambda wildcards: 15 + IMAGES[wildcards.dataset] // 200),
    params:
        code=code("label-accuracy"),
        distances=first_poolings,
        reading=reading_followed,
        counts=[f"--labels={count}" for count in CONFIG["labels_per_class"]],
        splits=CONFIG["label_splits"],
        seed=CONFIG["seed"],
    message:
        "Labelling {wildcards.dataset} from few labels, {wildcards.extractor}"
    shell:
        "depthgauge label-accuracy {input.manifest} {params.distances} --output {output}"
        " {params.reading} --dataset {wildcards.dataset} {params.counts} --splits {params.splits}"
        " --seed {params.seed} --threads {threads} --log {log}"


rule linear_probe:
    input:
        manifest="results/datasets/{dataset}/manifest.csv",
        shards=lambda wildcards: expand(
            "results/features/{dataset}/{extractor}/{layer}/{shard}.npy",
            layer=probed(wildcards.extractor),
            shard=PLAN.shards(wildcards.dataset),
            allow_missing=True,
        ),
    output:
        "results/labelling/{dataset}/{extractor}/linear_probe.csv",
    log:
        "results/logs/linear_probe/{dataset}/{extractor}.log",
    benchmark:
        "results/benchmarks/linear_probe/{dataset}/{extractor}.tsv"
    priority: 15
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        mem_mb=lambda wildcards, threads, attempt: attempt
        * (1000 + IMAGES[wildcards.dataset] * (threads + 2) // 25),
        runtime=per_attempt(30),
    params:
        code=code("linear-probe"),
        layer=lambda wildcards: PLAN.layers[wildcards.extractor][-1],
        counts=[f"--labels={count}" for count in CONFIG["labels_per_class"]],
        splits=CONFIG["label_splits"],
        seed=CONFIG["seed"],
    message:
        "Fitting linear probes to {wildcards.dataset}, {wildcards.extractor}"
    shell:
        "depthgauge linear-probe {input.manifest} {input.shards} --output {output}"
        " --dataset {wildcards.dataset} --layer {params.layer} {params.counts}"
        " --splits {params.splits} --seed {params.seed} --threads {threads} --log {log}"


rule labels:
    input:
        manifest="results/datasets/{dataset}/manifest.csv",
        distances=[
            file
            for extractor in PLAN.layers
            for file in pooled_files(
                f"results/distances/{{dataset}}/{extractor}/{{name}}.npy", extractor
            )
        ],
    output:
        labels="results/labels/{dataset}/labels.csv",
        accuracy="results/labels/{dataset}/accuracy.csv",
    log:
        "results/logs/labels/{dataset}.log",
    benchmark:
        "results/benchmarks/labels/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        # 4,000 images: 0.8 GB; 10,000: 1.3 GB.
        mem_mb=per_attempt(
            lambda wildcards, threads: 800
            + 80 * threads
            + 5 * pairs_mb(wildcards.dataset)
            + threads * IMAGES[wildcards.dataset] // 200
        ),
        runtime=per_attempt(lambda wildcards: 15 + IMAGES[wildcards.dataset] // 200),
    params:
        code=code("labels"),
        confidence=CONFIG["label_confidence"],
        metrics=[f"--metric={metric}" for metric in PLAN.metrics],
        seed=CONFIG["seed"],
    message:
        "Labelling the images of {wildcards.dataset} that have no label"
    shell:
        "depthgauge labels {input.manifest} {input.distances} --output {output.labels}"
        " --accuracy {output.accuracy} --dataset {wildcards.dataset}"
        " {params.metrics} --confidence {params.confidence} --seed {params.seed} --threads {threads} --log {log}"


rule mislabelled:
    input:
        manifest="results/datasets/{dataset}/manifest.csv",
        verdict="results/verdict.csv",
        distances=[
            file
            for extractor in PLAN.layers
            for file in pooled_files(
                f"results/distances/{{dataset}}/{extractor}/{{name}}.npy", extractor
            )
        ],
    output:
        "results/misplaced/{dataset}.csv",
    log:
        "results/logs/mislabelled/{dataset}.log",
    benchmark:
        "results/benchmarks/mislabelled/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(4)
    resources:
        # Five matrices of 4,000 x 4,000 images at most, in float64, and one reading by angle.
        mem_mb=per_attempt(
            lambda wildcards: 700
            + 40 * min(IMAGES[wildcards.dataset], 4000) ** 2 // 10**6
            + 2 * pairs_mb(wildcards.dataset)
        ),
        runtime=per_attempt(lambda wildcards: 10 + IMAGES[wildcards.dataset] // 500),
    params:
        code=code("mislabelled"),
    message:
        "Looking for wrong labels in {wildcards.dataset}"
    shell:
        "depthgauge mislabelled {input.manifest} {input.verdict} {input.distances}"
        " --output {output} --dataset {wildcards.dataset} --threads {threads} --log {log}"


rule ask:
    input:
        manifest="results/datasets/{dataset}/manifest.csv",
        distances=unlabelled_distances(),
    output:
        "results/ask/{dataset}.csv",
    log:
        "results/logs/ask/{dataset}.log",
    benchmark:
        "results/benchmarks/ask/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: threads_up_to(8)
    resources:
        # The matrix is mapped, not held; by angle there is a second one.
        mem_mb=per_attempt(
            lambda wildcards: 700
            + 2 * pairs_mb(wildcards.dataset)
            + CONFIG["ask"] * IMAGES[wildcards.dataset] // 10_000
        ),
        runtime=per_attempt(
            lambda wildcards: 10 + CONFIG["ask"] * pairs_mb(wildcards.dataset) // 1000
        ),
    params:
        code=code("ask"),
        metric=readings.usual(["flat"], PLAN.metrics).metric,
        asked=CONFIG["ask"],
    message:
        "Choosing the images of {wildcards.dataset} to label first"
    shell:
        "depthgauge ask {input.manifest} {input.distances} --output {output}"
        " --metric {params.metric} --count {params.asked} --threads {threads} --log {log}"
