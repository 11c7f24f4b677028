"""Errors of this package that a user can mend; commands print them as one line."""


class LongBenchError(ValueError):
    """Data, a prompt file or a setting that cannot be used. The message says what to do."""
