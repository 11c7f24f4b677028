"""Secrets out of everything that is written: records, configurations, messages.

No setting of the suite is a secret; keys come from the environment. But a path can hold a password, an
override can hold a token, and a library can put either into the text of an error.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")
HIDDEN = "***"
# Whole words of a name: ``api_key`` and ``HF_TOKEN``, but not ``max_new_tokens`` or ``tokenizer``.
_WORDS = r"(?:api_?key|token|secret|password|passwd|authorization|credentials?|private_?key)"
_NAME = re.compile(rf"(?:^|[_\-.]){_WORDS}$", re.IGNORECASE)
_SETTING = re.compile(rf"(?i)\b((?:[\w.]*[_\-.])?{_WORDS}\s*[=:]\s*)([^\s,;'\"]+)")
_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}")
# Prefixes by which services mark their keys: Hugging Face, OpenAI and compatible, GitHub, AWS.
_KEYS = re.compile(r"\b(?:hf_\w{16,}|sk-[\w-]{16,}|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16})")
_SHORTEST = 8  # a shorter value of the environment may be an ordinary word


def redact(value: Value) -> Value:
    """The same text, or the same nested lists and mappings, with secrets replaced by ``***``."""
    return _redact(value, _environment())


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
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _IN_URL.sub(f"{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    text = _SETTING.sub(rf"\1{HIDDEN}", text)
    return _KEYS.sub(HIDDEN, text)


def _environment() -> tuple[str, ...]:
    """Values of environment variables whose names say that they are secret, the longest first."""
    found = {
        value
        for name, value in os.environ.items()
        if _NAME.search(name) and len(value) >= _SHORTEST and not value.isdigit()
    }
    return tuple(sorted(found, key=len, reverse=True))
