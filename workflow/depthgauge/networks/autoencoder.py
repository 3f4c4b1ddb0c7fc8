"""The convolutional autoencoder: built, and trained on images without their labels."""

import logging
import math

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..errors import UserError
from ..files import atomic
from ..manifest import read_manifest
from ..seeds import derive_seed
from ..tables import write_table
from .keras_save import save_model
from .keras_setup import keras
from .learned import check_learned
from .pixels import load_stack
from .tensorflow_setup import use_threads
from .tensorflow_whole import tf

log = logging.getLogger(__name__)

BATCH = 16
# A batch of large images is computed in so many parts side by side, each on one thread, and their
# gradients are added in order: the sums are the same whatever the number of threads. Images up to
# so many pixels wide take longer in parts, on two threads, than as a whole on one.
PARTS, WHOLE = 4, 64
VALIDATION = 0.2  # of the images
# Weights beyond it diverge, also where a ReLU, as some processors have it, makes 0 of NaN: such a
# network is dead and its loss is finite.
BOUND = 1e6
SHOWN = 10  # images whose reconstructions are kept to look at


def build_autoencoder(spec, seed):
    """Return an untrained autoencoder, a Keras model from RGB 0-255 to RGB 0-1.

    Every stage of the encoder halves height and width by a strided 3x3 convolution
    (``stage_1``, ``stage_2``, ...), an affine map makes the code (``latent``), and the decoder
    mirrors the encoder. The weights (He et al. 2015, arXiv:1502.01852) depend on the seed and
    the shape alone, so that an untrained control starts where the trained one started.

    Parameters
    ----------
    spec : dict
        ``size``, ``channels`` (one number for each stage) and ``latent``, as in the config.
    seed : int
        The run's seed.
    """
    layers = keras.layers
    keras.utils.set_random_seed(derive_seed(seed, "autoencoder", "weights"))
    size, channels = spec["size"], spec["channels"]
    convolution = {
        "kernel_size": 3,
        "strides": 2,
        "padding": "same",
        "activation": "relu",
        "kernel_initializer": "he_normal",
    }
    images = layers.Input((size, size, 3), name="images")
    x = layers.Rescaling(1 / 255, name="unit_range")(images)
    for stage, width in enumerate(channels, start=1):
        x = layers.Conv2D(width, name=f"stage_{stage}", **convolution)(x)
    deepest = x.shape[1:]
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(spec["latent"], name="latent")(x)
    x = layers.Dense(math.prod(deepest), "relu", kernel_initializer="he_normal", name="unfold")(x)
    x = layers.Reshape(deepest, name="folded")(x)
    for stage in range(len(channels) - 1, 0, -1):
        x = layers.Conv2DTranspose(channels[stage - 1], name=f"up_{stage}", **convolution)(x)
    output = convolution | {"activation": "sigmoid"}
    x = layers.Conv2DTranspose(3, name="reconstruction", **output)(x)
    return keras.Model(images, x, name="autoencoder")


def write_autoencoder(
    name, spec, images, manifest, model, history, examples, *, dataset="", seed=0, threads=1
):
    """Call ``train_autoencoder`` in a process in which nothing is computed yet, repeatably."""
    use_threads(threads)
    tf.config.experimental.enable_op_determinism()
    given = (name, spec, images, manifest, model, history, examples)
    train_autoencoder(*given, dataset=dataset, seed=seed, threads=threads)


def train_autoencoder(
    name, spec, images, manifest, model, history, examples, *, dataset="", seed=0, threads=1
):
    """Train the autoencoder ``name`` on a dataset; keep the weights that validate best.

    The loss is the mean squared error of the pixels (0-1). A fifth of the images is held out;
    training (Adam, Kingma & Ba 2015) ends after ``patience`` passes without a better
    reconstruction of these, or after ``epochs``. Where the loss or a weight leaves all
    bounds it ends with a warning. Call
    :func:`depthgauge.networks.tensorflow_setup.use_threads` first, and
    `tf.config.experimental.enable_op_determinism` where there is a GPU.

    Parameters
    ----------
    name : str
        The extractor's name in the config.
    spec : dict
        Its entry: ``size``, ``channels``, ``latent``, ``epochs``, ``patience`` and
        ``learning_rate``.
    images, manifest : path
        The dataset. Its labels are not looked at; images of one ``group`` are not parted.
    model : path
        The trained model to write (.keras), encoder and decoder, from RGB 0-255 to 0-1.
    history : path
        CSV to write: ``epoch`` (0 is before training), ``training`` and ``validation`` (mean
        squared errors), ``kept`` (the epoch whose weights are) and, the same in all rows,
        ``mean_image`` (the validation error of the mean training image) and the numbers of
        images ``train_images`` and ``validation_images``.
    examples : path
        .npz to write: ``image`` (names, of the validation split), ``original`` and
        ``reconstruction``, uint8 [n, size, size, 3].
    dataset : str
        Its name, for the seeds and messages.
    seed : int
        The run's seed.
    threads : int
        Images decoded at once.

    Raises
    ------
    UserError
        If there are too few images, or training diverges before it has learned anything.
    """
    table = read_manifest(manifest)
    check_learned(name, spec | {"trained_on": None}, {dataset: len(table)})
    held_out = validation_split(table, np.random.default_rng(derive_seed(seed, dataset, "split")))
    pixels = load_stack(images, table.image, spec["size"], threads=threads)
    training, validation = pixels[~held_out], pixels[held_out]
    del pixels
    autoencoder = build_autoencoder(spec, seed)
    rng = np.random.default_rng(derive_seed(seed, dataset, "autoencoder", "batches"))
    curve = fit(autoencoder, training, validation, spec, rng, name=f"{name} on {dataset}")
    curve["mean_image"] = _mean_image_error(training, validation)
    curve["train_images"], curve["validation_images"] = len(training), len(validation)
    best = curve[curve.kept].iloc[0]
    log.info(
        "%s on %s: %d images to train, %d to validate; best after epoch %d of %d, error %.5f "
        "(untrained %.5f, mean image %.5f)",
        *(name, dataset, len(training), len(validation), best.epoch, curve.epoch.iloc[-1]),
        *(best.validation, curve.validation.iloc[0], best.mean_image),
    )
    chosen = np.linspace(0, len(validation) - 1, min(SHOWN, len(validation))).round().astype(int)
    decoded = np.clip(autoencoder.predict_on_batch(validation[chosen]), 0, 1)
    with atomic(examples) as beside:
        np.savez(
            beside,
            image=table.image[held_out].to_numpy(str)[chosen],
            original=validation[chosen],
            reconstruction=(decoded * 255).round().astype(np.uint8),
        )
    write_table(curve, history)
    save_model(autoencoder, model)


def validation_split(table, rng):
    """Return a mask of the rows of a manifest to hold out: a fifth, or a little more.

    ``group``, where the manifest has it, names the photograph that a patch was cut from; such
    patches stay together, unless there are so few groups that more than half would be held out.
    """
    for groups in [table[column] for column in ("group", "image") if column in table]:
        codes, names = pd.factorize(groups.where(groups != "", table.image))
        order = rng.permutation(len(names))
        counts = np.bincount(codes)[order]
        chosen = np.cumsum(counts) - counts < VALIDATION * len(table)
        held_out = np.isin(codes, order[chosen])
        if held_out.mean() <= 0.5:
            break
    return held_out


def fit(model, training, validation, spec, rng, *, name=""):
    """Train ``model`` and leave it with its best weights; return the learning curve.

    Parameters
    ----------
    model : keras.Model
        From RGB 0-255 to RGB 0-1, [N, size, size, 3] both.
    training, validation : array
        uint8 [N, size, size, 3].
    spec : dict
        ``epochs``, ``patience`` and ``learning_rate``.
    rng : numpy.random.Generator
        Shuffles the images before each pass.

    Returns
    -------
    DataFrame
        ``epoch``, ``training``, ``validation``, ``kept``; a row for the untrained model and one
        for each pass, the last one being that in which training diverged, if it did.

    Raises
    ------
    UserError
        If it diverges before any pass was better than no training.
    """
    parts = PARTS if spec["size"] > WHOLE else 1
    step = _step(model, keras.optimizers.Adam(spec["learning_rate"]), parts)
    size = min(BATCH, len(training) // PARTS * PARTS)
    rows = [(0, _error(model, training), _error(model, validation))]
    best, weights = 0, model.get_weights()
    for epoch in tqdm(range(1, spec["epochs"] + 1), desc=name, unit="epoch", mininterval=1):
        # The few images that fill no batch have their turn in another pass.
        order = rng.permutation(len(training))[: len(training) // size * size]
        losses = [float(step(training[batch])) for batch in order.reshape(-1, size)]
        rows.append((epoch, float(np.mean(losses)), _error(model, validation)))
        largest = max(np.abs(values).max() for values in model.get_weights())
        if not (np.isfinite(rows[-1]).all() and largest <= BOUND):
            _diverged(name, epoch, best, spec)
            break
        if rows[-1][2] < rows[best][2]:
            best, weights = epoch, model.get_weights()
        elif epoch - best >= spec["patience"]:
            break
    model.set_weights(weights)
    curve = pd.DataFrame(rows, columns=["epoch", "training", "validation"])
    return curve.assign(kept=curve.epoch == best)


def _step(model, optimizer, parts):
    """Return a function that improves ``model`` by one batch, in parts, and returns its loss."""

    @tf.function(reduce_retracing=True)
    def step(batch):
        losses, gradients = [], []
        for part in tf.split(tf.cast(batch, tf.float32), parts):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(part / 255 - model(part, training=True)))
            losses.append(loss)
            gradients.append(tape.gradient(loss, model.trainable_variables))
        mean = [tf.add_n(of_parts) / parts for of_parts in zip(*gradients, strict=True)]
        optimizer.apply(mean, model.trainable_variables)
        return tf.add_n(losses) / parts

    optimizer.build(model.trainable_variables)
    return step


def _error(model, images):
    """Return the mean squared error of the reconstructions of ``images``."""
    errors = [
        ((part / 255 - model.predict_on_batch(part)) ** 2).mean(axis=(1, 2, 3), dtype=np.float64)
        for part in np.array_split(images, -(-len(images) // BATCH))
    ]
    return float(np.concatenate(errors).mean())


def _diverged(name, epoch, best, spec):
    remedy = f"Try a smaller `learning_rate` than {spec['learning_rate']}."
    if best == 0:
        raise UserError(
            f"{name}: training diverged in epoch {epoch} (loss or weights leave all bounds) before "
            f"it had learned anything. {remedy}"
        )
    log.warning(
        "%s: training diverged in epoch %d (loss or weights leave all bounds); the weights of "
        "epoch %d, the best before it, are kept. %s",
        *(name, epoch, best, remedy),
    )


def _mean_image_error(training, validation):
    """Return the mean squared error of ``validation`` against the mean of ``training``."""
    mean = sum(image.astype(np.float32) / 255 for image in training) / np.float32(len(training))
    errors = validation / 255
    errors -= mean
    errors *= errors
    return float(errors.mean())
