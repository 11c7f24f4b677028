"""Texts as token ids: alone, behind another text, and what the tokenizer itself puts around a text."""

from typing import Any

LINE_END = "\n"  # what a text is taken to stand behind where nothing else is known
NEAR = 200  # characters before a border that may decide how the text behind it is cut
PROBES = ("word", "Some words, 1.", "x")
# The embedded model was trained with a BOS that its tokenizer does not add.
EMBEDDED = ("<|begin|>", "<|end|>", "<|pad|>")


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text alone, without special tokens around it."""
    # verbose=False: a text beyond the model's own length is no mistake here, so no warning.
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def follow(tokenizer: Any, before: str, text: str) -> list[int]:
    """Token ids of a text that stands behind another, as in the ids of the two together.

    Encoded alone, a text may get a blank in front that it does not have behind another. Where a token spans
    the border, there is no such part; then it is encoded as behind a line end, and else alone.

    Args:
        before: what it stands behind; its last characters are enough.
    """
    if not text:
        return []
    for start in dict.fromkeys((before, LINE_END)):
        first = encode(tokenizer, start)
        both = encode(tokenizer, start + text)
        if first and both[: len(first)] == first:
            return both[len(first) :]
    return encode(tokenizer, text)


def near(text: str) -> str:
    """The end of a text, from the beginning of a word on: what decides how the text behind it is cut."""
    end = text[-NEAR:]
    if len(end) < len(text):
        blank = end.find(" ")
        end = end[max(blank, 0) :]
    return end


def around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer itself puts before and behind a text: none, or some.

    ``bos_token_id`` does not tell: many tokenizers have a BOS and add none, some add two tokens.
    """
    marks = tuple(getattr(tokenizer, f"{name}_token", None) for name in ("bos", "eos", "pad"))
    if marks == EMBEDDED:
        return [tokenizer.bos_token_id], []
    for probe in PROBES:
        bare, full = encode(tokenizer, probe), list(tokenizer(probe, verbose=False)["input_ids"])
        for start in range(len(full) - len(bare) + 1):
            if bare and full[start : start + len(bare)] == bare:
                return full[:start], full[start + len(bare) :]
    special = set(tokenizer.all_special_ids)  # the text itself is cut otherwise between the two
    inner = [place for place, token in enumerate(full) if token not in special]
    return (full[: inner[0]], full[inner[-1] + 1 :]) if inner else (full, [])
