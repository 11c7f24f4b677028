"""What every text is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A part of a text that stands alone: a chapter, a book, a profile, a module.

    Attributes:
        name: unique in its text. title: for people.
        text: prose as paragraphs with an empty line between them, headings as ``## Heading``;
            code as it is.
    """

    name: str
    title: str
    text: str
