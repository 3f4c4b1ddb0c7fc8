"""How the compiled kernels of this package are compiled."""

import logging

from numba import njit

log = logging.getLogger(__name__)

# For kernels whose sums may be reordered, so that vector instructions make them; the order
# is then the compiler's, the same at every call. NaN and infinity keep their meaning.
REORDERED = {"reassoc", "contract"}


def kernel(**options):
    """Return a decorator that compiles a function with numba at its first call.

    The machine code is cached in the package's ``__pycache__``, else in the user's cache
    folder, or in ``NUMBA_CACHE_DIR`` where that is set. Where none of them can be written to,
    each process compiles anew, which takes seconds. A kernel releases the GIL, so that threads
    run it side by side. ``options`` are those of ``numba.njit``.

    Kernels call kernels of their own module alone: numba compiles anew if that file has changed,
    and does not look at others.
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    def compiled(function):
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError as error:  # "no locator available": nowhere to write
            log.info("%s is compiled in each process: %s", function.__name__, error)
            return njit(**options)(function)

    return compiled
