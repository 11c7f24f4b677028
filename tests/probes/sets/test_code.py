"""Code and labelled requests: hand-worked examples, chains that are run, names that say nothing."""

import ast
import re
from typing import Any

import pytest

from probes.bleu import bleu
from probes.find import sets
from probes.generate import generate
from probes.sets.code import block
from probes.text import library
from probes.text.names import distinct
from rows.row import Row


def test_bleu_by_hand() -> None:
    assert bleu("return a + b", "return a + b") == pytest.approx(1)
    assert bleu("x y z", "return a + b") == 0
    # 4, 3, 2 and 1 of 5, 4, 3 and 2 n-grams are right: (4/5 * 3/4 * 2/3 * 1/2) ** (1/4).
    assert bleu("a b c d x", "a b c d e") == pytest.approx(0.2**0.25)
    # Too short by one word, all n-grams right.
    assert bleu("a b c d", "a b c d e") == pytest.approx(2.718281828**-0.25)


def test_code_scores_by_hand() -> None:
    scores = sets()["code"].scores
    text, other = "def f(a):\n    return a + 1 - 2", "def g(b):\n    return b * b"
    extra = {"kind": "repeat", "extra": {"all": [text, other]}}
    row = Row("1", "probes", "code", "c", "?", "", [text], 8, extra)
    assert scores(row, f"{text}\n```\nand")["strict"] == 1
    assert scores(row, f"```python\n{text}\n```")["score"] == 1
    assert scores(row, other)["score"] == 0
    assert block(" code\n```\nmore") == " code\n"


def test_calls_return_what_the_code_does(tokenizer: Any) -> None:
    for row in generate("code_run", tokenizer, 16384, 1, 8):
        asked = row.question.split("does ")[1].split(" return")[0]
        functions = re.findall(r"^def \w+\(value\):\n    return .+$", row.context, re.MULTILINE)
        space: dict[str, Any] = {}
        exec("\n".join(functions), space)
        assert [str(eval(asked, space))] == row.answers
        assert row.meta["hops"] == row.meta["evidence_lines"]


def test_functions_have_new_names_and_no_docstrings(tokenizer: Any) -> None:
    rows = list(generate("code", tokenizer, 16384, 1, 4))
    assert rows[0].meta["code"].startswith("cpython-3.")
    tree = ast.parse(rows[0].context.split("\n\n", 1)[1])
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len(tree.body)
    assert len({node.name for node in functions}) == len(functions)
    assert not any(ast.get_docstring(node) for node in functions)
    known = {each.name for path in library.files()[:50] for each in library.functions(path)}
    assert not known & {node.name for node in functions}
    for row in rows:
        if row.meta["kind"] == "name":
            assert f"def {row.answers[0]}(" in row.context
            assert row.question.split("this: ")[1].strip() not in row.context


def test_renaming_keeps_what_a_function_does() -> None:
    source = (
        "def area(width, *, height=2):\n    total = 0\n    for step in range(width):\n"
        "        total += height\n    return total"
    )
    words = iter("abcdefgh")
    function = library.Function("area", source, "")
    text = library.renamed(function, "amber", distinct(lambda: f"v_{next(words)}", set()))
    space: dict[str, Any] = {}
    exec(text, space)
    assert space["amber"](3) == 6
    assert not {"area", "width", "height", "total", "step"} & set(re.findall(r"\w+", text))


def test_icl_by_hand() -> None:
    scores = sets()["icl"].scores
    row = Row("1", "probes", "icl", "c", "?", "", ["qzbd"], 8, {})
    assert scores(row, " qzbd\nPlease")["score"] == 1
    assert scores(row, " qzbx")["score"] == 0
    assert scores(row, " it is qzbd")["score"] == 0


@pytest.mark.parametrize("shots", [1, 2, 3])
def test_labels_have_as_many_examples_and_new_requests(tokenizer: Any, shots: int) -> None:
    for row in generate("icl", tokenizer, 4096, 1, 5, options={"shots": shots}):
        lines = [line.split(" => ") for line in row.context.splitlines()[2:]]
        same = [text for text, label in lines if label == row.answers[0]]
        assert len(same) == len(set(same)) == shots == row.meta["evidence_lines"]
        assert row.question.strip() not in same
        thing = re.findall(r"to (\w+) the|(\w+) the", row.question)[0]
        assert all("".join(thing) in text for text in same)
