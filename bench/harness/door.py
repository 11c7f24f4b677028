"""Runs the harness's own command line with the model ``squeezed`` registered."""

import importlib
import sys

from lm_eval.__main__ import cli_evaluate

NAMED = ("--model", "-M")


def run(arguments: list[str]) -> None:
    """Runs ``lm_eval`` with these arguments; ``--model squeezed`` where they name no model.

    Raises:
        InputError: as the model. SystemExit: as ``lm_eval``.
    """
    importlib.import_module("bench.harness.model")  # registers it
    own = any(each.split("=")[0] in NAMED for each in arguments)
    if arguments[0] not in ("ls", "validate") and not own:
        arguments = [*arguments, "--model", "squeezed"]
    before, sys.argv = sys.argv, ["lm_eval", *arguments]
    try:
        cli_evaluate()
    finally:
        sys.argv = before
