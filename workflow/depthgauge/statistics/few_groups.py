"""Groups of images that are too few for an interval."""

# In simulation 95 % intervals by two groups cover the truth in 75 %, by ten in 92.5 %, by twenty in
# 94 %: docs/statistics.md, tests/validation/few_groups.py.
LEAST_GROUPS = 10


def few_groups(count):
    """Return in words why there is no interval by ``count`` groups; ``""`` where there is one.

    Parameters
    ----------
    count : float or None
        None or NaN where images come in no groups.
    """
    if count is None or not count < LEAST_GROUPS:
        return ""
    return (
        f"the images come in {count:.0f} groups, and by fewer than {LEAST_GROUPS} no interval can "
        "be trusted"
    )
