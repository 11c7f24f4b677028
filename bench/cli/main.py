"""``squeezed-bench``: one command for all of the suite. Here is only which module does what.

A later command is one entry of ``COMMANDS``: its name, the function that takes its arguments and returns the
exit code, and what it is for.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.config.errors import InputError
from bench.config.guard import guarded
from rows.keys import meant

DISTRIBUTION = "squeezed-attention-bench"


@dataclass(frozen=True)
class Entry:
    """A command. ``place``: ``module:function``. ``about``: one line for the help page."""

    place: str
    about: str

    def __call__(self, arguments: Sequence[str]) -> int:
        """Runs it; its module is imported now."""
        module, _, name = self.place.partition(":")
        code: int = getattr(importlib.import_module(module), name)(arguments)
        return code


COMMANDS = {
    "run": Entry("bench.cli.run:main", "one run or a sweep; the word may be left out"),
    "recommend": Entry(
        "bench.cli.recommend:main", "the method and smallest size that keep a model's answers"
    ),
    "status": Entry("bench.cli.status:main", "which runs are done, running, failed, missing"),
    "report": Entry("bench.cli.report:main", "tables, figures, leaderboard and page of all runs"),
    "kernels": Entry(
        "bench.timing.kernels.command:main", "time the kernels against dense attention"
    ),
    "timing": Entry(
        "bench.timing.waits.command:main", "how long a context, a user input and a token take"
    ),
    "memory": Entry(
        "bench.timing.peaks.command:main", "what a context takes of memory and of the disk"
    ),
    "lookups": Entry("bench.timing.lookups.command:main", "what finding keys costs"),
    "clustering": Entry("bench.timing.command:main", "our clustering against scikit-learn's"),
    "skew": Entry("bench.cli.heads:main", "what every layer and head reads"),
    "judge": Entry("bench.cli.judge:main", "let a model judge the answers of PreFixQA"),
    "inspect": Entry("bench.cli.inspect:main", "what a stored index holds"),
    "lm_eval": Entry("bench.cli.lm_eval:main", "lm-evaluation-harness at a KV budget"),
    "models": Entry("bench.cli.models:main", "which models are reproduced exactly, and why not"),
    "ruler": Entry("ruler.__main__:main", "write the rows of RULER tasks"),
    "prefixqa": Entry("prefixqa.__main__:main", "make a PreFixQA set"),
    "longbench": Entry("longbench.__main__:main", "turn LongBench's data into rows"),
    "probes": Entry("probes.__main__:main", "write the rows of sets that each test one thing"),
    "data": Entry(
        "bench.cli.data:main", "list those sets; publish rows for a hub; import rows of others"
    ),
    "texts": Entry("texts.__main__:main", "list and fetch real text for haystacks and documents"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def work() -> int:
        if not given or given[0] in ("-h", "--help", "help"):
            print(page())
            return 0
        if given[0] == "--version":
            print(version())
            return 0
        name, rest = given[0], given[1:]
        if name in COMMANDS:
            return COMMANDS[name](rest)
        if "=" in name or name[0] in "-+~":
            return COMMANDS["run"](given)
        hint = meant(name, COMMANDS) or f"; known: {', '.join(COMMANDS)}"
        raise InputError(f"unknown command {name!r}{hint}")

    return guarded(work, "the same command goes on from what is kept")


def page() -> str:
    """The help page."""
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "squeezed-bench COMMAND [key=value ...]",
            "",
            "Squeezed Attention and its alternatives: accuracy and time at a given KV budget.",
            "",
            "Commands (each with --help):",
            *(f"  {name:<{width}}  {entry.about}" for name, entry in COMMANDS.items()),
            "",
            "Examples:",
            "  squeezed-bench method=squeezed method.sparsity=0.9 task.length=4096",
            "  squeezed-bench -m method=full,squeezed,quest method.kv_budget=0.1,0.2 results=mine",
            "  squeezed-bench report results=mine",
            "",
            "Exit codes: 0 done, 1 not all could be done (the same command goes on), 2 a setting is wrong,",
            "130 stopped by Ctrl-C. In a clone also python -m: bench, bench.report, ruler, ...",
        ]
    )


def version() -> str:
    """Name and version of the package."""
    import importlib.metadata

    try:
        return f"squeezed-bench {importlib.metadata.version(DISTRIBUTION)}"
    except importlib.metadata.PackageNotFoundError:
        return "squeezed-bench, not installed as a package"
