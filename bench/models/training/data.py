"""Training sequences for the embedded model: a context and many independent questions about it.

One sequence is a fixed context followed by several question segments. Every segment sees the context and
itself, never another segment, and takes the positions right after the context: exactly how the suite asks
several user inputs on one fixed context. Loss counts on answer tokens only.
"""

import contextlib
import random
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from prefixqa import prompts, template
from ruler.families.niah import NiahDraw, Question
from ruler.prompts import SUITE
from ruler.tasks import NiahTask

IGNORE = -100
MAX_OTHERS = 3
MAX_POSITION = 16384  # of the model
FAR = MAX_POSITION - 2048  # where contexts end at the latest; questions come behind

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Sequence:
    """One training sequence as lists of ints.

    Attributes:
        context, context_positions: token ids of the fixed context and their RoPE positions.
        asked: token ids of all question segments. labels: their next-token targets, ``IGNORE`` off the
            answers. positions: their RoPE positions. segments: the question a token belongs to, from 1.
        others: for each token of ``asked`` up to ``MAX_OTHERS`` further targets that are as right as the
            label, filled up with ``IGNORE``: several values of a key may come in any order.
    """

    context: list[int]
    context_positions: list[int]
    asked: list[int]
    labels: list[int]
    positions: list[int]
    segments: list[int]
    others: list[list[int]]


@dataclass(frozen=True)
class Asked:
    """One question as ids. ``others``: of some places in ``answer``, further tokens that are right there."""

    prompt: list[int]
    answer: list[int]
    others: dict[int, list[int]] = field(default_factory=dict)


def random_task(
    rng: random.Random, kind: str, length: int, uuid_share: float
) -> tuple[NiahTask, int]:
    """A task of a kind, with parameters that fit the length, and how many questions to ask on a context.

    Args:
        kind: ``single`` (one value), ``multivalue`` (all values of a key) or ``multiquery`` (several keys).
    """
    haystack = rng.choice(("needle", "needle", "noise"))
    uuids = kind == "single" and length >= 512 and rng.random() < uuid_share
    key_type = "uuids" if uuids and rng.random() < 0.5 else "words"
    value_type = "uuids" if uuids else "numbers"
    most = max(2, min(16, length // (80 if haystack == "noise" else 40)))
    if kind == "single":
        keys, asked = (1, 16) if haystack == "needle" else (most, most)
        return NiahTask(kind, haystack, key_type, value_type, keys=keys), asked
    if kind == "multivalue":
        # Always as many values as the standard task has: the model cannot tell when none is left.
        keys = 1 if rng.random() < 0.5 else max(1, min(4, length // 200))
        return NiahTask(kind, haystack, keys=keys, values=1 + MAX_OTHERS), keys
    several = rng.randint(2, min(4, most))
    return NiahTask(kind, haystack, keys=most, queries=several), most // several


def asked(tokenizer: PreTrainedTokenizerFast, question: Question, rng: random.Random) -> Asked:
    """A question and how the model answers it: the one value, or several, each with number and key.

    Several values of one key come in a random order, and at each place all that are left are right.
    """
    encode = tokenizer.encode
    prompt = encode(question.text + question.answer_prefix)
    values = list(question.answers)
    one_key = len(question.keys) == 1
    if one_key:
        rng.shuffle(values)
    keys = question.keys * len(values) if one_key else question.keys
    answer: list[int] = []
    others: dict[int, list[int]] = {}
    for number, (key, value) in enumerate(zip(keys, values, strict=True), start=1):
        if len(values) == 1:
            answer += encode(" ")
        else:
            answer += encode(f"{',' if number > 1 else ''} ({number}) {key} has ")
        left = values[number:] if one_key else []
        others[len(answer)] = [encode(each)[0] for each in left]
        answer += encode(value)
    return Asked(prompt, [*answer, *encode("."), tokenizer.eos_token_id], others)


def draw_document_sequence(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, length: int, max_position: int
) -> Sequence:
    """A PreFixQA template document of about ``length`` tokens and questions, as that task asks them."""
    # Counting tokens at every sentence takes longer than a step of training; words do for a random length.
    budget = max(60, length * 3 // 5)
    for questions in (24, 12, 6, 3, 1):
        with contextlib.suppress(template.SpaceError):
            drawn = template.draw_document(rng, budget, questions)
            break
    else:
        return draw_document_sequence(tokenizer, rng, 2 * length, max_position)
    pairs = [
        Asked(
            tokenizer.encode(prompts.question_text(pair.question) + pair.answer_prefix),
            [*tokenizer.encode(f" {pair.answers[-1]}."), tokenizer.eos_token_id],
        )
        for pair in drawn.pairs
    ]
    rng.shuffle(pairs)
    context = tokenizer.encode(prompts.context_text(drawn.document.text))
    return _join(
        rng, [tokenizer.bos_token_id, *context], pairs, question_room(length), max_position
    )


def draw_sequence(
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    kind: str,
    length: int,
    max_position: int,
    uuid_share: float,
) -> Sequence:
    """A random sequence of one kind of task whose context has about ``length`` tokens."""
    task, count = random_task(rng, kind, length, uuid_share)
    draw = NiahDraw(task, SUITE.niah, str(rng.random()), count)
    per_unit = _tokens_per_unit(task, draw, tokenizer)
    needles = len(draw.needles) * _needle_tokens(task) if task.haystack == "noise" else 0
    size = max(draw.minimum_size(), (length - needles) // per_unit)
    sample = draw.lay_out(size)
    questions = list(sample.questions)
    if kind == "multivalue":
        questions *= 4  # in other orders
    pairs = [asked(tokenizer, question, rng) for question in questions]
    context = [tokenizer.bos_token_id, *tokenizer.encode(sample.context)]
    return _join(rng, context, pairs, question_room(length), max_position)


def question_room(length: int) -> int:
    """Tokens for the questions on one context: enough of them that the long context pays."""
    return 250 + length // 4


def sequences_in(tokens: int, length: int) -> int:
    """How many sequences with contexts of ``length`` tokens make a batch of about ``tokens``."""
    return max(1, tokens // (length + question_room(length)))


def _needle_tokens(task: NiahTask) -> int:
    return 19 if task.value_type == "numbers" else 40


def draw_drill(
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    length: int,
    vocabulary: int,
    max_position: int,
) -> Sequence:
    """A sequence of random records (key tokens, then value tokens), each asked for by its key.

    The bare skill behind every task - find the place where these tokens stood, copy what followed - with
    loss on most tokens: it emerges here many times sooner than in prose, and sooner still when the records
    use few different tokens (``vocabulary``).
    """
    key_length, value_length = rng.randint(1, 4), rng.randint(1, 6)
    count = max(2, length // (key_length + value_length))
    spread = random.Random(0).sample(
        range(3, len(tokenizer)), len(tokenizer) - 3
    )  # 0-2 are special
    alphabet = spread[:vocabulary]
    keys = {tuple(rng.choices(alphabet, k=key_length)) for _ in range(count)}
    records = [(list(key), rng.choices(alphabet, k=value_length)) for key in sorted(keys)]
    rng.shuffle(records)
    context = [tokenizer.bos_token_id, *(token for key, value in records for token in key + value)]
    rng.shuffle(records)
    # No end token: nothing in a record shows where its value ends.
    pairs = [Asked(key, value) for key, value in records]
    return _join(rng, context, pairs, question_room(length), max_position)


def _tokens_per_unit(task: NiahTask, draw: NiahDraw, tokenizer: PreTrainedTokenizerFast) -> int:
    text = SUITE.niah.noise if task.haystack == "noise" else draw.needles[0].text
    return len(tokenizer.encode(text + "\n"))


def _join(
    rng: random.Random,
    context: list[int],
    questions: list[Asked],
    room: int,
    max_position: int,
) -> Sequence:
    """A context with as many questions as the room allows, at least one."""
    context_positions = _spread_positions(rng, len(context), max_position)
    joined = Sequence(context, context_positions, [], [], [], [], [])
    start = context_positions[-1] + 1
    for number, question in enumerate(questions, start=1):
        segment = question.prompt + question.answer[:-1]
        if number > 1 and len(joined.asked) + len(segment) > room:
            break
        skipped = len(question.prompt) - 1
        joined.asked.extend(segment)
        joined.labels.extend([IGNORE] * skipped + question.answer)
        joined.positions.extend(range(start, start + len(segment)))
        joined.segments.extend([number] * len(segment))
        for place in range(-skipped, len(question.answer)):
            found = question.others.get(place, [])
            joined.others.append(found + [IGNORE] * (MAX_OTHERS - len(found)))
    return joined


def _spread_positions(rng: random.Random, length: int, max_position: int) -> list[int]:
    """Positions of a context, half of the time with random jumps.

    The jumps show the model every relative distance up to ``max_position`` on short sequences (positional
    skip-wise training, arXiv 2309.10400), so it reads contexts longer than any it was trained on.
    """
    positions = list(range(length))
    if rng.random() < 0.5:
        return positions
    cuts = sorted(rng.sample(range(1, length), k=rng.randint(1, 4)))
    room = rng.randint(0, max_position - length)
    jumps = sorted(rng.randint(0, room) for _ in cuts)
    for cut, jump, before in zip(cuts, jumps, [0, *jumps], strict=False):
        for i in range(cut, length):
            positions[i] += jump - before
    return positions


def collate(sequences: list[Sequence], pad_id: int) -> Batch:
    """Pads to one batch: every field of ``Sequence`` as ``[B, N]`` (contexts) or ``[B, L]`` (questions), and
    ``mask`` ``[B, 1, L, N + L]``, true where a question token may look."""
    fills: dict[str, Any] = {"context": pad_id, "asked": pad_id, "labels": IGNORE}
    fills["others"] = [IGNORE] * MAX_OTHERS
    batch = {}
    for each in fields(Sequence):
        rows = [getattr(sequence, each.name) for sequence in sequences]
        width = max(len(row) for row in rows)
        fill = fills.get(each.name, 0)
        batch[each.name] = torch.tensor([row + [fill] * (width - len(row)) for row in rows])
    segments = batch["segments"]
    same = segments[:, :, None] == segments[:, None, :]
    causal = torch.ones(segments.shape[1], segments.shape[1], dtype=torch.bool).tril()
    lengths = torch.tensor([len(sequence.context) for sequence in sequences])
    inside = torch.arange(batch["context"].shape[1]) < lengths[:, None]
    context_part = inside[:, None, :].expand(-1, segments.shape[1], -1)
    batch["mask"] = torch.cat([context_part, same & causal], dim=-1)[:, None]
    return batch
