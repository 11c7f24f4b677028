"""How long to wait before a request is sent again."""

import asyncio
import email.utils
import math
import random
import time
from collections.abc import Mapping

FIRST, LONGEST = 0.5, 8.0  # seconds, where the service does not say


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a service asks to wait: ``retry-after-ms``, or ``Retry-After`` as seconds or as a date
    (RFC 9110, 10.2.3); None if it does not say."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        if not math.isnan(seconds):
            return max(0.0, seconds)
    found = email.utils.parsedate_tz(headers.get("retry-after", ""))
    try:
        return None if found is None else max(0.0, email.utils.mktime_tz(found) - time.time())
    except (ValueError, OverflowError):
        return None


def backoff(attempt: int) -> float:
    """Seconds to wait after attempt ``attempt``, counted from 0: doubled each time, a quarter by chance."""
    return float(min(FIRST * 2.0 ** min(attempt, 10), LONGEST) * (1 - random.random() / 4))


async def rest(seconds: float, stopping: asyncio.Event) -> bool:
    """Waits; whether the time is over, and not the work."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return True
    return False
