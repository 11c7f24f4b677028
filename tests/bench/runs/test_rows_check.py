"""Prompts of a run: what the chat template is given, its date; no second half on other rows or weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from bench.records import provenance
from bench.records.files import CHECK, checksum, read_records
from bench.runs import questions

Bench = Callable[..., Any]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m.role }} on {{ strftime_now('%d %b %Y') }}: "
    "{{ m.content }}\n{% endfor %}{% if thoughtful | default(true) %}Thinking... {% endif %}"
)
CHAT = ("task.chat=true", "method=full")


@pytest.fixture
def chatty(tiny: Path, tmp_path: Path) -> Path:
    """The random model with a chat template that writes the date."""
    folder = tmp_path / "chatty"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def of_run(folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    (path,) = folder.rglob("records.jsonl")
    return path, read_records(path)


def test_a_template_gets_a_fixed_date_arguments_and_a_system_turn(
    bench: Bench, chatty: Path, tmp_path: Path
) -> None:
    model = f"model.path={chatty}"
    plain, given = tmp_path / "plain", tmp_path / "given"
    assert bench(model, *CHAT, f"results={plain}").code == 0
    settings = ("model.system=Be brief.", "model.chat_template_kwargs={thoughtful: false}")
    assert bench(model, *CHAT, *settings, f"results={given}").code == 0
    path, records = of_run(plain)
    identity = json.loads(path.with_name("config.json").read_text())["identity"]["model"]
    assert {record["provenance"]["prompt_date"] for record in records} == {"2024-07-26"}
    assert identity.keys() == {"name", "fingerprint", "dtype", "device"}
    path, _ = of_run(given)
    identity = json.loads(path.with_name("config.json").read_text())["identity"]["model"]
    assert identity["system"] == "Be brief."
    assert identity["chat_template_kwargs"] == {"thoughtful": False}
    (group, _) = questions.contexts(*_specs(chatty, settings=True))
    tokenizer = questions.loaded_tokenizer(str(chatty))
    text = tokenizer.decode(group.ids[0])
    assert text.startswith("<|begin|>system on 26 Jul 2024: Be brief.\nuser on 26 Jul 2024: ")
    asked = tokenizer.decode(group.examples[0].question_ids[0])
    assert asked.endswith(f"\n{group.examples[0].row.answer_prefix}")


def test_the_first_context_is_counted_with_what_its_own_template_is_given(chatty: Path) -> None:
    """A dry run counted it with the turn of whichever model had used the tokenizer last."""
    model, task = _specs(chatty, settings=True)
    other, _ = _specs(chatty, settings=False)
    questions.tokenizer_of(other)
    counted = questions.first_length(model, task)
    assert counted == questions.contexts(model, task)[0].ids.numel()
    assert counted > questions.contexts(other, task)[0].ids.numel()


def _specs(folder: Path, settings: bool) -> Any:
    from bench.cli.validate import model_spec, task_spec
    from bench.config.schema import ModelConf
    from bench.tasks.ruler import RulerConf

    given = {"system": "Be brief.", "chat_template_kwargs": {"thoughtful": False}}
    model = ModelConf(path=str(folder), device="cpu", **(given if settings else {}))
    return model_spec(model), task_spec(RulerConf(length=512, samples=2, chat=True))


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.chat_template_kwargs={thoughtfull: 1}", "has no variable thoughtfull"),
        ("model.chat_template_kwargs={tokenize: true}", "tokenize is given by the suite itself"),
        ("model.chat_template_kwargs=no", "chat_template_kwargs is 'no'; expected names"),
    ],
)
def test_template_settings_that_cannot_work_get_one_line(
    bench: Bench, chatty: Path, setting: str, message: str
) -> None:
    result = bench(f"model.path={chatty}", *CHAT, setting)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert message in result.err


def test_a_failing_template_is_one_line(bench: Bench, chatty: Path, no_model: None) -> None:
    (chatty / "chat_template.jinja").write_text("{{ raise_exception('no\ttools') }}")
    result = bench(f"model.path={chatty}", *CHAT)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "the chat template fails: no" in result.err


def test_a_run_does_not_go_on_with_other_rows(bench: Bench, tmp_path: Path) -> None:
    assert bench("method=full").code == 0
    path, (first, second) = of_run(tmp_path)
    whole = path.read_bytes()
    line = whole.splitlines(keepends=True)

    def change(record: dict[str, Any], rows: str, **changes: Any) -> bytes:
        record = {**record, **changes, "provenance": {**record["provenance"], "rows": rows}}
        return json.dumps({**record, CHECK: checksum(record)}).encode() + b"\n"

    path.write_bytes(change(first, "of before", context="another"))  # the second is to do
    result = bench("method=full")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert f"the fixed context of {first['id']} has other tokens" in result.err
    assert "of before, now " in result.err
    assert len(read_records(path)) == 1
    # A run that was mixed before this was checked is not finished.
    path.write_bytes(line[0] + change(second, "of before"))
    result = bench("method=full")
    assert result.code == 2
    assert "start it again" in result.err
    # Records from before rows had fingerprints are taken as they are.
    bare = {**first, "provenance": {k: v for k, v in first["provenance"].items() if k != "rows"}}
    path.write_bytes(json.dumps({**bare, CHECK: checksum(bare)}).encode() + b"\n")
    assert bench("method=full").code == 0
    assert [record["id"] for record in read_records(path)] == [first["id"], second["id"]]


def test_a_run_does_not_go_on_with_other_weights(
    bench: Bench, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is found by the ends of the checkpoint's files, which an adapter may leave as they are."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny, folder)
    monkeypatch.setattr(provenance, "HASHED_BYTES", 64)
    asked = ("method=full", f"model.path={folder}")

    def run() -> Any:
        provenance.fingerprint.cache_clear()
        questions.loaded_model.cache_clear()
        return bench(*asked)

    assert run().code == 0
    path, (first, _) = of_run(tmp_path)
    half = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(half)
    weights = folder / "model.safetensors"
    was, size = weights.read_bytes(), weights.stat().st_size
    with weights.open("r+b") as file:
        file.seek(size // 2)
        file.write(bytes(size // 4))
    result = run()
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert f"answered by other weights ({first['provenance']['weights']}, now " in result.err
    assert path.read_bytes() == half
    weights.write_bytes(was)
    assert run().code == 0
    assert len(read_records(path)) == 2


@pytest.mark.parametrize(
    ("task", "rows"),
    [
        ("ruler", "764437cb2799f6ea"),
        ("prefixqa", "7bdc34d15ebd0407"),
        ("qasper", "a10b96a1eba5420e"),
    ],
)
def test_rows_and_identity_of_the_embedded_model_stay(task: str, rows: str) -> None:
    """As at commit 3e98010: runs and stored indexes of before go on."""
    from bench.cli.validate import model_spec, task_spec
    from bench.config.schema import ModelConf
    from bench.tasks.longbench import LongBenchConf
    from bench.tasks.prefixqa import PrefixQAConf
    from bench.tasks.ruler import RulerConf

    asked = {
        "ruler": RulerConf(length=512, samples=2),
        "prefixqa": PrefixQAConf(length=1024, samples=1, questions_per_context=4),
        "qasper": LongBenchConf(subtask="qasper"),
    }
    model = model_spec(ModelConf(name="mini", device="cpu"))
    assert model.identity() == {
        **{"name": "mini", "fingerprint": "6d226d14ba05bc58", "dtype": "float32", "device": "cpu"}
    }
    assert questions.fingerprint(questions.contexts(model, task_spec(asked[task]))) == rows
