"""The one exception that is the user's to mend: shown as a single line, exit status 2, never a traceback."""


class UserError(Exception):
    """Bad input, or a machine that cannot do what was asked; the message names it, and what to do."""
