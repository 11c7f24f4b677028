"""Checks that ask the model, each for all new pairs of a document in one request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prefixqa.config import ServiceConfig
from prefixqa.document import Document, Pair
from prefixqa.made import Rejected
from prefixqa.service import prompts
from prefixqa.service.client import Client
from prefixqa.service.prompts import Messages
from prefixqa.service.schema import Answers, Verdicts, read
from prefixqa.text import f1

TOKENS_AN_ANSWER = 60


@dataclass
class Sieve:
    """Pairs that are still in, and those that fell out; each pass is one method.

    A pass whose request failed rejects its pairs (``unchecked``): nothing unchecked is accepted.
    """

    client: Client
    settings: ServiceConfig
    document: Document
    pairs: list[Pair]
    rejected: list[Rejected]

    async def run(self) -> None:
        """All passes, the cheap ones first."""
        await self.supported()
        await self.needs_document()
        await self.consistent()
        if self.settings.judge:
            await self.judged()

    async def supported(self) -> None:
        """Pairs whose answer does not stand in their quotations must be answerable from those alone."""
        asked = [pair for pair in self.pairs if pair.checks["support"] < 1]
        if not asked:
            return
        quotes = [[each.text for each in pair.evidence] for pair in asked]
        messages = prompts.answer_from_evidence([pair.question for pair in asked], quotes)
        found = await self._answers("support", messages, asked)
        for pair, answer in zip(asked, found, strict=True):
            score = None if answer is None else f1(answer, pair.answers[0])
            self._note(
                pair, "support", score, "unsupported", "its quotations do not give its answer"
            )

    async def needs_document(self) -> None:
        """Pairs that the model answers without the document are too easy, or known to it."""
        if not self.pairs:
            return
        asked = list(self.pairs)
        messages = prompts.answer_alone(self.document.title, [pair.question for pair in asked])
        found = await self._answers("closed_book", messages, asked)
        for pair, answer in zip(asked, found, strict=True):
            score = None if answer is None else 1 - f1(answer, pair.answers[0])
            self._note(pair, "needs_document", score, "closed_book", "answered without the document",
                       least=1 - self.settings.agree, strictly=True)  # fmt: skip

    async def consistent(self) -> None:
        """Answers sampled from the whole document must agree with the pair's."""
        if not self.pairs:
            return
        asked = list(self.pairs)
        questions = [pair.question for pair in asked]
        messages = prompts.answer(self.document.title, self.document.text, questions)
        hits = [0] * len(asked)
        done = 0
        for sample in range(self.settings.samples):
            found = await self._answers("answer", messages, asked, sample)
            done += any(answer is not None for answer in found)
            for place, (pair, answer) in enumerate(zip(asked, found, strict=True)):
                hits[place] += f1(answer or "", pair.answers[0]) >= self.settings.agree
        for pair, count in zip(asked, hits, strict=True):
            score = count / done if done else None
            self._note(pair, "agreement", score, "inconsistent", "other answers from the document")

    async def judged(self) -> None:
        """A second model's verdict."""
        if not self.pairs:
            return
        asked = list(self.pairs)
        shown = [(p.question, p.answers[0], [each.text for each in p.evidence]) for p in asked]
        verdicts = await self.client.ask(
            "judge",
            prompts.judge(self.document.title, shown),
            Verdicts,
            lambda text: read(Verdicts, text),
            TOKENS_AN_ANSWER * len(asked) + 100,
            model=self.settings.judge,
            temperature=0.0,
        )
        by_number = {each.number: each for each in verdicts.verdicts} if verdicts else {}
        for number, pair in enumerate(asked, start=1):
            verdict = by_number.get(number)
            score = None if verdict is None else float(verdict.good)
            self._note(pair, "judge", score, "judge", verdict.reason if verdict else "")

    async def _answers(
        self, kind: str, messages: Messages, asked: Sequence[Pair], sample: int = 0
    ) -> list[str | None]:
        """The answer to each pair's question; None where there was none at all."""
        found = await self.client.ask(
            kind,
            messages,
            Answers,
            lambda text: read(Answers, text),
            TOKENS_AN_ANSWER * len(asked) + 100,
            sample,
            temperature=None if kind == "answer" else 0.0,
        )
        if found is None:
            return [None] * len(asked)
        by_number = {each.number: each.answer for each in found.answers}
        return [by_number.get(number, "") for number in range(1, len(asked) + 1)]

    def _note(
        self,
        pair: Pair,
        name: str,
        score: float | None,
        reason: str,
        detail: str,
        least: float | None = None,
        strictly: bool = False,
    ) -> None:
        """Keeps the score with the pair, or takes the pair out."""
        least = self.settings.agree if least is None else least
        place = self.pairs.index(pair)
        if score is not None and (score > least if strictly else score >= least):
            checks = pair.checks | {name: round(score, 4)}
            self.pairs[place] = replace(pair, checks=checks)
            return
        del self.pairs[place]
        if score is None:
            reason, detail = "unchecked", f"no usable answer to the check {name!r}"
        self.rejected.append(reject(self.document, reason, detail, pair))


def reject(document: Document, reason: str, detail: str, pair: Pair) -> Rejected:
    """A pair as it goes into the file of rejected ones."""
    shown = {
        "question": pair.question,
        "answer": pair.answers[0],
        "type": pair.type,
        "evidence": [each.text for each in pair.evidence],
        "checks": pair.checks,
        "provenance": pair.provenance,
    }
    return Rejected(document.id, reason, detail, shown)
