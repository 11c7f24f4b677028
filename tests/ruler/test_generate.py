"""Generated rows: reproducible, as long as asked, and answerable."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rows.row import Row, read_jsonl, write_jsonl
from ruler.generate import LengthError, generate, largest_fitting
from ruler.tasks import TASKS, NiahTask, get_task

GOLDEN = sorted((Path(__file__).parent / "golden").rglob("*.jsonl"))
NIAH = [name for name, task in TASKS.items() if isinstance(task, NiahTask)]
ESSAY = [name for name in NIAH if TASKS[name].haystack == "essay"]  # type: ignore[union-attr]
Data = dict[str, Path]
ANSWERS = {"niah_multivalue": 4, "niah_multiquery": 4, "vt": 5, "cwe": 10, "fwe": 3}


def count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def total(tokenizer: Any, rows: list[Row]) -> int:
    """Tokens of a sample, counted here: BOS, context, longest user input, answer."""
    user = max(count(tokenizer, row.question + row.answer_prefix) for row in rows)
    return 1 + count(tokenizer, rows[0].context) + user + rows[0].max_new_tokens


@pytest.mark.parametrize("name", list(TASKS))
def test_rows_are_the_same_after_a_file(
    tokenizer: Any, data: Data, tmp_path: Path, name: str
) -> None:
    rows = list(generate(name, tokenizer, 1024, 1, **data))
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_rows_equal_the_committed_ones(tokenizer: Any, data: Data, path: Path) -> None:
    # After a wanted change, write them anew with: python -m ruler task=<folder> length=<file>
    # samples=2 out=tests/ruler/golden overwrite=true (and the files of conftest.py for qa)
    made = list(generate(path.parent.name, tokenizer, int(path.stem), samples=2, **data))
    assert made == read_jsonl(path)


def test_golden_files_cover_every_task() -> None:
    assert {path.parent.name for path in GOLDEN} == set(TASKS)


def test_a_sample_does_not_depend_on_how_many_are_made(tokenizer: Any) -> None:
    one, three = (list(generate("niah_multikey_2", tokenizer, 600, n)) for n in (1, 3))
    assert one == three[:1]
    assert len({row.context for row in three}) == 3


def test_seed_and_length_change_the_sample(tokenizer: Any) -> None:
    def needle(length: int, seed: int) -> list[str]:
        return next(generate("niah_single_1", tokenizer, length, 1, seed=seed)).answers

    assert needle(600, 1) != needle(600, 2)
    assert needle(600, 1) != needle(700, 1)


@pytest.mark.parametrize("length", [512, 1024, 2048, 4096])
@pytest.mark.parametrize("name", NIAH)
def test_samples_fill_the_length_but_for_less_than_a_unit(
    tokenizer: Any, name: str, length: int
) -> None:
    (row,) = generate(name, tokenizer, length, 1)
    used = total(tokenizer, [row])
    assert used == row.meta["total_tokens"]
    assert row.meta["context_tokens"] == count(tokenizer, row.context)
    unit = max(count(tokenizer, line + "\n") for line in row.context.splitlines()[1:])
    assert used <= length
    # 97 %, wherever the smallest step (a line of the haystack) is not already more than 3 %.
    assert used >= 0.97 * length or length - used <= unit


@pytest.mark.parametrize("name", ["vt", "cwe", "fwe"])
def test_other_families_fill_the_length(tokenizer: Any, name: str) -> None:
    for length in (1200, 4096):
        rows = list(generate(name, tokenizer, length, 2))
        for row in rows:
            assert 0.97 * length <= total(tokenizer, [row]) <= length


@pytest.mark.parametrize("name", NIAH)
def test_every_answer_stands_in_the_context_once_where_meta_says(tokenizer: Any, name: str) -> None:
    ids = None
    for row in generate(name, tokenizer, 1024, 2):
        task = get_task(name)
        assert len(row.answers) == ANSWERS.get(name, 1)
        assert len(set(row.answers)) == len(row.answers)
        ids = tokenizer(row.context, add_special_tokens=False)["input_ids"]
        places = zip(row.answers, row.meta["positions"], row.meta["depths"], strict=True)
        for answer, (start, end), depth in places:
            assert row.context.count(answer) == 1 or name == "niah_multikey_3"
            needle = tokenizer.decode(ids[start:end])
            assert needle.startswith("Ledger note: ")
            assert needle.endswith(f" {answer}.")
            assert row.context.count(needle) == 1
            assert any(f" {key} " in needle for key in row.meta["queried"])
            assert depth == pytest.approx(start / len(ids), abs=1e-4)
        assert all(key in row.question for key in row.meta["queried"])
        assert len(row.meta["queried"]) == task.queries  # type: ignore[union-attr]
    assert ids is not None


def test_distractors_share_no_key_and_no_value(tokenizer: Any) -> None:
    (row,) = generate("niah_multikey_2", tokenizer, 2048, 1)
    lines = row.context.splitlines()[1:]
    assert len(lines) > 50
    keys, values = zip(*((line.split()[-3], line.split()[-1]) for line in lines), strict=True)
    assert len(set(keys)) == len(set(values)) == len(lines)


def test_needles_reach_all_depths(tokenizer: Any) -> None:
    rows = generate("niah_single_1", tokenizer, 1024, 40)
    depths = [row.meta["depths"][0] for row in rows]
    assert min(depths) < 0.2
    assert max(depths) > 0.8


@pytest.mark.parametrize("name", ["niah_single_1", "niah_multikey_2", "niah_multiquery", "vt"])
def test_questions_of_one_context_share_it_and_differ(tokenizer: Any, name: str) -> None:
    rows = list(generate(name, tokenizer, 2048, 2, questions_per_context=3))
    assert [row.meta["question"] for row in rows] == [0, 1, 2] * 2
    assert len({row.id for row in rows}) == 6
    for _, group in itertools.groupby(rows, key=lambda row: row.meta["sample"]):
        asked = list(group)
        assert len({row.context for row in asked}) == 1
        assert len({row.question for row in asked}) == 3
        answers = [answer for row in asked for answer in row.answers]
        assert len(set(answers)) == len(answers)
        assert all(answer in asked[0].context for answer in answers)
        assert total(tokenizer, asked) == asked[0].meta["total_tokens"] <= 2048


def test_a_task_with_more_needles_than_the_standard_has_another_name(tokenizer: Any) -> None:
    def subtask(name: str) -> str:
        return next(generate(name, tokenizer, 2048, 1, questions_per_context=4)).subtask

    assert subtask("niah_single_1") == "niah_single_1-keys4"
    assert subtask("niah_multikey_1") == "niah_multikey_1"  # has four keys
    assert subtask("niah_multikey_2") == "niah_multikey_2"  # asks for its distractors
    assert subtask("vt") == "vt-chains4"


def test_variable_chains_lead_from_the_number_to_every_answer(tokenizer: Any) -> None:
    (row,) = generate("vt", tokenizer, 1500, 1)
    demo, text = row.context.split("\n\n")
    source = row.meta["queried"][0]
    for name in row.answers:
        assert f"\nSET {name} = {source}\n" in text
        source = name
    starts = [start for start, _ in row.meta["positions"]]
    assert starts == sorted(starts)
    assert not any(name in demo for name in row.answers)


@pytest.mark.parametrize(("length", "counts"), [(1200, (6, 1)), (4096, (30, 3))])
def test_common_words_have_the_standard_counts(
    tokenizer: Any, length: int, counts: tuple[int, int]
) -> None:
    (row,) = generate("cwe", tokenizer, length, 1)
    entries = row.context.split("\n\n")[1].splitlines()[1].split()[1::2]
    seen = {word: entries.count(word) for word in entries}
    assert {seen.pop(answer) for answer in row.answers} == {counts[0]}
    assert set(seen.values()) == {counts[1]}


def test_frequent_words_are_those_asked_for(tokenizer: Any) -> None:
    with pytest.raises(LengthError) as caught:
        list(generate("fwe", tokenizer, 100, 1))
    shortest = caught.value.needed
    lengths = [*range(shortest, shortest + 60, 6), 1024]
    for row in (next(generate("fwe", tokenizer, length, 1)) for length in lengths):
        words = row.context.split("\n\n")[1].split()
        ranked = sorted(set(words) - {"..."}, key=lambda word: -words.count(word))
        assert ranked[:3] == row.answers
        assert words.count(ranked[2]) > words.count(ranked[3])


@pytest.mark.parametrize("name", [*ESSAY, "niah_single_1"])
def test_without_essays_the_row_says_that_noise_stands_in(tokenizer: Any, name: str) -> None:
    (row,) = generate(name, tokenizer, 600, 1)
    assert row.meta["haystack"] == "noise"
    assert row.meta["haystack_standard"] == ("essay" if name in ESSAY else "noise")
    assert "The river runs slowly." in row.context


@pytest.mark.parametrize("name", list(TASKS))
def test_a_length_too_short_names_one_that_works(tokenizer: Any, data: Data, name: str) -> None:
    with pytest.raises(LengthError, match=f"length 90 is too short for {name}") as caught:
        list(generate(name, tokenizer, 90, 3, **data))
    shortest = int(str(caught.value).rsplit(" ", 1)[1])
    rows = list(generate(name, tokenizer, shortest, 3, **data))
    assert len(rows) == 3
    assert total(tokenizer, rows[:1]) <= shortest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "niah_single_9"}, "unknown RULER task 'niah_single_9'"),
        ({"samples": 0}, "samples is 0"),
        ({"length": -5}, "length is -5"),
        ({"prompts": "other"}, "unknown prompt set 'other'; known: suite, official"),
        ({"questions_per_context": 0}, "questions_per_context is 0"),
        ({"task": "cwe", "questions_per_context": 2}, "one question per context"),
    ],
)
def test_wrong_settings_fail_before_the_first_row(
    tokenizer: Any, change: dict[str, Any], message: str
) -> None:
    settings: dict[str, Any] = {"task": "niah_single_1", "length": 600, "samples": 1} | change
    with pytest.raises(ValueError, match=message):
        generate(settings.pop("task"), tokenizer, **settings)


@given(
    costs=st.lists(st.integers(0, 50), min_size=1, max_size=300),
    minimum=st.integers(1, 20),
    room=st.integers(0, 3000),
)
def test_the_size_search_finds_the_largest_size_that_fits(
    costs: list[int], minimum: int, room: int
) -> None:
    steps = [cost + 1 for cost in costs]  # every unit costs something; after the list, 7

    def used_by(size: int) -> int:
        return sum(steps[:size]) + 7 * max(0, size - len(steps))

    budget = used_by(minimum) + room
    found = largest_fitting(used_by, minimum, budget)
    assert used_by(found) <= budget < used_by(found + 1)


def test_the_size_search_ends_where_sizes_are_not_ordered() -> None:
    calls = []

    def used_by(size: int) -> int:
        calls.append(size)
        return 10 + size % 7  # never reaches the budget

    found = largest_fitting(used_by, 1, 100)
    assert used_by(found) <= 100
    assert len(calls) < 100
