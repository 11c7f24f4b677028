"""Measures what the settings ask for, and keeps each line in the table as soon as it is done."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm
from transformers import DynamicCache

import squeezed
from bench.config.errors import InputError
from bench.models import load_model
from bench.records.provenance import commit
from bench.timing.kernels.clock import MOST, Times, summary
from bench.timing.kernels.machine import processor_name
from bench.timing.kernels.table import Row, Table, named
from bench.timing.waits import methods
from bench.timing.waits.profile import profiled
from bench.timing.waits.settings import METHODS, Settings
from bench.timing.waits.steps import FLOOR, THEIRS, Pass, Server, held, prefilled, servers, using
from ruler.generate import generate
from squeezed.model.families import require_supported

KEYS = (
    "device", "commit", "model", "dtype", "threads", "length", "what", "tokens", "batch", "kv_budget",
)  # fmt: skip
FIELDS = (
    *KEYS, "who", "median_ms", "low_ms", "high_ms", "cpu_ms", "rounds", "cpu_above_floor",
    "cpu_share", "torch",
)  # fmt: skip
PROFILED = (*KEYS, "who", "part", "ms", "calls", "torch")
WARM = 512  # tokens of a context that is prefilled before any is timed
CHUNK = 2048  # tokens of a pass where the prefill is not timed
TOKENS = 5  # of an answer, in each round
FEWEST = 3  # rounds: a pass of many user inputs takes a minute, and moves less than short ones
STEPS = 20  # tokens that are profiled, and user inputs a fifth of that
CONTEXT, QUESTION, TOKEN = "context", "question", "token"
PREFILL, INDEX = "prefill", "index"
RULER_TASK, RULER_SEED = "niah_multikey_2", 1


def run(settings: Settings) -> None:
    """Measures all lines that are not in the table yet.

    Raises:
        InputError: a model that cannot be loaded, or a budget that cannot be met on a length.
    """
    folder = settings.results / "timing"
    table = Table(folder / "waits.csv", FIELDS, KEYS)
    profile = Table(folder / "profile.csv", PROFILED, KEYS) if settings.profile else None
    try:
        # On the processor, whose name stands beside the times, also where there is a GPU.
        model, tokenizer = load_model(
            settings.model, path=settings.path, dtype=settings.dtype, device="cpu"
        )
        require_supported(model)
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from error
    methods.require_budget(settings, model.config)
    before = torch.get_num_threads()
    each = bool(settings.contexts) + len(_asked(settings))
    lines = len(settings.lengths) * len(settings.threads) * each
    try:
        with tqdm(total=lines, unit="line") as progress:
            for length in settings.lengths:
                ids = context_ids(tokenizer, length)
                for threads in settings.threads:
                    torch.set_num_threads(threads)
                    of = _Lines(settings, table, profile, model, ids, threads, progress)
                    of.measure()
    finally:
        torch.set_num_threads(before)
    for written in (table, profile) if profile else (table,):
        print(f"wrote {written.path}")


def context_ids(tokenizer: Any, length: int) -> torch.Tensor:
    """Token ids ``[length]`` of a RULER context, begun anew where it is too short."""
    row = next(generate(RULER_TASK, tokenizer, length, samples=1, seed=RULER_SEED))
    ids = torch.tensor(tokenizer(row.context)["input_ids"])
    return ids.repeat(-(-length // len(ids)))[:length]


@dataclass
class _Lines:
    """All lines of one context length and number of threads."""

    settings: Settings
    table: Table
    profile: Table | None
    model: Any
    ids: torch.Tensor
    threads: int
    progress: Any

    def measure(self) -> None:
        todo = [
            (what, tokens, batch)
            for what, tokens, batch in self._wanted()
            if self.settings.fresh or not self._known(what, tokens, batch)
        ]
        self.progress.update(self._count() - len({line[1:] for line in todo}))
        asked = sorted({line[1:] for line in todo if line[0] != CONTEXT})
        if (CONTEXT, len(self.ids), 1) in todo:
            self._say("context")
            times, context, whole = self._contexts()
            self._keep(CONTEXT, len(self.ids), 1, times)
            self.progress.update()
        elif asked:
            self._say("prefill")
            context = squeezed.prepare(self.model, self.ids)
            whole = prefilled(self.model, self.ids, CHUNK)
        if not asked:
            return
        size = held(whole)
        # With those that are in the table already: a line is timed whole, by turns.
        there = {row["who"] for line in todo for row in self._rows(self.table, *line)}
        wanted = [name for name in METHODS if name in {*self.settings.methods, *there}]
        serving = servers(self.model, whole, context, methods.of(self.settings.kv_budget, wanted))
        for tokens, batch in asked:
            self._say(f"{batch} x {tokens}")
            here = dict(serving)
            if size * batch > 1e9 * self.settings.memory:
                del here[THEIRS]
                tqdm.write(
                    f"transformers' cache of {batch} x {len(self.ids)} tokens would take "
                    f"{size * batch / 1e9:.1f} GB, more than memory={self.settings.memory:g}: left out"
                )
            for what, times in self._conversations(here, tokens, batch).items():
                self._keep(what, tokens, batch, times)
            if self.profile is not None:
                self._keep_profile(self.profile, here, tokens, batch)
            self.progress.update()

    def _known(self, what: str, tokens: int, batch: int) -> bool:
        whole = [self.table, self.profile] if self.profile and what != CONTEXT else [self.table]
        wanted = {INDEX} if what == CONTEXT else {FLOOR, *self.settings.methods}
        return all(
            wanted <= {row["who"] for row in self._rows(table, what, tokens, batch)}
            for table in whole
        )

    def _rows(self, table: Table, what: str, tokens: int, batch: int) -> list[Row]:
        """What a table has of a line."""
        return table.of(self._key(what, tokens, batch))

    def _wanted(self) -> list[tuple[str, int, int]]:
        """What, tokens and batch of every line."""
        asked = _asked(self.settings)
        lines = [(what, *each) for each in asked for what in (QUESTION, TOKEN)]
        context = [(CONTEXT, len(self.ids), 1)] if self.settings.contexts else []
        return [*context, *lines]

    def _count(self) -> int:
        return len({line[1:] for line in self._wanted()})

    def _say(self, what: str) -> None:
        self.progress.set_description(f"{len(self.ids):,} tokens, threads={self.threads}: {what}")

    def _contexts(self) -> tuple[dict[str, Times], squeezed.FixedContext, DynamicCache]:
        """The dense prefill in a single pass, ours in chunks, and the index, by turns; and what they made."""
        found: dict[str, list[tuple[float, float]]] = {THEIRS: [], PREFILL: [], INDEX: []}
        for number in range(-1, self.settings.contexts):
            ids = self.ids if number >= 0 else self.ids[:WARM]
            start = _now()
            whole = prefilled(self.model, ids)
            theirs = _since(start)
            ends: list[tuple[float, float]] = []

            def after(*_: object, ends: list[tuple[float, float]] = ends) -> None:
                ends.append(_now())  # the index is all that comes after the last pass

            hook = self.model.base_model.register_forward_hook(after)
            start = _now()
            try:
                context = squeezed.prepare(self.model, ids)
            finally:
                hook.remove()
            index = _since(ends[-1])
            if number >= 0:
                found[THEIRS].append(theirs)
                found[INDEX].append(index)
                found[PREFILL].append((ends[-1][0] - start[0], ends[-1][1] - start[1]))
        return {name: _times(each) for name, each in found.items()}, context, whole

    def _conversations(
        self, serving: Mapping[str, Server], tokens: int, batch: int
    ) -> dict[str, dict[str, Times]]:
        """Times of the user inputs' pass and of a token's, of every server by turns."""
        inputs = self.ids[:tokens].repeat(batch, 1)
        passes = {name: Pass(self.model, each, inputs) for name, each in serving.items()}
        found: dict[str, dict[str, list[tuple[float, float]]]] = {QUESTION: {}, TOKEN: {}}
        started = time.perf_counter()
        for number in range(-1, MOST):  # the first one warms up
            if number >= FEWEST and time.perf_counter() - started > self.settings.seconds:
                break
            for name, each in passes.items():
                each.ready()
                with using(self.model, each.server.implementation):
                    for what, step in ((QUESTION, each.ask), *[(TOKEN, each.step)] * TOKENS):
                        took = _timed(step)
                        if number >= 0:
                            found[what].setdefault(name, []).append(took)
        return {
            what: {name: _times(each) for name, each in of.items()} for what, of in found.items()
        }

    def _keep_profile(
        self, table: Table, serving: Mapping[str, Server], tokens: int, batch: int
    ) -> None:
        """Writes where the time of a user inputs' pass and of a token's goes, for every server."""
        inputs = self.ids[:tokens].repeat(batch, 1)
        rows = []
        for name, server in serving.items():
            each = Pass(self.model, server, inputs)

            def asked(each: Pass = each) -> None:
                each.ready()
                each.ask()

            with using(self.model, server.implementation):
                asked()
                each.step()
                found = {TOKEN: profiled(each.step, STEPS), QUESTION: profiled(asked, STEPS // 5)}
            rows += [
                {
                    **self._key(what, tokens, batch),
                    "who": name,
                    "part": part,
                    "ms": ms,
                    "calls": calls,
                    "torch": torch.__version__,
                }
                for what, parts in found.items()
                for part, (ms, calls) in parts.items()
            ]
        table.replace(rows)

    def _key(self, what: str, tokens: int, batch: int) -> dict[str, object]:
        given = self.settings
        machine = (
            processor_name(),
            commit(),
            named(given.model, given.path),
            given.dtype,
            self.threads,
        )
        line = (len(self.ids), what, tokens, batch, given.kv_budget)
        return dict(zip(KEYS, (*machine, *line), strict=True))

    def _keep(self, what: str, tokens: int, batch: int, times: Mapping[str, Times]) -> None:
        """Writes a line's rows.

        ``cpu_share``: above the floor, over transformers' own; of a context, over its single pass.
        """
        floor = times[FLOOR].cpu if FLOOR in times else 0.0
        theirs = times[THEIRS].cpu if THEIRS in times else None
        rows = []
        for who, each in times.items():
            assert each.cpu is not None
            assert floor is not None
            above = each.cpu - floor
            share = above / (theirs - floor) if theirs is not None and theirs > floor else ""
            rows.append(
                {
                    **self._key(what, tokens, batch),
                    "who": who,
                    "median_ms": each.median,
                    "low_ms": each.low,
                    "high_ms": each.high,
                    "cpu_ms": each.cpu,
                    "rounds": each.rounds,
                    "cpu_above_floor": above,
                    "cpu_share": share,
                    "torch": torch.__version__,
                }
            )
        self.table.replace(rows)


def _asked(settings: Settings) -> list[tuple[int, int]]:
    """Tokens and batch of every pass that is not too large."""
    every = [(tokens, batch) for batch in settings.batches for tokens in settings.questions]
    return [(tokens, batch) for tokens, batch in every if tokens * batch <= settings.together]


def _timed(step: Callable[[], object]) -> tuple[float, float]:
    start = _now()
    step()
    return _since(start)


def _now() -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    now = _now()
    return now[0] - start[0], now[1] - start[1]


def _times(pairs: list[tuple[float, float]]) -> Times:
    return summary([1e3 * wall for wall, _ in pairs], [1e3 * cpu for _, cpu in pairs])
