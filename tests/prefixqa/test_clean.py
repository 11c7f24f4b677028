"""Cleaning: only what is proven to be a list goes, odd input takes no time, holes are reported."""

import contextlib
import time
from pathlib import Path

import pytest
from documents import PARAGRAPH, pdf

from prefixqa.document import Document
from prefixqa.extractive import extract
from prefixqa.extractive.prose import flaw
from prefixqa.sources.clean import clean
from prefixqa.sources.formats import FORMATS
from prefixqa.sources.load import Filter, load
from prefixqa.sources.pdf import readable
from prefixqa.sources.raw import Raw, SourceError
from prefixqa.sources.report import report
from prefixqa.tokens import TokenCounter

PROSE = [
    f"Paragraph {number} tells of things that were seen there, and it goes on."
    for number in range(50)
]


def plain(text: str) -> Raw:
    return Raw("x", text, "x", wrapped=True)


@pytest.mark.parametrize(
    "heading", ["Contents", "References", "See also", "Table of contents", "Literature"]
)
def test_prose_behind_the_heading_of_a_list_stays(heading: str) -> None:
    text = clean(plain("\n\n".join(["A title", heading, *PROSE])))
    assert all(each in text for each in PROSE)


def test_a_list_of_contents_goes() -> None:
    entries = "1 Start .......... 3\n2 Middle . . . . . . 5"
    chapters = "1 Start\n\nHere it begins.\n\n2 Middle\n\nHere it goes on."
    text = clean(plain(f"{PARAGRAPH}\n\nContents\n\n{entries}\n\n{chapters}"))
    assert "Contents" not in text
    assert "....." not in text
    assert "## 1 Start\n\nHere it begins.\n\n## 2 Middle\n\nHere it goes on." in text


def test_references_go_up_to_the_first_paragraph_that_is_none() -> None:
    text = clean(
        plain(
            f"{PARAGRAPH}\n\nReferences\n\n[1] A. Nobody, 1987.\n\n[2] B. Somebody. 1990.\n\nIt goes on."
        )
    )
    assert text == f"{PARAGRAPH}\n\nIt goes on."


def test_what_would_take_most_of_a_document_stays() -> None:
    entries = [
        f"[{number}] A. Nobody, A long title of a book, 19{number}." for number in range(10, 60)
    ]
    text = clean(plain("\n\n".join(["Short.", "References", *entries])))
    assert entries[7] in text


def test_a_paragraph_that_mentions_a_login_or_a_copyright_stays() -> None:
    sentence = "The user can login with a password, and the copyright (c) line is shown."
    assert clean(plain(sentence)) == sentence


def test_the_report_warns_above_a_half() -> None:
    raw = Raw("x", "a b", "x", characters=100, notes=("a note",))
    assert "WARNING: 60% of its characters were removed" in report(raw, "x" * 40).line("x")
    assert report(raw, "x" * 50).warning is None
    assert report(raw, "x" * 50).line("x") == "x: 100 characters in, 50 out; a note"


def test_columns_and_code_keep_their_lines() -> None:
    assert clean(plain("name     size\nlamp     3")) == "    name     size\n    lamp     3"
    found = FORMATS[".html"](
        "x", b"<p>See:</p><pre>a\n  b</pre><table><tr><td>1<td>2</table><p>10<sup>2</sup> m"
    )
    assert clean(found) == "See:\n\n    a\n      b\n\n    1 | 2\n\n10^2 m"
    assert clean(FORMATS[".md"]("x", b"See:\n\n```\na\n  b\n```\n")) == "See:\n\n    a\n      b"


def test_a_page_inside_its_own_navigation_is_kept() -> None:
    page = f"<body><div class='related'><p>{PARAGRAPH}</p></div><p>Short.</p></body>"
    assert PARAGRAPH in clean(FORMATS[".html"]("x", page.encode()))


def test_words_of_a_pdf_are_apart_and_pages_without_blanks_are_refused() -> None:
    good = [f"The lamp of Norby was lit in the year {year}." for year in range(1800, 1830)]
    assert "lamp of Norby was lit in the year 1812" in FORMATS[".pdf"]("x", pdf([good])).text
    bad = ["".join(each.split()).replace("1", "one") for each in good]
    assert not readable("\n".join(bad))
    with pytest.raises(SourceError, match="1 of 1 pages"):
        FORMATS[".pdf"]("x", pdf([bad]))
    kept = FORMATS[".pdf"]("x", pdf([good, bad, good]))
    assert kept.notes == ("1 of 3 pages left out: their text cannot be read",)


@pytest.mark.parametrize(
    "sentence",
    [
        "1.2 Installation of the program on the system .......... 14.",
        "exp -> exp + term | term and so it is with all of them.",
        "Use the option --force=all to do it again for the whole of it.",
        "For the details of this see section 3 of the other manual.",
        "Alice Bob Carol David Eve Frank of the Grace Heidi.",
    ],
)
def test_code_contents_and_grammar_are_no_prose(sentence: str) -> None:
    assert flaw(sentence) is not None


def test_prose_is_prose() -> None:
    assert flaw("The channel of the harbour is 14 metres deep at low water.") is None


@pytest.mark.parametrize(
    ("ending", "piece"),
    [
        (".md", "["), (".md", "![["), (".md", "` "), (".md", "[a]("), (".md", "*a "), (".md",
        "<!--"), (".md", "> "),
        (".html", "<div>"), (".html", "<"), (".html", "<!--"), (".html", "<a href='"),
        (".html", "<td>"), (".html", "</"),
    ],
)  # fmt: skip
def test_odd_input_ends_soon(ending: str, piece: str) -> None:
    start = time.process_time()
    with contextlib.suppress(SourceError):
        FORMATS[ending]("x", (piece * 30_000)[:90_000].encode())
    assert time.process_time() - start < 10


def test_one_document_in_three_formats_is_one_document(
    tokens: TokenCounter, tmp_path: Path
) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    lines = [
        f"Lamp {number} of the harbour burns {number + 7} litres of oil in a night."
        for number in range(60)
    ]
    (folder / "lamps.html").write_text(
        "<nav>Home</nav>" + "".join(f"<p>{each}</p>" for each in lines)
    )
    (folder / "lamps.pdf").write_bytes(
        pdf([["Lamps", *lines[:30], "1"], ["Lamps", *lines[30:], "2"]])
    )
    (folder / "lamps.txt").write_text("Contents\n\n1 Lamps ....... 3\n\n" + "\n".join(lines))
    found = load(str(folder), Filter(1, 300), tokens, tmp_path / "cache")
    assert [each.id for each in found.documents] == ["lamps.html"]
    assert set(found.skipped.values()) == {"a near duplicate of lamps.html"}


@pytest.mark.parametrize(
    "text",
    [
        "More of it can be read in Section and in the other parts of the manual.",
        "To print the current name of a machine run hostname(1) without any argument at all.",
        "The graphs and the partition are given here in the Figures 3.1-3.2 of the book.",
    ],
)
def test_no_question_asks_for_a_pointer_or_a_part_of_a_word(text: str) -> None:
    answers = [pair.answers[0] for pair in extract(Document("d", "d", text, "d"), 9, seed=0).pairs]
    assert not {"Section", "1", "3.1", "3.2"} & set(answers)
