"""Seeds derived from the config's one seed and the names of what is computed."""

import hashlib


def derive_seed(seed, *names):
    """Return a seed in [0, 2**32) for the thing called ``names`` under the run's ``seed``.

    The same arguments give the same seed on every machine and in every process
    (SHA-256 of the joined names, not Python's salted ``hash``); different names give
    unrelated streams, so no result depends on the order of the jobs.
    """
    text = "\0".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
