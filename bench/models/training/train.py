"""Trains the embedded model ``mini`` on generated needle tasks and saves it as safetensors.

    python -m bench.models.train --minutes 60 --out mini-training

Needs nothing but the tokenizer committed beside the model; no data is downloaded. Sequences grow longer
whenever the answers are mostly right. ``--resume FOLDER`` goes on from a checkpoint, at the tasks.
"""

import argparse
import concurrent.futures
import json
import math
import platform
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from bench.models import MINI, check
from bench.models.training.circuit import initialise
from bench.models.training.data import (
    FAR,
    MAX_POSITION,
    Batch,
    Sequence,
    collate,
    draw_document_sequence,
    draw_drill,
    draw_sequence,
    sequences_in,
)
from bench.models.training.optimise import make_optimizers, step_once

ROPE_THETA = 1e8  # most dimensions turn slowly, so tokens match by content at any distance
DRILLS = 2  # stages of the curriculum before the tasks
# Kind of task: its weight, and the answer token accuracy at which contexts grow. Multivalue has room for one
# wrong token of each value after the first: without the heads of given.py, values that were given come again.
KINDS = {
    "single": (3, 0.95),
    "multivalue": (1, 0.9),
    "multiquery": (3, 0.95),
    "document": (3, 0.9),
}
PATIENCE = 300  # steps after which contexts grow all the same
RECORDS = (48, 160)  # tokens of a context of records, where they are mixed with the tasks


@dataclass(frozen=True)
class Stage:
    """A step of the curriculum: records over ``vocabulary`` tokens, or the tasks (``None``), at a
    context length in tokens."""

    length: int
    vocabulary: int | None = None


def curriculum(max_length: int) -> list[Stage]:
    """From records of random tokens to the tasks, each stage twice as long as the one before."""
    drills = [Stage(64, 1024), Stage(128, 8189)]
    assert len(drills) == DRILLS
    lengths = (128, 256, 512, 1024, 2048, 4096, 8192)
    return drills + [Stage(length) for length in lengths if length <= max_length]


def new_model(tokenizer: PreTrainedTokenizerFast, layers: int, hidden: int) -> LlamaForCausalLM:
    """A Llama-architecture model with grouped-query attention: head size 32, two query heads a KV head."""
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


def draw_task(
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    kind: str,
    length: int,
    max_position: int,
    uuid_share: float,
) -> Sequence:
    """A sequence of one of ``KINDS`` at a context length in tokens."""
    if kind == "document":
        return draw_document_sequence(tokenizer, rng, length, max_position)
    return draw_sequence(tokenizer, rng, kind, length, max_position, uuid_share)


def make_batch(
    tokenizer: PreTrainedTokenizerFast, seed: int, stage: Stage, args: argparse.Namespace
) -> tuple[str, Batch]:
    """A batch of one stage, about ``args.tokens`` tokens of one kind of task, which is returned too."""
    rng = random.Random(seed)
    kind = rng.choices(tuple(args.mix), list(args.mix.values()))[0]
    if kind == "records":
        stage = Stage(rng.randint(*RECORDS), len(tokenizer) - 3)
    elif args.lengths == "any":
        shortest, longest = math.log2(args.min_length), math.log2(args.max_length)
        stage = Stage(int(2 ** rng.uniform(shortest, longest)))
    size = sequences_in(args.tokens, stage.length)
    if stage.vocabulary:
        rows = [
            draw_drill(tokenizer, rng, stage.length, stage.vocabulary, FAR) for _ in range(size)
        ]
    else:
        # Shorter contexts stay in the mix, so that growing longer forgets nothing.
        shorter = args.lengths == "growing" and rng.random() >= 0.75
        length = rng.randint(args.min_length, stage.length) if shorter else stage.length
        rows = [draw_task(tokenizer, rng, kind, length, FAR, args.uuid_share) for _ in range(size)]
    return kind, collate(rows, tokenizer.pad_token_id)


def train(args: argparse.Namespace) -> None:
    """Trains for ``args.minutes`` and writes checkpoints to ``args.out``."""
    tokenizer = AutoTokenizer.from_pretrained(MINI)
    torch.manual_seed(args.seed)
    if args.resume:
        model = LlamaForCausalLM.from_pretrained(args.resume)
    else:
        model = new_model(tokenizer, args.layers, args.hidden)
    model.to(args.device).train()
    print(f"{model.num_parameters() / 1e6:.2f}M parameters on {args.device}", flush=True)
    optimizers = make_optimizers(model, args)
    stages = curriculum(args.max_length)
    place, stage_step, step = (DRILLS if args.resume else 0), 0, 0
    smooth = dict.fromkeys(args.mix, 0.0)
    history: list[list[float]] = []
    pool = concurrent.futures.ThreadPoolExecutor(1)
    start, total = time.time(), 60 * args.minutes

    def prepare(step: int, stage: Stage) -> concurrent.futures.Future:
        seed = args.seed * 10**9 + step
        return pool.submit(make_batch, tokenizer, seed, stage, args)

    upcoming = prepare(0, stages[place])
    while (used := time.time() - start) < total:
        (kind, batch), upcoming = upcoming.result(), prepare(step + 1, stages[place])
        rate = min(1.0, (step + 1) / 100) * min(1.0, (1 - used / total) / 0.3)
        loss, accuracy = step_once(model, optimizers, batch, rate, args)
        smooth[kind] = 0.9 * smooth[kind] + 0.1 * accuracy
        step, stage_step = step + 1, stage_step + 1
        if step % 50 == 0:
            row = [step, round(used), stages[place].length, round(loss, 4)]
            row += [round(value, 3) for value in smooth.values()]
            shares = " ".join(f"{kind} {value:.3f}" for kind, value in smooth.items())
            print(f"step {step} {used:.0f}s length {row[2]} loss {loss:.4f} {shares}", flush=True)
            history.append(row)
        if step % 250 == 0:
            save(model, tokenizer, Path(args.out), args, history)
        learnt = all(smooth.get(kind, 1.0) > enough for kind, (_, enough) in KINDS.items())
        if ((learnt and stage_step >= 60) or stage_step >= PATIENCE) and place + 1 < len(stages):
            place, stage_step, smooth = place + 1, 0, dict.fromkeys(args.mix, 0.5)
    save(model, tokenizer, Path(args.out), args, history)


def save(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    out: Path,
    args: argparse.Namespace,
    history: list[list[float]],
) -> None:
    """Writes model, tokenizer and the record of the training to ``out``."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = {
        "settings": vars(args),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {args.device}",
        "columns": ["step", "seconds", "context length", "loss", *args.mix],
        "history": history,
    }
    (out / "training.json").write_text(json.dumps(record) + "\n")


def mix(text: str) -> dict[str, float]:
    """Weights of kinds of task from ``kind:weight,kind:weight``."""
    weights = {kind: float(weight) for kind, weight in (p.split(":") for p in text.split(","))}
    if unknown := weights.keys() - KINDS.keys() - {"records"}:
        raise argparse.ArgumentTypeError(f"unknown kind of task: {', '.join(sorted(unknown))}")
    return weights


def checkpoint(folder: str) -> str:
    """A folder that holds a model."""
    try:
        check("checkpoint", str(Path(folder).absolute()))
    except FileNotFoundError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60, help="training time (60)")
    parser.add_argument("--out", default="mini-training", help="checkpoint folder (mini-training)")
    parser.add_argument("--resume", type=checkpoint, help="checkpoint folder to go on from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16")
    parser.add_argument("--layers", type=int, default=4, help="decoder layers (4)")
    parser.add_argument(
        "--hidden", type=int, default=128, help="hidden size, a multiple of 64 (128)"
    )
    parser.add_argument(
        "--optimizer", choices=("muon", "adamw"), default="muon", help="of the matrices (muon)"
    )
    parser.add_argument("--lr", type=float, default=1.5e-3, help="AdamW learning rate (0.0015)")
    parser.add_argument("--muon-lr", type=float, default=5e-3, help="Muon learning rate (0.005)")
    parser.add_argument("--tokens", type=int, default=4000, help="tokens a step (4000)")
    parser.add_argument("--max-length", type=int, default=4096, help="longest context (4096)")
    parser.add_argument(
        "--lengths",
        choices=("growing", "any"),
        default="growing",
        help="contexts that grow with the accuracy, or of any length from the first step (growing)",
    )
    parser.add_argument("--min-length", type=int, default=128, help="shortest context (128)")
    parser.add_argument(
        "--mix",
        type=mix,
        default=",".join(f"{kind}:{weight}" for kind, (weight, _) in KINDS.items()),
        help="kinds of task and how often each is drawn; records are random tokens (%(default)s)",
    )
    parser.add_argument(
        "--embeddings",
        choices=("all", "seen", "none"),
        default="all",
        help="which embeddings a step trains: all, those of its own tokens, none (all)",
    )
    parser.add_argument(
        "--uuid-share", type=float, default=0.03, help="share of uuid needles (0.03)"
    )
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())
