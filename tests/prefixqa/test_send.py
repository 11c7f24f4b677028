"""What is sent and how long it is waited for: as the service says, within limits, and in its own words."""

import asyncio
import email.utils
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from server import Service, known_document

from prefixqa.config import ServiceConfig
from prefixqa.document import Document
from prefixqa.service.budget import Budget
from prefixqa.service.run import Finished, ask_service, check_service
from prefixqa.service.waits import asked_wait, backoff
from prefixqa.tokens import TokenCounter

Settings = Callable[..., ServiceConfig]
State = tuple[Service, str]


@pytest.fixture
def document(service: State) -> Document:
    found, pairs = known_document("one", 500, 12)
    service[0].facts = list(pairs)
    return found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be waited; nothing is."""
    seen: list[float] = []

    async def rest(seconds: float, stopping: asyncio.Event) -> bool:
        seen.append(seconds)
        return True

    monkeypatch.setattr("prefixqa.service.send.rest", rest)
    return seen


def ask(settings: ServiceConfig, document: Document, tokens: TokenCounter, cache: Path) -> Finished:
    return ask_service(settings, [document], tokens, 4, 0, cache)


def test_a_long_wait_is_kept_to_and_told(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path,
    waits: list[float], capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The client library gives up where a service asks for more than two minutes."""
    service[0].faults.append("429")
    service[0].retry_after = "300"
    done = ask(asking(concurrency=1), document, tokens, tmp_path)
    assert done.trouble == []
    assert waits[0] == 300
    assert len(done.made[0].pairs) == 4
    said = capfd.readouterr().err
    assert "answers 429, 'slow down'; it asks to wait 300 s: waiting" in said


def test_what_one_request_is_told_holds_for_all(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """For those that are sent once the refusal was read: here the later ones of another document."""
    other, pairs = known_document("two", 500, 12)
    service[0].facts += pairs
    service[0].faults.append("429")
    service[0].retry_after = "1.5"
    told: list[float] = []
    sent: list[float] = []
    reserve = Budget.reserve

    def read(headers: Mapping[str, str]) -> float | None:
        told.append(time.monotonic())
        return asked_wait(headers)

    async def about_to_send(self: Budget, *given: Any) -> None:
        sent.append(time.monotonic())
        await reserve(self, *given)

    monkeypatch.setattr("prefixqa.service.send.asked_wait", read)
    monkeypatch.setattr(Budget, "reserve", about_to_send)
    done = ask_service(asking(concurrency=4), [document, other], tokens, 4, 0, tmp_path)
    assert not done.trouble
    assert len(told) == 1
    later = [at for at in sent if at > told[0]]
    assert later
    assert min(later) - told[0] >= 1.45


def test_a_wait_beyond_the_limit_ends_the_request(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path,
    waits: list[float],
) -> None:  # fmt: skip
    service[0].faults.append("429")
    service[0].retry_after = "7200"
    done = ask(asking(concurrency=1, rounds=1), document, tokens, tmp_path)
    assert "it asks to wait 7200 s, openai.max_wait is 600" in done.trouble[0]
    assert waits == []


def test_waits_are_read_in_every_form() -> None:
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert asked_wait({"retry-after": "2.5"}) == 2.5
    assert asked_wait({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert 97 < (asked_wait({"retry-after": date}) or 0) <= 100
    assert asked_wait({"retry-after": "-4"}) == 0
    assert asked_wait({"retry-after": "inf"}) == float("inf")
    for nothing in ({}, {"retry-after": "soon"}, {"retry-after": "nan"}):
        assert asked_wait(nothing) is None
    assert 0.3 < backoff(0) <= 0.5 < 6 <= backoff(50) <= 8


def test_an_answer_that_drips_passes_no_limit(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path
) -> None:
    service[0].faults.append("drip")
    service[0].slow = 30
    start = time.monotonic()
    done = ask(asking(timeout=1.0, concurrency=1), document, tokens, tmp_path)
    assert time.monotonic() - start < 15
    assert done.accounts.summary()["failures"] == {"time_out": 1}
    assert done.trouble == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", "the service answers 500, 'key *** is over its quota'"),
        ("timeout", "no answer within openai.timeout=0.5 s"),
        ("cut", "the connection broke"),
        ("garbage", "the answer is no JSON"),
    ],
)
def test_failures_are_told_in_the_services_words(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path,
    waits: list[float], monkeypatch: pytest.MonkeyPatch, fault: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("PREFIXQA_TEST_KEY", "corr3ct-h0rse")
    service[0].faults.extend([fault] * 2)
    service[0].slow = 1.0
    service[0].words = "key corr3ct-h0rse\n is over its quota"
    done = ask(asking(retries=1, concurrency=1, rounds=1, timeout=0.5), document, tokens, tmp_path)
    assert words in done.trouble[0]
    assert "h0rse" not in done.trouble[0]


def test_a_service_that_is_not_there(
    asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path, waits: list[float]
) -> None:
    done = ask(asking(base_url="http://127.0.0.1:9/v1", rounds=1), document, tokens, tmp_path)
    assert "no connection (ConnectError)" in done.trouble[0]


def test_an_error_under_the_status_of_success_is_told(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path,
    waits: list[float],
) -> None:  # fmt: skip
    service[0].body = lambda body: {"error": {"message": "no model is free", "code": 503}}
    done = ask(asking(retries=1, concurrency=1, rounds=1), document, tokens, tmp_path)
    assert "no model is free" in done.trouble[0]


@pytest.mark.parametrize("content", [7, None, ["x", 3], {"answers": 1}, [{"type": "image_url"}]])
def test_content_that_is_no_text_is_kept_and_stops_no_restart(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path,
    content: Any,
) -> None:  # fmt: skip
    state, _ = service

    def odd(body: dict[str, Any]) -> dict[str, Any]:
        body["choices"][0]["message"]["content"] = content
        body["usage"] = {"prompt_tokens": 1e308, "completion_tokens": [1]}
        return body

    state.body = odd
    first = ask(asking(rounds=1), document, tokens, tmp_path)
    paid = state.answered.total()
    second = ask(asking(rounds=1), document, tokens, tmp_path)
    assert first.made == second.made
    assert state.answered.total() == paid > 0
    assert set(state.answered.values()) <= {1, 2}  # asked for once more, as any answer without JSON


def test_parts_with_thoughts_are_read(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path
) -> None:
    def parts(body: dict[str, Any]) -> dict[str, Any]:
        message = body["choices"][0]["message"]
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": '{"pairs": []}'}]}
        message["content"] = [thought, {"type": "text", "text": message["content"]}]
        return body

    service[0].body = parts
    done = ask(asking(), document, tokens, tmp_path)
    assert len(done.made[0].pairs) == 4
    assert not done.accounts.failures


def test_the_same_service_on_another_port_is_not_paid_again(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path
) -> None:
    from server import Running

    ask(asking(), document, tokens, tmp_path)
    paid = service[0].answered.total()
    other = Running(service[0])
    ask(asking(base_url=other.url), document, tokens, tmp_path)
    other.close()
    assert service[0].answered.total() == paid


def test_what_is_sent_can_be_changed(
    service: State, asking: Settings, document: Document, tokens: TokenCounter, tmp_path: Path
) -> None:
    extra = {"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False}}
    settings = asking(send_seed=False, answer_tokens=5000, extra_body=extra, temperature=-1)
    ask(settings, document, tokens, tmp_path)
    bodies = [json.loads(body) for body in service[0].answered]
    proposals = [body for body in bodies if "Passage:" in body["messages"][1]["content"]]
    assert proposals
    for body in proposals:
        assert "seed" not in body
        assert "temperature" not in body
        assert body["max_tokens"] == 5000
        assert {name: body[name] for name in extra} == extra


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra_body": {"messages": []}}, "extra_body: messages is said by the suite itself"),
        ({"extra_body": {"max_tokens": "many"}}, "max_tokens is 'many'"),
        ({"extra_body": {"x": float("nan")}}, "cannot be sent as JSON"),
        ({"answer_tokens": 0}, "answer_tokens is 0"),
        ({"max_wait": 0}, "max_wait is 0"),
        ({"price_in": -1.0, "price_out": 1.0}, "price_in is -1"),
        ({"max_cost": float("nan"), "price_in": 1.0, "price_out": 1.0}, "max_cost is nan"),
        ({"base_url": "localhost:8000"}, "base_url is no address"),
        ({"base_url": "http://me:pa/ss@host/v1"}, "written as %40"),
    ],
)
def test_settings_that_cannot_work(asking: Settings, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_service(asking(**changes))
    assert "pa/ss" not in str(caught.value)
