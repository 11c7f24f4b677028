"""The task interface, by a task of the tests' own that uses all of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench import tasks
from bench.config.schema import TaskConf
from bench.config.spec import ModelSpec, TaskSpec
from bench.records.files import read_records
from bench.runs import questions
from bench.tasks.base import Rules, Task
from rows.row import Row

Bench = Callable[..., Any]
LIMIT = 300
WORDS = "The day is long and the road is dry. " * 60


@dataclass
class EchoConf(TaskConf):
    name: str = "echo"
    rows: int = 2
    chat: bool = False


@dataclass(frozen=True, kw_only=True)
class EchoSpec(TaskSpec):
    rows: int
    chat: bool


class Echo(Task[EchoConf, EchoSpec]):
    """Asks for nothing in particular, twice about one context."""

    name: ClassVar[str] = "echo"
    conf: ClassVar[type[TaskConf]] = EchoConf
    meta_kept = ("kept",)

    def spec(self, config: EchoConf) -> EchoSpec:
        if config.rows < 1:
            raise ValueError(f"task.rows is {config.rows}; expected at least 1")
        return EchoSpec(
            name="echo",
            label="loud",
            prompts="own",
            samples=config.rows,
            rows=config.rows,
            chat=config.chat,
            max_new_tokens=config.max_new_tokens,
        )

    def rows(self, spec: EchoSpec, tokenizer: Any) -> Iterator[Row]:
        for number in range(spec.rows):
            meta = {"kept": number, "left": "out"}
            yield Row(f"e{number}", "echo", "loud", WORDS, "Well?", " So", ["x"], 5, meta)

    def score(self, spec: EchoSpec, row: Row, prediction: str) -> dict[str, float]:
        return {"score": 0.5, "loudness": float(row.meta["kept"])}

    def rules(self, spec: EchoSpec, row: Row, tokenizer: Any) -> Rules:
        return Rules(spec.max_new_tokens or row.max_new_tokens, chat=spec.chat)

    def cut(self, spec: EchoSpec, ids: list[int], reserved: int) -> tuple[list[int], int]:
        kept = ids[: LIMIT - reserved]
        return kept, len(ids) - len(kept)


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Echo:
    task = Echo()
    monkeypatch.setitem(tasks.TASKS, "echo", task)
    return task


def records(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob("records.jsonl")
    return read_records(path)


@pytest.mark.usefixtures("echo")
def test_a_task_is_asked_scored_and_recorded(tiny: Path, tmp_path: Path) -> None:
    from bench.cli.validate import to_spec
    from bench.config.schema import Config, MethodConf, ModelConf
    from bench.runs.run import execute

    spec = to_spec(
        Config(
            model=ModelConf(path=str(tiny), device="cpu"),
            task=EchoConf(),
            method=MethodConf(name="full"),
            results=str(tmp_path),
            cache_dir=None,
        )
    )
    assert execute(spec).examples == 2
    made = records(tmp_path)
    assert [each["score"] for each in made] == [0.5, 0.5]
    assert [each["metrics"] for each in made] == [
        {"score": 0.5, "loudness": 0.0},
        {"score": 0.5, "loudness": 1.0},
    ]
    assert [each["meta"] for each in made] == [{"kept": 0}, {"kept": 1}]
    for each in made:
        assert each["new_tokens"] <= 5
        assert each["cut_tokens"] > 0
        assert each["context_tokens"] + each["question_tokens"] + 5 == LIMIT
    assert spec.folder.parent.name == "echo-loud"  # rows have lengths of their own
    assert spec.title == "loud full"


@pytest.mark.usefixtures("echo")
def test_its_settings_decide_the_run() -> None:
    from bench.cli.validate import task_spec

    one, same, other = (task_spec(EchoConf(rows=rows)) for rows in (2, 2, 3))
    assert one == same
    assert one.identity() != other.identity()
    with pytest.raises(ValueError, match=r"task\.rows is 0"):
        task_spec(EchoConf(rows=0))
    with pytest.raises(ValueError, match="settings are those of another task"):
        task_spec(TaskConf(name="echo"))


@pytest.mark.usefixtures("echo", "no_model")
def test_a_template_that_is_not_there_is_found_before_the_model_is_loaded(tiny: Path) -> None:
    spec = Echo().spec(EchoConf(chat=True))
    model = ModelSpec("x", str(tiny), "x", str(tiny), "float32", "cpu", "f")
    with pytest.raises(ValueError, match="no chat template"):
        questions.contexts(model, spec)


@pytest.mark.usefixtures("echo")
def test_a_chat_template_stands_around_context_and_question(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = questions.loaded_tokenizer(str(tiny))
    template = "{{ bos_token }}[USER] {{ messages[0]['content'] }} [MODEL]"
    monkeypatch.setattr(tokenizer, "chat_template", template, raising=False)
    model = ModelSpec("x", str(tiny), "x", str(tiny), "float32", "cpu", "f")
    (context,) = questions.contexts(model, Echo().spec(EchoConf(chat=True, rows=3)))
    ids = context.ids[0].tolist()
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(ids).startswith(f"{tokenizer.bos_token}[USER] The day")
    (question, *_) = context.examples
    assert tokenizer.decode(question.question_ids[0]) == "Well? [MODEL] So"
    assert len(ids) + question.question_ids.numel() + 5 == LIMIT


def test_every_task_has_a_schema_and_a_file() -> None:
    conf = Path(tasks.__file__).parents[2] / "conf" / "task"
    for name, task in tasks.TASKS.items():
        assert issubclass(task.conf, TaskConf)
        assert task.conf().name == name
        lines = (conf / f"{name}.yaml").read_text().splitlines()
        assert f"  - {name}_schema" in lines
        assert f"name: {name}" in lines


@pytest.mark.usefixtures("no_model")
def test_a_setting_of_another_task_is_refused(bench: Bench) -> None:
    result = bench("task=ruler", "task.colour=red")
    assert result.code == 2
    assert "colour" in result.err
