"""ROUGE-L against the package that LongBench used, and against an independent computation."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longbench.scoring.rouge import common_words, lcs_table, rouge_l

WORDS = st.text(alphabet="ab c.d\n", max_size=60)


def independent(prediction: str, reference: str) -> float:
    """The same formula from rows of a plain table that are kept as lists; no recursion, no numpy."""

    def split(text: str) -> list[list[str]]:
        return [" ".join(part.split()).split(" ") for part in text.split(".") if part]

    def on_the_way_back(first: list[str], second: list[str]) -> Iterator[str]:
        rows = [[0] * (len(second) + 1)]
        for word in first:
            row = [0]
            for j, other in enumerate(second):
                equal = rows[-1][j] + 1
                row.append(equal if word == other else max(rows[-1][j + 1], row[-1]))
            rows.append(row)
        i, j = len(first), len(second)
        while i and j:
            if first[i - 1] == second[j - 1]:
                yield first[i - 1]
                i, j = i - 1, j - 1
            elif rows[i - 1][j] > rows[i][j - 1]:
                i -= 1
            else:
                j -= 1

    made, wanted = split(prediction), split(reference)
    if not made or not wanted:
        return 0.0
    common = {word for w in wanted for m in made for word in on_the_way_back(w, m)}
    recall = len(common) / len({word for sentence in wanted for word in sentence})
    precision = len(common) / len({word for sentence in made for word in sentence})
    return 2 * precision * recall / (precision + recall + 1e-8)


@given(WORDS, WORDS)
def test_it_equals_the_package(prediction: str, reference: str) -> None:
    package = pytest.importorskip("rouge").Rouge()
    try:
        wanted = package.get_scores([prediction], [reference], avg=True)["rouge-l"]["f"]
    except ValueError:  # what it does with a text without a sentence, and LongBench scores 0
        wanted = 0.0
    assert rouge_l(prediction, reference) == pytest.approx(wanted, abs=1e-12)


@given(WORDS, WORDS)
def test_it_equals_the_independent_computation(prediction: str, reference: str) -> None:
    assert rouge_l(prediction, reference) == independent(prediction, reference)


def test_two_thousand_words_in_one_sentence() -> None:
    rng = random.Random(0)
    words = [f"word{rng.randrange(700)}" for _ in range(2000)]
    other = [word for word in words if rng.random() < 0.8]
    first, second = " ".join(words), " ".join(other)
    score = rouge_l(first, second)
    assert score == independent(first, second)
    assert 0.8 < score < 1
    assert rouge_l(first, first) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(
    ("prediction", "reference", "score"),
    [
        ("the cat sat", "the cat sat", 1.0),
        # 2 words in common, of 3 and 4 distinct ones: 2 * (2/3 * 2/4) / (2/3 + 2/4)
        ("a b x", "a y b z", 4 / 7),
        # Lengths count distinct words: 1 of 1 and 1 of 2.
        ("a a a", "a b", 2 / 3),
        # The order counts inside a sentence, not between sentences.
        ("b a", "a b", 0.5),
        ("b. a", "a. b", 1.0),
        ("", "a", 0.0),
        ("...", "a", 0.0),
        ("a", "", 0.0),
        ("x", "a", 0.0),
    ],
)
def test_by_hand(prediction: str, reference: str, score: float) -> None:
    assert rouge_l(prediction, reference) == pytest.approx(score, abs=1e-7)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_table_counts_longest_common_subsequences(first: list[str], second: list[str]) -> None:
    def longest(i: int, j: int) -> int:
        best = [[0] * (j + 1) for _ in range(i + 1)]
        for a in range(1, i + 1):
            for b in range(1, j + 1):
                if first[a - 1] == second[b - 1]:
                    best[a][b] = best[a - 1][b - 1] + 1
                else:
                    best[a][b] = max(best[a - 1][b], best[a][b - 1])
        return best[i][j]

    assert lcs_table(first, second)[-1, -1] == longest(len(first), len(second))
    assert common_words(first, second) <= set(first) & set(second)
