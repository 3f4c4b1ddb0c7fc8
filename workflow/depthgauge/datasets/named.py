"""What the user says of each image beside its class: its group, and what is a nuisance."""

import re

from ..errors import UserError


def named_by(key, said, paths, columns):
    """Return the group, or the value of the nuisance, of each image; "" where it has none.

    Parameters
    ----------
    key : str
        What the config calls it, with the dataset, for messages: ``datasets.mine.group``.
    said : str
        A column of the csv of labels, or else a regular expression. What its capture groups match
        in the image's path is the value; of several they are joined by ``_``.
    paths : list of str
        The images, by their paths within the dataset's folder, with ``/``.
    columns : dict of str to dict
        The further columns of the csv: of each the value by image.

    Returns
    -------
    list of str

    Raises
    ------
    UserError
        If it is neither a column nor an expression with a capture group, or if it tells nothing:
        no image has a value, or all have the same.
    """
    if said in columns:
        found = [columns[said].get(path, "") for path in paths]
    else:
        found = [_captured(match) for match in map(_expression(key, said, columns).search, paths)]
    if len(set(found)) < 2:
        told = f"all {len(paths)} images have {found[0]!r}" if any(found) else "no image has any"
        raise UserError(
            f"{key}: {said!r} tells nothing of the images: {told} (the first is {paths[0]!r}). "
            "Name a column of the csv of `labels`, or give a regular expression whose capture "
            "group matches the part of that path that tells images apart."
        )
    return found


def _expression(key, said, columns):
    there = f"the csv of `labels` has {', '.join(columns)}" if columns else "there is none"
    neither = f"{key}: {said!r} is neither a column of the csv of `labels` ({there}) nor "
    remedy = (
        "An expression is searched in each image's path within the folder, as "
        r"(S\d+)_\d+ in happy/S010_004.png."
    )
    try:
        expression = re.compile(said)
    except re.error as error:
        raise UserError(f"{neither}a regular expression ({error}). {remedy}") from None
    if not expression.groups:
        raise UserError(
            f"{neither}a regular expression with a capture group, the part in parentheses that "
            f"is the value. {remedy}"
        )
    return expression


def _captured(match):
    return "_".join(filter(None, match.groups())) if match else ""
