"""Features centred on a mean and scaled to length one, as distances by angle are of."""

import numpy as np


def scaled(features, mean=None):
    """Return float32 [n, d]: ``features`` less ``mean``, each row divided by its length.

    Parameters
    ----------
    features : array [n, d]
    mean : float64 array [d], optional
        Without it they stay as they are. A row that is the mean becomes zero.
    """
    if mean is None:
        return np.ascontiguousarray(features, np.float32)
    centred = np.subtract(features, mean, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, lengths, out=centred, where=lengths > 0).astype(np.float32)
