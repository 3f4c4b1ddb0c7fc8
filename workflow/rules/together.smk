# Commands that a rule runs together in one process, since to start one takes longer than a layer of
# few images (`depthgauge together`). Figures have theirs in figures.smk. No rule stands here.

import json
import shlex


def commands_of_distances(wildcards):
    """The commands that compute the distances of the wildcards' layer, or of all of their extractor.

    Made of the wildcards alone: what a parameter takes from the input Snakemake does not compare.
    """
    dataset, extractor = wildcards.dataset, wildcards.extractor
    commands = []
    for layer in layers_of(wildcards):
        shards = [file for *_, file in shard_names(dataset, extractor, layer)]
        outputs = [
            DISTANCES.format(dataset=dataset, extractor=extractor, name=name)
            for name in PLAN.names(extractor, [layer])
        ]
        commands.append(
            [
                "distances",
                *shards,
                f"--manifest=results/datasets/{dataset}/manifest.csv",
                f"--layers={network_file('.json')(wildcards)}",
                f"--layer={layer}",
                *(f"--output={file}" for file in outputs),
            ]
        )
    return list(map(shlex.join, commands))


def commands_of_goodness(wildcards):
    """The commands that measure the wildcards' layer, or all of their extractor.

    Made of the wildcards alone, as ``commands_of_distances``.
    """
    dataset, extractor = wildcards.dataset, wildcards.extractor
    commands = []
    for layer in layers_of(wildcards):
        of = {"dataset": dataset, "extractor": extractor, "layer": layer}
        asked = {
            "permute": permuted(wildcards),
            "permutations": CONFIG["permutations"],
            "seed": CONFIG["seed"],
            "layers": network_file(".json")(wildcards),
            **{option: file.format(**of) for option, file in MEASURED.items()},
        }
        commands.append(
            [
                "goodness",
                DISTANCES.format(**of, name=PLAN.names(extractor, [layer])[0]),
                f"results/datasets/{dataset}/manifest.csv",
                *(f"--pooling={pooling}" for pooling in PLAN.poolings[extractor]),
                *(f"--metric={metric}" for metric in PLAN.metrics),
                *(f"--{option}={value}" for option, value in (of | asked).items()),
            ]
        )
    return list(map(shlex.join, commands))


def commands_of_places(wildcards):
    """The commands that place few images, and label them, at all layers of the wildcards' extractor.

    Made of the wildcards alone, as ``commands_of_distances``.
    """
    dataset, extractor = wildcards.dataset, wildcards.extractor
    layers = PLAN.layers[extractor]
    manifest = f"results/datasets/{dataset}/manifest.csv"
    distances = [
        file.format(dataset=dataset, extractor=extractor)
        for file in layer_distances(wildcards)
    ][:: len(PLAN.poolings[extractor])]
    followed = reading_followed(wildcards).split()
    named = [f"--dataset={dataset}", f"--extractor={extractor}"]
    drawn = [f"--perplexity={CONFIG['perplexity']}", f"--seed={CONFIG['seed']}"]
    maps = [f"results/embeddings/{dataset}/{extractor}/{layer}.csv" for layer in layers]
    commands = [
        [
            *("embedding", file, manifest, f"--output={output}"),
            *(*followed, *named, f"--layer={layer}", *drawn),
        ]
        for layer, file, output in zip(layers, distances, maps)
    ]
    found = f"results/clusters/{dataset}/{extractor}"
    commands.append(
        [
            *("clusters", *maps, *(f"--distances={file}" for file in distances)),
            *(*followed, f"--folder={found}", f"--summary={found}.csv"),
            *(f"--agreement={found}.agreement.csv", f"--manifest={manifest}"),
            *(*named, *drawn),
        ]
    )
    beside = f"results/neighbours/{dataset}/{extractor}"
    commands.append(
        ["neighbours", manifest, *distances, f"--folder={beside}", *followed]
    )
    if dataset in LABELLED:
        measured = [
            MEASURED["images"].format(dataset=dataset, extractor=extractor, layer=layer)
            for layer in layers
        ]
        folder = f"results/misplaced/{dataset}/{extractor}"
        commands.append(
            ["misplaced", *measured, f"--neighbours={beside}", f"--folder={folder}"]
        )
    if dataset in LABELLED and CONFIG["labels_per_class"]:
        trials = f"results/labelling/{dataset}/{extractor}/trials.csv"
        commands.append(
            [
                *("label-accuracy", manifest, *distances, f"--output={trials}"),
                *(*followed, f"--dataset={dataset}"),
                *(f"--labels={count}" for count in CONFIG["labels_per_class"]),
                *(f"--splits={CONFIG['label_splits']}", f"--seed={CONFIG['seed']}"),
            ]
        )
    return list(map(shlex.join, commands))


def commands_of_pca(wildcards, input, output):
    """The commands that fit the wildcards' extractor, and freeze its network."""
    extractor, dataset = wildcards.extractor, wildcards.dataset
    fit = [
        "pca",
        extractor,
        to_learn(wildcards),
        input.images,
        input.manifest,
        f"--model={output.model}",
        f"--dataset={dataset}",
        f"--seed={CONFIG['seed']}",
    ]
    freeze = [
        "network",
        extractor,
        json.dumps(CONFIG["extractors"][extractor]),
        f"--source={output.model}",
        f"--graph={output.graph}",
        f"--layers={output.layers}",
        f"--nodes={output.nodes}",
    ]
    return [shlex.join(fit), shlex.join(freeze)]
