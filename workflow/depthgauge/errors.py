"""The one kind of error that a user is meant to read."""


class UserError(Exception):
    """Something that the user can mend.

    The message names the file, key or class concerned, says what was expected
    and what to do about it. The command line prints it without a traceback.
    """
