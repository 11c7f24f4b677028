"""``openai.max_cost`` is a limit, and what is paid is kept: whatever stops a run."""

import asyncio
import contextlib
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from server import Service, known_document

from prefixqa.config import ServiceConfig
from prefixqa.document import Document
from prefixqa.service.run import Finished, ask_service
from prefixqa.service.store import Store
from prefixqa.tokens import TokenCounter

Settings = Callable[..., ServiceConfig]
State = tuple[Service, str]
QUESTIONS = 4


@pytest.fixture
def documents(service: State) -> list[Document]:
    found = []
    for name in ("a", "b", "c"):
        document, pairs = known_document(name, 500, 12)
        found.append(document)
        service[0].facts += pairs
    return found


def ask(
    settings: ServiceConfig, documents: list[Document], tokens: TokenCounter, cache: Path
) -> Finished:
    return ask_service(settings, documents, tokens, QUESTIONS, 0, cache)


def kept(cache: Path) -> int:
    """Answers in the store."""
    with contextlib.closing(sqlite3.connect(cache / "responses.sqlite")) as file:
        return int(file.execute("SELECT COUNT(*) FROM responses").fetchone()[0])


@pytest.mark.parametrize("usage", [True, False], ids=["counted", "not counted"])
def test_no_more_than_the_limit_is_spent_over_all_starts(
    service: State, asking: Settings, documents: list[Document], tokens: TokenCounter,
    tmp_path: Path, usage: bool,
) -> None:  # fmt: skip
    """At a million a million tokens, cost is tokens; the server counts what it gave for itself."""
    state, _ = service
    state.usage = usage
    state.think = 0.01
    spent, limit = 0, 0
    draw = random.Random(3)
    done = None
    while done is None or done.trouble:
        limit += draw.choice((1_000, 10_000, 20_000))
        assert limit < 300_000
        settings = asking(price_in=1e6, price_out=1e6, max_cost=limit, concurrency=8)
        for _ in range(2):  # a second start begins where the first ended
            done = ask(settings, documents, tokens, tmp_path)
            spent = sum(state.tokens)
            assert spent <= limit
            assert all("openai.max_cost" in each for each in done.trouble)
            assert kept(tmp_path) == state.answered.total()  # nothing paid was thrown away
    assert set(state.answered.values()) == {1}
    assert spent > 4_000
    assert sum(len(each.pairs) for each in done.made) == 3 * QUESTIONS
    assert done.accounts.summary()["estimated"] == (0 if usage else kept(tmp_path))
    assert ("the service does not count" in done.accounts.line()) == (not usage)


def test_an_attempt_that_broke_may_have_been_paid_and_counts(
    service: State,
    asking: Settings,
    documents: list[Document],
    tokens: TokenCounter,
    tmp_path: Path,
) -> None:
    state, _ = service
    state.faults.extend(["cut"] * 4)
    settings = asking(price_in=1e6, price_out=1e6, max_cost=20_000, concurrency=1, retries=5)
    done = ask(settings, documents, tokens, tmp_path)
    assert "openai.max_cost" in done.trouble[0]
    store = Store(tmp_path)
    assert store.held()[0] >= 1
    assert sum(store.paid()) + sum(store.held()[1:]) <= 20_000
    store.close()


def test_a_refused_attempt_costs_nothing(
    service: State,
    asking: Settings,
    documents: list[Document],
    tokens: TokenCounter,
    tmp_path: Path,
) -> None:
    service[0].faults.extend(["429", "500"])
    assert not ask(asking(), documents, tokens, tmp_path).trouble
    store = Store(tmp_path)
    assert store.held() == (0, 0, 0)
    store.close()


def test_what_is_under_way_when_a_run_is_stopped_is_kept(
    service: State,
    asking: Settings,
    documents: list[Document],
    tokens: TokenCounter,
    tmp_path: Path,
) -> None:
    """As Ctrl-C does it: asyncio cancels the run's task."""
    state, _ = service
    state.think = 0.5

    async def interrupted() -> None:
        from prefixqa.service.run import _all

        store = Store(tmp_path)
        run = asyncio.create_task(_all(asking(), documents, tokens, QUESTIONS, 0, store))
        while state.busy < 3:
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert run.cancelled()
        store.close()

    asyncio.run(interrupted())
    assert 3 <= state.answered.total() == kept(tmp_path) <= 4
    state.think = 0.0
    ask(asking(), documents, tokens, tmp_path)
    assert set(state.answered.values()) == {1}


@pytest.mark.parametrize("status", [401, 402])
def test_what_is_under_way_when_the_service_refuses_is_kept(
    service: State, asking: Settings, documents: list[Document], tokens: TokenCounter,
    tmp_path: Path, status: int,
) -> None:  # fmt: skip
    state, _ = service
    state.think = 0.4
    state.refuse_after = (3, status)
    with pytest.raises(ValueError, match=str(status)):
        ask(asking(concurrency=3), documents, tokens, tmp_path)
    assert state.answered.total() == kept(tmp_path) == 3


def test_two_who_ask_the_same_pay_once(
    service: State,
    asking: Settings,
    documents: list[Document],
    tokens: TokenCounter,
    tmp_path: Path,
) -> None:
    service[0].think = 0.05
    ask(asking(), [documents[0], documents[0]], tokens, tmp_path)
    assert set(service[0].answered.values()) == {1}
