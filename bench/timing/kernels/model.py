"""A whole model with random weights: time to the first token and per token, full against squeezed."""

from collections.abc import Callable

import torch

from bench.timing.kernels.machine import Machine

KEYS = ("device", "threads", "model", "context", "method")
FIELDS = (
    *KEYS, "prepare_s", "first_token_ms", "per_token_ms", "kv_budget", "torch", "compiler", "commit",
)  # fmt: skip
QUESTION, ANSWER = 64, 16  # tokens
SIZES = {
    # A 7B model's shape with grouped heads, and one that a processor can bear.
    "cuda": {
        "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    },
    "cpu": {
        "hidden_size": 512, "intermediate_size": 1024, "num_hidden_layers": 4,
        "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 1024,
    },
}  # fmt: skip
CONTEXT = {"cuda": 32768, "cpu": 4096}


def measure(
    device: torch.device, machine: Machine, say: Callable[[str], None]
) -> list[dict[str, object]]:
    """Rows of the two methods; none, and said why, where a library is absent or memory is short."""
    try:
        from transformers import LlamaConfig, LlamaForCausalLM

        import squeezed
    except ImportError as error:
        say(f"  no whole model: {error}")
        return []
    size, context = SIZES[device.type], CONTEXT[device.type]
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    torch.manual_seed(0)
    config = LlamaConfig(**size, max_position_embeddings=2 * context)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(config).to(dtype).eval()
        ids = torch.randint(size["vocab_size"], (context,))
        question = torch.randint(size["vocab_size"], (QUESTION,))
        started = _now(device)
        prepared = squeezed.prepare(model, ids)
        prepare = _now(device) - started
        rows = []
        for method in (squeezed.Full(), squeezed.Squeezed(sparsity=0.9)):
            for _ in range(2):  # the first warms up
                stats = squeezed.generate(
                    model, prepared, question, method=method, max_new_tokens=ANSWER
                ).stats
            rows.append(
                {
                    "device": machine.name,
                    "threads": machine.threads,
                    "model": f"{size['num_hidden_layers']} layers of {size['hidden_size']}",
                    "context": context,
                    "method": type(method).__name__,
                    "prepare_s": prepare,
                    "first_token_ms": stats.prefill_ms,
                    "per_token_ms": stats.decode_ms_per_token,
                    "kv_budget": stats.kv_budget,
                    "torch": machine.torch,
                    "compiler": machine.compiler,
                    "commit": machine.commit,
                }
            )
            say(
                f"  {type(method).__name__}: first token {stats.prefill_ms:.1f} ms, then "
                f"{stats.decode_ms_per_token:.1f} ms a token"
            )
    except torch.OutOfMemoryError:
        say("  no whole model: the device's memory is too small")
        return []
    return rows


def _now(device: torch.device) -> float:
    import time

    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
