"""Keras models as files that are the same whenever they are written."""

import json
import zipfile

from ..files import atomic


def save_model(model, path):
    """Write a Keras model to ``path`` (.keras); the same model gives the same bytes.

    Keras writes the time, and addresses in memory by which it would tell shared objects; both
    are left out.
    """
    with atomic(path) as beside:
        dated = beside.with_name(f"{beside.stem}.dated.keras")
        try:
            model.save(dated)
            _rewrite(dated, beside)
        finally:
            dated.unlink(missing_ok=True)


def _rewrite(source, target):
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(target, "w") as written:
        for name in sorted(given.namelist()):
            content = given.read(name)
            if name.endswith(".json"):
                content = json.dumps(_lasting(json.loads(content)), sort_keys=True).encode()
            written.writestr(zipfile.ZipInfo(name), content)


def _lasting(value):
    """Leave out the keys whose values change from one writing to the next."""
    if isinstance(value, list):
        return [_lasting(item) for item in value]
    if not isinstance(value, dict):
        return value
    passing = ("date_saved", "shared_object_id")
    return {key: _lasting(item) for key, item in value.items() if key not in passing}
