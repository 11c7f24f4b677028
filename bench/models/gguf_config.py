"""What a GGUF file says of its model and transformers leaves out: put right, or the file is refused.

transformers 5.23 takes over a short list of keys for each architecture. Of a StarCoder 2 it reads no RoPE
base, of a Phi-3 no window, of a StableLM neither base nor the share of a head that it turns, and so on:
defaults take their place, and the model runs and answers worse. Keys: gguf-py/gguf/constants.py of llama.cpp.
"""

from typing import Any

from rows.gguf.header import GgufError, Header
from rows.gguf.reading import SCALED_BY_WIDTH

_CLOSE = 1e-4  # relative; files hold 32-bit floats
_EPSILON = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps")


def put_right(config: Any, header: Header) -> None:
    """Makes a configuration say what its file says.

    Args:
        config: as transformers read it from the file; changed in place.

    Raises:
        GgufError: the file says something that this model of transformers has no place for.
    """
    values, start = header.values, f"{header.architecture}."

    def said(key: str) -> Any:
        return values.get(start + key)

    _base(config, said("rope.freq_base"))
    _window(config, said("attention.sliding_window"), said("context_length"))
    _epsilon(
        config, said("attention.layer_norm_rms_epsilon") or said("attention.layer_norm_epsilon")
    )
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        _cap(config, key, said(key))
    if (header.architecture, said("block_count")) in SCALED_BY_WIDTH:
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads
    _head(config, said("attention.key_length"), said("rope.dimension_count"))
    _scale(config, said("attention.scale"))
    for key in ("logit_scale", "residual_scale", "embedding_scale"):
        if said(key) not in (None, 0, 1):
            raise _refused(key, said(key), "1")


def _base(config: Any, base: float | None) -> None:
    ropes = _ropes(config)
    if base is None or not ropes or any(_close(rope.get("rope_theta"), base) for rope in ropes):
        return
    if len(ropes) > 1:
        raise _refused("rope.freq_base", base, ", ".join(str(rope["rope_theta"]) for rope in ropes))
    ropes[0]["rope_theta"] = base


def _window(config: Any, window: int | None, context: int | None) -> None:
    all_of_it = not window or (context is not None and window >= context)
    if all_of_it or getattr(config, "sliding_window", None) == window:
        return
    if not hasattr(config, "sliding_window"):
        raise _refused("attention.sliding_window", window, "none")
    config.sliding_window = window


def _epsilon(config: Any, epsilon: float | None) -> None:
    known = type(config)().to_dict()
    names = [name for name in _EPSILON if name in known]
    if epsilon and len(names) == 1:
        setattr(config, names[0], epsilon)


def _cap(config: Any, key: str, cap: float | None) -> None:
    if not cap:
        return
    if not hasattr(config, key):
        raise _refused(key, cap, "none")
    setattr(config, key, cap)


def _head(config: Any, length: int | None, rotated: int | None) -> None:
    """Checks the size of heads, and puts the share of it right that RoPE turns."""
    size = _head_size(config)
    if not size or hasattr(config, "global_head_dim"):  # of two sizes the keys say one
        return
    if length and length != size:
        raise _refused("attention.key_length", length, str(size))
    ropes = _ropes(config)
    if not rotated or not ropes:
        return
    for rope in ropes:
        if round(size * rope.get("partial_rotary_factor", 1.0)) == rotated:
            continue
        if "partial_rotary_factor" not in rope:
            raise _refused("rope.dimension_count", rotated, str(size))
        rope["partial_rotary_factor"] = rotated / size


def _scale(config: Any, scale: float | None) -> None:
    size = getattr(config, "query_pre_attn_scalar", None) or _head_size(config)
    if not scale or not size:
        return
    if not _close(found := size**-0.5, scale):
        raise _refused("attention.scale", scale, f"{found:.4g}")


def _head_size(config: Any) -> int | None:
    heads = getattr(config, "num_attention_heads", None)
    return getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else None)


def _ropes(config: Any) -> list[dict[str, Any]]:
    """The RoPE parameters of a configuration, one for each kind of layer that has its own."""
    found = getattr(config, "rope_parameters", None) or {}
    return [found] if "rope_theta" in found else [each for each in found.values() if each]


def _close(found: float | None, wanted: float) -> bool:
    return found is not None and abs(found - wanted) <= _CLOSE * abs(wanted)


def _refused(key: str, said: Any, found: str) -> GgufError:
    return GgufError(
        f"it says {key} = {said}, and the model that transformers makes of it has {found}: its answers would "
        "be wrong; use the checkpoint as a folder"
    )
