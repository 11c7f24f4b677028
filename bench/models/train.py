"""Trains the embedded model ``mini`` on generated needle tasks and saves it as safetensors.

``python -m bench.models.train --minutes 60`` from nothing; ``--resume`` goes on from a checkpoint. Only the
tokenizer that is committed beside the model is needed, no data is downloaded.
"""

import argparse
import concurrent.futures
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional
from transformers import AutoTokenizer, DynamicCache, LlamaConfig, LlamaForCausalLM

from bench.models.circuit import initialise
from bench.models.data import IGNORE, collate, draw_drill, draw_sequence, question_room

FOLDER = Path(__file__).parent / "mini"
MAX_POSITION = 16384
ROPE_THETA = 1e8  # most dimensions turn slowly, so tokens match by content at any distance


def new_model(tokenizer, layers: int, hidden: int) -> LlamaForCausalLM:  # type: ignore[no-untyped-def]
    """A Llama-architecture model with grouped-query attention: head size 32, two query heads per KV head."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 64,
        head_dim=32,
        max_position_embeddings=MAX_POSITION,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        initializer_range=hidden**-0.5,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    initialise(model)
    return model


def loss_and_accuracy(model: LlamaForCausalLM, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, float]:
    """Cross entropy and teacher-forced token accuracy on the answer tokens."""
    cache = DynamicCache()
    model.model(
        input_ids=batch["context"],
        position_ids=batch["context_positions"],
        attention_mask=torch.ones_like(batch["context"]),  # says: positions that jump are no packing
        past_key_values=cache,
    )
    hidden = model.model(
        input_ids=batch["asked"],
        position_ids=batch["positions"],
        attention_mask=batch["mask"],
        past_key_values=cache,
    ).last_hidden_state
    answered = batch["labels"] != IGNORE
    logits = functional.linear(hidden[answered], model.lm_head.weight).float()
    targets = batch["labels"][answered]
    return functional.cross_entropy(logits, targets), (logits.argmax(-1) == targets).float().mean().item()


def make_optimizers(model: LlamaForCausalLM, args: argparse.Namespace) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    inside = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    if not args.muon:
        rest = list(model.parameters())
    else:
        rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.0)
    ]
    if args.muon:
        optimizers.append(torch.optim.Muon(inside, lr=args.muon_lr, weight_decay=0.0, momentum=0.95))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


@dataclass(frozen=True)
class Stage:
    """A step of the curriculum: records over ``vocabulary`` tokens, or the tasks (``None``), at a length."""

    length: int
    vocabulary: int | None = None


def curriculum(max_length: int) -> list[Stage]:
    """From few-token records to the tasks, each stage twice as long as the one before."""
    drills = [Stage(64, 1024), Stage(128, 8189)]
    lengths = [length for length in (128, 256, 512, 1024, 2048, 4096, 8192) if length <= max_length]
    return drills + [Stage(length) for length in lengths]


def make_batch(tokenizer, seed: int, stage: Stage, tokens: int, uuid_share: float):  # type: ignore[no-untyped-def]
    """A batch of about ``tokens`` tokens of one stage."""
    rng = random.Random(seed)
    size = max(1, tokens // (stage.length + question_room(stage.length)))
    far = MAX_POSITION - 2048
    if stage.vocabulary:
        rows = [draw_drill(tokenizer, rng, stage.length, stage.vocabulary, far) for _ in range(size)]
    else:
        # Shorter contexts stay in the mix, so that growing longer forgets nothing.
        length = stage.length if rng.random() < 0.75 else rng.randint(128, stage.length)
        rows = [draw_sequence(tokenizer, rng, length, far, uuid_share) for _ in range(size)]
    return collate(rows, tokenizer.pad_token_id)


def train(args: argparse.Namespace) -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    torch.manual_seed(args.seed)
    model = LlamaForCausalLM.from_pretrained(args.resume) if args.resume else new_model(tokenizer, args.layers, args.hidden)
    device = torch.device(args.device)
    model.to(device).train()
    print(f"{model.num_parameters() / 1e6:.2f}M parameters, {device}, {torch.get_num_threads()} threads", flush=True)
    optimizers = make_optimizers(model, args)
    stages = curriculum(args.max_length)
    place, stage_step, step, smooth = (2 if args.resume else 0), 0, 0, 0.0
    history: list[list[float]] = []
    pool = concurrent.futures.ThreadPoolExecutor(1)
    start = time.time()

    def prepare(step: int, stage: Stage):  # type: ignore[no-untyped-def]
        return pool.submit(make_batch, tokenizer, args.seed * 10**9 + step, stage, args.tokens, args.uuid_share)

    upcoming = prepare(0, stages[place])
    while (used := time.time() - start) < args.minutes * 60:
        scale = min(1.0, (step + 1) / 100) * min(1.0, (1 - used / (args.minutes * 60)) / 0.3)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * scale
        batch = upcoming.result()
        upcoming = prepare(step + 1, stages[place])
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=args.bf16):
            loss, accuracy = loss_and_accuracy(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        smooth = 0.95 * smooth + 0.05 * accuracy
        step, stage_step = step + 1, stage_step + 1
        if step % 50 == 0:
            print(f"step {step} {used:.0f}s {stages[place]} loss {loss.item():.3f} accuracy {smooth:.3f}", flush=True)
            history.append([step, round(used), stages[place].length, round(loss.item(), 4), round(smooth, 4)])
        if step % 500 == 0:
            save(model, tokenizer, Path(args.out), step, used, history, args)
        if smooth > args.promote and stage_step >= 60 and place + 1 < len(stages):
            place, stage_step, smooth = place + 1, 0, 0.5
    save(model, tokenizer, Path(args.out), step, time.time() - start, history, args)


def save(model, tokenizer, out: Path, step: int, seconds: float, history: list, args: argparse.Namespace) -> None:  # type: ignore[no-untyped-def]
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = {"steps": step, "seconds": round(seconds), "settings": vars(args), "history": history}
    (out / "training.json").write_text(json.dumps(record, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", default="mini-training", help="checkpoint folder")
    parser.add_argument("--resume", help="checkpoint folder to go on from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--muon", action="store_true")
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--tokens", type=int, default=6000, help="tokens a step")
    parser.add_argument("--max-length", type=int, default=2048)
    parser.add_argument("--promote", type=float, default=0.9, help="accuracy at which the length doubles")
    parser.add_argument("--uuid-share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
