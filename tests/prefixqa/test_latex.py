"""LaTeX: what a reader sees of it stays, what is not known leaves its text and a count."""

import contextlib
import random
import time
from pathlib import Path

import pytest
from documents import PARAGRAPH

from prefixqa.sources.clean import clean
from prefixqa.sources.latex import latex
from prefixqa.sources.load import Filter, load
from prefixqa.sources.raw import SourceError
from prefixqa.tokens import TokenCounter


def shown(source: str) -> str:
    return " ".join(latex("x.tex", source.encode()).text.split())


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"See \href{http://u}{the map} now.", "See the map now."),
        (r"A \texttt{file}, \textsf{sans} and \mbox{a box}.", "A file, sans and a box."),
        (r"\newcommand{\ours}{SqueezeNet}We present \ours.", "We present SqueezeNet."),
        (r"Written in \latex/ and \tikz/ for all.", "Written in LaTeX and tikz for all."),
        (r"For writing \texttt{.sty} files \cite{x}.", "For writing .sty files."),
        (r"\def\n{42}It has \n{} parts.", "It has 42 parts."),
        (r"\newcommand{\p}[2][one]{(#1, #2)}\p{x} and \p[two]{y}.", "(one, x) and (two, y)."),
        (r"\def\pair#1,#2.{#2 before #1}\pair a,b.", "b before a"),
        (r"\let\old\emph\renewcommand{\emph}[1]{\old{#1}!}\emph{So}", "So!"),
        (
            r"\NewDocumentCommand{\x}{s o m}{\IfBooleanTF{#1}{star}{plain} #3}\x*{a} \x{b}",
            "star a plain b",
        ),
        (r"A\begin{comment}hidden\end{comment}B\iffalse no \else yes\fi", "AByes"),
        (r"\newif\ifa\atrue\ifa one\else two\fi", "one"),
        (r"$\frac{a+b}{c}$ and $x^{2}$", "(a+b)/c and x^2"),
        (r"$\alpha \leq \sqrt{n+1}$", "α≤√(n+1)"),
        (r"\begin{longtable}[c]{lp{3cm}}a & b\\ c & d\end{longtable}", "a | b c | d"),
        (r"\begin{tabularx}{\textwidth}{lX}a & b\end{tabularx}", "a | b"),
        (r"\begin{tabular}{ll}\hline\multicolumn{2}{c}{Both}\\ a & b\end{tabular}", "Both a | b"),
        (r"Text\footnote{A note.} goes on.", "Text goes on. A note."),
        (r"\verb|a_b%c| stays", "a_b%c stays"),
        (r"G\"odel, Erd\H{o}s, na\"{\i}ve, \c{c}a", "Gödel, Erdős, naïve, ça"),
        (r"``Quoted'' -- 50\% of \$5~now", '"Quoted" – 50% of $5 now'),
        (r"\unknown[opt]{one}{two} three", "one two three"),
        (r"\begin{odd}inner\end{odd}", "inner"),
        (r"\texorpdfstring{shown}{bookmark}", "shown"),
        (r"\begin{itemize}\item first\item[Two] second\end{itemize}", "first Two second"),
        ("\\newtheorem{thm}{Theorem}\\begin{thm}[Cauchy]All.\\end{thm}", "Theorem (Cauchy). All."),
        (r"\csname LaTeX\endcsname{} file", "LaTeX file"),
        (r"\hskip 1pt plus 2em word", "word"),
    ],
)
def test_what_is_seen(source: str, text: str) -> None:
    assert shown(source) == text


def test_what_is_not_known_is_counted() -> None:
    notes = latex("x.tex", rb"\odd{text} \odd{more} \begin{strange}in\end{strange}").notes
    assert len(notes) == 1
    assert notes[0].startswith("3 uses of 2 unknown commands, text kept (\\odd")


def test_code_keeps_its_lines_and_is_asked_nothing_about() -> None:
    raw = latex("x.tex", b"Before.\n\\begin{verbatim}\nif x:\n    go()\n\\end{verbatim}\nAfter.")
    assert clean(raw) == "Before.\n\n    if x:\n        go()\n\nAfter."


def test_only_the_first_document_ends_the_document() -> None:
    source = (
        r"\documentclass{article}\begin{document}One.\begin{examplecode}\begin{document}in"
        r"\end{document}\end{examplecode}Two.\end{document}Gone."
    )
    assert "Two." in shown(source)
    assert "Gone" not in shown(source)


def test_references_go_and_the_text_behind_them_stays() -> None:
    source = f"{PARAGRAPH}\n\n\\begin{{thebibliography}}{{9}}"
    source += r"\bibitem{a} A. Nobody, 1987.\end{thebibliography}"
    text = clean(latex("x.tex", f"{source}\n\nLast.".encode()))
    assert text == f"{PARAGRAPH}\n\nLast."


def test_an_encoding_that_the_source_names() -> None:
    source = "\\usepackage[latin1]{inputenc} Größe".encode("latin-1")
    assert "Größe" in latex("x.tex", source).text
    with pytest.raises(SourceError, match="not UTF-8"):
        latex("x.tex", "Größe".encode("latin-1"))


def test_a_folder_reads_included_files_with_the_one_that_includes_them(
    tokens: TokenCounter, tmp_path: Path
) -> None:
    folder = tmp_path / "paper"
    (folder / "parts").mkdir(parents=True)
    (tmp_path / "outside.tex").write_text("Not of this folder.")
    (folder / "main.tex").write_text(
        "\\documentclass{article}\\begin{document}The first part is here.\\input{parts/more}"
        "\\input{../outside}\\input{absent}\\end{document}"
    )
    (folder / "parts" / "more.tex").write_text(PARAGRAPH)
    found = load(str(folder), Filter(1, 5000), tokens, tmp_path / "cache")
    assert [each.id for each in found.documents] == ["main.tex"]
    assert "Ellmouth" in found.documents[0].text
    assert "Not of this" not in found.documents[0].text
    assert found.skipped == {"parts/more.tex": "a part of main.tex, which includes it"}
    assert "2 included files are not there" in found.reports["main.tex"].notes[0]


def test_a_bomb_of_macros_ends() -> None:
    source = r"\def\a{\a\a\a}\def\b{\a\c}\def\c{\b\b}Start \a\b\c end."
    assert shown(source).startswith("Start")
    assert shown(source).endswith("end.")


SIZES = (3_000, 12_000)


@pytest.mark.parametrize(
    "piece",
    [r"\frac{", "[", r"\cite{", r"\a[", r"\begin{a}", r"\newcommand{\a}{", "$", r"\iffalse ", r"\footnote{",
     r"\verb|", r"\begin{verbatim}", "^{", r"\a{", r"\'{", r"\csname ", "%\n", " \n\n", r"\def\x#1.{}\x ",
     r"\title{\maketitle}\maketitle", " ", "\\", "{", "~", "|"],
)  # fmt: skip
def test_odd_input_takes_time_in_proportion(piece: str) -> None:
    """Four times the input takes far less than the 16 times of a quadratic reader."""
    taken = []
    for size in SIZES:
        source = (piece * size)[: size * 4]
        start = time.process_time()
        with contextlib.suppress(SourceError):
            latex("x.tex", source.encode())
        taken.append(time.process_time() - start)
    assert taken[1] < 9 * taken[0] + 0.5


def test_every_word_of_plain_text_survives() -> None:
    draw = random.Random(0)
    words = [f"word{number}" for number in range(300)]
    commands = [
        r"\emph{%s}",
        r"\odd{%s}",
        "{%s}",
        r"\textbf{\odd[x]{%s}}",
        "%s",
        r"\begin{odd}%s\end{odd}",
    ]
    source = " ".join(draw.choice(commands) % word for word in words)
    assert set(words) <= set(shown(source).split())
