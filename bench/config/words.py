"""Numbers as people say them."""


def runs_in_words(count: int) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} run{'' if count == 1 else 's'}"
