"""What is run on a folder of one's own: its config."""

import re
from pathlib import Path

import yaml

from ..errors import UserError
from ..home import HOME
from ..networks.sources import known_applications
from ..suggestions import those_there

# Beyond so many pictures a sample is taken; --quick takes fewer.
SAMPLE, QUICK = 2000, 300
DEPTHS = 5
_FILES = {".onnx": "onnx", ".keras": "keras_file", ".h5": "keras_file"}


def own_config(looks, networks=None, layers=None, quick=False, labels=None, group=None, split=None):
    """Return the config for a folder that was looked at; parameters as for ``run_pictures``."""
    spec = {"kind": "folder", "path": str(looks.path.resolve()), "skip_unreadable": True}
    if labels:
        spec["labels"] = str(Path(labels).resolve())
    if group:
        spec["group"] = group
    if split:
        spec["split"] = split
    sample = QUICK if quick else SAMPLE
    name = _name(looks.path.resolve().name)
    return {
        "seed": 1,
        "linear_probe": False,
        **({"pairs": sample * (sample - 1) // 2} if looks.images > sample else {}),
        "datasets": {name: spec},
        "extractors": _extractors(networks, layers),
    }


def _extractors(networks, layers):
    """Return the extractors of a config, by the names and files of networks that are wanted."""
    shipped = yaml.safe_load((HOME / "config.yaml").read_text(encoding="utf-8"))["extractors"]
    controls = {name: spec for name, spec in shipped.items() if spec["kind"] == "pca"}
    if networks:
        chosen = dict(_extractor(name.strip(), shipped) for name in networks.split(","))
    else:
        chosen = {name: spec for name, spec in shipped.items() if _is_trained(spec)}
    if layers:
        chosen = {
            name: {**{k: v for k, v in spec.items() if k != "dims"}, "layers": layers}
            if _is_trained(spec)
            else spec
            for name, spec in chosen.items()
        }
    return chosen | controls


def _extractor(wanted, shipped):
    """Return (name, spec) of a network by its name or its file."""
    file = Path(wanted).expanduser()
    if wanted in shipped:
        return wanted, shipped[wanted]
    if file.suffix.lower() in _FILES:
        kind = _FILES[file.suffix.lower()]
        return _name(file.stem), {"kind": kind, "path": str(file.resolve()), "layers": DEPTHS}
    applications = known_applications()
    if wanted not in applications:
        known = [*shipped, *applications]
        raise UserError(
            f"--networks: there is no network {wanted!r}; {those_there([wanted], known)}. A file "
            f"ends in {', '.join(_FILES)}; a .pb goes into a config, which says its `input`."
        )
    spec = {"kind": "keras_application", "application": wanted, "layers": DEPTHS}
    return _name(wanted), spec


def _is_trained(spec):
    """Return whether a network was trained on other images, and not on those of the folder."""
    return spec["kind"] not in ("pca", "autoencoder") and spec.get("weights", "") is not None


def _name(text):
    """Return ``text`` as a name of the config: letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_") or "pictures"
