"""Kylberg Texture Dataset v1.0 (Kylberg 2011): 28 textures, 160 patches of each."""

import logging
import re
from pathlib import Path

import numpy as np

from ..archives import unpack
from ..errors import UserError
from ..seeds import derive_seed
from ..suggestions import did_you_mean
from .picture import Note, Picture, Source, known_by, natural_key, stratified

log = logging.getLogger(__name__)

TITLE = "Kylberg Texture Dataset v1.0"
CITATION = "Kylberg 2011"
LINK = "https://kylberg.org/kylberg-texture-dataset-v-1-0/"

CLASSES = (
    *("blanket1", "blanket2", "canvas1", "ceiling1", "ceiling2", "cushion1", "floor1", "floor2"),
    *("grass1", "lentils1", "linseeds1", "oatmeal1", "pearlsugar1", "rice1", "rice2", "rug1"),
    *("sand1", "scarf1", "scarf2", "screen1", "seat1", "seat2", "sesameseeds1", "stone1"),
    *("stone2", "stone3", "stoneslab1", "wall1"),
)
PATCHES = 160

# CLASS-PHOTOGRAPH-PATCH[-ROTATION]; of rice1, one photograph is published with a dot.
PATCH = re.compile(r"([a-z]+\d)[-.]([a-d])-p(\d{3})(?:-r(\d{3}))?\.png")

PUBLISHED = [
    "https://filedn.com/lkCRue0RhPO7ercIrqFRl2Y/datasets/KylbergTextureDatasetV1/"
    "without-rotations-zip/{class}-without-rotations.zip",
    "http://www.cb.uu.se/~gustaf/texture/data/without-rotations-zip/{class}-without-rotations.zip",
]


def _given(name, spec):
    classes = sorted(set(spec["classes"] or CLASSES), key=natural_key)
    given = {**spec, "classes": classes, "urls": spec["urls"] or PUBLISHED}
    if given["path"]:
        given["path"] = Path(given["path"]).expanduser()
        if not given["path"].is_dir():
            raise UserError(
                f"datasets: {name}: path: there is no folder {given['path']}; expected one that "
                "holds Kylberg's zips or PNGs."
            )
    elif unknown := [texture for texture in classes if texture not in CLASSES]:
        raise UserError(
            f"datasets: {name}: classes: there is no {unknown[0]!r}"
            + did_you_mean(unknown[0], CLASSES, ".")
            + f" Choose from {', '.join(CLASSES)}."
        )
    return given


def count(name, spec):
    """Return the number of images, if all are there."""
    given = _given(name, spec)
    return len(given["classes"]) * (given["per_class"] or PATCHES)


def sources(name, spec):
    """Return one zip for each class; nothing where a ``path`` is given."""
    given = _given(name, spec)
    if given["path"]:
        return []
    urls = given["urls"]
    folder = "kylberg" if urls == PUBLISHED else f"kylberg/{known_by(urls)}"
    return [
        Source(
            f"{folder}/{texture}-without-rotations.zip",
            [url.replace("{class}", texture) for url in urls],
            {},
        )
        for texture in given["classes"]
    ]


def pictures(name, spec, sources, seed, scratch):
    """Return the patches and the notes; ``group`` is the photograph a patch was cut from.

    Keys of ``spec``: ``urls``, templates in which {class} stands for the class; or ``path``,
    a folder that holds the zips or the PNGs, at any depth; ``classes``, null for all 28;
    ``per_class``, so many patches of each class, chosen at random by ``seed`` in equal
    parts from its photographs, null for all.
    """
    given = _given(name, spec)
    wanted = given["classes"]
    patches, zips = {}, {}
    if given["path"]:
        patches = _patches(given["path"])
        zips = {_texture(file): file for file in sorted(given["path"].rglob("*.zip"))}
        sources = [file for texture, file in zips.items() if texture not in patches]
    for archive in sources:
        texture = _texture(archive)
        if texture not in wanted:
            continue
        found = _patches(unpack(archive, scratch / archive.stem))
        if list(found) != [texture]:
            raise UserError(
                f"{archive}: expected patches of {texture} alone ({texture}-a-p001.png and so "
                f"on), found {'patches of ' + ', '.join(found) if found else 'none'}. Delete it "
                "and get it again."
            )
        patches |= found
    missing = [texture for texture in wanted if texture not in patches]
    if missing:
        there = sorted((patches.keys() | zips.keys()) - {""}, key=natural_key)
        raise UserError(
            f"datasets: {name}: no patches of {', '.join(missing)}; found were "
            f"{', '.join(there) or 'none at all'}. Name under `classes` those that you have."
        )

    made, notes = [], []
    for texture in wanted:
        chosen = list(patches[texture].items())
        if len(chosen) != PATCHES:
            log.warning(
                "%s: %s has %d patches; published are %d.", name, texture, len(chosen), PATCHES
            )
            notes.append(Note(texture, PATCHES, len(chosen), "patches found"))
        if given["per_class"]:
            if given["per_class"] > len(chosen):
                raise UserError(
                    f"datasets: {name}: per_class: {given['per_class']} patches are asked for, "
                    f"but of {texture} there are {len(chosen)}."
                )
            rng = np.random.default_rng(derive_seed(seed, name, texture))
            letters = [letter for (letter, _), _ in chosen]
            chosen = [chosen[i] for i in stratified(letters, given["per_class"], rng)]
        made += [
            Picture(f"{texture}-{letter}-p{patch}", texture, file.name, file, f"{texture}-{letter}")
            for (letter, patch), file in chosen
        ]
    part = "" if given["per_class"] is None else f", {given['per_class']} patches of each"
    notes.insert(0, Note("", count(name, spec), len(made), f"{len(wanted)} texture classes{part}"))
    return made, notes


def _texture(archive):
    """Return the class that a zip is named after, or ""."""
    match = re.match(r"[a-z]+\d", archive.name)
    return match[0] if match else ""


def _patches(folder):
    """Return {class: {(photograph, patch): file}} of the PNGs under ``folder``, all sorted."""
    patches, turned = {}, 0
    for file in folder.rglob("*.png"):
        match = PATCH.fullmatch(file.name)
        if not match:
            continue
        texture, letter, patch, rotation = match.groups()
        if rotation not in (None, "000"):
            turned += 1
            continue
        same = patches.setdefault(texture, {})
        if (letter, patch) in same:
            both = sorted([same[letter, patch], file])
            raise UserError(f"{both[0]} and {both[1]} are the same patch; remove one of them.")
        same[letter, patch] = file
    if turned:
        log.info("%s: left out %d turned copies of patches (-rNNN).", folder, turned)
    return {t: dict(sorted(patches[t].items())) for t in sorted(patches, key=natural_key)}
