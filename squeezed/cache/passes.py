"""What a cache with recurrent states can take in one forward pass, and how its states meet the batch."""

from collections.abc import Sequence

from squeezed.cache.recurrent import ConversationStates
from squeezed.errors import UnsupportedModelError

PADDED = (
    "user inputs of different lengths cannot be answered in one batch on a model with recurrent layers: "
    "padding between the context and a user input would change its state; ask them one by one, as "
    "squeezed.generate does"
)
SEVERAL = (
    "this model forgets its recurrent state in a pass of several tokens, so that tokens after a fixed "
    "context must come one by one (squeezed.generate does that)"
)


def meet(
    layers: Sequence[ConversationStates], fresh: bool, batch: int, length: int, padded: bool
) -> None:
    """Makes copies of the states for a new batch, and refuses a pass that would come out wrong.

    Args:
        layers: that keep states. fresh: nothing followed the fixed context yet.
        batch: sequences in the pass. length: its tokens. padded: some are padding.

    Raises:
        UnsupportedModelError: padded, or several tokens where they must come one by one.
        ValueError: another number of sequences than the conversations before.
    """
    if padded:
        raise UnsupportedModelError(PADDED)
    for layer in layers:
        if length > 1 and layer.context.restarts:
            raise UnsupportedModelError(SEVERAL)
        if fresh:
            layer.start(batch)
        elif layer.conversations != batch:
            raise ValueError(
                f"the cache holds {layer.conversations} conversations, but {batch} sequences were given"
            )
