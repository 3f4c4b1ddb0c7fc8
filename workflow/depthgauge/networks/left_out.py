"""Leave out what a library imports for parts of it that are not used."""

import sys
from contextlib import contextmanager


@contextmanager
def left_out(*modules):
    """Have imports of ``modules`` fail within, as if they were not installed.

    It serves where they are optional, and slow to import. Those imported before are there, and
    all of them can be imported afterwards.
    """
    waiting = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(waiting))
    try:
        yield
    finally:
        for name in waiting:
            del sys.modules[name]
