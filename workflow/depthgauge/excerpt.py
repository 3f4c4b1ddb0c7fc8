"""The first of many lines, where all would be too many to read."""


def excerpt(lines, most=10):
    """Return the first ``most`` of a list of lines, and how many more there are."""
    return lines[:most] + [f"... and {len(lines) - most:,} more"] * (len(lines) > most)
