"""Another wording, read from files of the original's form. Its sentences are not in this repository."""

import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from ruler.generate import generate
from ruler.given import find_prompts
from ruler.sources import download
from tests.ruler.wording import FILES, NIAH


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def row(tokenizer: Any, task: str, prompts: Path, **more: Any) -> Any:
    return next(generate(task, tokenizer, 1500, 1, prompts=str(prompts), **more))


def test_needles_are_worded_as_the_files_say(tokenizer: Any, folder: Path) -> None:
    one = row(tokenizer, "niah_single_1", folder)
    assert one.context.startswith("A odd number is there, {as} it is.\nRain falls. Nobody minds.\n")
    key = one.meta["queried"][0]
    assert one.question == f"What is odd number of {key}? Compare."  # not Compise
    assert one.answer_prefix == f" The odd number of {key} is"
    assert f"\nAn odd numbers for {key} is {one.answers[0]}.\n" in one.context
    many = row(tokenizer, "niah_multiquery", folder)
    assert many.context.startswith("Some odd numbers are there")
    a, b, c, d = many.meta["queried"]
    assert many.question == f"What are all odd numbers of {a}, {b}, {c}, and {d}? Compare."


def test_the_other_families_too(tokenizer: Any, folder: Path, squad: Path) -> None:
    vt = row(tokenizer, "vt", folder)
    number = vt.meta["queried"][0]
    first, second = vt.answers[:2]
    assert f"\nVAR {first} = {number}\n" in vt.context
    assert f"\nVAR {second} = VAR {first} \n" in vt.context  # its blank at the end too
    assert vt.context.count("Follow.\n\n") == 2  # the worked example has it too
    assert (vt.question, vt.answer_prefix) == (f"Who has {number}?", f" The 5 with {number}: ")
    cwe = row(tokenizer, "cwe", folder, parameters={"common": 7})
    assert (cwe.question, cwe.answer_prefix) == ("Name the 7 words.", " The 7:")
    words = " ".join(f"{n}. [a-z]+" for n in range(1, 8))
    assert re.search(rf"\nName the 7 words\. The 7: {words}\nCount\.\n1\. ", cwe.context)
    fwe = row(tokenizer, "fwe", folder)
    assert fwe.context.startswith("Read. ")
    assert fwe.context[6:9] != "\n\n"
    qa = row(tokenizer, "qa_1", folder, squad=squad)
    assert qa.context.startswith("Answer.\n\nDocuments.\n\nDocument 1:\n")
    assert qa.context.endswith("\n\n")
    assert qa.question.startswith("Answer again.\n\nQuestion: W")


def test_the_worked_example_of_tracking_is_the_originals(tokenizer: Any, folder: Path) -> None:
    """Names of three letters with blanks between them, and a blank more than the prefix has."""
    vt = row(tokenizer, "vt", folder)
    demo, rest = vt.context.split("\n\nFollow.\n\n")
    found = re.search(r"\nWho has (\d{5})\? The 5 with \1:  ((?:[A-Z]{3} ){4}[A-Z]{3})$", demo)
    assert found is not None
    names = found[2].split()
    assert f"\nVAR {names[0]} = {found[1]}\n" in demo
    for before, name in itertools.pairwise(names):
        assert f"\nVAR {name} = VAR {before} \n" in demo
    assert rest.startswith(("Rain falls.", "VAR "))
    assert all(len(name) == 5 for name in vt.answers)


@pytest.mark.parametrize("name", ["mini", "bytes"])
def test_the_worked_example_fills_what_the_originals_does(
    tokenizers: dict[str, Any], folder: Path, name: str
) -> None:
    """500 tokens up to the answer prefix, and the answer comes on top."""
    tokenizer = tokenizers[name]
    (vt,) = generate("vt", tokenizer, 3000, 1, prompts=str(folder), compat=True)
    demo = vt.context.split("\n\nFollow.\n\n")[0]
    asked = demo[: demo.rindex(":") + 2]
    noise = "Rain falls. Nobody minds.\n"
    size, block = (
        len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in (asked, noise)
    )
    assert 500 - block - 3 < size <= 500 + 3  # names of other letters may take a token more


def test_the_name_says_which_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = find_prompts(str(folder)).name
    assert name.startswith("official-")
    assert find_prompts(str(folder / "constants.py")).name == name
    nested = folder / "clone" / "scripts" / "data" / "synthetic"
    nested.mkdir(parents=True)
    for file in FILES:
        (nested / file).write_text((folder / file).read_text())
    assert find_prompts(str(folder / "clone")).name == name
    (folder / "niah.py").write_text(NIAH + "\n")
    assert find_prompts(str(folder)).name != name
    pinned = {
        file: download.Remote(
            file, "x", hashlib.sha256((nested / file).read_bytes()).hexdigest(), "prompts"
        )
        for file in FILES
    }
    monkeypatch.setattr("ruler.sources.official_prompts.FILES", pinned)
    assert find_prompts(str(nested)).name == "official"


def test_official_is_fetched_from_the_pinned_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEEZED_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match="c3f5e3b4f87f97e048793bb510a3a6b19a46bf3a") as caught:
        find_prompts("official")
    assert "prompts=PATH" in str(caught.value)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    pinned = {
        file: download.Remote(
            file, path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest(), "prompts"
        )
        for file in FILES
        if (path := folder / file)
    }
    monkeypatch.setattr("ruler.sources.official_prompts.FILES", pinned)
    assert find_prompts("official").name == "official"
    assert {path.name for path in (tmp_path / "cache").iterdir()} == set(FILES)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("niah.py", None, "has no niah.py"),
        ("constants.py", "TASKS = {", "not Python"),
        ("constants.py", "TASK = {}", "no dictionary TASKS"),
        ("constants.py", "TASKS = {'niah': open('x')}", "not plain data"),
        ("constants.py", "TASKS = {'niah': {'template': 'x', 'answer_prefix': ''}}", "'niah'"),
        ("niah.py", "needle = 3", "no text to 'needle'"),
        ("variable_tracking.py", "x = 1", "no two statements"),
    ],
)
def test_files_of_another_form_are_refused(
    folder: Path, file: str, content: str | None, message: str
) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        find_prompts(str(folder))
