"""TensorFlow without its start-up chatter; nothing but the feature stage imports this."""

import os

from .left_out import left_out
from .memory import keep_freed_memory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The last thing that TensorFlow imports, and with it all of Keras: another second, for what a
# frozen graph does without. `tf.keras` imports it when it is first asked for.
with left_out("keras.src.optimizers"):
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")

__all__ = ["tf", "use_precision", "use_threads"]


def use_threads(threads):
    """Compute up to ``threads`` operations at once, each on one thread.

    One thread an operation makes the numbers independent of how many there are: a sum
    split over several threads is rounded otherwise than one that is not.

    Call it before anything is computed.
    """
    keep_freed_memory()
    tf.config.experimental.enable_tensor_float_32_execution(False)  # a GPU's three digits
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def use_precision(precision):
    """Run graphs in ``float32``, or multiply in ``bfloat16`` and add in float32.

    What a graph takes and gives stays float32; oneDNN does it, where the processor can.
    """
    option = {"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"}
    tf.config.optimizer.set_experimental_options(option)
