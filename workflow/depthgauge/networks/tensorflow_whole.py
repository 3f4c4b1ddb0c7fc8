"""All of TensorFlow but Keras, for what builds networks and changes graphs."""

from .tensorflow_setup import absent, without_unasked

# What it imports last is all of Keras, which `keras_setup` does where that is needed.
with absent("keras.src.optimizers"), without_unasked():
    import tensorflow as tf

tf.get_logger().setLevel("ERROR")
