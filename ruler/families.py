"""From a task to the family that draws its samples. A new family adds one case here."""

from ruler.cwe import CweDraw
from ruler.essay import Essay
from ruler.fwe import FweDraw
from ruler.niah import NiahDraw
from ruler.prompts import PromptSet
from ruler.sample import Draw
from ruler.tasks import CweTask, FweTask, NiahTask, Task, VtTask
from ruler.vt import VtDraw


def draw_sample(
    task: Task,
    prompts: PromptSet,
    seed: str,
    *,
    questions: int,
    length: int,
    essay: Essay | None = None,
) -> Draw:
    """All random choices of one sample of a task.

    Args:
        task: the task; it must have enough to ask for (``tasks.with_questions``).
        prompts: the wording.
        seed: decides everything that is drawn.
        questions: questions on the context.
        length: tokens of the whole sample, which the word counts' parameters depend on.
        essay: text of an essay haystack.
    """
    match task:
        case NiahTask():
            return NiahDraw(task, prompts.niah, seed, questions, essay)
        case VtTask():
            return VtDraw(task, prompts, seed, questions)
        case CweTask():
            return CweDraw(task, prompts.cwe, seed, length)
        case FweTask():
            return FweDraw(task, prompts.fwe, seed, length)
