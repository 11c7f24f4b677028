"""How the answer to a task is ended: LongBench's own rules, beyond greedy decoding."""

from typing import Any

from longbench.scoring.metrics import OFFICIAL
from longbench.tasks import get_task


def stop_ids(task: str, tokenizer: Any, behaviour: str = OFFICIAL) -> tuple[int, ...]:
    """Token ids that end an answer besides the model's own end tokens; none for most tasks.

    For samsum a newline does, as the last token of an encoded newline. Tokenizers that merge
    newlines may answer with another token; ``fixed`` stops at those of two and three newlines too.
    The first token of an answer must not end it: officially it cannot be one of these.
    """
    if not get_task(task).newline_stop:
        return ()
    texts = ("\n",) if behaviour == OFFICIAL else ("\n", "\n\n", "\n\n\n")
    lasts = (tokenizer.encode(text, add_special_tokens=False)[-1] for text in texts)
    return tuple(dict.fromkeys(lasts))
