"""``compat=true``: sizes in the original's steps, hand-worked where the numbers are small."""

from typing import Any

import pytest

from ruler.families.sample import Question, Sample
from ruler.fit import LengthError
from ruler.generate import generate
from ruler.stepwise import common_size, fit_stepwise, step_of
from ruler.tasks import TASKS, FweTask


class Letters:
    """Counts letters as tokens."""

    additive = True

    def count(self, text: str) -> int:
        return len(text)

    def user(self, text: str, answer_prefix: str) -> int:
        return len(text + answer_prefix)


class Units:
    """A draw whose units take ``each`` letters, behind a head of 10 and before a question of 5."""

    def __init__(self, each: int) -> None:
        self.each = each

    def minimum_size(self) -> int:
        return 1

    def lay_out(self, size: int) -> Sample:
        return Sample("h" * 10 + "x" * self.each * size, self.questions(size))

    def questions(self, size: int) -> tuple[Question, ...]:
        return (Question((), "What?", "", ("x",)),)

    def tokens(self, size: int, counter: Any) -> int:
        return 10 + self.each * size


def test_every_sample_starts_at_the_probes_size_and_loses_whole_steps() -> None:
    counter: Any = Letters()
    room = 10 + 5 + 4 * 100  # the probe's units have 4 letters, so 100 of them fit
    size = common_size(TASKS["vt"], lambda _: Units(4), counter, room, 10)
    assert size == 100
    sizes = {}
    for each in (3, 4, 5):
        sample, tokens = fit_stepwise(Units(each), counter, room, size, 10)
        sizes[each] = (tokens - 10) // each
        assert len(sample.context) == tokens
    # Shorter units: the size stays. Longer ones: 400 // 5 = 80 would fit, and 80 is a step away.
    assert sizes == {3: 100, 4: 100, 5: 80}
    assert (
        fit_stepwise(Units(41), counter, room, size, 30)[1] - 10
    ) // 41 == 9  # 10, then the best


def test_a_short_sample_may_pass_where_most_would_not() -> None:
    """Of at most 3 * 415 * 10 // 55 = 226 units the first try is 118, which here has shorter units."""
    counter: Any = Letters()
    room = 10 + 5 + 4 * 100
    tried = []

    def draw(size: int) -> Units:
        tried.append(size)
        return Units(3 if size == 118 else 4)

    assert common_size(TASKS["vt"], draw, counter, room, 10) == 118
    assert tried[:3] == [10, 118, 172]


def test_where_nothing_fits_it_ends() -> None:
    counter: Any = Letters()
    with pytest.raises(LengthError):
        fit_stepwise(Units(50), counter, 40, 100, 10)
    assert common_size(TASKS["vt"], lambda _: Units(50), counter, 40, 10) == 10


def test_coded_words_grow_by_thirty_seconds_until_they_are_too_many() -> None:
    counter: Any = Letters()
    task = FweTask()
    # 600 // 6 = 100 units to begin with. Of 5 letters they are 515 in all, and 118 are 605: too many.
    assert common_size(task, lambda _: Units(5), counter, 600, 18) == 100
    # Of 3 letters: 190 are 585, and 208 are 639. Of 6: already 100 are too many, so a step is taken off.
    assert common_size(task, lambda _: Units(3), counter, 600, 18) == 190
    assert common_size(task, lambda _: Units(6), counter, 600, 18) == 82


@pytest.mark.parametrize(
    ("name", "haystack", "length", "step"),
    [
        ("niah_single_1", "noise", 4096, 25),
        ("niah_single_1", "noise", 4095, 5),
        ("niah_single_2", "essay", 1024, 500),
        ("niah_multikey_2", "needle", 8192, 25),
        ("vt", None, 4096, 10),
        ("vt", None, 2048, 5),
        ("cwe", None, 2048, 10),
        ("qa_1", None, 2048, 10),
        ("fwe", None, 4096, (4096 - 50) // 32),
    ],
)
def test_steps_are_the_originals(name: str, haystack: str | None, length: int, step: int) -> None:
    assert step_of(TASKS[name], haystack, length) == step


def test_rows_differ_by_whole_steps(tokenizer: Any) -> None:
    def notes(compat: bool) -> list[int]:
        rows = generate("niah_multikey_2", tokenizer, 2048, 12, compat=compat)
        found = [(row.context.count("Ledger note: "), row.meta["total_tokens"]) for row in rows]
        assert all(tokens <= 2048 for _, tokens in found)
        return [count for count, _ in found]

    exact, stepped = notes(False), notes(True)
    assert {(max(stepped) - count) % 5 for count in stepped} == {0}
    assert sum(stepped) < sum(exact)


@pytest.mark.parametrize("task", ["vt", "cwe", "fwe", "niah_single_1"])
def test_every_family_has_its_steps_and_says_so(tokenizer: Any, task: str) -> None:
    (row,) = generate(task, tokenizer, 3000, 1, compat=True)
    (plain,) = generate(task, tokenizer, 3000, 1)
    assert row.meta["total_tokens"] <= 3000
    assert row.meta["generator"] != plain.meta["generator"]
    assert row.meta["compat"] is True
