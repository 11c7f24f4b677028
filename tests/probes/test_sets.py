"""What holds for every set: contract, sizes, evidence, depths, floors, one seed one set."""

import functools
import itertools
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from probes.find import find, sets
from probes.fit import LengthError
from probes.generate import generate
from probes.plan import make_plan
from probes.sample import Question
from rows.row import Row, read_jsonl, write_jsonl
from rows.tokens import TokenCounter

NAMES = list(sets())
GOLDEN = Path(__file__).parent / "golden"
COUNT = 4  # questions of a kind where nothing else is said


def length_of(name: str, questions: int = 1) -> int:
    return sets()[name].shortest * (1 + questions)


def made(
    name: str, tokenizer: Any, samples: int = 1, questions: int = COUNT, **more: Any
) -> list[Row]:
    length = more.pop("length", None) or length_of(name, questions)
    return list(generate(name, tokenizer, length, samples, questions, **more))


@functools.cache
def usual(name: str, tokenizer: Any) -> tuple[Row, ...]:
    """The rows that most tests look at, made once."""
    return tuple(made(name, tokenizer))


def total(tokenizer: Any, rows: list[Row]) -> int:
    """Tokens of a row, counted here: BOS, context, longest user input with its answer."""

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    users = [count(row.question + row.answer_prefix) + row.max_new_tokens for row in rows]
    return 1 + count(rows[0].context) + max(users)


@pytest.mark.parametrize("name", NAMES)
def test_rows_keep_the_contract_and_fill_the_length(
    tokenizer: Any, tmp_path: Path, name: str
) -> None:
    rows = made(name, tokenizer, samples=2)
    length = length_of(name, COUNT)
    for _, group in itertools.groupby(rows, key=lambda row: row.meta["sample"]):
        asked = list(group)
        assert len({row.context for row in asked}) == 1
        assert len({row.question for row in asked}) == len(asked)
        used = total(tokenizer, asked)
        assert used == asked[0].meta["total_tokens"] <= length
        lines = asked[0].context.count("\n")
        assert used >= 0.9 * length or length - used < 4 * used / lines
    assert len({row.context for row in rows}) == 2
    assert len(rows) == 2 * find(name, {}).questions(COUNT)
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


@pytest.mark.parametrize("name", NAMES)
def test_user_inputs_are_short(tokenizer: Any, name: str) -> None:
    limit = 260 if name == "ladder" else 100  # the text of a document is asked for there
    assert max(row.meta["user_tokens"] for row in usual(name, tokenizer)) <= limit


@pytest.mark.parametrize("name", NAMES)
def test_wished_outputs_score_and_nothing_does_not(tokenizer: Any, name: str) -> None:
    found = sets()[name]
    for row in usual(name, tokenizer):
        wished = row.meta["extra"].get("gold") or gold(row)
        scores = found.scores(row, f" {wished}\nand more")
        assert scores["score"] == pytest.approx(1), (wished, row.answers)
        assert all(0 <= value <= 1 for value in scores.values())
        assert found.scores(row, "")["score"] == 0 or not row.answers[0]
        lucky = row.meta["floor"] >= 0.1  # one of few answers
        assert lucky or found.scores(row, " I do not know.")["score"] == 0


def gold(row: Row) -> str:
    several = row.meta["extra"].get("several")
    return ", ".join(row.answers) if several else row.answers[0]


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_stands_in_its_question(tokenizer: Any, name: str) -> None:
    for row in usual(name, tokenizer):
        asked = f"{row.question} {row.answer_prefix}".split()
        letters = len(row.answers[0]) == 1 or row.meta["extra"].get("copied")
        assert letters or not set(row.answers) & {each.strip(".,?:") for each in asked}


@pytest.mark.parametrize("name", NAMES)
def test_spans_are_whole_lines_and_density_is_their_share(tokenizer: Any, name: str) -> None:
    for row in usual(name, tokenizer):
        meta, text = row.meta, row.context
        assert 0 <= meta["density"] <= 1
        for start, end in meta["spans"]:
            assert text[start - 1] == "\n"
            assert text[end] == "\n"
        if meta["spans"]:
            tokens = sum(
                len(tokenizer(text[start : end + 1], add_special_tokens=False)["input_ids"])
                for start, end in meta["spans"]
            )
            assert tokens == pytest.approx(meta["evidence_tokens"], rel=0.1, abs=4)
            assert meta["density"] == pytest.approx(
                tokens / meta["context_tokens"], rel=0.1, abs=0.01
            )


# Their evidence may stand anywhere in the context; docs/datasets.md names them.
SPREAD = {
    *("hop_2", "hop_3", "hop_4", "mrcr_2", "mrcr_4", "mrcr_8"),
    *("records_max", "records_common", "story_filtering", "ladder_qa_basic"),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_question_has_its_last_evidence_in_a_part_of_its_own(
    tokenizer: Any, name: str
) -> None:
    by_kind: dict[str, list[float]] = {}
    for row in usual(name, tokenizer):
        by_kind.setdefault(f"{name}_{row.meta['kind']}", []).append(row.meta["depth"])
    for kind, depths in by_kind.items():
        # Parts are counted in lines; in tokens their borders lie a little elsewhere.
        places = [(depth, depth * len(depths) - number) for number, depth in enumerate(depths)]
        inside = all(-0.5 <= place <= 1.5 for depth, place in places if depth >= 0)
        assert inside == (kind not in SPREAD), (kind, depths)


@pytest.mark.parametrize("name", NAMES)
def test_the_last_evidence_reaches_all_depths(tokenizer: Any, name: str) -> None:
    rows = made(name, tokenizer, samples=3, questions=8)
    for kind, group in itertools.groupby(sorted(rows, key=kind_of), key=kind_of):
        asked = list(group)
        depths = [row.meta["depth"] for row in asked if row.meta["evidence_lines"] == 1]
        if len(depths) > 20:
            assert min(depths) < 0.2, kind
            assert max(depths) > 0.8, kind


def kind_of(row: Row) -> str:
    return str(row.meta["kind"])


@pytest.mark.parametrize("name", NAMES)
def test_guessing_one_answer_gets_no_more_than_the_floor(tokenizer: Any, name: str) -> None:
    """A guesser that knows all answers of all contexts, and says the best one each time."""
    plan = make_plan(name, tokenizer, length_of(name, 12), samples=12, questions_per_context=12)
    drawn = [each for index in range(plan.samples) for each in plan.draw(index).questions]
    for kind, group in itertools.groupby(sorted(drawn, key=by_kind), key=by_kind):
        asked = [unread(question) for question in group]
        # One of those that were right more than once; if none was, one is as good as another.
        (first, *more) = Counter(gold(row) for row in asked).most_common(5)
        guesses = [first[0], *(guess for guess, times in more if times > 1)]
        score = sets()[name].scores
        best = max(
            sum(score(row, guess)["score"] for row in asked) / len(asked) for guess in guesses
        )
        floor = max(row.meta["floor"] for row in asked)
        # The best of many guesses is lucky: a few hits more than the share that is expected.
        luck = 4 * (max(floor, 1 / len(asked)) / len(asked)) ** 0.5
        assert best <= floor + luck, (kind, guesses[0])


def by_kind(question: Question) -> str:
    return question.kind


def unread(question: Question) -> Row:
    """A row for its score alone: whoever guesses does not read the context, which takes most of the time."""
    meta = {"kind": question.kind, "floor": question.floor, "extra": dict(question.meta)}
    texts = (question.text, question.answer_prefix)
    return Row("q", "probes", question.kind, "unread", *texts, list(question.answers), 1, meta)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_depends_on_seed_and_length_alone(tokenizer: Any, name: str) -> None:
    one, two = usual(name, tokenizer), made(name, tokenizer, samples=2)
    assert two[: len(one)] == [*one]
    assert made(name, tokenizer, seed=1)[0].context != one[0].context


@pytest.mark.parametrize("name", NAMES)
def test_all_kinds_share_their_contexts(tokenizer: Any, name: str) -> None:
    rows = usual(name, tokenizer)
    kinds = [kind.name for kind in sets()[name].kinds]
    if len(kinds) > 1:
        alone = made(f"{name}_{kinds[-1]}", tokenizer, length=length_of(name, COUNT))
        assert [row.question for row in alone] == [
            row.question for row in rows if row.meta["kind"] == kinds[-1]
        ]
        assert alone[0].context == rows[0].context


@pytest.mark.parametrize("name", NAMES)
def test_empty_contexts_hold_no_evidence(tokenizer: Any, name: str) -> None:
    rows, full = made(name, tokenizer, empty=True), usual(name, tokenizer)
    assert rows[0].meta["total_tokens"] == total(tokenizer, rows)
    for row in rows:
        ids = tokenizer(row.context, add_special_tokens=False)["input_ids"]
        assert row.meta["context_tokens"] == len(ids)
        nothing = {
            "evidence_tokens": 0,
            "evidence_lines": 0,
            "density": 0,
            "depth": -1,
            "spans": [],
        }
        assert {key: row.meta[key] for key in nothing} == nothing
    assert [row.question for row in rows] == [row.question for row in full]
    for row, other in zip(rows, full, strict=True):
        assert 250 < len(tokenizer(row.context)["input_ids"]) < 900
        for span in other.meta["spans"]:
            assert other.context[slice(*span)] not in row.context


@pytest.mark.parametrize("name", NAMES)
def test_a_length_too_short_names_one_that_works(tokenizer: Any, name: str) -> None:
    with pytest.raises(LengthError, match="is too short for") as caught:
        made(name, tokenizer, length=64)
    # Another length is another draw, so a little more may be needed.
    assert made(name, tokenizer, length=int(caught.value.needed * 1.1) + 40)


@pytest.mark.parametrize("name", NAMES)
def test_the_shortest_length_holds_one_question_of_each_kind(tokenizer: Any, name: str) -> None:
    rows = made(name, tokenizer, samples=3, questions=1, length=sets()[name].shortest)
    assert len(rows) == 3 * len(sets()[name].kinds)


@pytest.mark.parametrize("name", NAMES)
def test_tokens_that_are_bytes(bytes_tokenizer: Any, name: str) -> None:
    length = 8 * length_of(name)
    rows = made(name, bytes_tokenizer, questions=1, length=length)
    row = max(rows, key=lambda each: each.meta["user_tokens"])
    assert len(row.context.encode()) == row.meta["context_tokens"]
    assert 0.8 * length <= row.meta["total_tokens"] <= length


@pytest.mark.parametrize("name", [each for each in NAMES if each != "code"])
def test_rows_equal_the_committed_ones(tokenizer: Any, name: str) -> None:
    # After a wanted change: PROBES_GOLDEN=write pytest tests/probes, and a new probes.plan.GENERATOR.
    rows = made(name, tokenizer, questions=2)
    path = GOLDEN / f"{name}.jsonl"
    if os.environ.get("PROBES_GOLDEN") == "write":
        write_jsonl(path, rows)
    assert rows == read_jsonl(path)


def test_other_processes_make_the_same_rows(tokenizer: Any, tmp_path: Path) -> None:
    """One whose sets have another order than those of this process."""
    program = (
        "import sys; from probes.find import sets; from probes.generate import generate\n"
        "from rows.row import write_jsonl; from rows.tokenizer import load_tokenizer\n"
        "t = load_tokenizer('mini')\n"
        "write_jsonl(sys.argv[1], [r for n, s in sets().items()"
        " for r in generate(n, t, s.shortest * 2, 1, 1)])\n"
    )
    there, here = tmp_path / "there", tmp_path / "here"
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1",
    }
    subprocess.run([sys.executable, "-c", program, str(there)], env=environment, check=True)
    write_jsonl(here, [row for name in NAMES for row in made(name, tokenizer, questions=1)])
    assert there.read_bytes() == here.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_million_tokens_take_less_than_a_minute(tokenizer: Any, name: str) -> None:
    counter = TokenCounter(tokenizer)
    start = time.process_time()
    rows = list(generate(name, counter, 1_000_000, 1, 20))
    assert time.process_time() - start < 60
    assert 990_000 < rows[0].meta["total_tokens"] <= 1_000_000


def test_order_puts_planted_lines_at_their_depths() -> None:
    from probes.sample import Draw, Line, Planted

    planted = [Planted(depth, Line(str(depth))) for depth in (0.5, 0.0, 0.999)]
    draw = Draw("", planted, (Line("filler") for _ in range(100)), [])
    assert draw.order(4) == [0, 3, 4, 1, 5, 6, 2]
