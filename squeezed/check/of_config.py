"""What a configuration says of a model before weights are loaded: layers, limits, why it is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from squeezed.model import families
from squeezed.model.layers import CHUNKED, INDEXED, Attends, attends

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig, PreTrainedModel


@dataclass(frozen=True)
class Report:
    """What is known of a model by its configuration and its class.

    Attributes:
        model_type: of the language model. layers: its kinds of layers, in words; empty if it does not say.
        reasons: why it is refused, each the end of a sentence about its type; none: it is served.
        notes: what to know of one that is served.
        limits: lengths in tokens at which the configuration says that something changes, by its settings'
        names.
    """

    model_type: str
    layers: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    limits: dict[str, int]

    def text(self) -> str:
        """For people, some lines."""
        lines = [f"{self.model_type}: {'refused' if self.reasons else 'supported'}"]
        lines += [f"  layers: {self.layers}"] if self.layers else []
        lines += [f"  {name}: {value} tokens" for name, value in self.limits.items()]
        lines += [f"  refused: {self.model_type} {reason}" for reason in self.reasons]
        lines += [f"  note: {note}" for note in self.notes if not self.reasons]
        return "\n".join(lines)


def report(config: PreTrainedConfig) -> Report:
    """The report on a configuration; it imports the model's code, and builds nothing."""
    text = families.text_config_of(config)
    reasons = list(families.refusals_of_config(config))
    model_class = class_of(text) or class_of(config)
    if model_class is None:
        reasons.append("is no type that transformers maps to a causal LM")
    else:
        reasons += [
            each for each in families.refusals_of_class(model_class, text) if each not in reasons
        ]
    notes = list(_notes(text))
    if model_class is not None and not model_class._can_set_attn_implementation():
        notes.append(
            "computes its attention by code of its own, which is followed step by step; a step that is not "
            "known is refused in the first pass over the context"
        )
    return Report(text.model_type, layers_of(config), tuple(reasons), tuple(notes), limits(config))


def class_of(config: PreTrainedConfig) -> type[PreTrainedModel] | None:
    """The class that a causal LM, or a model that sees and writes, of this configuration has."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    for auto in (AutoModelForCausalLM, AutoModelForImageTextToText):
        if type(config) in auto._model_mapping:
            found = auto._model_mapping[type(config)]
            return found[0] if isinstance(found, tuple) else found
    return None


def layers_of(config: PreTrainedConfig) -> str:
    """The kinds of decoder layers and how many there are of each; empty where the configuration is silent."""
    text = families.text_config_of(config)
    if not getattr(text, "num_hidden_layers", None):
        return ""
    count = Counter(_in_words(each) for each in attends(text))
    return ", ".join(f"{number} {kind}" for kind, number in count.items())


def _in_words(layer: Attends) -> str:
    if layer.stateful and layer.bare:
        return "recurrent"
    if layer.bare:
        return "on another's keys" if layer.kind.endswith("attention") else "without attention"
    kind = layer.kind.removesuffix("_attention")
    if layer.stateful:
        kind = "attention and recurrent" if layer.window is None else "sliding and recurrent"
    return kind if layer.window is None else f"{kind} {layer.window}"


def limits(config: PreTrainedConfig) -> dict[str, int]:
    """Lengths at which something changes: windows, chunks, an indexer's choice, the positions trained on."""
    text = families.text_config_of(config)
    found: dict[str, int] = {}
    if getattr(text, "num_hidden_layers", None):
        for layer in attends(text):
            if layer.window is not None:
                name = "attention_chunk_size" if layer.kind == CHUNKED else "sliding_window"
                found.setdefault(name, layer.window)
            if layer.kind == INDEXED and families.indexed_tokens(text):
                found["index_topk"] = families.indexed_tokens(text)
    values = [*_ropes(getattr(text, "rope_parameters", None) or {}), vars(text)]
    for name in ("original_max_position_embeddings", "max_position_embeddings"):
        known = [each[name] for each in values if isinstance(each.get(name), int)]
        found |= {name: known[0]} if known else {}
    return found


def _ropes(parameters: dict) -> Iterator[dict]:
    """RoPE settings, of which a model may have some for each kind of layer."""
    yield parameters
    yield from (each for each in parameters.values() if isinstance(each, dict))


def _notes(config: PreTrainedConfig) -> Iterator[str]:
    if not getattr(config, "num_hidden_layers", None):
        return
    layers = attends(config)
    kinds = {layer.kind for layer in layers}
    rank = getattr(config.per_layer_config[0], "kv_lora_rank", None)
    if rank:
        yield (
            f"latent attention: transformers caches {rank} numbers a token and layer; the index holds the "
            "keys and values that they are expanded to, for every head"
        )
    if INDEXED in kinds:
        yield (
            f"its own indexer chooses {families.indexed_tokens(config)} tokens, so it is served up to as "
            "many, context and answer together, and refused beyond"
        )
    if CHUNKED in kinds:
        yield "layers with chunked attention keep the chunk that the context ends in, and have no index"
    if any(layer.stateful for layer in layers):
        yield "recurrent layers keep their state, of which each conversation takes a copy, and have no index"
    if any(
        layer.kind.endswith("attention") and layer.bare and not layer.stateful for layer in layers
    ):
        yield "layers that share keys and values share one index; each looks up in it on its own"
