"""One run: every question of a task, answered with one method, one record each."""

import dataclasses
import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from tqdm import tqdm

import squeezed
from bench import provenance
from bench.contexts import Prepared, prepare
from bench.errors import InputError
from bench.examples import Context, Example, contexts, loaded_model, loaded_tokenizer
from bench.methods import build_method
from bench.records import RECORDS, SUMMARY, RecordFile, open_records, read_records, write_json
from bench.spec import RunSpec
from ruler.score import score

META_KEPT = ("prompts", "haystack", "haystack_standard", "essays", "depths", "generator")


@dataclass(frozen=True)
class Outcome:
    """What a run came to. ``score`` and ``kv_budget`` are means over its ``examples``.

    ``seconds``: time of this call; ``before``: examples that an earlier call had finished.
    """

    score: float
    kv_budget: float
    examples: int
    seconds: float
    before: int

    def line(self, title: str) -> str:
        """One line for the terminal."""
        note = f", {self.before} of them from before" if self.before else ""
        return (
            f"{title:<60} score {self.score:.3f}  KV budget {self.kv_budget:.3f}  "
            f"{self.examples} examples{note}, {self.seconds:.1f} s"
        )


def finished(spec: RunSpec) -> Outcome | None:
    """The outcome of a run that needs nothing more, without loading its model; None otherwise."""
    summary, path = spec.folder / SUMMARY, spec.folder / RECORDS
    if not (summary.exists() and path.exists()):
        return None
    expected = json.loads(summary.read_text())["examples"]
    records = read_records(path)
    return _outcome(records, 0.0, expected) if len(records) == expected else None


def execute(spec: RunSpec) -> Outcome:
    """Runs what is missing of a run.

    Raises:
        RunError: its records are damaged, in use, or cannot be written.
        InputError: the context cannot be indexed in this way.
    """
    start = time.perf_counter()
    config = {"identity": spec.identity(), "spec": _plain(spec)}
    with open_records(spec.folder, config) as records:
        if records.torn:
            tqdm.write(f"{spec.title}: cut off a torn last line of {records.path}")
        before = len(records.ids)
        groups = contexts(spec.model, spec.task)
        _answer_all(spec, groups, records)
        outcome = _outcome(records.records, time.perf_counter() - start, before)
        write_json(spec.folder / SUMMARY, dataclasses.asdict(outcome))
    _warn_if_off(spec, outcome)
    return outcome


def _answer_all(spec: RunSpec, groups: tuple[Context, ...], records: RecordFile) -> None:
    if all(each.row.id in records.ids for group in groups for each in group.examples):
        return
    if spec.model.threads is not None:
        torch.set_num_threads(spec.model.threads)
    model, tokenizer = loaded_model(spec.model), loaded_tokenizer(spec.model.source)
    method = build_method(spec.method.name, spec.method.parameters)
    total = sum(len(group.examples) for group in groups)
    with tqdm(total=total, desc=spec.title, initial=len(records.ids), leave=False) as bar:
        for group in groups:
            missing = [each for each in group.examples if each.row.id not in records.ids]
            if not missing:
                continue
            prepared = prepare(model, group.ids, spec.index, spec.model, spec.cache_dir)
            for example in missing:
                records.append(_answer(spec, model, tokenizer, method, group, prepared, example))
                bar.update()


def _answer(
    spec: RunSpec,
    model: Any,
    tokenizer: Any,
    method: squeezed.Method,
    group: Context,
    prepared: Prepared,
    example: Example,
) -> dict[str, Any]:
    row = example.row
    try:
        out = squeezed.generate(
            model,
            prepared.context,
            example.question_ids,
            method=method,
            max_new_tokens=spec.task.max_new_tokens or row.max_new_tokens,
        )
    except ValueError as error:
        raise InputError(f"{spec.title}: cannot answer {row.id}: {error}") from error
    new_ids = out.sequences[0]
    prediction = tokenizer.decode(new_ids, skip_special_tokens=True)
    return {
        "id": row.id,
        "context": group.key,
        "prediction": prediction,
        "answers": row.answers,
        "score": score(row.subtask, prediction, row.answers),
        "kv_budget": out.stats.kv_budget,
        "prefill_ms": _number(out.stats.prefill_ms),
        "decode_ms_per_token": _number(out.stats.decode_ms_per_token),
        "new_tokens": len(new_ids),
        "context_tokens": group.ids.numel(),
        "question_tokens": example.question_ids.numel(),
        "index_bytes": prepared.context.index_bytes,
        "prepare_ms": round(prepared.prepare_ms, 1),
        "index_cached": prepared.cached,
        "meta": {key: row.meta[key] for key in META_KEPT if key in row.meta},
        "threads": torch.get_num_threads(),
        "commit": provenance.commit(),
        "versions": dict(provenance.versions()),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _number(value: float) -> float | None:
    """A time in ms with three digits; None where there was nothing to time."""
    return round(value, 3) if math.isfinite(value) else None


def _outcome(records: list[dict[str, Any]], seconds: float, before: int) -> Outcome:
    def mean(field: str) -> float:
        return sum(record[field] for record in records) / len(records)

    return Outcome(mean("score"), mean("kv_budget"), len(records), round(seconds, 2), before)


def _warn_if_off(spec: RunSpec, outcome: Outcome) -> None:
    # A method that silently reads everything would look perfect.
    asked = dict(spec.method.parameters).get("sparsity", 0)
    if asked >= 0.2 and outcome.kv_budget > 0.99:
        tqdm.write(
            f"warning: {spec.title} was asked for sparsity {asked} and read "
            f"{outcome.kv_budget:.3f} of the KV cache: the method had no effect"
        )


def _plain(spec: RunSpec) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(spec), default=str))
