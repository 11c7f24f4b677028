"""From a task to the family that draws its samples. A new family adds one case here."""

import random
from dataclasses import dataclass

from ruler.families.code import Code
from ruler.families.cwe import CweDraw
from ruler.families.essay import Essay
from ruler.families.fwe import FweDraw
from ruler.families.niah import NiahDraw
from ruler.families.qa import QaDraw
from ruler.families.sample import Draw
from ruler.families.vt import DEMO_BLOCKS, VtDraw
from ruler.prompts import PromptSet
from ruler.sources.qa_data import Item, QaData
from ruler.tasks import CweTask, FweTask, NiahTask, QaTask, Task, VtTask


@dataclass(frozen=True)
class Material:
    """What samples are made of besides their random choices.

    Attributes:
        text: of a haystack of essays or code. turned: whether each sample begins at a place of its own in
            it; otherwise all begin with its first word, as the original's do.
        qa: documents and questions.
        demo_blocks: noise blocks of the worked example of variable tracking.
        order: seed of places in the text; None: the sample's own.
        raw_words: word lists with their words that contain blanks or hyphens.
        items_seed: seed of the order in which questions are taken; None: as they are in the file.
    """

    text: Essay | Code | None = None
    turned: bool = False
    qa: QaData | None = None
    demo_blocks: int = DEMO_BLOCKS
    order: str | None = None
    raw_words: bool = False
    items_seed: str | None = None

    def items(self, index: int, questions: int) -> list[Item]:
        """The questions of one sample; no two samples share one.

        Raises:
            ValueError: there are not that many.
        """
        assert self.qa is not None
        known = self.qa.items
        first, last = index * questions, (index + 1) * questions
        if last > len(known):
            raise ValueError(
                f"sample {index} needs question {last}, but there are {len(known)} with an answer; "
                "ask for fewer samples, or fewer questions per context"
            )
        if self.items_seed is None:
            return list(known[first:last])
        places = list(range(len(known)))
        random.Random(self.items_seed).shuffle(places)
        return [known[place] for place in places[first:last]]


def draw_sample(
    task: Task,
    prompts: PromptSet,
    seed: str,
    *,
    questions: int,
    length: int,
    index: int = 0,
    material: Material | None = None,
) -> Draw:
    """All random choices of one sample of a task.

    Args:
        task: the task; it must have enough to ask for (``tasks.with_questions``).
        prompts: the wording.
        seed: decides everything that is drawn.
        questions: questions on the context.
        length: tokens of the whole sample, which the word counts' parameters depend on.
        index: of the sample. material: what it is made of.
    """
    material = material or Material()
    match task:
        case NiahTask():
            text = material.text
            if text is not None and material.turned:
                text = text.begun_at(random.Random(f"{seed}/text").random())
            return NiahDraw(task, prompts.niah, seed, questions, text)
        case VtTask():
            return VtDraw(task, prompts, seed, questions, material.demo_blocks)
        case CweTask():
            return CweDraw(task, prompts.cwe, seed, length, material.order, material.raw_words)
        case FweTask():
            return FweDraw(task, prompts.fwe, seed, length, material.order)
        case QaTask():
            assert material.qa is not None
            items = material.items(index, questions)
            return QaDraw(task, prompts.qa, seed, material.qa, items, material.order)
