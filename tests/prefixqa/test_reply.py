"""Bodies as services send them: what is an answer is read, what is none is refused, nothing crashes."""

import contextlib
import json
from typing import Any

import pytest

from prefixqa.service.reply import ReplyError, Response, read_kept, read_reply, text_of
from prefixqa.service.schema import Answers, UnreadableError, read, read_proposals
from tests.fuzz.harness import time_limit


def body(content: Any = "x", **more: Any) -> bytes:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice]} | more).encode()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, None),
        (7, None),
        (True, None),
        ([], None),
        ({"answers": []}, '{"answers": []}'),
        ([{"type": "text", "text": "one "}, {"type": "text", "text": "two"}], "one two"),
        ([{"type": "thinking", "thinking": "{}"}, {"type": "text", "text": "two"}], "two"),
        ([{"type": "reasoning", "text": "{}"}, {"type": "output_text", "text": "two"}], "two"),
        (["one ", {"text": "two"}, 3, None, {"type": "text", "text": 4}], "one two"),
        ([{"type": "image_url", "image_url": {}}], None),
        ("half \ud800", "half ?"),
    ],
)
def test_content_of_every_kind_becomes_text_or_nothing(content: Any, text: str | None) -> None:
    assert text_of(content) == text
    assert read_reply(body(content)).content == text


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ("null", (0, 0)),
        ("[]", (0, 0)),
        ('{"prompt_tokens": 5, "completion_tokens": 7.0}', (5, 7)),
        ('{"prompt_tokens": 1e999, "completion_tokens": -1e999}', (0, 0)),
        ('{"prompt_tokens": NaN, "completion_tokens": true}', (0, 0)),
        ('{"prompt_tokens": "5", "completion_tokens": -3}', (0, 0)),
        ('{"prompt_tokens": ' + "9" * 400 + "}", (0, 0)),
    ],
)
def test_usage_that_is_none_is_unknown(usage: str, tokens: tuple[int, int]) -> None:
    content = body()[:-1] + b', "usage": ' + usage.encode() + b"}"
    found = read_reply(content)
    assert (found.tokens_in, found.tokens_out) == tokens


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>gateway</html>", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 200_000, "no JSON"),
        (b'{"a":' * 200_000, "no JSON"),
        (b"9" * 5000, "no JSON"),
        (b"null", "no chat completion"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"choices": [{"message": "x"}]}', "no chat completion"),
        (b'{"error": {"message": "over\\n quota", "code": 402}}', "over quota"),
        (b'{"detail": [{"msg": "bad model"}]}', "bad model"),
    ],
)
def test_what_is_no_answer_is_refused_in_the_services_words(content: bytes, words: str) -> None:
    with pytest.raises(ReplyError, match=words):
        read_reply(content)


def test_kept_answers_are_read_and_rubbish_is_not() -> None:
    old = '{"content": ["a", {"text": "b"}], "finish": "stop", "refusal": null, "tokens_in": 1}'
    assert read_kept(old) == Response("ab", "stop", None, 1, 0)
    for rubbish in ("", "[]", "{}", "3", '{"content": "x"}', '{"finish": "stop"}', "[" * 200_000):
        with pytest.raises(ReplyError):
            read_kept(rubbish)


PAIR = {"question": "When does it turn?", "answer": "twice", "type": "factual", "evidence": ["a b"]}
REAL = json.dumps({"pairs": [PAIR]})


@pytest.mark.parametrize(
    "text",
    [
        REAL,
        f"```json\n{REAL}\n```",
        f'The shape is {{"pairs": []}}, so: {REAL}',
        f'As in ```json\n{{"pairs": []}}\n``` I give\n```json\n{REAL}\n```',
        f'<think>Maybe {{"pairs": [1]}}?</think>{REAL}',
        f"<think>no end {REAL}</think>{REAL}",
        f'Maybe {{"pairs": [1]}} </think> {REAL}',
        f"{{like this}} {{'single': 1}} {REAL} and that is {{all}}",
        f'{REAL}\nNote: {{"confidence": 0.9}}',
        f'{{"broken": [1, 2 {REAL}',
    ],
)
def test_the_real_object_wins_over_thoughts_and_examples(text: str) -> None:
    good, bad = read_proposals(text)
    assert [each.answer for each in good] == ["twice"]
    assert bad == []


def test_an_answer_is_the_last_object_of_the_schema() -> None:
    first, second = (json.dumps({"answers": [{"number": 1, "answer": word}]}) for word in "ab")
    text = f'{{"answers": 3}} {first} then {second}. {{"more": 1}}'
    assert read(Answers, text).answers[0].answer == "b"
    with pytest.raises(UnreadableError) as caught:
        read(Answers, '{"answers": 3}')
    assert caught.value.kind == "schema"
    with pytest.raises(UnreadableError, match="no JSON object"):
        read(Answers, "nothing here")


@pytest.mark.parametrize(
    "text",
    [
        "{" * 300_000,
        '{"' * 300_000,
        '{"a":' * 300_000,
        '{"a": "' + "{ " * 300_000,
        '{"a\\"' * 200_000,
        "```" * 200_000,
        "` " * 300_000,
        "<think>" * 100_000,
        "</think>" * 100_000,
        "{} " * 100_000,
        '{"pairs": [' + "{}, " * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_odd_text_takes_no_time(text: str) -> None:
    with time_limit(10), contextlib.suppress(UnreadableError):
        read_proposals(text)
