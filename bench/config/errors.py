"""Errors that a user can mend; ``python -m bench`` prints them as one line."""

import sys

from rows.redact import redact


class InputError(ValueError):
    """A setting that cannot work; found before a model is loaded where possible. Exit code 2."""


class ImpossibleError(InputError):
    """A size that a method cannot meet on a context; a sweep leaves that run out and goes on."""


class RunError(RuntimeError):
    """A run that could not go on (records damaged, in use, or not writable); exit code 1."""


class BusyError(RunError):
    """Another process works on the run; a sweep leaves it to that process and goes on."""


class FailedError(RunError):
    """A run that failed on its own, for instance out of memory; its folder says why, and a sweep goes on."""


def fail(code: int, message: str) -> int:
    """Prints a message as one line on stderr, without secrets; returns the exit code."""
    print("error: " + redact(" ".join(message.split())), file=sys.stderr)
    return code
