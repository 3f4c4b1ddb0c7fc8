"""Groups that pictures form by themselves, and that are not their classes."""

STABLE = 0.8  # adjusted Rand index of the clusters of parts of the images with those of all
ALIKE = 0.1  # adjusted mutual information of clusters and labels, below which they say nothing


def other_groups(rows):
    """Return the row of the most stable depth, where its clusters are others than the classes.

    A batch, a camera or a stain makes such groups, or a class that nobody told.

    Parameters
    ----------
    rows : list of dict
        Of a network, in order of depth, see ``clusters.write_clusters``; what a row lacks is
        missing.

    Returns
    -------
    dict or None
    """
    several = [row for row in rows if row["clusters"] > 1 and "stability" in row and "ami" in row]
    # Of equally stable depths the deepest, as on the contact sheet.
    most = max(reversed(several), key=lambda row: row["stability"], default=None)
    if most and most["stability"] >= STABLE and most["ami"] < ALIKE:
        return most
    return None
