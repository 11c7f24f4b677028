"""The card's plots."""

from pathlib import Path

from prefixqa.document import TYPES
from prefixqa.output.statistics import Statistics
from rows.whole import write_with

NAME = "statistics.png"


def write_plots(numbers: Statistics, path: Path) -> None:
    """Document length, question types, answer length and evidence depth in one PNG.

    The same numbers give the same bytes.

    Raises:
        OSError: it cannot be written.
    """
    from matplotlib.figure import Figure  # late: checks of settings must not wait for it

    figure = Figure(figsize=(10, 6), layout="constrained")
    length, types, answers, depth = figure.subplots(2, 2).flat
    length.hist(numbers.tokens, bins=min(20, max(3, numbers.documents)), color="tab:blue")
    length.set(title="Length of documents", xlabel="tokens", ylabel="documents")
    names = [name for name in TYPES if numbers.types[name]]
    types.barh(names[::-1], [numbers.types[name] for name in names[::-1]], color="tab:orange")
    types.set(title="Question types", xlabel="pairs")
    longest = max(numbers.answer_words)
    edges = [edge - 0.5 for edge in range(1, longest + 2)]
    answers.hist(numbers.answer_words, bins=edges, color="tab:green")
    answers.set(title="Length of answers", xlabel="words", ylabel="pairs")
    depth.hist(numbers.depths, bins=20, range=(0, 1), color="tab:red")
    depth.set(title="Depth of the first evidence", xlabel="0: start, 1: end", ylabel="pairs")

    def write(temporary: Path) -> None:
        figure.savefig(temporary, dpi=90, metadata={"Software": None})

    write_with(path, write)
