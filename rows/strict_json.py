"""JSON that others wrote: whatever is wrong with it is a ``ValueError``, and what is read can be written.

The standard library's reader lets through numbers that JSON does not have (NaN, and 1e999 as infinity) and
halves of characters that UTF-8 cannot hold, and ends in other errors on text that is nested too deeply.
"""

import json
import math
import re
from typing import Any

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # may be one half of a surrogate pair


def loads(content: str | bytes) -> Any:
    """The value of a JSON text, in UTF-8 if it is bytes.

    Raises:
        ValueError: no JSON, or a value that could not be written as JSON in UTF-8 again.
    """
    try:
        # Some programs begin a file with a byte order mark, Excel and older editors of Windows among them.
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        text = text.removeprefix("\ufeff")
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("text with half of a surrogate pair, which UTF-8 cannot hold") from error
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:20]} is too large")
    return value
