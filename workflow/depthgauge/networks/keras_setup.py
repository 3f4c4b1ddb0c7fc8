"""Keras, without the libraries for plots and wrappers that it imports if it can.

They take two thirds of the time of its import, and nothing here asks for them.
"""

from . import tensorflow_whole  # noqa: F401
from .tensorflow_setup import absent

with absent("matplotlib", "sklearn"):
    import keras  # noqa: F401
