"""A whole model with random weights: time to the first token and per token, full against squeezed."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from bench.timing.kernels.machine import Machine

KEYS = ("device", "threads", "model", "context", "method")
FIELDS = (
    *KEYS, "prepare_s", "first_token_ms", "per_token_ms", "kv_budget", "torch", "compiler", "commit",
)  # fmt: skip
QUESTION, ANSWER = 64, 16  # tokens
WARM = 1024  # tokens of a context that is prepared before one is timed
ROUNDS = 5  # after one that warms up
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
        # The first of anything pays for loading and compiling it.
        squeezed.prepare(model, ids[:WARM])
        started = _now(device)
        prepared = squeezed.prepare(model, ids)
        prepare = _now(device) - started
        methods = (squeezed.Full(), squeezed.Squeezed(sparsity=0.9))
        found: dict[str, list[Any]] = {type(each).__name__: [] for each in methods}
        for number in range(-1, ROUNDS):
            for method in methods:  # by turns, so that what else the machine does meets both alike
                stats = squeezed.generate(
                    model, prepared, question, method=method, max_new_tokens=ANSWER
                ).stats
                if number >= 0:
                    found[type(method).__name__].append(stats)
    except torch.OutOfMemoryError:
        say("  no whole model: the device's memory is too small")
        return []
    rows: list[dict[str, object]] = []
    for name, each in found.items():
        first = statistics.median(stats.prefill_ms for stats in each)
        token = statistics.median(stats.decode_ms_per_token for stats in each)
        rows.append(
            {
                "device": machine.name,
                "threads": machine.threads,
                "model": f"{size['num_hidden_layers']} layers of {size['hidden_size']}",
                "context": context,
                "method": name,
                "prepare_s": prepare,
                "first_token_ms": first,
                "per_token_ms": token,
                "kv_budget": each[-1].kv_budget,
                "torch": machine.torch,
                "compiler": machine.compiler,
                "commit": machine.commit,
            }
        )
        say(f"  {name}: first token {first:.1f} ms, then {token:.1f} ms a token")
    return rows


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
