# Images: downloaded where need be, converted to JPEG, listed in a manifest.


localrules:
    download,


# Fetches and checks all that a run needs from outside, and computes nothing: for a machine
# that has the network, before a run on one that has not. `--forcerun download` checks again
# what is there.
rule data:
    input:
        downloaded(DOWNLOADS.values()),


rule download:
    output:
        # Not removed before the job: a file that is there and right is not fetched again.
        update("results/downloads/{file}"),
    log:
        "results/logs/download/{file}.log",
    benchmark:
        "results/benchmarks/download/{file}.tsv"
    wildcard_constraints:
        file="|".join(map(re.escape, DOWNLOADS)) or "(?!)",
    conda:
        "../../envs/depthgauge.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=240,
    params:
        # With `output`, for Snakemake not to remember them: another address for the same file does
        # not have it fetched again. A job of its own accord would hide the reasons of those after it.
        urls=lambda wildcards, output: DOWNLOADS[wildcards.file].urls,
        checks=lambda wildcards: json.dumps(DOWNLOADS[wildcards.file].checks),
        optional=lambda wildcards: (
            "--optional" if DOWNLOADS[wildcards.file].optional else ""
        ),
    message:
        "Fetching {wildcards.file}"
    shell:
        "depthgauge download {params.urls:q} --output {output:q} --checks {params.checks:q}"
        " {params.optional} --log {log:q}"


rule dataset:
    input:
        lambda wildcards: downloaded(NEEDED[f"datasets.{wildcards.dataset}"]),
    output:
        images=directory("results/datasets/{dataset}/images"),
        manifest="results/datasets/{dataset}/manifest.csv",
        notes="results/datasets/{dataset}/notes.csv",
    log:
        "results/logs/dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/dataset/{dataset}.tsv"
    conda:
        "../../envs/depthgauge.yaml"
    threads: image_threads
    resources:
        # 10,000 digits: 0.1 GB, 2 s. The rest is for photographs.
        mem_mb=per_attempt(2000),
        runtime=per_attempt(lambda wildcards: 10 + IMAGES[wildcards.dataset] // 1000),
    params:
        code=dataset_code,
        spec=lambda wildcards: json.dumps(CONFIG["datasets"][wildcards.dataset]),
        seed=seed_of_dataset,
        quality=CONFIG["jpeg_quality"],
        files=lambda wildcards: CONTENTS[f"datasets.{wildcards.dataset}"],
        pairs=lambda wildcards: (
            f"--pairs {CONFIG['pairs']}" if wildcards.dataset in PLAN.sampled else ""
        ),
    message:
        "Making the images of {wildcards.dataset}"
    shell:
        "depthgauge dataset {wildcards.dataset} {params.spec:q} {input:q}"
        " --images {output.images} --manifest {output.manifest} --notes {output.notes}"
        " {params.pairs} --quality {params.quality} --seed {params.seed} --threads {threads} --log {log}"
