"""Statistics of the prefill beyond keys, values and window queries, which some methods need.

A method class names what it needs (``Method.needs``). Each statistic costs time in the prefill, so it is
computed only where it is asked for.
"""

from collections.abc import Iterable

RECEIVED_ATTENTION = "received_attention"  # what each key received from all queries, summed up
STATISTICS = (RECEIVED_ATTENTION,)


def accumulate_for(needs: Iterable[str]) -> bool:
    """The ``accumulate`` of ``squeezed.prepare`` for methods that need these statistics.

    Raises:
        ValueError: a statistic that the prefill does not know.
    """
    needs = tuple(needs)
    unknown = [name for name in needs if name not in STATISTICS]
    if unknown:
        raise ValueError(
            f"needs names {', '.join(unknown)}; statistics of the prefill are {', '.join(STATISTICS)}"
        )
    return RECEIVED_ATTENTION in needs
