"""The live line of a sweep of four runs with two questions each, read again."""

import re

LINE = re.compile(r"4 runs: (?:(\d) done)?(?:, )?(?:(\d) running)?.*?(\d) of 8 questions")


def counts(text: str) -> list[tuple[int, ...]]:
    """Done, running and answered of each line, in their order."""
    return [tuple(int(each or 0) for each in found.groups()) for found in LINE.finditer(text)]
