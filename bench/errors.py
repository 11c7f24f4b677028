"""Errors that a user can mend; ``python -m bench`` prints them as one line."""


class InputError(ValueError):
    """A setting that cannot work; found before a model is loaded where possible. Exit code 2."""


class ImpossibleError(InputError):
    """A size that a method cannot meet on a context; a sweep leaves that run out and goes on."""


class RunError(RuntimeError):
    """A run that could not go on (records damaged, in use, or not writable); exit code 1."""
