"""What 200 samples of a task have in common: the figures of RULER's appendix B."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rows.row import Row
from ruler.families.niah import DEPTH_GRID
from ruler.generate import generate
from ruler.tasks import TASKS, NiahTask

SAMPLES = 200
LENGTHS = {"niah_multikey_3": 1500, "vt": 2000, "cwe": 1200, "fwe": 700}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
KINDS = {
    "words": re.compile(r"[^\W\d_]+-[^\W\d_]+"),
    "numbers": re.compile(r"[1-9]\d{6}"),
    "uuids": UUID,
}
NOTE = re.compile(r"Ledger note: of all (\w+), (\S+) has (\S+)\.")


def many(tokenizer: Any, name: str, **more: Any) -> list[Row]:
    return list(generate(name, tokenizer, LENGTHS.get(name, 1000), SAMPLES, **more))


def flat(depths: list[float]) -> bool:
    """Whether depths in [0, 1] are spread evenly: the mean of 200 has a deviation of 0.02."""
    return abs(sum(depths) / len(depths) - 0.5) < 0.08 and min(depths) < 0.1 and max(depths) > 0.9


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.family == "niah"])
def test_needles(tokenizer: Any, name: str) -> None:
    task = TASKS[name]
    assert isinstance(task, NiahTask)
    rows = many(tokenizer, name)
    depths = []
    for row in rows:
        notes = NOTE.findall(row.context)
        if task.haystack != "needle":
            assert len(notes) == task.keys * task.values
        assert {kind for kind, _, _ in notes} == {task.value_type}
        assert all(KINDS[task.key_type].fullmatch(key) for _, key, _ in notes)
        assert all(KINDS[task.value_type].fullmatch(value) for _, _, value in notes)
        assert len({key for _, key, _ in notes}) * task.values == len(notes)
        assert len(row.answers) == task.queries * task.values
        assert len(row.meta["queried"]) == task.queries
        said = {(key, value) for _, key, value in notes}
        assert {value for key, value in said if key in row.meta["queried"]} == set(row.answers)
        depths += row.meta["depths"]
    assert flat(depths)
    answers = [answer for row in rows for answer in row.answers]
    assert len(set(answers)) == len(answers)


def test_numbers_are_spread_over_seven_digits(tokenizer: Any) -> None:
    values = [int(row.answers[0]) for row in many(tokenizer, "niah_single_1")]
    assert abs(sum(values) / len(values) - 5_500_000) < 600_000
    assert {str(value)[0] for value in values} == set("123456789")


def test_essay_needles_take_all_grid_depths(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "essay.txt"
    path.write_text("".join(f"Line {number} ends. " for number in range(3000)))
    seen: Counter[int] = Counter()
    for row in generate("niah_single_2", tokenizer, 1500, SAMPLES, essays=path):
        parts = re.split(" (?=Line|Ledger)", row.context.split("\n")[1])
        (place,) = [i for i, part in enumerate(parts) if part.startswith("Ledger")]
        count = len(parts) - 1
        (depth,) = {depth for depth in DEPTH_GRID if count * depth // 100 == place}
        seen[depth] += 1
    assert len(DEPTH_GRID) == 40
    assert set(seen) <= set(DEPTH_GRID)
    assert len(seen) >= 37  # all but three of 40 in 200 draws, at least
    assert max(seen.values()) <= 16  # 5 are expected of each


def test_chains(tokenizer: Any) -> None:
    values, depths = [], []
    for row in many(tokenizer, "vt"):
        demo, text = row.context.split("\n\n")
        for part in (demo, text):
            statements = re.findall(r"^SET (\w+) = (\w+)$", part, re.MULTILINE)
            assert len(statements) == 5
            names = [name for name, _ in statements]
            sources = [source for _, source in statements]
            assert sources[1:] == names[:-1]
            assert all(re.fullmatch("[A-Z]{5}", name) for name in names)
            assert 10_000 <= int(sources[0]) <= 99_998
        assert names == row.answers
        values.append(int(sources[0]))
        depths += row.meta["depths"]
    assert abs(sum(values) / len(values) - 55_000) < 6_000
    # Five places drawn and sorted: the third is in the middle on average, of the half behind the
    # worked example at least.
    assert 0.5 < sum(depths[2::5]) / SAMPLES < 0.65


def test_common_words(tokenizer: Any) -> None:
    places, answers = [], set()
    for row in many(tokenizer, "cwe"):
        entries = row.context.split("\n\n")[1].splitlines()[1].split()[1::2]
        counts = Counter(entries)
        assert sorted(counts.values(), reverse=True)[:11] == [6] * 10 + [1]
        assert {word for word, count in counts.items() if count == 6} == set(row.answers)
        places.append(entries.index(row.answers[0]) / len(entries))
        answers.add(row.answers[0])
    assert len(answers) > 190
    assert len(set(places)) > 20  # not the same places in all samples
    assert 0.08 < sum(places) / SAMPLES < 0.2  # the first of six: 1/7


def test_frequent_words(tokenizer: Any) -> None:
    for row in many(tokenizer, "fwe"):
        words = row.context.split("\n\n")[1].split()
        ranked = Counter(words).most_common()
        assert ranked[0][0] == "..."
        assert [word for word, _ in ranked[1:4]] == row.answers
        assert all(re.fullmatch("[a-z]{6}", word) for word, _ in ranked[1:])
        shares = [count / len(words) for _, count in ranked[:4]]
        for share, wanted in zip(shares, (0.608, 0.152, 0.068, 0.038), strict=True):
            # Counts are rounded down, so what is left shares the whole.
            assert wanted * 0.93 < share < wanted * 1.15


@pytest.mark.parametrize("name", ["qa_1", "qa_2"])
def test_documents(tokenizer: Any, data: dict[str, Path], name: str) -> None:
    samples = 60 if name == "qa_1" else 8
    rows = list(generate(name, tokenizer, 1000, samples, **data))
    numbers = [len(re.findall("^Document ", row.context, re.MULTILINE)) for row in rows]
    assert min(numbers) > 5
    depths = [depth for row in rows for depth in row.meta["depths"]]
    assert min(depths) < 0.15
    assert max(depths) > 0.8
    if name == "qa_1":
        assert abs(sum(depths) / len(depths) - 0.46) < 0.12  # of the document's beginning
