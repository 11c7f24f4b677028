"""Documents and pairs as rows of the row contract (``rows.row.Row``)."""

from typing import Any

from prefixqa import prompts
from prefixqa.document import Document, Pair
from prefixqa.made import Made
from prefixqa.tokens import TokenCounter
from rows.row import Row

TASK = "prefixqa"
SPARE_TOKENS = 16  # a model may need a few more tokens than the reference answer


def to_rows(made: Made, subtask: str, tokens: TokenCounter) -> list[Row]:
    """The rows of one document, in the order of its pairs.

    Evidence positions in ``meta`` count characters of the row's context.

    Args:
        subtask: the backend, which names the corpus in results.
    """
    document = made.document
    context = prompts.context_text(document.text)
    common = {
        "document": document.id,
        "title": document.title,
        "source": document.source,
        "licence": document.licence,
        "published": document.published,
        "prompts": prompts.VERSION,
        "document_tokens": tokens.count(document.text),
        "tokenizer": tokens.name,
        "tokenizer_fingerprint": tokens.fingerprint,
        **made.meta,
    }
    return [
        Row(
            id=f"{document.id}-q{number:02d}",
            task=TASK,
            subtask=subtask,
            context=context,
            question=prompts.question_text(pair.question),
            answer_prefix=pair.answer_prefix,
            answers=list(pair.answers),
            max_new_tokens=answer_room(pair, tokens),
            meta=common | pair_meta(document, pair),
        )
        for number, pair in enumerate(made.pairs)
    ]


def pair_meta(document: Document, pair: Pair) -> dict[str, Any]:
    """What a row's ``meta`` says about its pair."""
    offset = len(prompts.INTRODUCTION)
    return {
        "question": pair.question,
        "type": pair.type,
        "evidence": [
            {"start": each.start + offset, "end": each.end + offset, "text": each.text}
            for each in pair.evidence
        ],
        "depths": [round(document.depth(each), 4) for each in pair.evidence],
        "checks": pair.checks,
        "provenance": pair.provenance,
    }


def answer_room(pair: Pair, tokens: TokenCounter) -> int:
    """Tokens to generate: the longest accepted answer and some more, a multiple of 8."""
    longest = max(tokens.count(" " + answer) for answer in pair.answers)
    return -(-(longest + SPARE_TOKENS) // 8) * 8


def used_tokens(made: Made, tokens: TokenCounter) -> int:
    """Tokens of a document's longest row: BOS, context, user input and answer."""
    context = tokens.count(prompts.context_text(made.document.text))
    user = max(
        tokens.behind(prompts.question_text(pair.question) + pair.answer_prefix)
        + answer_room(pair, tokens)
        for pair in made.pairs
    )
    return tokens.bos + context + user
