"""Tasks with other parameters are other tasks, and say so in their names."""

from collections import Counter
from typing import Any

import pytest

from rows.row import Row
from ruler.generate import LengthError, generate
from ruler.score import score
from ruler.tasks import TASKS, get_task, with_parameters


def first(tokenizer: Any, task: str, length: int = 2048, **parameters: Any) -> Row:
    return next(generate(task, tokenizer, length, 1, parameters=parameters))


@pytest.mark.parametrize(
    ("task", "parameters", "name"),
    [
        ("niah_single_1", {"keys": 8}, "niah_single_1-keys8"),
        ("niah_single_1", {"keys": 1}, "niah_single_1"),
        ("niah_single_1", {"queries": 3}, "niah_single_1-keys3-queries3"),
        ("niah_multikey_1", {"haystack": "needle"}, "niah_multikey_1-needle"),
        ("niah_single_1", {"value_type": "uuids", "key_type": "uuids"}, None),
        ("vt", {"hops": 6, "chains": 2}, "vt-chains2-hops6"),
        ("fwe", {"alpha": 3.5}, "fwe-alpha3.5"),
        ("cwe", {"common_count": 60}, "cwe-commoncount60"),
        ("qa_1", {}, "qa_1"),
    ],
)
def test_the_name_says_what_differs(task: str, parameters: Any, name: str | None) -> None:
    changed = with_parameters(get_task(task), parameters)
    assert changed.name == (name or "niah_single_1-key_uuids-value_uuids")
    assert score(changed.name, "x", ["x"]) == 1


def test_the_text_follows(tokenizer: Any) -> None:
    row = first(tokenizer, "niah_single_1", keys=5, values=2, queries=2, value_type="uuids")
    assert row.subtask == "niah_single_1-value_uuids-keys5-values2-queries2"
    assert row.context.count("Ledger note") == 10
    assert len(row.answers) == 4
    assert all(len(answer) == 36 for answer in row.answers)
    row = first(tokenizer, "vt", hops=2, chains=3)
    assert row.context.count("\nSET ") == 3 * 3 + 3  # and the worked example
    assert len(row.answers) == 3
    row = first(tokenizer, "cwe", common=3, short_common_count=9, short_other_count=2)
    entries = row.context.split("\n\n")[1].splitlines()[1].split()[1::2]
    assert Counter(Counter(entries).values())[9] == 3
    row = first(tokenizer, "fwe", alpha=3, word_length=4, answers=2)
    assert [len(answer) for answer in row.answers] == [4, 4]
    row = first(tokenizer, "niah_single_2", haystack="needle")
    assert row.context.count("Ledger note") > 20


def test_another_parameter_is_another_draw(tokenizer: Any) -> None:
    assert (
        first(tokenizer, "niah_single_1").answers
        != first(tokenizer, "niah_single_1", keys=2).answers
    )


@pytest.mark.parametrize(
    ("task", "parameters", "message"),
    [
        ("vt", {"keys": 2}, "task vt has no parameter 'keys'; it has chains, hops"),
        ("qa_1", {"alpha": 2.0}, "task qa_1 has no parameter 'alpha'; it has source, haystack"),
        ("qa_1", {"source": "news"}, "source is 'news'; expected one of squad, hotpotqa, factbook"),
        (
            "qa_1",
            {"haystack": "noise"},
            "haystack is 'noise'; expected one of documents, anarchism",
        ),
        ("niah_single_2", {"haystack": "bibel"}, "expected one of noise, needle, essay, anarchism"),
        ("niah_single_1", {"keys": 0}, "keys is 0; expected at least 1"),
        ("niah_single_1", {"key_type": "names"}, "key_type is 'names'"),
        ("vt", {"hops": 0}, "hops is 0"),
        ("fwe", {"alpha": 1.0}, "alpha is 1.0; expected more than 1"),
        ("cwe", {"common_count": 3}, "expected more than other_count=3"),
        ("cwe", {"common_count": 10**9}, "common_count is 1000000000; expected at most"),
        ("fwe", {"word_length": 10**9}, "word_length is 1000000000; expected at most"),
        ("vt", {"hops": 10**9}, "hops is 1000000000; expected at most"),
        ("vt", {"chains": 10_000, "hops": 10_000}, "10000 chains of 10001 statements are too many"),
        ("niah_single_1", {"keys": 10**9}, "1000000000 keys with 1 values each are too many"),
        ("niah_single_1", {"queries": 10**9}, "1000000000 keys with 1 values each are too many"),
        ("niah_single_1", {"values": 10**9}, "1 keys with 1000000000 values each are too many"),
    ],
)
def test_impossible_parameters_are_refused(task: str, parameters: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        with_parameters(TASKS[task], parameters)


@pytest.mark.parametrize(
    ("task", "parameters"),
    [
        ("fwe", {"answers": 12}),
        ("fwe", {"word_length": 90}),
        ("cwe", {"common": 39}),
        ("niah_single_1", {"values": 50}),
        ("niah_single_1", {"queries": 50}),
        ("niah_multikey_2", {"queries": 12, "value_type": "uuids"}),
    ],
)
@pytest.mark.parametrize("compat", [False, True])
def test_there_is_room_to_say_every_answer(
    tokenizer: Any, task: str, parameters: Any, compat: bool
) -> None:
    def make(length: int) -> Row:
        return next(generate(task, tokenizer, length, 1, parameters=parameters, compat=compat))

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    with pytest.raises(LengthError) as caught:
        make(4096 if task == "cwe" else 300)
    for row in map(make, (caught.value.needed, 12_000)):
        assert count(" " + ", ".join(row.answers)) <= row.max_new_tokens
        used = 1 + count(row.context) + count(row.question + row.answer_prefix)
        assert used + row.max_new_tokens == row.meta["total_tokens"] <= row.meta["length"]


def test_the_standard_room_stays_where_no_more_is_to_be_said(tokenizer: Any) -> None:
    for task, parameters in (
        ("niah_single_1", {"keys": 8}),
        ("vt", {"chains": 3}),
        ("cwe", {"common": 3}),
    ):
        assert first(tokenizer, task, **parameters).max_new_tokens == get_task(task).max_new_tokens


@pytest.mark.parametrize(("common", "length"), [(20, 4095), (40, 4096)])
def test_more_common_words_than_the_worked_example_has_are_refused(
    tokenizer: Any, common: int, length: int
) -> None:
    def make(common: int) -> Any:
        return generate("cwe", tokenizer, length, 1, parameters={"common": common})

    with pytest.raises(ValueError, match=f"common is {common}; expected at most {common - 1}"):
        make(common)
    make(common - 1)


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("hops", [4, 5, 9, 40])
def test_chains_of_any_length_are_made(tokenizer: Any, hops: int, compat: bool) -> None:
    made = generate("vt", tokenizer, 8192, 1, parameters={"hops": hops}, compat=compat)
    (row,) = made
    assert len(row.answers) == hops + 1
    assert row.context.count("\nSET ") == 2 * (hops + 1)  # the worked example has as many


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"word_length": 1},
            "word_length is 1; expected more: 26 words .* 80 are needed at length",
        ),
        ({"alpha": 15.0}, "alpha is 15.0 and answers is 3: no text .* tells so many words apart"),
        ({"alpha": 1000.0}, "alpha is 1000.0 and answers is 3: no text .* tells so many words"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"answers": 500}, "alpha is 2.0 and answers is 500: no text .* tells so many words apart"),
    ],
)
def test_coded_words_that_can_never_be_counted_are_refused(
    tokenizer: Any, parameters: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate("fwe", tokenizer, 4096, 1, parameters=parameters)


def test_a_length_with_enough_words_is_made(tokenizer: Any) -> None:
    row = first(tokenizer, "fwe", 1024, word_length=1)
    assert [len(answer) for answer in row.answers] == [1, 1, 1]
    with pytest.raises(
        ValueError, match="word_length is 1"
    ):  # a longer text is tried, and has too few
        first(tokenizer, "fwe", 1024, word_length=1, answers=12)
