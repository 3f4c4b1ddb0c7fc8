# Figures: each is drawn by a command of its own as PNG and PDF, with the values that it draws (CSV)
# and mostly what is to be said of it (TXT) beside.

# By the name of the rule, which mostly is that of the command: the folder of the figures, and what one is of; what it
# is called; the files that it is drawn from, and how they are handed to the command; and options
# of which the values count.
FIGURES = {
    "depths": dict(
        kind="depths",
        of=["dataset"],
        called="all depths of all networks",
        inputs=dict(goodness="results/goodness.csv", verdict="results/verdict.csv"),
        handed=lambda wildcards, input: [input.goodness, input.verdict],
        options=dict(dataset="{dataset}"),
        caption="depths",
        suffixes=[".pdf", ".csv"],
    ),
    "violins": dict(
        kind="violins",
        of=["dataset", "extractor"],
        called="goodness and its null",
        inputs=dict(
            rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
            nulls=per_layer("results/nulls/{dataset}/{extractor}/{layer}.npy"),
        ),
        handed=lambda wildcards, input: input.rows,
        options=dict(seed=CONFIG["seed"]),
    ),
    "heatmap": dict(
        kind="heatmaps",
        of=["dataset", "extractor"],
        called="class by class",
        inputs=dict(
            classes=per_layer(
                "results/nulls/{dataset}/{extractor}/{layer}.classes.csv"
            ),
            rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
        ),
        handed=lambda wildcards, input: input.classes,
        options=dict(title=TITLE),
        caption="heatmap",
        suffixes=[".pdf", ".csv"],
    ),
    "maps": dict(
        kind="maps",
        of=["dataset", "extractor"],
        called="maps",
        inputs=dict(
            embeddings=per_layer(
                "results/embeddings/{dataset}/{extractor}/{layer}.csv"
            ),
            rows=rows_to_follow,
            layers=network_file(".json"),
        ),
        handed=lambda wildcards, input: [
            *input.embeddings,
            f"--layers={input.layers}",
            *(
                [f"--row={row}" for row in input.rows]
                or reading_followed(wildcards).split()
            ),
        ],
        options=dict(title=TITLE, perplexity=CONFIG["perplexity"], seed=CONFIG["seed"]),
    ),
    "contact_sheet": dict(
        kind="contact_sheets",
        of=["dataset", "extractor"],
        called="images of each cluster",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            manifest="results/datasets/{dataset}/manifest.csv",
            summary="results/clusters/{dataset}/{extractor}.csv",
            clusters=per_layer("results/clusters/{dataset}/{extractor}/{layer}.csv"),
        ),
        handed=lambda wildcards, input: [
            *(input.images, input.manifest, input.summary),
            os.path.dirname(input.clusters[0]),
            *(
                [f"--layer={PLAN.unlabelled_layer(wildcards.extractor)}"]
                if PLAN.labelled[wildcards.dataset] == "none"
                else []
            ),
        ],
        options=dict(seed=CONFIG["seed"]),
    ),
    "ask_sheet": dict(
        kind="ask",
        of=["dataset"],
        called="images to label first",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            asked="results/ask/{dataset}.csv",
        ),
        handed=lambda wildcards, input: [input.images, input.asked],
        options=dict(title="{dataset}"),
    ),
    # Not misplaced_..., which would be the rule of an extractor.
    "draw_misplaced": dict(
        command="misplaced-sheet",
        kind="misplaced",
        of=["dataset", "extractor"],
        called="misplaced images",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            tables=per_layer("results/misplaced/{dataset}/{extractor}/{layer}.csv"),
            verdict="results/verdict.csv",
        ),
        handed=lambda wildcards, input: [
            *(input.images, *input.tables),
            f"--verdict={input.verdict}",
        ],
        options=dict(dataset="{dataset}", extractor="{extractor}"),
        suffixes=[".pdf", ".csv"],
    ),
    "label_curves": dict(
        kind="labelling",
        of=["dataset", "extractor"],
        called="labelling from few labels",
        inputs=dict(
            trials=[
                f"results/labelling/{{dataset}}/{{extractor}}/{trials}.csv"
                for trials in ("trials", "linear_probe")
                if trials == "trials" or CONFIG["linear_probe"]
            ],
        ),
        outputs=dict(
            curves="results/labelling/{dataset}/{extractor}/curves.csv",
            differences="results/labelling/{dataset}/{extractor}/differences.csv",
        ),
        handed=lambda wildcards, input, output: [
            *input.trials,
            f"--curves={output.curves}",
            f"--differences={output.differences}",
        ],
        options=dict(title=TITLE, seed=CONFIG["seed"]),
        caption="labelling",
        suffixes=[".pdf", ".csv"],
    ),
    "samples": dict(
        kind="samples",
        of=["dataset"],
        called="images",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            manifest="results/datasets/{dataset}/manifest.csv",
        ),
        handed=lambda wildcards, input: [input.images, input.manifest],
        options=dict(title="{dataset}"),
    ),
    "schematic": dict(
        kind="networks",
        of=["extractor"],
        called="schematic",
        # Learned from one dataset or another, the network looks the same.
        inputs=dict(nodes=any_network(".csv"), layers=any_network(".json")),
        handed=lambda wildcards, input: [input.nodes, input.layers],
        options=dict(title="{extractor}"),
    ),
    "learning_curve": dict(
        kind="learning_curves",
        of=["dataset", "extractor"],
        called="learning curve",
        inputs=dict(history="results/models/{dataset}/{extractor}_history.csv"),
        handed=lambda wildcards, input: [input.history],
        options=dict(title=TITLE, seed=CONFIG["seed"]),
        suffixes=[".pdf", ".csv"],
    ),
    "reconstructions": dict(
        kind="reconstructions",
        of=["dataset", "extractor"],
        called="reconstructions",
        inputs=dict(examples="results/models/{dataset}/{extractor}_examples.npz"),
        handed=lambda wildcards, input: [input.examples],
        options=dict(
            title=TITLE,
            latent=lambda wildcards: CONFIG["extractors"][wildcards.extractor][
                "latent"
            ],
        ),
        suffixes=[".pdf", ".csv"],
    ),
}

for name, figure in FIGURES.items():
    own = os.path.join(*(f"{{{wildcard}}}" for wildcard in figure["of"]))
    said = [f"{{wildcards.{wildcard}}}" for wildcard in figure["of"]]
    stem = f"results/figures/{figure['kind']}/{own}"
    command = figure.get("command", name.replace("_", "-"))

    rule:
        name:
            name
        input:
            **figure["inputs"],
        output:
            report(
                f"{stem}.png",
                **captions(figure.get("caption", "figure"), figure["called"], own),
            ),
            multiext(stem, *figure.get("suffixes", [".pdf", ".csv", ".txt"])),
            **figure.get("outputs", {}),
        log:
            f"results/logs/{name}/{own}.log",
        benchmark:
            f"results/benchmarks/{name}/{own}.tsv"
        conda:
            "../../envs/depthgauge.yaml"
        threads: 1
        resources:
            mem_mb=per_attempt(1000),
            runtime=per_attempt(10),
        params:
            code=code(command),
            command=command,
            stem=stem,
            handed=figure["handed"],
            options=options_of(figure["options"]),
        message:
            f"Drawing {figure['called']} of {', '.join(said)}"
        shell:
            "depthgauge {params.command} {params.stem} {params.handed:q} {params.options:q}"
            " --log {log}"


# The paper's figures, by the paper's numbers: 1 the network, 2 to 5 what the datasets look like,
# 6 to 9 the maps, 10 to 13 goodness against depth.
PAPER = {1: expand("results/figures/networks/{extractor}.png", extractor=PLAN.layers)}
for place, kind in enumerate(("synthetic", "mnist", "affective", "kylberg")):
    PAPER[2 + place] = of_kind(kind, "results/figures/samples/{dataset}.png")
    PAPER[6 + place] = of_kind(kind, "results/figures/maps/{dataset}/{extractor}.png")
    PAPER[10 + place] = of_kind(
        kind, "results/figures/violins/{dataset}/{extractor}.png"
    )

for number, files in PAPER.items():

    rule:
        name:
            f"figure_{number}"
        input:
            files,
        localrule: True


# All figures of the kinds that the paper has, of all datasets, and its Table I.
rule figures:
    input:
        "results/table_1.csv",
        PAPER[1],
        in_results(
            file
            for dataset in PLAN.datasets
            for kind, files in PLAN.figures(dataset).items()
            if kind in ("samples", "maps", "violins")
            for file in files
        ),
    localrule: True
