# ruff: noqa: RUF001 - Chinese text has Chinese punctuation
"""Every metric on cases worked out by hand, official and fixed behaviour, and what holds for all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longbench.errors import LongBenchError
from longbench.scoring.metrics import BEHAVIOURS, FIXED, METRICS, OFFICIAL, ratio
from longbench.scoring.score import first_line, score
from longbench.tasks import TASKS

CLASSES = ("Place", "Person", "Date", "Food", "Seafood", "Food and drink")
GOLD = {
    "retrieval": "Paragraph 7",
    "retrieval_zh": "段落7",
    "count": "7",
    "classification": "Person",
}


def both(metric: str, prediction: str, gold: str) -> tuple[float, float]:
    official, fixed = (METRICS[metric](prediction, gold, CLASSES, b) for b in BEHAVIOURS)
    return official, fixed


@pytest.mark.parametrize(
    ("prediction", "gold", "value"),
    [
        ("The Cat", "cat", 1.0),
        ("a cat sat", "the cat", 2 / 3),  # 1 word in common, of 2 and of 1
        ("cat cat", "cat dog", 0.5),  # a word counts as often as both have it
        ("Cat's!", "cats", 1.0),
        ("mid-term", "midterm", 1.0),  # punctuation goes without a blank in its place
        ("an-other", "another", 1.0),  # ... and before the articles, so this is no article
        ("“cat”", "cat", 0.0),  # quotes that are not ASCII stay
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
    ],
)
def test_qa_f1(prediction: str, gold: str, value: float) -> None:
    assert both("qa_f1", prediction, gold) == (pytest.approx(value), pytest.approx(value))


def test_qa_f1_of_an_answer_without_words() -> None:
    assert both("qa_f1", "The", "a!") == (0.0, 1.0)
    assert both("qa_f1", "cat", "a!") == (0.0, 0.0)


@pytest.mark.parametrize(
    ("prediction", "gold", "value"),
    [
        ("北京大学。", "北京大学", 1.0),
        ("！？", "北京大学", 0.0),
        ("我喜欢苹果", "我喜欢梨", 2 / 3),  # 我 / 喜欢 / 苹果 against 我 / 喜欢 / 梨
        ("PDF 文件", "pdf文件", 1.0),
    ],
)
def test_qa_f1_zh(prediction: str, gold: str, value: float) -> None:
    assert both("qa_f1_zh", prediction, gold) == (pytest.approx(value), pytest.approx(value))


def test_rouge_zh_compares_words() -> None:
    # 我 / 喜欢 / 苹果 against 我 / 喜欢 / 梨: 2 of 3 and of 3
    assert METRICS["rouge_zh"]("我喜欢苹果", "我喜欢梨", (), OFFICIAL) == pytest.approx(2 / 3)
    # Without blanks the whole is one word for the English metric.
    assert METRICS["rouge"]("我喜欢苹果", "我喜欢梨", (), OFFICIAL) == 0.0


@pytest.mark.parametrize(
    ("prediction", "gold", "official", "fixed"),
    [
        ("Person", "Person", 1.0, 1.0),
        ("person", "Person", 0.0, 0.0),  # case counts
        ("Person or Place", "Person", 0.5, 0.5),
        ("Place", "Person", 0.0, 0.0),
        ("none", "Person", 0.0, 0.0),
        # Food is a part of the gold name and is dropped.
        ("Food and drink", "Food and drink", 1.0, 1.0),
        # Named: Food, Seafood, Food and drink; all but the gold one stay unless a part of it.
        ("Food, Seafood", "Seafood", 0.5, 0.5),
    ],
)
def test_classification(prediction: str, gold: str, official: float, fixed: float) -> None:
    assert both("classification", prediction, gold) == (official, fixed)


def test_classification_skips_the_neighbour_of_a_dropped_class() -> None:
    nested = ("a", "ab", "abc")  # both others are parts of the last
    values = [METRICS["classification"]("abc", "abc", nested, each) for each in BEHAVIOURS]
    assert values == [0.5, 1.0]


@pytest.mark.parametrize(
    ("metric", "prediction", "gold", "value"),
    [
        ("count", "7", "7", 1.0),
        ("count", "There are 7 of 10.", "7", 0.5),
        ("count", "seven", "7", 0.0),
        ("count", "17", "7", 0.0),
        ("retrieval", "Paragraph 3", "Paragraph 3", 1.0),
        ("retrieval", "3, or 4, or 33", "Paragraph 3", 1 / 3),
        ("retrieval", "", "Paragraph 3", 0.0),
        ("retrieval_zh", "段落3", "段落3", 1.0),
        ("retrieval_zh", "3", "段落3", 1.0),
        ("retrieval_zh", "段落13", "段落3", 0.0),
    ],
)
def test_numbers(metric: str, prediction: str, gold: str, value: float) -> None:
    assert both(metric, prediction, gold) == (pytest.approx(value), pytest.approx(value))


def test_a_gold_answer_without_a_paragraph_is_an_error() -> None:
    with pytest.raises(LongBenchError, match="'3' names no paragraph"):
        METRICS["retrieval"]("3", "3", (), OFFICIAL)


@pytest.mark.parametrize(
    ("prediction", "official", "fixed"),
    [
        ("x = f(1)", 1.0, 1.0),
        ("\n\nx = f(1)\ny = 2", 1.0, 1.0),
        ("```python\nx = f(1)\n```", 1.0, 1.0),
        ("# first\nx = f(1)", 1.0, 1.0),
        ("// first\nx = f(1)", 1.0, 1.0),
        ("  \nx = f(1)", 0.4, 1.0),  # officially the blank line: 2 * 2 blanks in common / (2 + 8)
        ("x = f(1)  # one\ny", 0.0, 0.7),  # 2 * 8 / (15 + 8); officially y is the first line
        ("", 0.0, 0.0),
        ("# only\n```", 0.0, 0.0),
        ("# only\n`f(1)`", 0.0, 0.57),  # 2 * 4 / (6 + 8)
    ],
)
def test_code_sim(prediction: str, official: float, fixed: float) -> None:
    assert both("code_sim", prediction, "x = f(1)") == (official, fixed)


def test_ratio_is_whole_hundredths_and_knows_empty_strings() -> None:
    assert ratio("", "") == 1.0
    assert ratio("", "a") == ratio("a", "") == 0.0
    assert ratio("abc", "abd") == 0.67


def test_the_first_line_of_few_shot_answers() -> None:
    assert first_line("\n\nPlace\nQuestion: next", OFFICIAL) == "Place"
    assert first_line(" \nPlace", OFFICIAL) == " "
    assert first_line(" \nPlace", FIXED) == "Place"
    assert first_line("", OFFICIAL) == first_line("\n", FIXED) == ""
    assert score("trec", "\nPlace\nPerson", ["Place"], CLASSES) == 1.0
    assert score("trec", " \nPlace", ["Place"], CLASSES, OFFICIAL) == 0.0
    assert score("trec", " \nPlace", ["Place"], CLASSES, FIXED) == 1.0
    assert score("qasper", "\nno\nyes", ["yes"]) == pytest.approx(2 / 3)  # all of it counts there


def test_the_best_gold_answer_counts_and_extended_tasks_score_alike() -> None:
    assert score("qasper", "blue whale", ["red", "a blue whale", "blue"]) == 1.0
    assert score("qasper_e", "blue", ["blue"]) == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("qaspar", "x", ["x"]), "unknown LongBench task 'qaspar'"),
        (("vcsum_e", "x", ["x"]), "not in LongBench-E"),
        (("qasper", "x", []), "no answer"),
        (("trec", "x", ["x"]), "by its classes"),
        (("qasper", "x", ["x"], None, "strict"), "unknown behaviour 'strict'"),
    ],
)
def test_wrong_use_is_an_error(arguments: tuple, message: str) -> None:
    with pytest.raises(LongBenchError, match=message):
        score(*arguments)


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=30)
@given(prediction=st.text(max_size=40), behaviour=st.sampled_from(BEHAVIOURS))
def test_scores_are_shares(name: str, prediction: str, behaviour: str) -> None:
    gold = GOLD.get(TASKS[name].metric, "one gold answer. 第二句")
    assert 0 <= score(name, prediction, [gold], CLASSES, behaviour) <= 1


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_gold_answer_itself_scores_1(name: str, behaviour: str) -> None:
    gold = GOLD.get(TASKS[name].metric, "x = gold(1)")
    assert score(name, gold, [gold], CLASSES, behaviour) == pytest.approx(1, abs=1e-7)


@given(first=st.text("ab c", max_size=20), second=st.text("ab c", max_size=20))
def test_f1_is_symmetric(first: str, second: str) -> None:
    value = METRICS["qa_f1"](first, second, (), OFFICIAL)
    assert value == pytest.approx(METRICS["qa_f1"](second, first, (), OFFICIAL))
