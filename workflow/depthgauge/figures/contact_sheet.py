"""Contact sheets: images of every cluster."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from ..manifest import read_manifest
from ..readings import KEYS, Reading
from ..report.thumbnails import thumbnail
from ..tables import read_table
from .page import new_page, put
from .samples import spread
from .style import GREY, INK, PAGE, save, shorten, styled

_ROWS, _COLUMNS = 24, 10
_BESIDE, _ABOVE, _BELOW, _GAP = 1.0, 0.28, 0.32, 0.06  # inches: for texts, and between pictures
_PIXELS = 160  # greatest side of a picture in the figure
_LETTERS = 12  # of a class name
_ORDER = "from the surest of the cluster, left, to the least sure, at equal steps"


def draw_most_stable(images, manifest, summary, clusters, stem, *, layer=None, seed=0):
    """Draw ``draw_contact_sheet`` at the depth of which the clusters are the most stable.

    Of equally stable ones it is the deepest; where no depth has clusters, the last.

    Parameters
    ----------
    images, manifest, stem : path
    summary : path
        See ``clusters.write_clusters``; its dataset and extractor are named above the figure, and
        the reading where it has several, or another than all values by Euclidean distance.
    clusters : path
        The folder of its LAYER.csv.
    layer : str, optional
        The depth to draw in place of the most stable: where no image has a label, the one that
        was the least bad choice in validation (docs/statistics.md).
    seed : int
        The run's, for the figure to name.
    """
    rows = read_table(summary)
    if layer is None:
        stable = rows.stability.fillna(-1)
        row = rows.loc[rows.index[stable == stable.max()][-1]]
        reason = "the most stable depth" if row.clusters else "the deepest"
    else:
        row = rows[rows.layer == layer].iloc[0]
        reason = "five sixths of the depth, since no label says which is best"
    if "pooling" in rows:
        readings = set(rows[KEYS].itertuples(False, None))
        if readings != {Reading()}:
            reason = f"{Reading(*row[KEYS])}; {reason}"
    facts = [f"n = {row.images:,}", f"{row.noise_share:.0%} in no cluster", f"seed {seed}"]
    if row.clusters:
        facts.insert(1, f"stability {row.stability:.2f}")
    if np.isfinite(row.ari):
        facts.insert(2, f"with the labels: ARI {row.ari:.2f}, AMI {row.ami:.2f}")
    if row.note:
        facts.append(row.note)
    draw_contact_sheet(
        images,
        manifest,
        read_table(Path(clusters) / f"{row.layer}.csv"),
        stem,
        title="  ·  ".join(filter(None, [row.dataset, row.extractor, f"{row.layer} ({reason})"])),
        note="; ".join(facts),
    )


def draw_contact_sheet(images, manifest, clusters, stem, *, title="", note=""):
    """Draw a row of images for each cluster, the largest first, and one for those of none.

    The images of a row are taken at equal steps from the surest, on the left, to the least
    sure. Of more than 24 clusters the largest are drawn.

    Parameters
    ----------
    images : path
        The folder that the manifest's ``image`` column refers to.
    manifest : path
        Of the labels: a row is captioned with the one that most of its images have.
    clusters : DataFrame
        ``image,cluster,probability``, see ``clusters.write_clusters``.
    stem : path
        Of the .png, .pdf, .csv and .txt (the caption) that are written.
    title, note : str
        Above and below the rows.

    Raises
    ------
    UserError
        If the clusters are not of the manifest's images, or an image cannot be read.
    """
    table = read_manifest(manifest)
    if list(table.image) != list(clusters.image):
        raise UserError(f"{manifest}: the clusters are of other images. Remove them and run again.")
    table = clusters.assign(label=table.label).sort_values(
        "probability", ascending=False, kind="stable"
    )
    numbers = sorted(set(table.cluster) - {""}, key=int)
    rows = [*numbers[:_ROWS], *[""] * ("" in set(table.cluster))]
    groups = [table[table.cluster == number] for number in rows]
    drawn = pd.concat([spread(group, _COLUMNS) for group in groups], keys=range(len(groups)))
    drawn.insert(0, "row", drawn.index.get_level_values(0))
    drawn.insert(1, "column", drawn.groupby("row").cumcount())
    drawn.insert(3, "size", [len(groups[row]) for row in drawn.row])
    if len(numbers) > _ROWS:
        note = f"the {_ROWS} largest of {len(numbers)} clusters; {note}"
    captions = [_caption(number, group) for number, group in zip(rows, groups, strict=True)]
    caption = (
        f"Images of every cluster of {title.replace('  ·  ', ', ')}: {note}. The images of a row "
        f"are taken {_ORDER}."
    )
    with styled():
        save(_figure(Path(images), drawn, captions, title, note), stem, drawn, caption)


def _caption(number, group):
    lines = [f"cluster {number}" if number else "no cluster", f"{len(group):,} images"]
    labels = group.label[group.label != ""]
    if len(labels):
        counts = labels.value_counts()
        most = sorted(counts.index[counts == counts.max()])[0]
        lines.append(f"{counts.max() / len(labels):.0%} “{shorten(most, _LETTERS)}”")
    return lines


def _figure(images, drawn, captions, title, note):
    side = (PAGE - _BESIDE) / _COLUMNS
    figure, axes = new_page(
        PAGE,
        _ABOVE + len(captions) * side + _BELOW,
        title=title,
        note=f"{note}\nimages of a row: {_ORDER}",
    )
    for image in drawn.itertuples():
        left, top = _BESIDE + image.column * side, _ABOVE + image.row * side
        picture = thumbnail(images / image.image, _PIXELS)
        put(axes, picture, left + _GAP / 2, top + _GAP / 2, side - _GAP)
    for row, lines in enumerate(captions):
        for place, (line, colour) in enumerate(zip(lines, (INK, GREY, GREY), strict=False)):
            axes.text(
                *(_BESIDE - _GAP, _ABOVE + side * (row + 0.22 + 0.28 * place), line),
                **{"ha": "right", "va": "center", "fontsize": 6, "color": colour},
            )
    return figure
