"""Injuries of the paid path; each gives an ``Outcome`` for so many tries."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

from prefixqa.output.folder import MANIFEST, new_set, recover
from tests.forked import PROCESSES
from tests.fuzz.damage import damaged_bytes, damaged_json
from tests.injuries.world import (
    Outcome,
    World,
    in_flight,
    kept,
    killed,
    leaks,
    pairs,
    world,
)


def kills(tries: int, seed: int, folder: Path) -> Outcome:
    """kill -9 after any number of requests, one to four times; then a run to the end."""
    outcome = Outcome()
    with world() as here:
        wanted = pairs(here.ask(folder / "undisturbed"))
        here.service.think = 0.01
        for number in range(tries):
            draw = random.Random(f"{seed} kills {number}")
            outcome.tried += 1
            outcome.survived += _one_schedule(here, folder / str(number), draw, wanted, outcome)
    return outcome


def _one_schedule(
    here: World, cache: Path, draw: random.Random, wanted: list[Any], outcome: Outcome
) -> bool:
    state = here.service
    state.answered.clear()
    state.came = flying = 0
    for _ in range(draw.randint(1, 4)):
        stop = state.came + draw.randint(0, 6)
        if killed(here, cache, lambda stop=stop: state.came >= stop and draw.random() < 0.3):  # type: ignore[misc]
            flying += in_flight(cache)
    done = here.ask(cache)
    unique = len(state.answered)
    twice = state.came - unique
    lost = unique - kept(cache)
    leaked = leaks(cache, *done.trouble)
    outcome.lost += lost
    outcome.leaked += leaked
    outcome.twice += twice
    outcome.allowed += flying
    return (
        pairs(done) == wanted and not done.trouble and not lost and not leaked and twice <= flying
    )


def limits(tries: int, seed: int, folder: Path) -> Outcome:
    """``max_cost`` reached at any place, again and again, with eight requests at one time."""
    outcome = Outcome()
    with world() as here:
        wanted = pairs(here.ask(folder / "undisturbed"))
        here.service.think = 0.005
        for number in range(tries):
            draw = random.Random(f"{seed} limits {number}")
            state, cache = here.service, folder / str(number)
            state.answered.clear()
            state.tokens[:] = [0, 0]
            state.came, limit, within = 0, 0, True
            while True:
                limit += draw.randint(500, 30_000)
                prices = {"price_in": 1e6, "price_out": 1e6, "max_cost": float(limit)}
                done = here.ask(cache, concurrency=8, **prices)
                within = within and sum(state.tokens) <= limit
                if not done.trouble:
                    break
            outcome.tried += 1
            lost, twice = len(state.answered) - kept(cache), state.came - len(state.answered)
            outcome.lost, outcome.twice = outcome.lost + lost, outcome.twice + twice
            leaked = leaks(cache, *done.trouble)
            outcome.leaked += leaked
            outcome.survived += pairs(done) == wanted and within and not (lost or twice or leaked)
    return outcome


def replies(tries: int, seed: int, folder: Path) -> Outcome:
    """Bodies damaged in any way: the run ends, and a second run sends nothing for what is kept."""
    outcome = Outcome()
    with world(documents=1) as here:
        for number in range(tries):
            draw = random.Random(f"{seed} replies {number}")
            state, cache = here.service, folder / str(number)
            state.answered.clear()
            state.body = lambda body, draw=draw: _damaged(draw, body)  # type: ignore[misc]
            changes = {"rounds": 1, "retries": 0, "concurrency": 1}
            first = here.ask(cache, **changes)
            there = kept(cache)
            state.body = lambda body: body
            second = here.ask(cache, **changes)
            outcome.tried += 1
            lost = max(0, there - kept(cache))
            leaked = leaks(cache, *first.trouble, *second.trouble)
            outcome.lost, outcome.leaked = outcome.lost + lost, outcome.leaked + leaked
            outcome.survived += not lost and not leaked and second.accounts.kept.total() >= there
    return outcome


def _damaged(draw: random.Random, body: dict[str, Any]) -> bytes:
    kind = draw.random()
    if kind < 0.3:
        return damaged_bytes(draw, [json.dumps(body).encode()])
    if kind < 0.6:
        return damaged_json(draw, [body])
    return json.dumps(body).encode()


def writes(tries: int, seed: int, folder: Path) -> Outcome:
    """kill -9 while sets replace each other in one folder."""
    outcome = Outcome()
    for number in range(tries):
        draw = random.Random(f"{seed} writes {number}")
        out = folder / str(number)
        write(out, "0", draw.randint(1, 3))
        process = PROCESSES.Process(target=write_again, args=(out, number))
        process.start()
        while process.is_alive() and _word(out) in (None, "0"):
            time.sleep(0.001)
        time.sleep(draw.random() / 50)
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        recover(out)
        words = {p.read_text() for p in out.rglob("*") if p.is_file() and p.name != MANIFEST}
        outcome.tried += 1
        outcome.survived += words == {_word(out)}
    return outcome


def write_again(out: Path, seed: int) -> None:
    """Set after set, each of other files, until somebody ends it."""
    draw = random.Random(seed)
    for number in range(1, 100_000):
        write(out, str(number), draw.randint(1, 3))


def write(out: Path, word: str, files: int) -> None:
    """A small set, in which every file says ``word``."""
    with new_set(out) as folder:
        names = [f"data/pairs/{number}.parquet" for number in range(files)]
        (folder / "data" / "pairs").mkdir(parents=True)
        for name in names:
            (folder / name).write_text(word)
        (folder / MANIFEST).write_text(json.dumps({"word": word, "files": dict.fromkeys(names)}))


def _word(out: Path) -> str | None:
    try:
        return str(json.loads((out / MANIFEST).read_text())["word"])
    except FileNotFoundError:
        return None


def stores(tries: int, seed: int, folder: Path) -> Outcome:
    """A kept answer that the disk cut off: set aside, counted, and asked for once more."""
    outcome = Outcome()
    with world(documents=1) as here:
        wanted = pairs(here.ask(folder / "good"))
        for number in range(tries):
            draw, cache = random.Random(f"{seed} stores {number}"), folder / str(number)
            here.ask(cache)
            with contextlib.closing(sqlite3.connect(cache / "responses.sqlite")) as file:
                rows = file.execute("SELECT key, response FROM responses ORDER BY key").fetchall()
                key, text = draw.choice(rows)
                cut = text[: draw.randrange(len(text))]
                file.execute("UPDATE responses SET response = ? WHERE key = ?", (cut, key))
                file.commit()
            before = here.service.came
            done = here.ask(cache)
            twice, lost = here.service.came - before, len(rows) - kept(cache)
            leaked = leaks(cache, *done.trouble)
            outcome.tried += 1
            outcome.allowed += 1
            outcome.lost, outcome.leaked = outcome.lost + lost, outcome.leaked + leaked
            outcome.twice += twice
            outcome.survived += pairs(done) == wanted and twice == 1 and not lost and not leaked
    return outcome


INJURIES = {
    "kill -9 at any request": (kills, 1.0),
    "`max_cost` reached at any request": (limits, 1.0),
    "replies damaged in any way": (replies, 2.0),
    "a kept answer cut off on the disk": (stores, 1.0),
    "kill -9 while a set is written": (writes, 5.0),
}
