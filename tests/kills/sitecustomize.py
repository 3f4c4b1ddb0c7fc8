"""Python reads this when it starts, where its folder is on the path: it stops a job at a write.

When a file is about to be renamed to one that ends in DEPTHGAUGE_STOP_AT, half of its bytes, or of
the files of a folder, are taken away; then the file DEPTHGAUGE_REACHED tells that the process can
be killed.
"""

import os
import sys
import time

_target, _replace = os.environ.get("DEPTHGAUGE_STOP_AT"), os.replace


def _stopping(source, to, **options):
    if str(to).endswith(_target):
        files = (
            [os.path.join(source, name) for name in os.listdir(source)]
            if os.path.isdir(source)
            else [source]
        )
        for file in files[: len(files) // 2]:
            os.remove(file)
        os.truncate(files[-1], os.path.getsize(files[-1]) // 2)
        open(os.environ["DEPTHGAUGE_REACHED"], "w").close()
        time.sleep(120)
        sys.exit(1)
    return _replace(source, to, **options)


if _target:
    os.replace = _stopping
