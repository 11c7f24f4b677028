"""Pairs of one document: propose, check by rule, check by model, and again until there are enough."""

import asyncio
from collections.abc import Sequence
from typing import Any

from prefixqa.config import ServiceConfig
from prefixqa.document import Document, Pair
from prefixqa.made import Made, Rejected
from prefixqa.service import prompts
from prefixqa.service.client import Client
from prefixqa.service.passes import Sieve, reject
from prefixqa.service.plan import Ask, chunks, plan
from prefixqa.service.rules import Reject, check
from prefixqa.service.schema import Proposal, Proposals, read_proposals
from prefixqa.tokens import TokenCounter
from rows.redact import redact

NAME = "openai"
TOKENS_A_PAIR = 250

Readable = tuple[list[Proposal], list[tuple[dict[str, Any], str]]]


async def pairs_of(
    client: Client,
    settings: ServiceConfig,
    document: Document,
    tokens: TokenCounter,
    questions: int,
    seed: int,
) -> Made:
    """The accepted pairs of a document, in the order of its text, and the rejected ones.

    Raises:
        StopError, StoreError, StoreFullError: nothing more is asked.
    """
    parts = chunks(document, tokens, questions)
    accepted: list[Pair] = []
    turned_down: list[Pair] = []  # by the model: to propose them again would only cost
    rejected: list[Rejected] = []
    for number in range(settings.rounds):
        asks = plan(parts, questions, accepted)
        if not asks:
            break
        provenance = {
            "backend": NAME,
            "model": redact(settings.model),
            "prompts": prompts.VERSION,
            "seed": seed,
            "round": number,
        }
        found = await asyncio.gather(
            *(_propose(client, settings, document, ask, number) for ask in asks)
        )
        seen = [*accepted, *turned_down]
        new = _checked(settings, document, asks, found, seen, rejected, provenance)
        sieve = Sieve(client, settings, document, list(new), rejected)
        await sieve.run()
        passed = {pair.question for pair in sieve.pairs}
        turned_down += [pair for pair in new if pair.question not in passed]
        room = questions - len(accepted)
        accepted += sieve.pairs[:room]
        rejected += [
            reject(document, "surplus", "the document has its pairs", pair)
            for pair in sieve.pairs[room:]
        ]
    accepted.sort(key=lambda pair: pair.evidence[0].start)
    return Made(document, tuple(accepted), tuple(rejected))


async def _propose(
    client: Client, settings: ServiceConfig, document: Document, ask: Ask, number: int
) -> Readable | None:
    passage = document.text[ask.chunk.start : ask.chunk.end]
    messages = prompts.propose(document.title, passage, ask.wanted, settings.max_answer_words)
    room = TOKENS_A_PAIR * ask.wanted.total() + 200
    return await client.ask("propose", messages, Proposals, read_proposals, room, sample=number)


def _checked(
    settings: ServiceConfig,
    document: Document,
    asks: Sequence[Ask],
    found: Sequence[Readable | None],
    seen: Sequence[Pair],
    rejected: list[Rejected],
    provenance: dict[str, Any],
) -> list[Pair]:
    """The proposals that pass the rules, taken passage by passage in turn; the rest is rejected."""
    new: list[Pair] = []
    good: list[list[tuple[Proposal, Ask]]] = []
    for ask, answer in zip(asks, found, strict=True):
        proposals, broken = answer or ([], [])
        good.append([(proposal, ask) for proposal in proposals])
        rejected += [Rejected(document.id, "schema", flaw, shown) for shown, flaw in broken]
    # In turn, so that a surplus that is cut off later does not all come from the document's end.
    depth = max(map(len, good), default=0)
    for proposal, ask in (each[at] for at in range(depth) for each in good if at < len(each)):
        try:
            pair = check(
                proposal,
                document,
                ask.chunk,
                [*seen, *new],
                settings.max_answer_words,
                provenance,
            )
        except Reject as flaw:
            shown = proposal.model_dump() | {"provenance": provenance}
            rejected.append(Rejected(document.id, flaw.reason, str(flaw), shown))
        else:
            new.append(pair)
    return new
