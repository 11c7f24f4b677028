"""One run: every question of a task, answered with one method, one record each."""

import dataclasses
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from bench.config.errors import ImpossibleError, InputError, RunError
from bench.config.method_settings import build_method
from bench.config.spec import IndexSpec, RunSpec
from bench.config.words import counted
from bench.models.sizes import obstacle
from bench.records import provenance
from bench.records.failures import attempt, device_lost, record_failure
from bench.records.files import (
    CONFIG,
    DAMAGED,
    FAILED,
    RECORDS,
    SKIPPED,
    SUMMARY,
    RecordFile,
    open_records,
    read_json,
    write_json,
)
from bench.records.stored import flaw, read_complete_records, read_identity
from bench.runs.answer import Asking, answer, batches, calibrated, ready, scored
from bench.runs.compiled import compiled
from bench.runs.contexts import Prepared, Shelf, cache_key, prepare
from bench.runs.lengths import check_rows
from bench.runs.questions import (
    Context,
    Example,
    contexts,
    fingerprint,
    loaded_model,
    prompt_date,
    tokenizer_of,
)
from bench.runs.rows_check import require_same_rows, require_same_weights, row_fingerprints
from squeezed.model.fingerprint import of_weights

WEIGHTS_DIGITS = 16  # of the fingerprint in records


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
            f"{counted(self.examples, 'example')}{note}, {self.seconds:.1f} s"
        )


def finished(spec: RunSpec) -> Outcome | None:
    """The outcome of a run that needs nothing more, without loading its model; None otherwise."""
    summary, path = read_json(spec.folder / SUMMARY), spec.folder / RECORDS
    if summary is None or not path.exists():
        return None
    try:
        read_identity(spec.folder / CONFIG)
        records = read_complete_records(path)
    except RunError:  # damaged: the run is started again, and mends them
        return None
    expected = summary.get("examples")
    if not records or len(records) != expected or len(row_fingerprints(records)) > 1:
        return None
    return _outcome(records, 0.0, len(records))


def say_caveat(spec: RunSpec) -> None:
    """Prints what whoever reads a result of the run's method has to know, if there is anything."""
    if caveat := build_method(spec.method.name, spec.method.parameters).caveat:
        tqdm.write(f"warning: {spec.title}: {caveat}")


def execute(spec: RunSpec) -> Outcome:
    """Runs what is missing of a run. Damaged records are moved away, and their examples answered anew.

    Raises:
        BusyError: another process works on it.
        RunError: its records cannot be written, or the GPU is lost to this process.
        ImpossibleError: the method cannot meet the asked size; the run's folder says so too.
        InputError: the context cannot be indexed in this way; FailedError: out of memory, or any other
            error of the model or the engine. ``failed.json`` in the run's folder has the reason.
    """
    say_caveat(spec)
    outcome, _ = _work(spec, None, None)
    _warn_if_off(spec, outcome)
    return outcome


def extend(spec: RunSpec, ids: Collection[str], shelf: Shelf) -> list[dict[str, Any]]:
    """Answers some questions of a run, as far as they are missing; the run is finished with its last one.

    Args:
        ids: of the questions. shelf: where the last context is kept for other runs of the same method.

    Returns:
        All records of the run.

    Raises:
        BusyError, RunError, ImpossibleError, InputError, FailedError: as ``execute``.
    """
    _, records = _work(spec, ids, shelf)
    return records


def _work(
    spec: RunSpec, only: Collection[str] | None, shelf: Shelf | None
) -> tuple[Outcome, list[dict[str, Any]]]:
    """What came of the run so far, and its records. ``only``: the questions to ask; None: all."""
    start = time.perf_counter()
    config = {"identity": spec.identity(), "spec": provenance.resolved(spec)}
    with open_records(spec.folder, config, flaw) as records:
        _say_what_was_mended(spec, records)
        before = len(records.ids)
        try:
            with attempt(spec.folder, before):
                whole = _answer(spec, records, only, shelf)
            outcome = _outcome(records.records, time.perf_counter() - start, before)
            if whole:
                write_json(spec.folder / SUMMARY, dataclasses.asdict(outcome))
            (spec.folder / FAILED).unlink(missing_ok=True)
        except OSError as error:  # records have a message of their own
            raise RunError(
                f"cannot write to {spec.folder}: {error.strerror or error}; its {len(records.ids)} records "
                "are intact. Make room and run the same command again: it goes on from there"
            ) from error
    return outcome, records.records


def _answer(
    spec: RunSpec, records: RecordFile, only: Collection[str] | None, shelf: Shelf | None
) -> bool:
    """Answers what is missing, and says whether that is all of the run; a failure leaves its row."""
    try:
        return _answer_all(spec, contexts(spec.model, spec.task), records, only, shelf)
    except ImpossibleError as error:
        write_json(spec.folder / SKIPPED, {"reason": str(error)})
        raise
    except RunError:
        raise
    except InputError as error:
        record_failure(spec.folder, error, len(records.ids))
        raise
    except Exception as error:
        failure = record_failure(spec.folder, error, len(records.ids))
        if device_lost(error):
            raise RunError(
                f"{spec.title}: {failure}; this process can use the GPU no more. Run the same command "
                "again: it goes on with the other runs"
            ) from error
        raise failure from error


def _answer_all(
    spec: RunSpec,
    groups: tuple[Context, ...],
    records: RecordFile,
    only: Collection[str] | None,
    shelf: Shelf | None,
) -> bool:
    every = [(group, scored(spec, group)) for group in groups]
    rows = fingerprint(groups)
    require_same_rows(records.records, groups, rows)
    wanted = [
        (group, [each for each in examples if only is None or each.row.id in only])
        for group, examples in every
    ]
    wanted = [
        (group, missing)
        for group, examples in wanted
        if (missing := [each for each in examples if each.row.id not in records.ids])
    ]
    if wanted:
        _ask(spec, wanted, records, provenance.of(spec, rows) | prompt_date(groups), only, shelf)
    return all(each.row.id in records.ids for _, examples in every for each in examples)


def _ask(
    spec: RunSpec,
    wanted: list[tuple[Context, list[Example]]],
    records: RecordFile,
    origin: dict[str, Any],
    only: Collection[str] | None,
    shelf: Shelf | None,
) -> None:
    """Asks questions, context by context; ``origin``: where the records come from."""
    groups = tuple(group for group, _ in wanted)
    if only is None:  # whoever asks for some has seen to it once for all
        check_rows(spec, groups)
    for group in groups:
        if reason := obstacle(spec, group.ids.numel()):
            raise ImpossibleError(f"{spec.title}: {reason}")
    if spec.model.threads is not None:
        torch.set_num_threads(spec.model.threads)
    model, tokenizer = loaded_model(spec.model), tokenizer_of(spec.model)
    weights = of_weights(model)[:WEIGHTS_DIGITS]
    require_same_weights(records.records, weights)
    origin = {**origin, "weights": weights}
    compiled([spec])
    asking = Asking.of(spec, model, tokenizer)
    missing = sum(len(examples) for _, examples in wanted)
    bar = tqdm(
        total=len(records.ids) + missing,
        desc=spec.title,
        initial=len(records.ids),
        leave=False,
        # Whoever asks for some has a bar for all; bench.cli.live tells a log; launchers set the last one.
        disable=only is not None or not sys.stderr.isatty() or "TQDM_DISABLE" in os.environ,
    )
    with bar:
        for group, examples in wanted:
            prepared = ready(asking, _prepared(asking, group, shelf))
            for batch in batches(examples, spec.batch_size):
                for record in answer(asking, group, prepared, batch):
                    records.append(record | {"provenance": origin})
                bar.update(len(batch))


def _prepared(asking: Asking, group: Context, shelf: Shelf | None) -> Prepared:
    """The context of some questions, calibrated as the run says."""
    spec, index = asking.spec, index_of(asking.spec)

    def make() -> Prepared:
        return prepare(
            asking.model, group.ids, index, spec.model, spec.cache_dir, spec.cache_max_bytes
        )

    if shelf is None:
        return calibrated(asking, group, make())
    # By method: what one works out of a context is of no use to another, and would only take memory.
    key = f"{spec.method.name} {cache_key(group.ids, index, spec.model)}"
    return calibrated(asking, group, shelf.take(key, make))


def index_of(spec: RunSpec) -> IndexSpec:
    """How a run's contexts are prepared; without a context nothing is longer than the window."""
    return dataclasses.replace(spec.index, window=1) if spec.task.closed_book else spec.index


def _outcome(records: list[dict[str, Any]], seconds: float, before: int) -> Outcome:
    def mean(field: str) -> float:
        return sum(record[field] for record in records) / len(records)

    return Outcome(mean("score"), mean("kv_budget"), len(records), round(seconds, 2), before)


def _say_what_was_mended(spec: RunSpec, records: RecordFile) -> None:
    if records.torn:
        tqdm.write(f"{spec.title}: cut off a torn last line of {records.path}")
    if records.damaged:
        tqdm.write(
            f"{spec.title}: moved {records.damaged} damaged lines of {records.path} to {DAMAGED}; "
            "their examples are answered anew"
        )


def _warn_if_off(spec: RunSpec, outcome: Outcome) -> None:
    # A method that silently reads everything would look perfect.
    asked = dict(spec.method.parameters).get("sparsity", 0)
    if asked >= 0.2 and outcome.kv_budget > 0.99:
        tqdm.write(
            f"warning: {spec.title} was asked for sparsity {asked} and read "
            f"{outcome.kv_budget:.3f} of the KV cache: the method had no effect"
        )
