"""Names of code inside a sentence of prose: a command of LaTeX, a long option, a path, a variable."""

import re

MOST = 3  # names in a sentence; more are a list or a piece of code
NAMES = re.compile(
    r"(?<![\w\\/.~$-])(?:"
    r"\\[A-Za-z]{2,}\*?"  # \section
    r"|--[a-z][a-z-]+"  # --verbose
    r"|(?:/[A-Za-z][\w+-]*){1,5}(?:/|\.[a-z]{1,5})?"  # /usr/lib
    r"|[A-Za-z]+(?:_[A-Za-z0-9]+)+"  # LC_ALL
    r")(?![\w\\/{}\[(<=*]|[.:]\w)"
)


def without_names(sentence: str) -> str | None:
    """The sentence with a plain word in place of every such name; None if it holds too many."""
    plain, count = NAMES.subn("name", sentence)
    return plain if count <= MOST else None
