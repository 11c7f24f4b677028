"""``python -m prefixqa``: files, messages, exit codes."""

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from rows.row import read_jsonl
from tests.commands import Run, refused

SMALL = ("documents=3", "questions=6", "length=1500")


def test_the_offline_default_writes_a_whole_set(prefixqa: Run, tmp_path: Path) -> None:
    out = tmp_path / "with blank, comma=sign"
    done = prefixqa(*SMALL, f"out={out}", "split.train=0.34")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {out / 'prefixqa.jsonl'}: 3 documents, 18 pairs\n"
    assert list(Path().iterdir()) == []  # Hydra leaves nothing behind
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    parquet = {
        f"data/{config}/{split}.parquet"
        for config in ("pairs", "documents")
        for split in ("train", "test")
    }
    assert names == {
        "prefixqa.jsonl",
        "rejected.jsonl",
        "README.md",
        "manifest.json",
        "statistics.png",
        *parquet,
    }
    rows = read_jsonl(out / "prefixqa.jsonl")
    assert [row.id for row in rows[:2]] == ["template-0-00000-q00", "template-0-00000-q01"]
    assert len({row.context for row in rows}) == 3
    for row in rows:
        assert row.meta["tokenizer"] == "mini"
        for each in row.meta["evidence"]:
            assert row.context[each["start"] : each["end"]] == each["text"]


def test_datasets_reads_what_is_written(
    prefixqa: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set"
    prefixqa(*SMALL, f"out={out}", "split.train=0.34")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    rows = read_jsonl(out / "prefixqa.jsonl")
    pairs = datasets.load_dataset(str(out), "pairs", cache_dir=str(tmp_path / "cache"))
    assert {split: len(pairs[split]) for split in pairs} == {"train": 6, "test": 12}
    by_id = {row.id: row for row in rows}
    for record in (*pairs["train"], *pairs["test"]):
        row = by_id.pop(record["id"])
        assert (record["context"], record["answers"]) == (row.context, row.answers)
        assert json.loads(record["meta"]) == row.meta
    assert not by_id
    documents = datasets.load_dataset(str(out), "documents", cache_dir=str(tmp_path / "cache"))
    assert [len(each["questions"]) for each in documents["test"]] == [6, 6]
    assert set(documents["train"]["document"]).isdisjoint(documents["test"]["document"])


@pytest.mark.usefixtures("pictures")
def test_one_seed_gives_the_same_bytes(prefixqa: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        prefixqa(*SMALL, f"out={tmp_path / name}", "seed=7")
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 7
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert matplotlib.image.imread(tmp_path / "a" / "statistics.png").std() > 0.05


def test_a_set_is_kept_for_its_settings_and_protected_from_others(
    prefixqa: Run, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    prefixqa(*SMALL, f"out={out}")
    made = (out / "prefixqa.jsonl").read_bytes()
    assert prefixqa(*SMALL, f"out={out}").stdout.startswith("kept ")
    refused(prefixqa(*SMALL, f"out={out}", "seed=1"), "overwrite=true")
    assert (out / "prefixqa.jsonl").read_bytes() == made
    with (out / "prefixqa.jsonl").open("a") as file:
        file.write("\n")
    refused(prefixqa(*SMALL, f"out={out}"), "changed since")
    assert prefixqa(*SMALL, f"out={out}", "seed=1", "overwrite=true").returncode == 0
    assert (out / "prefixqa.jsonl").read_bytes() != made


def test_the_card_says_what_is_in_the_set(prefixqa: Run, tmp_path: Path) -> None:
    out = tmp_path / "set"
    prefixqa(*SMALL, f"out={out}")
    card = (out / "README.md").read_text()
    factual = sum(row.meta["type"] == "factual" for row in read_jsonl(out / "prefixqa.jsonl"))
    assert card.startswith("---\n")
    for text in ("3 long documents with 18 questions", f"| factual | {factual} |", "license: cc0-1.0",
                 "path: data/pairs/test.parquet", "| 0% to 25% |", "statistics.png"):  # fmt: skip
        assert text in card
    assert (out / "statistics.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["backend=magic"], "unknown backend 'magic'; known: template, factbook, extractive, openai"),
        (["lenght=512"], "unknown key 'lenght'; did you mean length?"),
        (["length=abc"], "length: Value 'abc'"),
        (["documents=0"], "documents is 0; expected at least 1"),
        (["limit=0"], "limit is 0"),
        (["length=300"], "length 300 is too short for questions=24"),
        (["source=here"], "the template backend makes its documents"),
        (["min_tokens=-3"], "min_tokens: the template backend makes its documents; leave min_tokens out"),
        (["too_long=skip"], "too_long: the template backend"),
        (["near_duplicates=7"], "near_duplicates: the template backend"),
        (["published_after=tomorrow"], "published_after: the template backend"),
        (["published_before=2024-01-01"], "published_before: the template backend"),
        (["backend=factbook", "licence=mit"], "licence: the factbook backend"),
        (["backend=extractive", "source=x", "min_tokens=-3"], "min_tokens is -3; expected at least 0"),
        (["backend=extractive"], "needs documents; give source=FOLDER"),
        (["backend=extractive", "source=nowhere"], "no file or folder nowhere"),
        (["backend=extractive", "source=arxiv:paper"], "'paper' is no arXiv id"),
        (["backend=extractive", "source=x", "too_long=fold"], "expected cut or skip"),
        (["backend=extractive", "source=x", "published_after=soon"], "expected a date like"),
        (["backend=extractive", "source=x", "near_duplicates=2"], "near_duplicates is 2"),
        (["backend=extractive", "source=x", "length=600"], "length is 600; expected more than"),
        (["backend=openai", "source=x", "openai.structured=xml"], "openai.structured is 'xml'"),
        (["backend=openai", "source=x", "openai.samples=0"], "openai.samples is 0"),
        (["backend=openai", "source=x", "openai.max_cost=1"], "openai.max_cost needs"),
        (["split.train=1"], "leave some of 1"),
        (["tokenizer=./nowhere"], "tokenizer: no folder ./nowhere"),
    ],
)  # fmt: skip
def test_wrong_input_gets_one_line_and_exit_code_2(
    prefixqa: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    out = tmp_path / "out"
    refused(prefixqa(f"out={out}", *arguments), message)
    assert not (out / "prefixqa.jsonl").exists()


def test_out_must_be_given(prefixqa: Run) -> None:
    refused(prefixqa(), "out is missing")


def test_help_names_backends_and_keys(prefixqa: Run) -> None:
    done = prefixqa("--help")
    assert done.returncode == 0
    for word in ("extractive", "published_after", "dry_run", "max_cost", "Exit code"):
        assert word in done.stdout


def test_a_dry_run_estimates_and_writes_nothing(prefixqa: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "papers", tmp_path / "out"
    prefixqa("documents=1", "questions=4", "length=2000", f"out={tmp_path / 'made'}")
    folder.mkdir()
    shutil.copy(tmp_path / "made" / "prefixqa.jsonl", folder / "set.jsonl")
    prices = ("openai.price_in=1", "openai.price_out=2")
    done = prefixqa(
        "backend=openai", f"source={folder}", f"out={out}", "dry_run=true", "min_tokens=50", *prices
    )
    assert done.returncode == 0, done.stderr
    assert "1 documents; estimate: " in done.stdout
    assert "cost: 0.0" in done.stdout
    assert not out.exists()


def _a_paper(service: tuple["object", str], here: Path) -> tuple[Any, str, Path, Path]:
    """A service that knows what a paper says, its address, the paper's folder, and one to write to."""
    from server import Service, known_document

    state, url = service
    assert isinstance(state, Service)
    document, pairs = known_document("paper", 900, 24)
    state.facts = list(pairs)
    folder = here / "papers"
    folder.mkdir()
    (folder / "paper.md").write_text(document.text)
    return state, url, folder, here / "out"


def test_an_unfinished_set_ends_with_1_and_is_gone_on_with(
    prefixqa: Run, tmp_path: Path, service: tuple["object", str]
) -> None:
    state, url, folder, out = _a_paper(service, tmp_path)
    arguments = ("backend=openai", f"source={folder}", f"out={out}", "questions=6", "length=4096",
                 f"openai.base_url={url}", "openai.retries=0", "openai.rounds=1",
                 "openai.concurrency=1", "openai.samples=1")  # fmt: skip
    state.faults.append("500")
    first = prefixqa(*arguments)
    assert first.returncode == 1
    assert "answers 500, 'oops'" in first.stderr
    second = prefixqa(*arguments)
    assert second.returncode == 0, second.stderr
    assert "failures: gave_up" not in second.stdout
    assert prefixqa(*arguments).stdout.startswith("kept ")
    assert set(state.answered.values()) == {1}


def test_a_set_of_another_request_is_not_kept(
    prefixqa: Run, tmp_path: Path, service: tuple["object", str]
) -> None:
    _, url, folder, out = _a_paper(service, tmp_path)
    arguments = ("backend=openai", f"source={folder}", f"out={out}", "questions=4",
                 "length=4096", f"openai.base_url={url}", "openai.samples=1")  # fmt: skip
    first = prefixqa(*arguments, "openai.answer_tokens=3000")
    assert first.returncode == 0, first.stderr
    asked = ("openai.answer_tokens=3000", "openai.extra_body={reasoning_effort: low}")
    others = [
        ("openai.structured=json_object", asked[0]),
        ("openai.send_seed=false", asked[0]),
        asked,
        (),
    ]
    for other in others:
        done = prefixqa(*arguments, *other)
        assert done.returncode == 2
        assert "was made with other settings" in done.stderr
    assert prefixqa(*arguments, *asked, "overwrite=true").returncode == 0
    assert prefixqa(*arguments, *asked).stdout.startswith("kept ")
    card = (out / "README.md").read_text()
    assert "'answer_tokens': 3000" in card
    assert "{'reasoning_effort': 'low'}" in card
