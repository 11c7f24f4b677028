"""``recommend``: what it prints and keeps, what it refuses, and that it goes on after a kill."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cli import arguments, recommend
from bench.cli import run as cli
from bench.runs import questions
from tests import forked

Run = Callable[..., tuple[int, str, str]]
SMALL = (
    "method=squeezed,streaming",
    "method.kv_budget=0.5,0.7",
    "task.length=512",
    "task.samples=3",
    "task.max_new_tokens=2",
    "tolerance=80",
)


def settings(tiny: Path, folder: Path) -> list[str]:
    return [
        f"model.path={tiny}",
        "model.device=cpu",
        f"results={folder / 'results'}",
        f"cache_dir={folder / 'cache'}",
    ]


@pytest.fixture
def run(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = recommend.main([*settings(tiny, tmp_path), *arguments])
        return code, *capsys.readouterr()

    return run


def records(folder: Path) -> dict[str, list[str]]:
    """The lines of each run's records."""
    return {
        path.parent.name: path.read_text().splitlines() for path in folder.rglob("records.jsonl")
    }


def test_one_table_and_one_sentence(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    code, out, _ = run(*SMALL)
    assert code == 0
    (kept,) = (tmp_path / "results" / "recommend").iterdir()
    table = pd.read_csv(kept / "table.csv")
    # A random model scores nothing with any method: whichever reads least and is fast keeps the score.
    assert table["verdict"][0] == "named"
    assert table["read"][0] == pytest.approx(0.5, abs=0.02)
    assert list(table["candidate"])[-1] == "full attention"
    assert set(table["verdict"][1:].dropna()) <= {"within", "reads more"}
    measured = table[["read", "mb", "ms", "index_mb"]]
    assert bool((measured > 0).all().all())
    sentence = (kept / "answer.md").read_text().splitlines()[0]
    assert sentence.startswith("Within 80 points of full attention: ")
    assert sentence in out
    assert str(table["candidate"][0]) in sentence

    found = records(tmp_path)
    assert len(found) == 5
    assert max(map(len, found.values())) == 30  # all questions for one, the first look for others
    assert min(map(len, found.values())) == 4  # an eighth of 30

    def refuse(*_: Any) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.setattr("bench.runs.run.loaded_model", refuse)
    again = run(*SMALL)
    assert again[0] == 0
    assert sentence in again[1]
    assert records(tmp_path) == found


def test_a_race_of_eight_questions_is_run_to_its_end(run: Run) -> None:
    few = ("task.samples=8", "task.questions_per_context=1", "tolerance=99")
    code, out, error = run(*SMALL, "method=streaming", "method.kv_budget=0.5", *few)
    assert code == 0, error
    assert "of full attention: streaming" in out


def test_a_method_that_is_not_quite_the_authors_says_so(run: Run) -> None:
    sizes = ("method.kv_budget=0.6", "method.sinks=4", "method.own.local=60")
    rest = [each for each in SMALL if "method" not in each]
    code, out, error = run("method=duo_attention", *sizes, *rest)
    assert code == 0, error
    assert "ranked by a stand-in" in out


def test_its_answers_are_those_of_a_run(
    run: Run, bench: Callable[..., Any], tmp_path: Path
) -> None:
    """An ordinary run of a candidate goes on with what the race has asked, and both say the same."""
    assert run(*SMALL)[0] == 0
    rows = ("task.questions_per_context=10", "task.samples=3", "task.subtask=niah_multikey_2")
    more = (*rows, "task.seed=0")
    assert bench("method=streaming", "method.kv_budget=0.7", *more).code == 0
    (mixed,) = tmp_path.rglob("streaming-kv_budget0.7*")
    alone = f"results={tmp_path / 'alone'}"
    assert bench("method=streaming", "method.kv_budget=0.7", alone, *more).code == 0
    (whole,) = (tmp_path / "alone").rglob("streaming-kv_budget0.7*")
    said = [
        {each["id"]: each["prediction"] for each in map(json.loads, path.open())}
        for path in (mixed / "records.jsonl", whole / "records.jsonl")
    ]
    assert said[0] == said[1]
    assert json.loads((mixed / "summary.json").read_text())["examples"] == 30


def test_times_of_a_run_that_asked_several_together_are_said_to_be_others(
    run: Run, bench: Callable[..., Any], tmp_path: Path
) -> None:
    """Full attention was asked ten together before: a tenth of that seemed faster than one asked alone."""
    rows = ("task.questions_per_context=10", "task.samples=3", "task.subtask=niah_multikey_2")
    more = (*rows, "task.seed=0", "batch_size=10")
    assert bench("method=full", *more).code == 0
    code, out, error = run(*SMALL, "method=streaming", "method.kv_budget=0.5", "batch_size=1")
    assert code == 0, error
    assert "ms an answer, asked 1 at a time (full attention" in out
    assert ", asked 10 at a time, which cannot be compared)" in out
    (kept,) = (tmp_path / "results" / "recommend").iterdir()
    assert pd.read_csv(kept / "table.csv")["ms"].notna().sum() == 1


def test_it_goes_on_after_a_kill(tiny: Path, run: Run, tmp_path: Path) -> None:
    other = tmp_path / "killed"
    process = forked.start("bench.recommend", *settings(tiny, other), *SMALL)
    end = time.monotonic() + 240
    while sum(map(len, records(other).values())) < 8:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    before = records(other)
    assert not list(other.rglob("answer.md"))

    code, out, _ = run(*SMALL, *settings(tiny, other))
    assert code == 0
    after = records(other)
    for name, lines in before.items():
        whole = lines[:-1]  # the last one may have been torn
        assert after[name][: len(whole)] == whole
    for lines in after.values():
        names = [json.loads(line)["id"] for line in lines]
        assert len(names) == len(set(names))
    assert "Within 80 points" in out
    fresh = run(*SMALL)
    assert fresh[0] == 0
    asked = {name: {json.loads(line)["id"] for line in lines} for name, lines in after.items()}
    straight = {
        name: {json.loads(line)["id"] for line in lines}
        for name, lines in records(tmp_path / "results").items()
    }
    # Both are full attention and the same candidates, asked the same first questions.
    assert asked.keys() == straight.keys()
    assert all(
        min(asked[name], straight[name], key=len) <= max(asked[name], straight[name], key=len)
        for name in asked
    )


def test_minutes_that_are_over_say_what_is_known(
    run: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    from bench.config.limit import TimeIsUp
    from bench.racing.answers import Field

    ask = Field.ask

    def slow(self: Field, names: Any, look: int) -> Any:
        if look == 2:
            raise TimeIsUp("after 1 minutes, as asked")
        return ask(self, names, look)

    monkeypatch.setattr(Field, "ask", slow)
    code, out, error = run(*SMALL, "minutes=1")
    assert code == 130
    assert "Nothing is named yet: 0 of 4 candidates lose more than 80 points, 4 are still" in out
    assert "not decided" in out
    assert "the same command goes on with the race" in error


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of three documents."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for place in ("limits", "budget", "findings-real-models"):
        page = Path(__file__).parents[3] / "docs" / f"{place}.md"
        (folder / f"{place}.md").write_text(page.read_text(encoding="utf-8"))
    return folder


DOCUMENTS = (
    *("task.length=1024", "task.questions_per_context=4", "task.max_new_tokens=2"),
    *("method=streaming", "method.kv_budget=0.5", "tolerance=90"),
)


def test_documents_become_questions(run: Run, texts: Path, tmp_path: Path) -> None:
    code, out, error = run(*DOCUMENTS, f"documents={texts}")
    assert code == 0, error
    assert "streaming, kv_budget 0.5" in out
    assert any(path.name.startswith("documents-") for path in (tmp_path / "results").rglob("*"))
    assert len(records(tmp_path)) == 2


def test_documents_are_counted_with_the_tokenizer_of_the_revision(
    run: Run, texts: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were with that of the newest one, which is not even here."""
    hub = tmp_path / "hub" / "models--some--model"
    shutil.copytree(tiny, hub / "snapshots" / ("a" * 40))
    (hub / "refs").mkdir()
    (hub / "refs" / "v1").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    revision = ("model.path=some/model", "model.revision=v1")
    code, out, error = run(*DOCUMENTS, f"documents={texts}", *revision)
    assert code == 0, error
    assert "streaming, kv_budget 0.5" in out


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["experiment=prefixqa"], ("prefixqa", 4096, 5)),
        (["experiment=centroids", "task.subtask=niah_multikey_1"], ("ruler", 4096, 10)),
        (["experiment=prefixqa", "task.samples=2"], ("prefixqa", 4096, 2)),
        (["experiment=recommend"], ("ruler", 2048, 12)),
        ([], ("ruler", 2048, 12)),
    ],
)
def test_an_experiment_says_itself_what_it_asks(
    given: list[str], expected: tuple[str, int, int]
) -> None:
    rest = recommend.with_defaults(given, recommend.Settings(seed=3))
    (task,) = {spec.task for spec in cli.compose(arguments.read(rest)).plan}
    assert (task.name, task.length, task.samples) == expected
    if task.name == "ruler":
        assert task.seed == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["tolerance=0"], "tolerance is 0; expected points above 0, at most 100"),
        (["tolerance=five"], "tolerance is 'five'; expected a number"),
        (["tolerance=1"], "cannot show a loss of at most 1 points"),
        (["task.samples=1"], "all questions are on one context"),
        (["documents=nowhere"], "documents: there is no nowhere"),
        (["documents=.", "task=ruler"], "task and documents are two sets of questions"),
        (["tolerence=5"], "unknown key 'tolerence'; did you mean tolerance?"),
        (["task.lenght=5"], "did you mean task.length?"),
        (["method=full"], "no candidate is left"),
        (["method.kv_budget=2"], "kv_budget"),
        (["model.dtype=float32,bfloat16"], "a race has one model and one task"),
        (["hydra/launcher=processes"], "leave hydra/launcher out"),
    ],
)
def test_what_cannot_be_is_one_line(
    given: list[str], said: str, run: Run, no_model: None, monkeypatch: Any
) -> None:
    questions.contexts.cache_clear()
    code, _, error = run(*SMALL, *given)
    assert code == 2
    assert said in error.strip().splitlines()[-1]
    assert "Traceback" not in error
