"""Question answering over many documents, of which few hold the answer (RULER section 3.4)."""

import itertools
import random

from rows.tokens import TokenCounter
from ruler.families.sample import Needle, Question, Sample
from ruler.prompts import QaWording
from ruler.sources.qa_data import Item, QaData
from ruler.tasks import QaTask


class QaDraw:
    """All random choices of one sample. A unit of its haystack is a document.

    The first documents are those with the answers; then come those that belong to the same article
    or question, which distract most; then others. Their places in the text are drawn, so the
    answers stand anywhere.
    """

    def __init__(
        self,
        task: QaTask,
        wording: QaWording,
        seed: str,
        data: QaData,
        items: list[Item],
        order: str | None = None,
    ) -> None:
        """``items``: the questions asked. ``order``: seed of the places if not ``seed``."""
        self.task, self._wording, self.seed = task, wording, seed
        self._data, self._items, self._order = data, items, order or seed
        rng = random.Random(seed)
        gold = list(dict.fromkeys(place for item in items for place in item.gold))
        related = [rng.sample(item.related, len(item.related)) for item in items]
        near = [place for turn in itertools.zip_longest(*related) for place in turn]
        chosen = dict.fromkeys([*gold, *(place for place in near if place is not None)])
        everything = range(len(data.documents)) if data.others is None else data.others
        others = [place for place in everything if place not in chosen]
        self._gold = len(gold)
        self._places = [*chosen, *rng.sample(others, len(others))]
        self._sums = [0]

    def minimum_size(self) -> int:
        """The documents that hold the answers."""
        return self._gold

    def maximum_size(self) -> int:
        """All documents there are: none comes twice."""
        return len(self._places)

    def lay_out(self, size: int) -> Sample:
        """The sample with ``size`` documents."""
        places = self._places[:size]
        random.Random(f"{self._order}/places/{size}").shuffle(places)
        gold = set(self._places[: self._gold])
        texts, needles, offsets, offset = [], [], [], len(self._head)
        for number, place in enumerate(places, start=1):
            text = self._text(number, place)
            if place in gold:
                needles.append(Needle(_key(place), "", text))
                offsets.append(offset)
            texts.append(text)
            offset += len(text) + 2
        context = self._head + "\n\n".join(texts) + "\n\n"
        return Sample(context, self.questions(size), tuple(needles), tuple(offsets))

    def questions(self, size: int) -> tuple[Question, ...]:
        """A question for each item, whatever the size."""
        wording = self._wording
        return tuple(
            Question(
                keys=tuple(map(_key, item.gold)),
                text=wording.question.format(question=item.question),
                answer_prefix=wording.answer_prefix,
                answers=item.answers,
            )
            for item in self._items
        )

    def tokens(self, size: int, counter: TokenCounter) -> int:
        """Tokens of the context of that size, added up from its parts."""
        if (done := len(self._sums) - 1) < size:
            # In drawn order; numbers are as long wherever they stand.
            texts = [
                self._text(number, self._places[number - 1]) + "\n\n"
                for number in range(done + 1, size + 1)
            ]
            costs = itertools.accumulate(counter.added_each(texts), initial=self._sums.pop())
            self._sums += costs
        return counter.count(self._head) + self._sums[size]

    @property
    def _head(self) -> str:
        return f"{self._wording.instruction}\n\n"

    def _text(self, number: int, place: int) -> str:
        return self._wording.document.format(number=number, text=self._data.documents[place])


def _key(place: int) -> str:
    return f"document {place}"
