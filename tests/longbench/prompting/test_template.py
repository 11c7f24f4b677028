# ruff: noqa: RUF001 - Chinese text has Chinese punctuation
"""Templates: where they are split, and that filling them loses and changes nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longbench.errors import LongBenchError
from longbench.prompting.template import SPLITS, split_template
from longbench.prompting.wording import TEMPLATES
from longbench.tasks import TASKS

# What prompt files from elsewhere look like: the official labels in words of our own.
FOREIGN = json.loads((Path(__file__).parents[1] / "foreign.json").read_text(encoding="utf-8"))
SETS = {"suite": TEMPLATES, "foreign": FOREIGN}
CASES = [(name, split, words) for name in TASKS for split in SPLITS for words in SETS]
ODD = st.one_of(
    st.text(),
    st.sampled_from(
        ["", "{}", "{input}", "{context}", "{0!r:>3}", "a{{b}}c", "Answer:", "段落\u3000👩‍🚀"]
    ),
)


@pytest.mark.parametrize(("name", "split", "words"), CASES)
@settings(max_examples=25)
@given(context=ODD, given_input=ODD)
def test_the_parts_are_the_whole_prompt(
    name: str, split: str, words: str, context: str, given_input: str
) -> None:
    template = SETS[words][name]
    parts = split_template(template, TASKS[name], split).fill(context, given_input)
    whole = template.format(context=context, input=given_input)
    assert parts.context + parts.question + parts.answer_prefix == whole


@pytest.mark.parametrize(("name", "split", "words"), CASES)
def test_each_text_is_in_its_part(name: str, split: str, words: str) -> None:
    task = TASKS[name]
    parts = split_template(SETS[words][name], task, split).fill("CONTEXT", "INPUT")
    assert "CONTEXT" in parts.context
    assert "INPUT" not in parts.context
    assert ("INPUT" in parts.question) == task.labels.has_input


@pytest.mark.parametrize(
    ("name", "end", "question", "prefix"),
    [
        ("qasper", "Question: ", "Q\n\nAnswer:", ""),
        ("qmsum", "Query: ", "Q\nAnswer:", ""),
        ("dureader", "问题：", "Q\n回答：", ""),
        ("gov_report", "C\n\n", "Sum it up.\n\nSummary:", ""),
        ("vcsum", "C\n\n", "会议总结：", ""),
        ("trec", "C\n", "Q", ""),
        ("triviaqa", "C\n\n", "Q", ""),
        ("passage_count", "C\n\n", "How many?\n\nThe final answer is: ", ""),
        ("passage_retrieval_en", "This:\n\n", "Q\n\nWhich?\n\nThe answer is: ", ""),
        ("lcc", "\nC", "Next line of code:\n", ""),
        ("repobench-p", "\nC", "QNext line of code:\n", ""),
    ],
)
def test_the_paper_keeps_the_label_in_the_fixed_part(
    name: str, end: str, question: str, prefix: str
) -> None:
    parts = split_template(FOREIGN[name], TASKS[name], "paper").fill("C", "Q")
    assert parts.context.endswith(end)
    assert (parts.question, parts.answer_prefix) == (question, prefix)


@pytest.mark.parametrize(
    ("name", "given_input", "question", "prefix"),
    [
        ("qasper", "Q", "Question: Q\n\n", "Answer:"),
        ("multifieldqa_en", "Q", "Question: Q\n", "Answer:"),
        ("multifieldqa_zh", "Q", "问题：Q\n", "回答："),
        ("gov_report", "", "Sum it up.\n\n", "Summary:"),
        ("vcsum", "", "", "会议总结："),
        ("trec", "Q\nType:", "Q\n", "Type:"),
        ("samsum", "Q\nSummary:", "Q\n", "Summary:"),
        ("triviaqa", "no label", "no label", ""),
        ("lsht", "Q", "Q", ""),
        ("passage_count", "", "How many?\n\n", "The final answer is: "),
        ("passage_retrieval_zh", "Q", "Q\n\n哪一段？\n\n", "答案是："),
        ("lcc", "", "", "Next line of code:\n"),
        ("repobench-p", "Q", "Q", "Next line of code:\n"),
    ],
)
def test_the_other_split_has_an_answer_prefix(
    name: str, given_input: str, question: str, prefix: str
) -> None:
    parts = split_template(FOREIGN[name], TASKS[name], "prefix").fill("C", given_input)
    assert (parts.question, parts.answer_prefix) == (question, prefix)


def test_the_fixed_part_is_the_same_for_all_questions() -> None:
    for name, template in TEMPLATES.items():
        for split in SPLITS:
            filled = split_template(template, TASKS[name], split)
            assert filled.fill("C", "one").context == filled.fill("C", "another, longer").context


@pytest.mark.parametrize(
    ("name", "template", "message"),
    [
        ("qasper", "{context} Ask: {input}\nAnswer:", "expected 'Question: '"),
        ("qasper", "{context} Question: {input}\nSay:", "expected 'Answer:'"),
        ("qasper", "{context} Question: Answer:", r"expected \{context\} and then \{input\}"),
        ("qasper", "Question: {input} {context} Answer:", r"\{input\}, \{context\}"),
        ("qasper", "{context} {context} Question: {input} Answer:", "each once"),
        ("qasper", "{context} {document} Question: {input} Answer:", r"\{document\}"),
        ("qasper", "{context!r} Question: {input} Answer:", "each once"),
        ("qasper", "{context Question: {input} Answer:", "official form"),
        ("gov_report", "{context}{input} Summary:", r"expected \{context\}"),
        ("gov_report", "{context} Sum it up", "expected 'Summary:'"),
        ("lcc", "nothing", "the places none"),
    ],
)
def test_a_template_without_its_labels_is_refused(name: str, template: str, message: str) -> None:
    with pytest.raises(LongBenchError, match=message) as refused:
        split_template(template, TASKS[name])
    assert f"template of {name}" in str(refused.value)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(LongBenchError, match="unknown split 'half'; known: paper, prefix"):
        split_template(TEMPLATES["qasper"], TASKS["qasper"], "half")
