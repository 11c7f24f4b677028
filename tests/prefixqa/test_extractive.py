"""Questions by rule."""

import re

import pytest
from documents import PARAGRAPH

from prefixqa.document import Document
from prefixqa.extractive import extract
from prefixqa.extractive.candidate import GAP
from prefixqa.extractive.gaps import problem
from prefixqa.extractive.rules import RULES
from prefixqa.sentences import Sentence, sentences


def document(text: str) -> Document:
    return Document("doc", "doc", text, "doc.txt")


@pytest.mark.parametrize(
    ("sentence", "type_", "answer"),
    [
        (
            "A groyne is a low wall of timber or stone.",
            "definition",
            "a low wall of timber or stone",
        ),
        ("Fetch is defined as the length of open water.", "definition", "the length of open water"),
        ("The depth was measured by lowering a marked chain.", "method", "lowering a marked chain"),
        ("The height was read using a steel tape, every hour.", "method", "a steel tape"),
        ("In summer the bay is warmer than the open sea.", "comparison", "the open sea"),
        ("The long channel is 14 metres deep at low water.", "numeric", "14 metres"),
        ("The whole bridge cost 1,250.5 in the end.", "numeric", "1,250.5"),
        ("The mud contains shells, sand and clay.", "multi-span", "shells, sand and clay"),
        ("It was dredged by the engineer Maren Holt.", "factual", "Maren Holt"),
    ],
)
def test_rules(sentence: str, type_: str, answer: str) -> None:
    found = [each for rule in RULES for each in rule(Sentence(0, sentence))]
    assert (type_, answer) in [(each.type, each.answer) for each in found]
    for each in found:
        assert sentence[each.start : each.end] == each.answer
        assert sentence.startswith(each.prefix.strip())


def test_pairs_are_answerable_and_do_not_give_their_answer_away() -> None:
    text = (
        PARAGRAPH + "\n\n## More\n\n" + PARAGRAPH.replace("Ellmouth", "Harsted").replace("14", "9")
    )
    made = extract(document(text), 6, seed=0)
    assert 2 <= len(made.pairs) <= 6  # the other sentences come twice
    for pair in made.pairs:
        (evidence,) = pair.evidence
        assert text[evidence.start : evidence.end] == evidence.text
        assert pair.answers[0] in evidence.text
        assert pair.answers[0] not in pair.question.replace(GAP, "")
        if pair.answer_prefix:
            assert text.count(pair.answer_prefix.strip() + " ") == 1
    assert len({pair.evidence for pair in made.pairs}) == len(made.pairs)


@pytest.mark.parametrize(
    ("sentence", "answer", "flaw"),
    [
        ("The fallback for plain LaTeX 2.09 is still given to all users.", "2.09", "longer name"),
        ("The macros come from the file of Marcel R. van der Goot.", "Goot", "longer name"),
        ("The code can hold any valid LaTeX 2e construct that there is.", "LaTeX", "longer name"),
        (
            "A copy stands on the file server of it (University of Georgia).",
            "Georgia",
            "longer name",
        ),
        ("The whole of it is told by the manual page of dpkg (8).", "8", "manual page"),
        ("For more of this you should read by Leslie Lamport.", "Leslie Lamport", "missing"),
        ("In the figure below the graph of Maren is the largest of all.", "Maren", "points"),
        ("A conffile is a file that the package owns.", "a file that the package owns", None),
        (
            "A conffile is a list of files that it keeps.",
            "a list of files that it keeps",
            None,
        ),
        ("A second copy is a good idea.", "a good idea", "too short|no term|tells nothing"),
        (
            "A copy of it is a good idea, as all of them say.",
            "a good idea",
            "no term|tells nothing",
        ),
        ("The work on it began in August 1993 with a new effort.", "1993", None),
        ("It was dredged by the engineer Maren Holt in that year.", "Maren Holt", None),
    ],
)
def test_flaws(sentence: str, answer: str, flaw: str | None) -> None:
    found = [each for rule in RULES for each in rule(Sentence(0, sentence))]
    problems = [problem(each) for each in found if each.answer == answer]
    assert problems, [each.answer for each in found]
    for each in problems:
        assert each is None if flaw is None else re.search(flaw, each or "")


def test_what_might_end_otherwise_is_asked_last() -> None:
    """Endings are open: other words might stand there; names and numbers come first."""
    extra = "\n\nThe whole town of the coast draws much of its water from the lower valley."
    made = extract(document(PARAGRAPH + extra), 3, seed=0)
    assert len(made.pairs) == 3
    assert not any("lower valley" in pair.answers[0] for pair in made.pairs)


def test_names_that_are_guessed_or_are_none() -> None:
    """Of Ellmouth all sentences speak; "Customization" comes in small letters as well, and is no name."""
    text = " ".join(
        f"The harbour on the {side} coast is a part of Ellmouth, and is the smallest of its ports."
        for side in ("northern", "southern", "eastern", "western", "rocky", "sandy", "open")
    )
    text += f" {PARAGRAPH.replace('Ellmouth', 'Harsted')}"
    text += " Much of the work is explained in the Customization overview. All customization is easy for you."
    guessed = {"Ellmouth", "Customization"}
    few, many = (extract(document(text), count, seed=0).pairs for count in (2, 99))
    assert len(few) == 2
    assert not guessed & {pair.answers[0] for pair in few}
    assert guessed & {pair.answers[0] for pair in many}  # better than nothing


def test_the_seed_decides_the_choice() -> None:
    text = "\n\n".join(
        PARAGRAPH.replace("Ellmouth", name)
        .replace("14", str(20 + at))
        .replace("1931", str(1900 + at))
        for at, name in enumerate(("Ask", "Bern", "Corl", "Dunholm", "Erst", "Farn"))
    )
    assert extract(document(text), 4, 0) == extract(document(text), 4, 0)
    assert extract(document(text), 4, 0).pairs != extract(document(text), 4, 1).pairs


def test_repeated_sentences_are_not_asked_about() -> None:
    made = extract(document(f"{PARAGRAPH}\n\n{PARAGRAPH}"), 6, 0)
    assert made.pairs == ()
    assert {each.detail for each in made.rejected} >= {"the sentence comes more than once"}


def test_sentences_end_where_they_end() -> None:
    text = 'Dr. Holm paid 3.5 crowns, e.g. for oil. "Why?" he asked.\n\n# Heading\n\nSee Fig. 2. It ends'
    found = sentences(text)
    assert [each.text for each in found] == [
        "Dr. Holm paid 3.5 crowns, e.g. for oil.", '"Why?" he asked.', "See Fig. 2.", "It ends"
    ][: len(found)]  # fmt: skip
    assert len(found) >= 3
    assert all(text[each.start : each.end] == each.text for each in found)
