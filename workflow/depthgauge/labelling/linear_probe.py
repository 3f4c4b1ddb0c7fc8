"""The supervised yardstick: a linear classifier on the features, from few labels."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from ..distances.shards import open_shard
from ..errors import UserError
from ..fingerprint import read_array
from ..manifest import class_codes, groups_of, read_manifest
from ..seeds import derive_seed
from ..tables import write_table
from .label_splits import COLUMNS, hidden_images, label_splits

log = logging.getLogger(__name__)

LARGEST = 4096  # dimensions up to which it is fitted


def write_linear_probe(
    manifest,
    shards,
    output,
    *,
    dataset="",
    layer="",
    labels_per_class=(),
    splits=20,
    seed=0,
    threads=1,
):
    """Write the accuracy of logistic regression on a layer's features, from few labels.

    Features are centred and divided by one number, the root mean square of the images' distances
    from their mean, both over all images; the penalty is scikit-learn's with C = 1.
    Nothing is tuned. The trials are those of ``write_label_accuracy``, and so are the columns
    of the CSV ``output``; it has no rows where the dimension is above 4,096.

    Parameters
    ----------
    manifest : path
        Labelled throughout.
    shards : list of path
        The features, .npy, one row per image, in the manifest's order.
    output : path
    dataset, layer : str
        Their names.
    labels_per_class, splits, seed, threads
        As for ``write_label_accuracy``.

    Raises
    ------
    UserError
        If there are not as many features as images.
    """
    images = read_manifest(manifest)
    codes, _ = class_codes(images.label, source=manifest)
    groups = groups_of(images)
    dim = open_shard(shards[0]).columns
    counts, draws = label_splits(
        codes, labels_per_class, splits, derive_seed(seed, dataset, "labels"), groups
    )
    found = []
    if dim > LARGEST:
        log.warning("%s: %d dimensions, above %d: no linear probe", layer, dim, LARGEST)
    elif counts:
        parts = list(map(read_array, shards))
        features = np.concatenate(parts).astype(np.float64)
        if len(features) != len(codes):
            raise UserError(
                f"{shards[0]}: {len(features)} rows of features in all for {len(codes)} "
                f"images of {manifest}; make the features again."
            )
        features -= features.mean(axis=0)
        features /= np.sqrt((features**2).sum(axis=1).mean()) or 1

        def trial(split):
            return [
                (layer, "linear_probe", count, split, *_accuracy(features, codes, labelled, hidden))
                for count in counts
                for labelled in [draws[split][:, :count].ravel()]
                for hidden in [hidden_images(len(codes), labelled, draws[split], groups)]
            ]

        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
            found = [row for rows in pool.map(trial, range(splits)) for row in rows]
    write_table(pd.DataFrame(found, columns=COLUMNS), output)


def _accuracy(features, codes, labelled, hidden):
    model = LogisticRegression(C=1.0, max_iter=1000).fit(features[labelled], codes[labelled])
    right = model.predict(features[hidden]) == codes[hidden]
    return len(right), 1.0, right.mean()
