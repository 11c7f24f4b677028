"""``squeezed-bench models``: which models the engine reproduces exactly, and why not."""

from collections.abc import Sequence

PAGE = """squeezed-bench models FOLDER
squeezed-bench models all=true [types=NAME,...] [variants=all] [out=FILE] [work=FILE]

FOLDER: what is supported of one model, told from its config.json, and why not. all=true: judges a tiny random
model of every causal-LM type of the installed transformers; docs/models.md is made so. The same as
python -m squeezed check."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code of ``squeezed.check.command.main``."""
    if arguments is not None and {"-h", "--help"} & set(arguments):
        print(PAGE)
        return 0
    from squeezed.check.command import main as check  # torch, which help need not wait for

    return check(arguments)
