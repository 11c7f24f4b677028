"""Tokens and cost before anything is asked: the same requests, sized with the tokenizer at hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prefixqa.config import ServiceConfig
from prefixqa.document import Document
from prefixqa.service import prompts
from prefixqa.service.accounts import Prices
from prefixqa.service.plan import SURPLUS, chunks, plan
from prefixqa.tokens import TokenCounter

# Tokens that answers take on average: a pair with its quotation, an answer, a verdict.
PAIR_OUT, ANSWER_OUT, VERDICT_OUT = 90, 20, 30
QUESTION = "Which instrument was used to measure the depth of the northern channel in the survey?"
EXTRA_ROUNDS = 1.25  # documents that need a second round, on average a quarter of one


@dataclass(frozen=True)
class Estimate:
    """Requests by kind, and their tokens."""

    requests: Counter[str]
    tokens_in: int
    tokens_out: int

    def line(self, prices: Prices) -> str:
        """The estimate for the terminal."""
        counts = ", ".join(f"{kind} {count}" for kind, count in self.requests.items())
        cost = prices.cost(self.tokens_in, self.tokens_out)
        money = (
            "unknown (give openai.price_in and openai.price_out)" if cost is None else f"{cost:.4f}"
        )
        return (
            f"estimate: {self.requests.total()} requests ({counts}), {self.tokens_in} tokens in, "
            f"{self.tokens_out} tokens out; cost: {money}"
        )


def estimate(
    settings: ServiceConfig, documents: Sequence[Document], tokens: TokenCounter, questions: int
) -> Estimate:
    """What a set will take, by the tokenizer in use; another tokenizer counts a little otherwise."""
    requests: Counter[str] = Counter()
    tokens_in = tokens_out = 0.0
    count = round(SURPLUS * questions)
    asked = [QUESTION] * count

    def add(kind: str, messages: prompts.Messages, out: int, times: int = 1) -> None:
        nonlocal tokens_in, tokens_out
        requests[kind] += times
        tokens_in += times * sum(tokens.count(each["content"]) for each in messages)
        tokens_out += times * out

    for document in documents:
        title = document.title
        for ask in plan(chunks(document, tokens, questions), questions, ()):
            passage = document.text[ask.chunk.start : ask.chunk.end]
            messages = prompts.propose(title, passage, ask.wanted, settings.max_answer_words)
            add("propose", messages, PAIR_OUT * ask.wanted.total())
        add("closed_book", prompts.answer_alone(title, asked), ANSWER_OUT * count)
        messages = prompts.answer(title, document.text, asked)
        add("answer", messages, ANSWER_OUT * count, settings.samples)
        if settings.judge:
            shown = [(QUESTION, "a lead line", [QUESTION])] * questions
            add("judge", prompts.judge(title, shown), VERDICT_OUT * questions)
    more = EXTRA_ROUNDS if settings.rounds > 1 else 1.0
    return Estimate(requests, round(more * tokens_in), round(more * tokens_out))
