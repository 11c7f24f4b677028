"""The suite's own wording around a document and a question; ``VERSION`` goes into every row.

Standard library only: training on these prompts must not need more.
"""

VERSION = "suite-1"
INTRODUCTION = (
    "Here is a document. Questions about it follow; answer each from the document alone, in as few "
    "words as possible.\n\n"
)


def context_text(document: str) -> str:
    """The fixed context: a short instruction, then the document."""
    return INTRODUCTION + document


def question_text(question: str) -> str:
    """A question as it is asked behind the context; the answer's prefix comes right after it."""
    return f"\n\nQuestion: {question}\nAnswer:"
