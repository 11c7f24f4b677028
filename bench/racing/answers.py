"""Candidates asked on a model: their answers are records of ordinary runs; those that are there are used."""

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import sleep
from typing import Any

import pandas as pd
from tqdm import tqdm

from bench.config.errors import BusyError, FailedError, ImpossibleError, InputError, RunError
from bench.config.method_settings import method_spec
from bench.config.schema import MethodConf
from bench.config.spec import RunSpec
from bench.racing.questions import looks
from bench.racing.race import Seen
from bench.records.failures import release_memory
from bench.records.files import RECORDS, in_use
from bench.records.stored import read_complete_records
from bench.reporting.variants import DENSE, METHOD, asked, labels, variant
from bench.runs.contexts import Shelf
from bench.runs.lengths import check_rows
from bench.runs.questions import Context, contexts
from bench.runs.run import extend

LOOK = 1.0  # seconds between two looks at a run that another process has
Records = dict[str, dict[str, Any]]  # by question


@dataclass
class Field:
    """The candidates of a race, and full attention, with their questions.

    Attributes:
        full: the run that all are compared with. candidates: by name. seed: of the order of questions.
        groups: the contexts. looks: the questions up to each look, by context of ``groups``.
    """

    full: RunSpec
    candidates: dict[str, RunSpec]
    seed: int
    groups: tuple[Context, ...] = ()
    looks: tuple[tuple[str, ...], ...] = ()
    _records: dict[RunSpec, Records] = field(default_factory=dict)
    _shelf: Shelf = field(default_factory=Shelf)

    @classmethod
    def of(cls, plan: Sequence[RunSpec], seed: int) -> "Field":
        """The field of some runs: all but full attention are candidates, and share a model and a task.

        Raises:
            InputError: there is none, or they do not share them, or as ``bench.runs.questions.contexts``.
        """
        specs = [spec for spec in plan if spec.method.name != DENSE]
        if not specs:
            raise InputError("no candidate is left: full attention is what they are compared with")
        if len({(spec.model, spec.task) for spec in specs}) > 1:
            raise InputError("a race has one model and one task; give each key of theirs one value")
        full = dataclasses.replace(specs[0], method=method_spec(MethodConf(name=DENSE)))
        return cls(full, named(specs), seed)

    def __post_init__(self) -> None:
        self.groups = contexts(self.full.model, self.full.task)
        check_rows(self.full, self.groups)
        # Questions that a candidate calibrates on are not scored there, so nobody is asked them.
        kept = max(spec.method.calibration_inputs for spec in self.candidates.values())
        self.looks = looks(
            {group.key: [each.row.id for each in group.examples[kept:]] for group in self.groups},
            self.seed,
        )

    def ask(self, names: Sequence[str], look: int) -> dict[str, Seen | str]:
        """What candidates say to all questions up to a look; or in words why one cannot be run.

        It goes context by context, so that each is prepared once, and times that other work on the machine
        spoils are spoiled for all candidates.

        Raises:
            RunError: the disk is full, or the GPU lost.
            InputError, FailedError: full attention cannot be run.
        """
        wanted = set(self.looks[look])
        out: dict[str, str] = {}
        here = [self.full, *(self.candidates[name] for name in names)]
        todo = {
            (group.key, spec): [
                each.row.id
                for each in group.examples
                if each.row.id in wanted and each.row.id not in self._known(spec)
            ]
            for group in self.groups
            for spec in here
        }
        total = sum(map(len, todo.values()))
        with tqdm(total=total, desc=f"look {look + 1} of {len(self.looks)}", leave=False) as bar:
            for group in self.groups:
                for name, spec in [("", self.full), *((n, self.candidates[n]) for n in names)]:
                    missing = todo[group.key, spec]
                    if missing and name not in out:
                        bar.set_postfix_str(name or "full", refresh=False)
                        if why := self._answered(spec, missing, needed=not name):
                            out[name] = why
                            tqdm.write(f"out of the race: {name}: {why}")
                    bar.update(len(missing))
        return {name: out.get(name) or self.seen(name, look) for name in names}

    def records(self, name: str | None, look: int) -> Records:
        """The records of a candidate, None: of full attention, up to a look."""
        known = self._known(self.full if name is None else self.candidates[name])
        return {each: known[each] for each in self.looks[look] if each in known}

    def seen(self, name: str, look: int) -> Seen:
        """What a candidate's records up to a look say."""
        ours, full = self.records(name, look), self.records(None, look)
        both = [each for each in ours if each in full]
        return Seen(
            differences=[ours[each]["score"] - full[each]["score"] for each in both],
            contexts=[ours[each]["context"] for each in both],
            read=statistics.fmean(ours[each]["kv_budget"] for each in both),
            seconds=answer_seconds(list(ours.values())),
        )

    def _known(self, spec: RunSpec) -> Records:
        if spec not in self._records:
            path, found = spec.folder / RECORDS, []
            if path.exists():
                try:
                    found = read_complete_records(path)
                except RunError:  # damaged lines are moved away when the run goes on
                    found = []
            self._records[spec] = {each["id"]: each for each in found}
        return self._records[spec]

    def _answered(self, spec: RunSpec, missing: Sequence[str], *, needed: bool) -> str:
        """Answers questions of one context; empty, or why the run cannot be."""
        while True:
            try:
                self._records[spec] = {
                    each["id"]: each for each in extend(spec, missing, self._shelf)
                }
                return ""
            except BusyError:
                tqdm.write(f"another process works on {spec.title}; waiting")
                while in_use(spec.folder):
                    sleep(LOOK)
            except (ImpossibleError, InputError, FailedError) as error:
                if needed:
                    raise
                why = str(error).removeprefix(f"{spec.title}: ")
            # Outside the handlers: an error holds the frames it passed, and these hold tensors.
            if why:
                release_memory()
                return why


def named(specs: Sequence[RunSpec]) -> dict[str, RunSpec]:
    """Runs on one model and one task by the names that tables give their methods and sizes."""
    rows = []
    for spec in specs:
        identity = spec.identity()
        method = identity["method"]
        found = (method.get("rule", ""), spec.method.depth, variant(identity), asked(method))
        rows.append(dict(zip(METHOD, (method["name"], *found), strict=True)))
    names = labels(pd.DataFrame(rows, columns=METHOD), size=True)
    return dict(zip(names, specs, strict=True))


def answer_seconds(records: Sequence[dict[str, Any]]) -> dict[int, float]:
    """Time of an answer, question and tokens, by how many questions were answered together.

    Times of a record are of all questions that were answered together, of which each has its part; a part of
    many is less than one that is asked alone, so only times of equally many can be compared. Of each it is
    the lower quartile, as other work on a machine only adds to it.
    """
    times: dict[int, list[float]] = {}
    for each in records:
        batch = each.get("batch", 1)
        whole = (each["prefill_ms"] or 0) + (each["decode_ms_per_token"] or 0) * each["new_tokens"]
        times.setdefault(batch, []).append(whole / batch / 1000)
    return {batch: _low(found) for batch, found in sorted(times.items())}


def _low(times: Sequence[float]) -> float:
    if len(times) == 1:
        return times[0]
    # Of two times the quartile is an extrapolation: below both, and below nothing if one is slow.
    return max(min(times), statistics.quantiles(times, n=4)[0])
