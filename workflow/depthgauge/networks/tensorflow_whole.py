"""All of TensorFlow but Keras, for what builds networks and changes graphs.

No other module imports from TensorFlow: after `tensorflow_setup` it must be the package that comes
first, or its modules would import each other in a circle.
"""

from .tensorflow_setup import absent, without_unasked

# What it imports last is all of Keras, which `keras_setup` does where that is needed.
with absent("keras.src.optimizers"), without_unasked():
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (  # noqa: F401
        convert_variables_to_constants_v2,
    )

tf.get_logger().setLevel("ERROR")
