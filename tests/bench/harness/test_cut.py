"""Where prompts are cut into fixed context and user input; needs no harness."""

import pytest

from bench.config.errors import InputError
from bench.harness.cut import Cut, NothingFixedError, Prompt

DOCUMENT = "In the year of the flood the mill was sold.\n" + "Nobody saw it go. " * 12


def encode(text: str) -> tuple[int, ...]:
    """One token a word, with its blanks in front, as byte-level tokenizers do."""
    words = text.replace(" ", "\0 ").split("\0")
    return tuple(hash(word) for word in words)


def prompt(text: str, document: int = 0, task: str = "qa", **fields: object) -> Prompt:
    return Prompt(task, document, text, encode(text), fields)


def context_of(cut: Cut, *prompts: Prompt) -> list[int]:
    return cut.places(prompts, encode)


def test_a_field_of_the_document_is_fixed_up_to_its_end() -> None:
    text = f"Example: {DOCUMENT}What? Sold.\n\nRead: {DOCUMENT}What was sold?"
    asked = prompt(text, passage=DOCUMENT, title="The mill")
    (place,) = context_of(Cut(field=("passage",), window=10), asked)
    assert asked.ids[:place] == encode(text[: text.rfind("What")])[:place]
    assert len(asked.ids) - place == 3  # What was sold?
    assert context_of(Cut(field=("story", "passage"), window=10), asked) == [place]


def test_a_marker_counts_where_it_stands_last() -> None:
    text = f"Q: one A: two. {DOCUMENT}Q: What was sold? A:"
    asked = prompt(text)
    (place,) = context_of(Cut(marker="Q:", window=10), asked)
    assert asked.ids[place:] == encode(" Q: What was sold? A:")[1:]


def test_prompts_on_one_document_share_it_and_prompts_on_others_do_not() -> None:
    other = "At noon the ferry crossed, and nobody was there to see it. " * 5
    asked = [
        prompt(f"{DOCUMENT}What was sold?", 0),
        prompt(f"{other}Who crossed?", 1),
        prompt(f"{DOCUMENT}When was it sold?", 2),
        prompt(f"{other}When did it cross, and why?", 3),
    ]
    places = context_of(Cut(window=10), *asked)
    assert places[0] == places[2]
    assert places[1] == places[3]
    assert asked[0].ids[places[0] :] == encode(" What was sold?")[1:]


def test_choices_of_one_document_say_nothing_of_what_is_fixed() -> None:
    asked = [prompt(f"{DOCUMENT}What was sold? {choice}", 0) for choice in ("mill", "boat")]
    with pytest.raises(NothingFixedError, match=r"task qa: nothing is fixed, 1 of 1 prompts"):
        context_of(Cut(window=10), *asked)


def test_tasks_are_not_mixed() -> None:
    asked = [prompt(f"{DOCUMENT}What?", 0, task="one"), prompt(f"{DOCUMENT}When?", 0, task="two")]
    with pytest.raises(NothingFixedError, match="task one"):
        context_of(Cut(window=10), *asked)


def test_at_least_one_token_is_left_to_ask_with() -> None:
    asked = prompt(DOCUMENT.strip(), passage=DOCUMENT)
    assert context_of(Cut(field=("passage",), window=10), asked) == [len(asked.ids) - 1]


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (Cut(field=("story",), window=10), "no field story; it has passage, number"),
        (Cut(field=("number",), window=10), "field number is not in its prompt"),
        (Cut(marker="Question:", window=10), "marker='Question:' is not in its prompt"),
        (Cut(field=("passage",), window=100), "fixed context would have 57 tokens"),
    ],
)
def test_a_prompt_without_a_fixed_context_is_refused_by_name(cut: Cut, said: str) -> None:
    with pytest.raises(NothingFixedError, match=f"task qa, document 0: .*{said}") as found:
        context_of(cut, prompt(f"{DOCUMENT}What?", passage=DOCUMENT, number=7))
    assert isinstance(found.value, InputError)
