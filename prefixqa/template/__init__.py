"""The ``template`` backend: invented documents whose answers are known by construction.

Standard library only: ``draw_document`` is also where the embedded model's training text comes from::

    drawn = draw_document(random.Random(seed), budget, questions, measure=tokens_of)
    context = prompts.context_text(drawn.document.text)
    for pair in drawn.pairs:
        prompt = prompts.question_text(pair.question) + pair.answer_prefix
        target = " " + pair.answers[-1] + "."  # the form that goes on as the document does
"""

from prefixqa.template.draw import Drawn, draw_document
from prefixqa.template.prose import GENERATOR
from prefixqa.template.questions import MIX, SpaceError

__all__ = ["GENERATOR", "MIX", "Drawn", "SpaceError", "draw_document"]
