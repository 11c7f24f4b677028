"""Prompts that are too long, cut in the middle.

``fixed`` cuts only the fixed context, on its ids, to a length that does not depend on the question:
all questions on one context then share one fixed part, and the user part is never touched. ``compat``
does what the official code does: it cuts the whole prompt, decodes both halves and joins them as
text, so what is kept depends on the question, and the count drifts at the seam.
"""

import dataclasses
from typing import Any

from longbench.errors import LongBenchError
from rows.row import Row

FIXED, COMPAT = "fixed", "compat"
MODES = (FIXED, COMPAT)


def cut_middle(ids: list[int], limit: int) -> tuple[list[int], int]:
    """The first and last ids, ``limit`` in all, and how many were left out between them.

    Raises:
        LongBenchError: the limit is below 2.
    """
    if limit < 2:
        raise LongBenchError(f"{limit} tokens are left for the context; expected at least 2")
    if len(ids) <= limit:
        return ids, 0
    last = limit // 2
    return ids[: limit - last] + ids[len(ids) - last :], len(ids) - limit


def cut_prompt(row: Row, tokenizer: Any, limit: int) -> Row:
    """The row with its context cut as the official code cuts the prompt; ``meta`` says how much.

    Args:
        limit: tokens of the prompt at most, before the chat template, as the official limits mean.

    Raises:
        LongBenchError: the user part itself would be cut, or does not survive the tokenizer.
    """
    user = row.question + row.answer_prefix
    ids = tokenizer(row.context + user, verbose=False)["input_ids"]
    if len(ids) <= limit:
        return dataclasses.replace(row, meta=row.meta | {"prompt_tokens_cut": 0})
    half = limit // 2
    kept = "".join(
        tokenizer.decode(part, skip_special_tokens=True) for part in (ids[:half], ids[-half:])
    )
    # Where the fixed part ends is found again in what was kept, never computed from what was cut.
    if half < 1 or not kept.endswith(user) or len(kept) == len(user):
        raise LongBenchError(
            f"{row.id}: half of {limit} tokens does not hold the user part whole; give a larger "
            "max_length, or cut the context only (truncate=fixed)"
        )
    meta = row.meta | {"prompt_tokens_cut": len(ids) - 2 * half}
    return dataclasses.replace(row, context=kept.removesuffix(user), meta=meta)
