"""Text out of Markdown, by a CommonMark parser: its time does not explode on odd input."""

import re
from functools import cache
from typing import Any

from prefixqa.sources.html import parsed
from prefixqa.sources.raw import Raw, decode, iso_date

LONGEST = 5_000  # characters of a paragraph whose marks are read
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FIELD = re.compile(
    r"^(title|licen[cs]e|date|published)[ \t]*:[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE
)


def markdown(name: str, content: bytes) -> Raw:
    """Markdown; title, licence and date from a YAML block in front, if there is one."""
    body = decode(content).replace("\r\n", "\n")
    front = _FRONT.match(body)
    fields = {}
    if front:
        fields = {key.lower(): value.strip("\"' ") for key, value in _FIELD.findall(front[1])}
        body = body[front.end() :]
    parts = blocks(body)
    heading = next((each[3:] for each in parts if each.startswith("## ")), "")
    return Raw(
        name,
        "\n\n".join(parts),
        name,
        title=fields.get("title") or heading,
        licence=fields.get("license") or fields.get("licence"),
        published=iso_date(fields.get("published") or fields.get("date")),
        wrapped=True,
        code=True,
    )


@cache
def _parser(inline: bool) -> Any:
    """The parser of paragraphs, or of everything around them."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    return parser if inline else parser.disable("inline")


def blocks(body: str) -> list[str]:
    """Paragraphs, headings as ``## Heading``, code and rows of tables behind four blanks."""
    parts: list[str] = []
    inside = ""
    row: list[str] = []
    for token in _parser(inline=False).parse(body):
        if token.type in ("heading_open", "tr_open"):
            inside, row = token.type, []
        elif token.type == "tr_close":
            parts.append("    " + " | ".join(row))
            inside = ""
        elif token.type == "heading_close":
            inside = ""
        elif token.type == "inline":
            words = _words(token.content)
            if inside == "tr_open":
                row.append(words)
            elif words.strip():
                parts.append(f"## {' '.join(words.split())}" if inside else words)
        elif token.type in ("fence", "code_block"):
            lines = token.content.rstrip("\n").split("\n")
            parts.append("\n".join(f"    {line}" for line in lines))
        elif token.type == "html_block":
            parts += parsed(token.content).parts
    return [each for each in parts if each.strip()]


def _words(content: str) -> str:
    """The words of a paragraph: those of links stay, pictures go.

    One longer than ``LONGEST`` stays as it is: what the parser takes grows with the square of it.
    """
    if len(content) > LONGEST:
        return content
    shown = {"softbreak": "\n", "hardbreak": "\n"}
    children = _parser(inline=True).parseInline(content)[0].children or []
    return "".join(
        each.content if each.type in ("text", "code_inline") else shown.get(each.type, "")
        for each in children
    )
