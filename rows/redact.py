"""Secrets out of everything that is written: records, sets, configurations, messages.

No setting of the suite is a secret; keys come from the environment. But an address or a path can hold a
password, an override can hold a token, and a library or a service can put either into the text of an error.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

Value = TypeVar("Value")
HIDDEN = "***"
# Whole words of a name: ``api_key`` and ``HF_TOKEN``, but not ``max_new_tokens`` or ``tokenizer``.
_WORDS = r"(?:api[_-]?key|token|secret|password|passwd|authorization|credentials?|private_?key)"
_NAME = re.compile(rf"(?:^|[_\-.]){_WORDS}$", re.IGNORECASE)
_SETTING = re.compile(rf"(?i)\b((?:[\w.]*[_\-.])?{_WORDS}\s*[=:]\s*)([^\s,;'\"]+)")
# What stands before the host of an address. Who forgot to quote a password may have @ and / in it; a port,
# and an @ in the path behind a host, are no password.
_IN_URL = re.compile(
    r"(?<=://)(?:[^/\s?#'\"]{0,300}@|[^/\s:@'\"]{0,99}:(?!\d*(?:[/?#]|$))[^\s'\"]{0,300}@)"
)
_IN_QUERY = re.compile(r"(?i)(?<=[?&])((?:key|sig|signature|auth|code)=)[^\s&'\"]+")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}")
# Prefixes by which services mark their keys: Hugging Face, OpenAI and compatible, GitHub, AWS.
_KEYS = re.compile(r"\b(?:hf_\w{16,}|sk-[\w-]{16,}|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16})")
_SHORTEST = 8  # a shorter value of the environment may be an ordinary word
_SHORTEST_KNOWN = 4  # of one that is known to be secret


def redact(value: Value, known: Iterable[str] = ()) -> Value:
    """The same text, or the same nested lists and mappings, with secrets replaced by ``***``.

    Args:
        known: secrets beyond those that can be told by their look, by the name that they stand under, or by
            the environment: the password of an address, say.
    """
    return _redact(value, _longest_first({*_environment(), *_known(known)}))


def without(value: Value, known: Iterable[str]) -> Value:
    """As ``redact``, but only secrets that are known: for what a model or a document says, where words that
    look like a secret may be what is asked about."""
    return _exactly(value, _longest_first(_known(known)))


def password_of(address: str | None) -> tuple[str, ...]:
    """What stands before the host of an address, as written and decoded; nothing if there is none."""
    found = _IN_URL.search(address or "")
    if found is None:
        return ()
    user, _, password = found[0][:-1].partition(":")
    secret = password or user
    return tuple(dict.fromkeys((secret, unquote(secret))))


def _known(secrets: Iterable[str]) -> set[str]:
    return {each for each in secrets if len(each) >= _SHORTEST_KNOWN}


def _longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(secrets, key=lambda each: (-len(each), each)))


def _exactly(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {key: _exactly(each, secrets) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_exactly(each, secrets) for each in value)
    return value


def _redact(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return _text(value, secrets)
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(key, str) and isinstance(each, str) and _NAME.search(key)
            else _redact(each, secrets)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(_redact(each, secrets) for each in value)
    return value


def _text(text: str, secrets: tuple[str, ...]) -> str:
    text = str(_exactly(text, secrets))
    text = _IN_URL.sub(f"{HIDDEN}@", text)
    text = _IN_QUERY.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    text = _SETTING.sub(rf"\1{HIDDEN}", text)
    return _KEYS.sub(HIDDEN, text)


def _environment() -> set[str]:
    """Values of environment variables whose names say that they are secret."""
    return {
        value
        for name, value in os.environ.items()
        if _NAME.search(name) and len(value) >= _SHORTEST and not value.isdigit()
    }
