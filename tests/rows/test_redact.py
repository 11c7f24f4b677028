"""Secrets are found by their look, their name, the environment, or because they are known."""

import time

import pytest

from rows.redact import password_of, redact, without


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://me:pa55@host/x", "https://***@host/x"),
        ("http://me:p@ss@host:8000/v1", "http://***@host:8000/v1"),
        ("http://me:pa/ss@host/v1", "http://***@host/v1"),
        ("http://token@host/v1 and more", "http://***@host/v1 and more"),
        ("see https://host:8000/@scope/name", "see https://host:8000/@scope/name"),
        ("https://host/v1?key=abc&x=1", "https://host/v1?key=***&x=1"),
        ("https://host/v1?api-key=abc&x=1", "https://host/v1?api-key=***"),
        ("model.path=x api_key=abc123 y=1", "model.path=x api_key=*** y=1"),
        ("HF_TOKEN: hf_abcdefghijklmnopqrst", "HF_TOKEN: ***"),
        ("key sk-abcdefghijklmnop1234 refused", "key *** refused"),
        ("Authorization: x", "Authorization: ***"),
        ("task.max_new_tokens=5 method.kv_tokens=7", "task.max_new_tokens=5 method.kv_tokens=7"),
        ("tokenizer=mini", "tokenizer=mini"),
    ],
)
def test_secrets_are_redacted(text: str, wanted: str) -> None:
    assert redact(text) == wanted
    assert redact({"a": [text]}) == {"a": [wanted]}


def test_secrets_are_known_by_their_name_or_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_SERVICE_API_KEY", "correct-horse-battery")
    assert redact("got correct-horse-battery") == "got ***"
    assert redact({"api_key": "x", "key_env": "OPENAI_API_KEY", "max_new_tokens": 3}) == {
        **{"api_key": "***", "key_env": "OPENAI_API_KEY", "max_new_tokens": 3}
    }


def test_secrets_that_are_known() -> None:
    assert password_of("http://me:pa%2Fss@host:1/v1") == ("pa%2Fss", "pa/ss")
    assert password_of("http://token@host/v1") == ("token",)
    assert password_of("http://host:8000/v1") == password_of(None) == ()
    assert redact({"a": ["say pa/ss"]}, ["pa/ss"]) == {"a": ["say ***"]}
    assert (
        redact("the cat", ["c"]) == "the cat"
    )  # too short to be a secret, and everywhere in texts


def test_what_a_model_says_loses_known_secrets_only() -> None:
    text = "The token=abc of sk-abcdefghijklmnop1234 is hunter2, see http://a:b@c"
    assert without(text, ["hunter2"]) == text.replace("hunter2", "***")


def test_long_texts_take_no_time() -> None:
    start = time.monotonic()
    redact("://a:b" * 50_000)
    redact("token " * 50_000)
    assert time.monotonic() - start < 5
