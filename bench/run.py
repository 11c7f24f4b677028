"""One run: every question of a task, answered with one method, one record each."""

import dataclasses
import json
import time
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from bench.answer import Asking, answer, batches, calibrated, scored
from bench.contexts import prepare
from bench.errors import ImpossibleError
from bench.examples import Context, contexts, loaded_model, loaded_tokenizer
from bench.records import (
    RECORDS,
    SKIPPED,
    SUMMARY,
    RecordFile,
    open_records,
    read_records,
    write_json,
)
from bench.spec import RunSpec


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
        ImpossibleError: the method cannot meet the asked size; the run's folder says so too.
        InputError: the context cannot be indexed in this way.
    """
    start = time.perf_counter()
    config = {"identity": spec.identity(), "spec": _plain(spec)}
    with open_records(spec.folder, config) as records:
        if records.torn:
            tqdm.write(f"{spec.title}: cut off a torn last line of {records.path}")
        before = len(records.ids)
        groups = contexts(spec.model, spec.task)
        try:
            _answer_all(spec, groups, records)
        except ImpossibleError as error:
            write_json(spec.folder / SKIPPED, {"reason": str(error)})
            raise
        outcome = _outcome(records.records, time.perf_counter() - start, before)
        write_json(spec.folder / SUMMARY, dataclasses.asdict(outcome))
    _warn_if_off(spec, outcome)
    return outcome


def _answer_all(spec: RunSpec, groups: tuple[Context, ...], records: RecordFile) -> None:
    wanted = [(group, scored(spec, group)) for group in groups]
    if all(each.row.id in records.ids for _, examples in wanted for each in examples):
        return
    if spec.model.threads is not None:
        torch.set_num_threads(spec.model.threads)
    model, tokenizer = loaded_model(spec.model), loaded_tokenizer(spec.model.source)
    asking = Asking.of(spec, model, tokenizer)
    total = sum(len(examples) for _, examples in wanted)
    with tqdm(total=total, desc=spec.title, initial=len(records.ids), leave=False) as bar:
        for group, examples in wanted:
            missing = [each for each in examples if each.row.id not in records.ids]
            if not missing:
                continue
            prepared = prepare(model, group.ids, spec.index, spec.model, spec.cache_dir)
            prepared = calibrated(asking, group, prepared)
            for batch in batches(missing, spec.batch_size):
                for record in answer(asking, group, prepared, batch):
                    records.append(record)
                bar.update(len(batch))


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
