"""Which service is asked, without the secrets of its address."""

import base64
import os
from urllib.parse import unquote, urlsplit

from prefixqa.config import ServiceConfig
from rows.redact import password_of


def service_name(base_url: str | None) -> str:
    """What stands for a service in keys of the store and in what is written: host and path.

    The same service on another port, or with another password, is the same service.
    """
    if base_url is None:
        return "openai"
    parts = urlsplit(base_url)
    return f"{parts.hostname or ''}{parts.path.rstrip('/')}"


def check_address(base_url: str | None) -> None:
    """
    Raises:
        ValueError: no address of a service.
    """
    if base_url is None:
        return
    try:
        parts = urlsplit(base_url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:  # a port that is none; the reason would quote a password
        known = False
    if not known:
        raise ValueError(
            "openai.base_url is no address; expected http://HOST:PORT/v1 or the like, with @, : and / in a "
            "password written as %40, %3A and %2F"
        )


def secrets_of(settings: ServiceConfig) -> tuple[str, ...]:
    """What must never be written: the key, and the password of the address in each of its forms."""
    key = os.environ.get(settings.key_env, "").strip()
    found = password_of(settings.base_url)
    if found:  # is sent as basic authorization, which an error may quote
        user = unquote(urlsplit(settings.base_url or "").username or "")
        found += (base64.b64encode(f"{user}:{found[-1]}".encode()).decode(),)
    return ((key,) if key else ()) + found
