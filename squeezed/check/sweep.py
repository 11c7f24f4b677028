"""All types in turn, in processes of their own: one that dies or hangs costs its own verdict only."""

from __future__ import annotations

import json
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, astuple
from multiprocessing.connection import Connection
from pathlib import Path

from squeezed.check.verdict import CRASHED, Verdict

WORK = 120.0  # seconds of processor time for one model; on a busy machine they take longer
TIMEOUT = 3600.0  # seconds until a process that does not even work is given up
PROCESSES = multiprocessing.get_context("spawn")
EACH = 40  # models a process runs before a fresh one takes over; bounds its memory

Job = tuple[str, str]  # model type, variant


def sweep(
    jobs: Iterable[Job], known: dict[Job, Verdict], tell: Callable[[Job, Verdict], None]
) -> dict[Job, Verdict]:
    """Verdicts of all jobs; those known already are not run again."""
    found = {job: known[job] for job in jobs if job in known}
    waiting = iter([job for job in jobs if job not in known])
    for job, verdict in _run(waiting):
        found[job] = verdict
        tell(job, verdict)
    return found


def _run(jobs: Iterator[Job]) -> Iterator[tuple[Job, Verdict]]:
    worker: _Worker | None = None
    for job in jobs:
        if worker is None or worker.done >= EACH:
            if worker is not None:
                worker.stop()
            worker = _Worker()
        verdict = worker.ask(job)
        if not worker.alive:
            worker = None
        yield job, verdict
    if worker is not None:
        worker.stop()


class _Worker:
    """A process that judges one model after another."""

    def __init__(self) -> None:
        self.pipe, there = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=_work, args=(there,), daemon=True)
        self.process.start()
        there.close()
        self.done, self.alive = 0, True
        if not self.pipe.poll(TIMEOUT):  # on a new installation it compiles the kernels first
            self.stop()
            raise TimeoutError(f"no process to judge models in was ready in {TIMEOUT:.0f} s")
        self.pipe.recv()

    def ask(self, job: Job) -> Verdict:
        self.pipe.send(job)
        try:
            if self.pipe.poll(TIMEOUT):
                self.done += 1
                return Verdict(*self.pipe.recv())
            said = f"no answer in {TIMEOUT:.0f} s"
        except EOFError:
            said = f"the process died, or took more than {WORK:.0f} s of processor time"
        self.stop()
        return Verdict(CRASHED, said)

    def stop(self) -> None:
        self.alive = False
        self.process.terminate()
        self.process.join()


def _work(pipe: Connection) -> None:
    import squeezed_kernels
    import torch

    from squeezed.check.variants import judge

    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.bfloat16):
        squeezed_kernels.compile_all("cpu", dtype, _compiling)
    pipe.send("ready")
    while True:
        job = pipe.recv()
        if hasattr(signal, "setitimer"):  # its signal ends a process that does not stop working
            signal.setitimer(signal.ITIMER_PROF, WORK)
        verdict = judge(*job)
        pipe.send(astuple(verdict))


def _compiling(part: str, number: int, of: int) -> None:
    print(f"compiling the kernels once, part {number} of {of}: {part}", file=sys.stderr, flush=True)


def read(path: Path) -> dict[Job, Verdict]:
    """The verdicts that an earlier, interrupted sweep wrote; a torn last line is left out."""
    found: dict[Job, Verdict] = {}
    if not path.exists():
        return found
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            job = (row.pop("type"), row.pop("variant"))
            found[job] = Verdict(**row)
        except (ValueError, KeyError, TypeError):
            continue
    return found


def write(path: Path) -> Callable[[Job, Verdict], None]:
    """Appends each verdict to a file and says it on standard error."""

    def tell(job: Job, verdict: Verdict) -> None:
        row = {"type": job[0], "variant": job[1], **asdict(verdict)}
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        print(f"{' '.join(job):40} {verdict.line()[:150]}", file=sys.stderr, flush=True)

    return tell
