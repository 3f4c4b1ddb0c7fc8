"""The table of a network's nodes, from which waists are found and the schematic is drawn."""

import csv
from typing import NamedTuple

from ..files import atomic


class Node(NamedTuple):
    """A row of it."""

    name: str
    op: str
    inputs: tuple  # names of nodes
    shape: str  # without the batch, such as 73x73x64


def write_nodes(nodes, path):
    """Write ``nodes``, in topological order, to ``path`` (.csv), inputs joined by ``;``."""
    with atomic(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Node._fields)
        for node in nodes:
            writer.writerow(node._replace(inputs=";".join(node.inputs)))
