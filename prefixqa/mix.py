"""How many questions of each type. Standard library only."""

from collections import Counter

from prefixqa.document import TYPES


def quotas(questions: int, mix: dict[str, int]) -> Counter[str]:
    """Questions of each type in proportion to the weights of ``mix``, by largest remainders.

    Raises:
        ValueError: an unknown type, a negative weight, or no weight at all.
    """
    if unknown := sorted(set(mix) - set(TYPES)):
        raise ValueError(f"unknown question type {unknown[0]!r}; known: {', '.join(TYPES)}")
    total = sum(mix.values())
    if total <= 0 or min(mix.values()) < 0:
        raise ValueError(f"the mix {mix} needs weights of at least 0, one of them above")
    exact = {name: questions * weight / total for name, weight in mix.items()}
    counts = Counter({name: int(value) for name, value in exact.items()})
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    counts.update(by_remainder[: questions - counts.total()])
    return counts
