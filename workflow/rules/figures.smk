# Figures: each is drawn by a command of its own as PNG and PDF, with the values that it draws (CSV)
# and what is to be said of it (TXT) beside. Those of a dataset that need the same are drawn
# in one job, whose start takes longer than a figure.

# By command: the folder of the figures; what one needs, and with which others it is drawn so; the
# files that it is drawn from, and how they are handed to the command; and options of which the
# values count.
FIGURES = {
    "depths": dict(
        kind="depths",
        needs="verdict",
        inputs=dict(goodness="results/goodness.csv", verdict="results/verdict.csv"),
        handed=lambda figure, files: [files.goodness, files.verdict],
        options=dict(dataset="{dataset}"),
    ),
    "violins": dict(
        kind="violins",
        needs="results",
        inputs=dict(
            rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
            nulls=per_layer("results/nulls/{dataset}/{extractor}/{layer}.npy"),
        ),
        handed=lambda figure, files: files.rows,
        options=dict(seed=CONFIG["seed"]),
    ),
    "heatmap": dict(
        kind="heatmaps",
        needs="results",
        inputs=dict(
            classes=per_layer(
                "results/nulls/{dataset}/{extractor}/{layer}.classes.csv"
            ),
            rows=per_layer("results/nulls/{dataset}/{extractor}/{layer}.csv"),
        ),
        handed=lambda figure, files: files.classes,
        options=dict(title=TITLE),
    ),
    "maps": dict(
        kind="maps",
        needs="results",
        inputs=dict(
            embeddings=per_layer(
                "results/embeddings/{dataset}/{extractor}/{layer}.csv"
            ),
            rows=rows_to_follow,
            layers=network_file(".json"),
        ),
        handed=lambda figure, files: [
            *files.embeddings,
            f"--layers={files.layers}",
            *(
                [f"--row={row}" for row in files.rows]
                or reading_followed(figure).split()
            ),
        ],
        options=dict(title=TITLE, perplexity=CONFIG["perplexity"], seed=CONFIG["seed"]),
    ),
    "contact-sheet": dict(
        kind="contact_sheets",
        needs="results",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            manifest="results/datasets/{dataset}/manifest.csv",
            summary="results/clusters/{dataset}/{extractor}.csv",
            clusters=per_layer("results/clusters/{dataset}/{extractor}/{layer}.csv"),
        ),
        handed=lambda figure, files: [
            *(files.images, files.manifest, files.summary),
            os.path.dirname(files.clusters[0]),
            *(
                [f"--layer={PLAN.unlabelled_layer(figure.extractor)}"]
                if PLAN.labelled[figure.dataset] == "none"
                else []
            ),
        ],
        options=dict(seed=CONFIG["seed"]),
    ),
    "ask-sheet": dict(
        kind="ask",
        needs="results",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            asked="results/ask/{dataset}.csv",
        ),
        handed=lambda figure, files: [files.images, files.asked],
        options=dict(title="{dataset}"),
    ),
    "near-copies-sheet": dict(
        kind="near_copies",
        needs="results",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            pairs="results/near_copies/{dataset}.csv",
        ),
        handed=lambda figure, files: [files.images, files.pairs],
        options=dict(title="{dataset}"),
    ),
    "misplaced-sheet": dict(
        kind="misplaced",
        needs="verdict",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            tables=per_layer("results/misplaced/{dataset}/{extractor}/{layer}.csv"),
            verdict="results/verdict.csv",
        ),
        handed=lambda figure, files: [
            *(files.images, *files.tables),
            f"--verdict={files.verdict}",
        ],
        options=dict(dataset="{dataset}", extractor="{extractor}"),
    ),
    "label-curves": dict(
        kind="labelling",
        needs="results",
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
        handed=lambda figure, files: [
            *files.trials,
            f"--curves={files.curves}",
            f"--differences={files.differences}",
        ],
        options=dict(title=TITLE, seed=CONFIG["seed"]),
    ),
    "samples": dict(
        kind="samples",
        needs="images",
        inputs=dict(
            images="results/datasets/{dataset}/images",
            manifest="results/datasets/{dataset}/manifest.csv",
        ),
        handed=lambda figure, files: [files.images, files.manifest],
        options=dict(title="{dataset}"),
    ),
    "schematic": dict(
        kind="networks",
        needs="networks",
        # Learned from one dataset or another, the network looks the same.
        inputs=dict(nodes=any_network(".csv"), layers=any_network(".json")),
        handed=lambda figure, files: [files.nodes, files.layers],
        options=dict(title="{extractor}"),
    ),
    "learning-curve": dict(
        kind="learning_curves",
        needs="results",
        inputs=dict(history="results/models/{dataset}/{extractor}_history.csv"),
        handed=lambda figure, files: [files.history],
        options=dict(title=TITLE, seed=CONFIG["seed"]),
    ),
    "reconstructions": dict(
        kind="reconstructions",
        needs="results",
        inputs=dict(examples="results/models/{dataset}/{extractor}_examples.npz"),
        handed=lambda figure, files: [files.examples],
        options=dict(
            title=TITLE,
            latent=lambda figure: CONFIG["extractors"][figure.extractor]["latent"],
        ),
    ),
}

for needs, dataset, drawn in jobs_of_figures(FIGURES):
    own = os.path.join(*filter(None, (f"figures_of_{needs}", dataset)))

    rule:
        name:
            f"figures_of_{needs}"
            + (f"_{RULE_NAMES_OF_DATASETS[dataset]}" if dataset else "")
        input:
            lambda wildcards, drawn=drawn: [
                file
                for figure in drawn
                for file in flat(filled(figure, figure.inputs))
            ],
        output:
            [
                report(
                    f"{figure.stem}.png",
                    **captions(
                        figure.caption, figure.called, figure.dataset, figure.extractor
                    ),
                )
                for figure in drawn
            ],
            [
                file
                for figure in drawn
                for file in [
                    *(figure.stem + suffix for suffix in (".pdf", ".csv", ".txt")),
                    *flat(filled(figure, figure.outputs)),
                ]
            ],
        log:
            f"results/logs/{own}.log",
        benchmark:
            f"results/benchmarks/{own}.tsv"
        priority: 3 if needs == "results" else 0
        conda:
            "../../envs/depthgauge.yaml"
        threads: 1
        resources:
            mem_mb=per_attempt(1000),
            runtime=per_attempt(10 + len(drawn)),
        params:
            code=code(*sorted({figure.command for figure in drawn})),
            commands=lambda wildcards, drawn=drawn: [
                command_line(figure) for figure in drawn
            ],
        message:
            f"Drawing figures of the {needs} of {dataset or 'all extractors'}"
        shell:
            "depthgauge together {params.commands:q} --log {log}"


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
