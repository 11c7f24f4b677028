"""``squeezed-bench data list``: the data sets, and what each of them tests."""

from collections.abc import Sequence

from bench.config.errors import InputError
from rows.keys import meant

PAGE = """squeezed-bench data list

Lists the made sets: name, what it tests, what guessing gets, questions on one context, lengths,
options. A kind of questions is a subtask too, on the same contexts: records_count. Run one with
squeezed-bench task=probes task.subtask=NAME, write its rows with squeezed-bench probes set=NAME out=DIR.
RULER, LongBench and PreFixQA are tasks of their own; their commands list what they have (--help)."""
COMMANDS = ("list",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done; bad input raises InputError."""
    given = list(arguments or ())
    if {"-h", "--help"} & set(given):
        print(PAGE)
        return 0
    if given != ["list"]:
        word = given[0] if given else ""
        hint = meant(word, COMMANDS) or "; expected list"
        raise InputError(f"data: unknown word {word!r}{hint}")
    print(table())
    return 0


def table() -> str:
    """The list as text, a row a set."""
    from tabulate import tabulate  # late: help need not wait for it

    from probes.find import sets

    head = ("set", "kinds", "what it tests", "floor", "questions a context", "tokens", "options")
    rows = []
    for each in sets().values():
        kinds = [kind.name for kind in each.kinds]
        most = [kind.most for kind in each.kinds]
        count = "any" if None in most else f"to {sum(each or 0 for each in most)}"
        rows.append(
            (
                each.name,
                ", ".join(kinds) if len(kinds) > 1 else "",
                each.about,
                each.floor,
                count,
                f"{each.shortest} to 1M",
                ", ".join(f"{name}={value}" for name, value in each.options.items()),
            )
        )
    return str(tabulate(rows, head, "grid", maxcolwidths=[14, 20, 34, 24, 10, 12, 16]))
