"""kvpress's side of examples/compare_kvpress.py; runs where kvpress is installed, and this suite need not be.

python kvpress_side.py JOB.json

The job names the model's folder, prompts as token ids, and presses with their settings. What each press
keeps and what the model then says goes to OUT/PRESS-CONTEXT.json, a file each; what is there is not done
again.

A press compresses as kvpress's own pipeline lets it: as a context manager around the prefill. Answers are
greedy and given to all questions of a context together; the pipeline takes them one by one.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import kvpress
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache


class BareKVzip(kvpress.KVzipPress):
    """KVzip that repeats a context as it is, without the instruction and the line end before it."""

    def prepare(self, model: Any, tokenizer: Any, prev_postfix_size: int = 8) -> list[Any]:
        chunks = super().prepare(model, tokenizer, prev_postfix_size)
        if len(chunks) > 1:
            raise ValueError(f"{len(chunks)} chunks; give a chunk_size of the context's length")
        return [(chunk, chunk) for chunk, _ in chunks]


def without_template(folder: str, out: Path) -> str:
    """A copy of the tokenizer without its chat template, which the prompts do not use and KVzip would."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(out)
    return str(out)


def kept_by(press: Any, scores: dict[int, torch.Tensor], model: Any, tokens: int) -> list[Any]:
    """Positions kept in each layer and head, ``[layers][heads][n]``, as the press itself chose them."""
    found = []
    for layer in model.model.layers:
        number = layer.self_attn.layer_idx
        if number in scores:  # as kvpress.ScorerPress.compress does with the scores
            count = kvpress.utils.compute_n_kept(tokens, press.compression_ratio)
            found.append(scores[number][0].topk(count, dim=-1).indices.sort(-1).values.tolist())
        else:
            _, heads, places = layer.self_attn.masked_key_indices
            keep = torch.ones(model.config.num_key_value_heads, tokens, dtype=torch.bool)
            keep[heads, places] = False
            found.append([row.nonzero()[:, 0].tolist() for row in keep])
    return found


@torch.inference_mode()
def compressed(model: Any, press: Any, ids: torch.Tensor) -> tuple[Any, list[Any] | None]:
    """The cache of a context that a press has compressed, and what it kept; without a press all."""
    cache = DynamicCache()
    if press is None:
        model.model(input_ids=ids, past_key_values=cache)
        return cache, None
    scores: dict[int, torch.Tensor] = {}
    score = getattr(press, "score", None)

    def noted(module: Any, *given: Any) -> torch.Tensor:
        scores[module.layer_idx] = score(module, *given)
        return scores[module.layer_idx]

    if score is not None:
        press.score = noted
    with press(model):
        model.model(input_ids=ids, past_key_values=cache)
    return cache, kept_by(press, scores, model, ids.shape[1])


@torch.inference_mode()
def answers(
    model: Any, cache: Any, tokens: int, questions: list[list[int]], new: int
) -> list[list[int]]:
    """Greedy tokens for each question, all of a context together, padded on the left."""
    count, longest = len(questions), max(map(len, questions))
    for layer in cache.layers:
        layer.keys = layer.keys.expand(count, -1, -1, -1).contiguous()
        layer.values = layer.values.expand(count, -1, -1, -1).contiguous()
    for layer in model.model.layers:
        masked = getattr(layer.self_attn, "masked_key_indices", None)
        if masked is not None:
            _, heads, places = masked
            each = torch.arange(count).repeat_interleave(len(heads))
            layer.self_attn.masked_key_indices = (each, heads.repeat(count), places.repeat(count))
    pad = torch.tensor([longest - len(each) for each in questions])
    ids = torch.tensor([[0] * (longest - len(each)) + each for each in questions])
    real = torch.arange(longest)[None] >= pad[:, None]
    mask = torch.cat([torch.ones(count, cache.get_seq_length(), dtype=torch.long), real.long()], 1)
    places = (tokens + torch.arange(longest)[None] - pad[:, None]).clamp(min=0)
    found = []
    for _ in range(new):
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=places,
            past_key_values=cache,
            logits_to_keep=1,
        ).logits[:, -1]
        ids = logits.argmax(-1, keepdim=True)
        found.append(ids)
        mask = torch.cat([mask, torch.ones(count, 1, dtype=torch.long)], 1)
        places = places[:, -1:] + 1
    return torch.cat(found, 1).tolist()


def main() -> None:
    """Does the job that the command line names."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    out = Path(job["out"])
    torch.set_num_threads(job["threads"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    model.config.name_or_path = without_template(job["model"], out / "tokenizer")
    for name, settings in job["presses"].items():
        for number, context in enumerate(job["contexts"]):
            path = out / f"{name}-{number}.json"
            if path.exists():
                continue
            start = time.perf_counter()
            for layer in model.model.layers:
                layer.self_attn.masked_key_indices = None
            press = None
            if settings is not None:
                kind = dict(settings)
                name_of_class = kind.pop("class")
                press = (globals().get(name_of_class) or getattr(kvpress, name_of_class))(**kind)
            ids = torch.tensor([context["ids"]])
            cache, kept = compressed(model, press, ids)
            said = answers(model, cache, ids.shape[1], context["questions"], job["new_tokens"])
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps({"kept": kept, "tokens": said}), encoding="utf-8")
            temporary.replace(path)
            seconds = time.perf_counter() - start
            print(f"kvpress: {name}, context {number}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
