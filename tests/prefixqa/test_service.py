"""The openai backend against a real HTTP server: right pairs, every failure counted, nothing paid twice."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from server import Service, known_document, proposal

from prefixqa.config import ServiceConfig
from prefixqa.document import Document, Pair
from prefixqa.service import send
from prefixqa.service.run import Finished, ask_service
from prefixqa.service.store import Store
from prefixqa.tokens import TokenCounter

Settings = Callable[..., ServiceConfig]
State = tuple[Service, str]


@pytest.fixture
def known(service: State) -> tuple[Document, tuple[Pair, ...]]:
    document, pairs = known_document("one")
    service[0].facts = list(pairs)
    return document, pairs


def ask(
    settings: ServiceConfig,
    documents: Document | list[Document],
    tokens: TokenCounter,
    cache: Path,
    questions: int = 8,
) -> Finished:
    documents = [documents] if isinstance(documents, Document) else documents
    return ask_service(settings, documents, tokens, questions, 0, cache)


def test_a_sound_service_gives_checked_pairs(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    document, pairs = known
    done = ask(asking(judge="judge-model"), document, tokens, tmp_path)
    assert done.trouble == []
    (made,) = done.made
    truth = {pair.question: pair.answers[0] for pair in pairs}
    assert len(made.pairs) == 8
    for pair in made.pairs:
        assert pair.answers[0] == truth[pair.question]
        assert all(document.text[e.start : e.end] == e.text for e in pair.evidence)
        assert (
            pair.checks["agreement"] == pair.checks["needs_document"] == pair.checks["judge"] == 1
        )
        assert pair.provenance["model"] == "test-model"
    starts = [pair.evidence[0].start for pair in made.pairs]
    assert starts == sorted(starts)
    assert starts[-1] > 0.6 * len(document.text) > 0.4 * len(document.text) > starts[0]
    assert len({pair.type for pair in made.pairs}) >= 3
    assert set(service[0].answered.values()) == {1}


def test_every_fault_is_counted_and_mended(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(
        send, "backoff", lambda attempt: 0.01
    )  # what the service asks for is waited for
    state, _ = service
    state.faults.extend(
        ["429", "500", "timeout", "cut", "garbage", "bad_json", "schema", "fenced", "length"]
    )
    document, pairs = known
    done = ask(asking(timeout=0.6, concurrency=1, retries=5), document, tokens, tmp_path)
    assert done.trouble == []
    assert len(done.made[0].pairs) == 8
    failures = done.accounts.summary()["failures"]
    assert failures == {
        **dict.fromkeys(("rate_limited", "server_error", "time_out", "connection", "bad_body"), 1),
        **dict.fromkeys(("no_json", "schema", "cut_off"), 1),
    }
    refused = next(at for at, status in state.arrivals if status == 429)
    after = min(at for at, _ in state.arrivals if at > refused)
    assert after - refused >= 0.4  # Retry-After
    truth = {pair.question: pair.answers[0] for pair in pairs}
    assert all(pair.answers[0] == truth[pair.question] for pair in done.made[0].pairs)


def test_bad_proposals_are_rejected_each_with_its_reason(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    state, _ = service
    document, pairs = known
    good = proposal(pairs[0])
    state.facts = list(pairs[:10])
    state.extra["propose"] = [
        good | {"question": "Who is the mayor of the hidden bay?", "evidence": ["The mayor is Ann Hall."]},
        good | {"question": good["question"].replace("?", " then?")},
        good | {"question": "According to this passage, what is it?"},
        good | {"question": "Which long list stands in the register?", "answer": " word" * 20},
        good | {"question": "Is the register complete as it stands?", "answer": "Yes."},
        good | {"question": "What is said in two separate places?", "type": "multi-span"},
        good | {"answer": 7},
        {"question": "What is missing from this one?"},
    ]  # fmt: skip
    done = ask(asking(), document, tokens, tmp_path)
    reasons = done.made[0].reasons
    assert reasons["evidence"] == 1
    assert reasons["duplicate"] >= 1
    assert (reasons["vague"], reasons["answer"], reasons["spans"]) == (1, 2, 1)
    assert reasons["schema"] == 2
    rejected = {each.pair.get("question"): each.detail for each in done.made[0].rejected}
    assert "not in the document" in rejected["Who is the mayor of the hidden bay?"]
    asked = {pair.question for pair in done.made[0].pairs}
    assert asked <= {pair.question for pair in pairs}
    assert len(asked) == len(done.made[0].pairs)


def test_checks_by_the_model_reject(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    state, _ = service
    document, pairs = known
    single = [pair for pair in pairs if pair.type == "numeric"]
    known_anyway, unstable, bad = single[0], single[1], single[2]
    state.facts = list(pairs)
    state.closed_book = {known_anyway.question: known_anyway.answers[0]}
    state.wrong = {unstable.question: "somebody else"}
    state.verdicts = {bad.question: False}
    invented = proposal(single[3]) | {
        "question": "How warm was the water there?",
        "answer": "99 degrees",
    }
    state.extra["propose"] = [invented]
    done = ask(asking(judge="judge-model"), document, tokens, tmp_path, questions=24)
    why = {(each.pair["question"], each.reason) for each in done.made[0].rejected}
    assert (known_anyway.question, "closed_book") in why
    assert (unstable.question, "inconsistent") in why
    assert (bad.question, "judge") in why
    assert ("How warm was the water there?", "unsupported") in why
    asked = {pair.question for pair in done.made[0].pairs}
    assert not {known_anyway.question, unstable.question, bad.question} & asked
    assert state.kinds["support"] >= 1


def test_a_refusal_is_not_asked_again(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    service[0].faults.append("refusal")
    done = ask(asking(concurrency=1), known[0], tokens, tmp_path)
    assert done.accounts.failures["refusal"] == 1
    assert set(service[0].answered.values()) == {1}
    assert len(done.made[0].pairs) == 8  # the next round made up for it


def test_a_second_run_pays_nothing_and_gives_the_same(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    service[0].faults.extend(["bad_json", "refusal"])
    first = ask(asking(), known[0], tokens, tmp_path)
    paid = service[0].answered.total()
    second = ask(asking(), known[0], tokens, tmp_path)
    assert service[0].answered.total() == paid
    assert second.made == first.made
    assert second.accounts.sent.total() == 0
    assert second.accounts.failures == first.accounts.failures
    assert second.accounts.tokens_in == first.accounts.tokens_in > 0


def test_a_request_that_fails_for_good_leaves_the_set_unfinished(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    service[0].faults.extend(["500"] * 2)
    settings = asking(retries=1, concurrency=1, rounds=1)
    done = ask(settings, known[0], tokens, tmp_path)
    assert done.accounts.failures["gave_up"] == 1
    assert "answers 500, 'oops'" in done.trouble[0]
    again = ask(settings, known[0], tokens, tmp_path)
    assert again.trouble == []
    assert len(again.made[0].pairs) > len(done.made[0].pairs)
    assert set(service[0].answered.values()) == {1}


@pytest.mark.parametrize("status", [401, 404])
def test_a_service_that_refuses_everything_is_asked_once_and_the_key_stays_secret(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("PREFIXQA_TEST_KEY", "sk-very-secret")
    service[0].refuse_all = status
    with pytest.raises(ValueError, match=str(status)) as caught:
        ask(asking(concurrency=1), known[0], tokens, tmp_path)
    assert "secret" not in str(caught.value)
    assert service[0].keys == {"Bearer sk-very-secret"}
    service[0].refuse_all = None
    ask(asking(), known[0], tokens, tmp_path)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"secret" not in kept


def test_without_a_key_openai_itself_is_not_asked(
    asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="PREFIXQA_TEST_KEY"):
        ask(asking(base_url=None), known[0], tokens, tmp_path)


def test_concurrency_is_bounded(
    service: State, asking: Settings, tokens: TokenCounter, tmp_path: Path
) -> None:
    state, _ = service
    documents = []
    for name in ("a", "b", "c"):
        document, pairs = known_document(name, 500, 12)
        documents.append(document)
        state.facts += pairs
    active, most = 0, 0
    reply = state.reply

    def counting(messages: list[dict[str, str]]) -> tuple[str, dict[str, object]]:
        nonlocal active, most
        with state.lock:
            active += 1
            most = max(most, active)
        try:
            __import__("time").sleep(0.02)
            return reply(messages)
        finally:
            with state.lock:
                active -= 1

    state.reply = counting  # type: ignore[method-assign]
    ask(asking(concurrency=2), documents, tokens, tmp_path, questions=4)
    assert most == 2


def test_what_is_sent_asks_for_the_schema(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    ask(asking(), known[0], tokens, tmp_path / "a")
    ask(asking(structured="none"), known[0], tokens, tmp_path / "b")
    bodies = [json.loads(body) for body in service[0].answered]
    formats = [body.get("response_format", {}).get("type") for body in bodies]
    assert set(formats) == {"json_schema", None}
    schema = next(b["response_format"]["json_schema"] for b in bodies if b.get("response_format"))
    assert schema["strict"] is True
    assert schema["schema"]["additionalProperties"] is False


def test_batches_give_the_same_pairs_for_one_payment(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    direct = ask(asking(), known[0], tokens, tmp_path / "direct")
    paid = service[0].answered.total()
    service[0].answered.clear()
    batched = ask(asking(batch=True), known[0], tokens, tmp_path / "batch")
    assert batched.made == direct.made
    assert service[0].answered.total() == paid
    assert len(service[0].batches) >= 3  # proposals, then the checks one after the other


def test_a_batch_under_way_is_fetched_and_not_sent_again(
    service: State, asking: Settings, known: tuple[Document, tuple[Pair, ...]], tokens: TokenCounter,
    tmp_path: Path,
) -> None:  # fmt: skip
    state, _ = service
    state.hold.set()  # batches never finish

    async def interrupted() -> None:
        from prefixqa.service.run import _all

        store = Store(tmp_path)
        run = asyncio.create_task(_all(asking(batch=True), [known[0]], tokens, 8, 0, store))
        while not state.held.is_set():
            await asyncio.sleep(0.02)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        store.close()

    asyncio.run(interrupted())
    assert len(state.batches) == 1
    state.hold.clear()
    done = ask(asking(batch=True), known[0], tokens, tmp_path)
    assert len(done.made[0].pairs) == 8
    assert set(state.answered.values()) == {1}
