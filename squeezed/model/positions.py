"""How many tokens a model has positions for, told from its configuration alone, before weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig

ROTARY, TABLE = "rotary", "table"
# Model types that look their positions up in a table of fixed size, learned or not; tried one by one.
_TABLES = frozenset(
    {
        *("bart", "bert", "bert-generation", "big_bird", "bigbird_pegasus", "biogpt", "blenderbot"),
        *("blenderbot-small", "codegen", "ctrl", "electra", "ernie", "gpt-sw3", "gpt2"),
        *("gpt_bigcode", "gpt_neo", "gptj", "marian", "mbart", "megatron-bert", "mvp"),
        *(
            "openai-gpt",
            "opt",
            "pegasus",
            "plbart",
            "rembert",
            "roc_bert",
            "roformer",
            "trocr",
            "whisper",
            "xlm",
        ),
    }
)
# Here places of the table are lost to the padding: positions begin behind its id.
_BEHIND_PADDING = frozenset(
    {
        *("camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta"),
        *("xlm-roberta-xl", "xmod"),
    }
)
_NAMES = ("max_position_embeddings", "n_positions", "max_target_positions")


@dataclass(frozen=True)
class PositionLimit:
    """The longest sequence a model is made for.

    Attributes:
        tokens: that many. hard: it cannot compute more; otherwise more is extrapolation, which may be what is
            wanted. kind: ``rotary`` or ``table`` (of learned or computed positions).
    """

    tokens: int
    hard: bool
    kind: str


def position_limit(config: PreTrainedConfig) -> PositionLimit | None:
    """The limit that a configuration tells of; ``None``: it names none (no positions, or distances alone).

    A composite model's configuration counts by its language model.
    """
    text = config.get_text_config(decoder=True)
    kind = str(text.model_type)
    tokens = _named(text, kind)
    if tokens is None or getattr(text, "alibi", False):
        return None
    if kind in _TABLES:
        return PositionLimit(tokens, True, TABLE)
    if kind in _BEHIND_PADDING:
        return PositionLimit(tokens - first_position(text), True, TABLE)
    parameters = getattr(text, "rope_parameters", None)
    if not parameters:
        return None
    if parameters.get("rope_type") == "yarn":  # configurations give the length before or after it
        original = parameters.get("original_max_position_embeddings") or tokens
        tokens = max(tokens, int(original * (parameters.get("factor") or 1)))
    return PositionLimit(tokens, False, ROTARY)


def first_position(config: PreTrainedConfig) -> int:
    """The position of a model's first token: 0, or behind its padding token's number (RoBERTa and kin)."""
    text = config.get_text_config(decoder=True)
    return (text.pad_token_id or 0) + 1 if text.model_type in _BEHIND_PADDING else 0


def _named(text: PreTrainedConfig, kind: str) -> int | None:
    names = reversed(_NAMES) if kind == "whisper" else _NAMES
    found = (getattr(text, name, None) for name in names)
    return next((int(each) for each in found if isinstance(each, int)), None)


def require_within(config: PreTrainedConfig, tokens: int) -> None:
    """Refuses a sequence that a model has no positions for, before anything is computed.

    Args:
        config: of the model. tokens: the context's, and the user input's and answer's where there are some.

    Raises:
        ValueError: so it is; says both lengths. What is only extrapolation passes.
    """
    limit = position_limit(config)
    if limit is not None and limit.hard and tokens > limit.tokens:
        raise ValueError(
            f"{config.get_text_config(decoder=True).model_type} has a table of positions for {limit.tokens} "
            f"tokens, and {tokens} are asked for (context, user input and answer together); give it "
            f"{tokens - limit.tokens} less"
        )
